//! What goes wrong around the sink.

use std::time::Duration;

use lavka_api::data::Datum;
use lavka_testkit::{count, eventually};

use crate::databases::{ALL, Db};
use crate::file_lock::FileLock;
use crate::harness::{Rig, key, name, record, value};

const UPSERT: &[(&str, &str)] = &[
    ("insert.mode", "upsert"),
    ("pk.mode", "record_key"),
    ("delete.enabled", "true"),
    ("auto.create", "true"),
    ("auto.evolve", "true"),
];

/// A user of one test, so that the sessions of its sink are known among all others.
const SINGLE: &str = "single";

/// Makes the user.
fn make_single(db: Db) {
    db.sql(
        "",
        match db {
            Db::Postgres => "CREATE ROLE single SUPERUSER LOGIN PASSWORD 'single'",
            _ => "CREATE USER single@'%' IDENTIFIED BY 'single'; GRANT ALL ON *.* TO single@'%'",
        },
    );
}

/// Ends the sessions of the user, waits until they are gone, and tells how many there were.
fn end_sessions(db: Db) -> usize {
    let (list, end) = match db {
        Db::Postgres => {
            ("SELECT pid FROM pg_stat_activity WHERE usename = 'single'", "SELECT pg_terminate_backend")
        }
        _ => ("SELECT id FROM information_schema.processlist WHERE user = 'single'", "KILL "),
    };
    let sessions = db.sql("", list);
    let ended = sessions.lines().map(|id| db.sql("", &format!("{end}({id})"))).count();
    let gone = || db.sql("", list).is_empty().then_some(());
    eventually("the sessions to end", Duration::from_secs(60), gone);
    ended
}

#[test]
fn a_lost_connection_is_opened_anew() {
    for db in [Db::Postgres, Db::Maria] {
        let table = name("lost");
        make_single(db);
        let mut keys = UPSERT.to_vec();
        keys.extend([("connection.user", SINGLE), ("connection.password", SINGLE)]);
        let mut rig = Rig::new(db, &table, &keys);
        rig.put(vec![record(&table, 0, key(1), value("one", 1))]);
        assert_eq!(end_sessions(db), 1, "{db:?}");
        // The connection was idle, so that a new one is tried at once.
        rig.try_put(vec![record(&table, 1, key(2), value("two", 2))]).unwrap();
        assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "2", "{db:?}");
        rig.stop();
    }
}

#[test]
fn a_table_that_changes_is_looked_up_again() {
    for db in ALL {
        let table = name("changed");
        let mut rig = Rig::new(db, &table, UPSERT);
        rig.put(vec![record(&table, 0, key(1), value("one", 1))]);
        db.sql(&table, &format!("ALTER TABLE {table} DROP COLUMN amount"));
        rig.put(vec![record(&table, 1, key(2), value("two", 2))]);
        db.sql(&table, &format!("DROP TABLE {table}"));
        rig.put(vec![record(&table, 2, key(3), value("three", 3)), record(&table, 3, key(3), Datum::NULL)]);
        rig.put(vec![record(&table, 4, key(4), value("four", 4))]);
        assert_eq!(db.sql(&table, &format!("SELECT id, amount FROM {table}")), "4|4", "{db:?}");
        assert!(rig.errant.is_empty(), "{db:?} {:?}", rig.errant);
        rig.stop();
    }
}

#[test]
fn locks_and_read_only_pass_or_end_the_task_after_the_last_try() {
    let table = name("locked");
    let db = Db::Sqlite;
    let url = db.connection(&table).remove(0).1;
    let url = if crate::OVER_ODBC {
        url.replace("Timeout=3000", "Timeout=1")
    } else {
        format!("{url}?busy_timeout=1")
    };
    let mut keys = UPSERT.to_vec();
    keys.extend([("connection.url", url.as_str()), ("max.retries", "2")]);
    let mut rig = Rig::new(db, &table, &keys);
    rig.put(vec![record(&table, 0, key(1), value("one", 1))]);
    let lock = FileLock::take(&table);
    let batch = || vec![record(&table, 1, key(2), value("two", 2))];
    for _ in 0..2 {
        let outcome = rig.try_put(batch());
        assert!(rig.errant.is_empty(), "{:?}", rig.errant);
        let error = outcome.unwrap_err();
        assert!(error.is_retriable(), "{error}");
        assert_eq!(rig.context.retry_after_ms, Some(10));
    }
    let error = rig.try_put(batch()).unwrap_err();
    assert!(!error.is_retriable() && error.to_string().contains("max.retries"), "{error}");
    lock.release();
    let mut rig = Rig::new(db, &table, &keys);
    rig.put(batch());
    assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "2");
    rig.stop();
}

#[test]
fn two_tasks_that_meet_in_other_orders_both_get_through() {
    let rounds = i64::try_from(count(10, 100)).unwrap();
    for db in [Db::Postgres, Db::Maria] {
        let table = name("deadlocks");
        Rig::new(db, &table, UPSERT)
            .put((0..200).map(|id| record(&table, id.into(), key(id), value("x", 0))).collect());
        let writers: Vec<_> = [false, true]
            .into_iter()
            .map(|backwards| {
                let table = table.clone();
                std::thread::spawn(move || {
                    let mut rig = Rig::new(db, &table, UPSERT);
                    for round in 0..rounds {
                        let mut batch: Vec<_> = (0..200)
                            .map(|id| record(&table, 1000 + i64::from(id), key(id), value("x", round)))
                            .collect();
                        if backwards {
                            batch.reverse();
                        }
                        rig.put(batch);
                    }
                    assert!(rig.errant.is_empty(), "{:?}", rig.errant);
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        let found = db.sql(&table, &format!("SELECT count(*), min(amount) FROM {table}"));
        assert_eq!(found, format!("200|{}", rounds - 1), "{db:?}");
    }
}
