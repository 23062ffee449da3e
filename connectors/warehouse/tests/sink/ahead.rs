//! Polls that are written while the next ones are taken.

use std::sync::mpsc;
use std::time::Duration;

use lavka_api::data::{Datum, Schema, SinkRecord, TopicPartition, Type, Value};
use lavka_api::plugin::Offsets;
use lavka_testkit::eventually;

use crate::databases::{ALL, Db};
use crate::harness::{Rig, key, name, record, row, value};

/// Records of a poll: so many are written ahead.
const POLL: i64 = 500;

fn poll(table: &str, number: i64) -> Vec<SinkRecord> {
    let offsets = number * POLL..(number + 1) * POLL;
    offsets.map(|at| record(table, at, key(i32::try_from(at).unwrap()), value("x", at))).collect()
}

fn at(table: &str, offset: i64) -> Offsets {
    Offsets::from([(TopicPartition::new(table, 0), offset)])
}

/// Rows, and different ones.
fn counts(db: Db, table: &str) -> String {
    db.sql(table, &format!("SELECT count(*), count(DISTINCT amount) FROM {table}"))
}

/// Hands polls over as the engine does: it goes back where it is asked to, and tries again what could not be taken. Returns
/// the offsets that it went back to.
fn deliver(rig: &mut Rig, polls: &[Vec<SinkRecord>]) -> Vec<i64> {
    let (mut next, mut rewinds) = (0, Vec::new());
    loop {
        let on = match polls.get(next) {
            Some(poll) => {
                let behind = poll.last().map_or(0, |last| last.origin.offset + 1);
                match rig.feed(poll.clone(), behind) {
                    Ok(on) if on == behind => {
                        next += 1;
                        continue;
                    }
                    Ok(on) => on,
                    Err(error) if error.is_retriable() => continue,
                    Err(error) => panic!("{error}"),
                }
            }
            None => match rig.settle().unwrap().into_values().next() {
                Some(on) => on,
                None => return rewinds,
            },
        };
        rewinds.push(on);
        next = polls.iter().position(|poll| poll[0].origin.offset == on).unwrap();
    }
}

#[test]
fn what_is_committed_is_in_the_table() {
    for db in ALL {
        let table = name("ahead");
        let mut rig = Rig::new(db, &table, &[("auto.create", "true"), ("max.retries", "1000")]);
        for commit in 1..=3 {
            let polls: Vec<_> = ((commit - 1) * 20..commit * 20).map(|number| poll(&table, number)).collect();
            let (first, seen) = ((commit - 1) * 20 * POLL, commit * 20 * POLL);
            deliver(&mut rig, &polls[..10]);
            // Another test may have taken the database away.
            let mut fed = first + 10 * POLL;
            while fed < seen {
                let poll = polls[usize::try_from((fed - first) / POLL).unwrap()].clone();
                match rig.feed(poll, fed + POLL) {
                    Ok(on) if on > fed => fed = on,
                    _ => break,
                }
            }
            let durable = rig.pre_commit(&at(&table, fed)).values().next().copied().unwrap();
            assert_eq!(counts(db, &table), format!("{durable}|{durable}"), "{db:?}");
            deliver(&mut rig, &polls[usize::try_from((durable - first) / POLL).unwrap()..]);
        }
        rig.stop();
    }
}

#[test]
fn polls_are_written_while_the_threads_of_the_worker_are_busy() {
    let (db, table) = (Db::Sqlite, name("ahead_busy"));
    let mut rig = Rig::new(db, &table, &[("auto.create", "true")]);
    rig.put(poll(&table, 0));
    let (began, begun) = mpsc::channel();
    let (free, freed) = mpsc::channel::<()>();
    rig.runtime.spawn(async move {
        // It has the runtime's only thread from here on, as a task has that decodes.
        began.send(()).unwrap();
        freed.recv()
    });
    begun.recv().unwrap();
    rig.try_put(poll(&table, 1)).unwrap();
    let both = || (counts(db, &table) == "1000|1000").then_some(());
    eventually("the rows of the second poll", Duration::from_secs(60), both);
    drop(free);
    rig.stop();
}

#[test]
fn a_bad_row_is_found_where_it_comes_again() {
    for db in ALL {
        let table = name("ahead_bad");
        let keys = [("auto.create", "true"), ("pk.mode", "record_key"), ("max.retries", "1000")];
        let mut rig = Rig::new(db, &table, &keys);
        let bad = 7 * POLL + 123;
        let mut polls: Vec<_> = (0..12).map(|number| poll(&table, number)).collect();
        polls[7][123].record.key = key(1);
        let rewinds = deliver(&mut rig, &polls);
        assert!(!rewinds.is_empty() && rewinds[0] <= bad, "{db:?} {rewinds:?}");
        let reported: Vec<usize> = rig.errant.iter().map(|errant| errant.index).collect();
        assert_eq!(reported, [123], "{db:?}");
        let rows = 12 * POLL - 1;
        assert_eq!(counts(db, &table), format!("{rows}|{rows}"), "{db:?}");
        rig.stop();
    }
}

#[test]
fn nothing_is_promised_of_what_could_not_be_written() {
    let (db, table) = (Db::Postgres, name("ahead_lost"));
    let mut rig = Rig::new(db, &table, &[("auto.create", "true"), ("pk.mode", "record_key")]);
    rig.put(poll(&table, 0));
    db.sql(&table, &format!("ALTER TABLE {table} ADD CHECK (amount < 997)"));
    rig.try_put(poll(&table, 1)).unwrap();
    assert_eq!(rig.pre_commit(&at(&table, 2 * POLL)), at(&table, POLL));
    // Whatever comes first is told where to go on, and is not written.
    rig.try_put(poll(&table, 2)).unwrap();
    assert_eq!(rig.context.rewind, at(&table, POLL));
    assert_eq!(counts(db, &table), "500|500");
    rig.try_put(poll(&table, 1)).unwrap();
    assert_eq!(rig.errant.len(), 3);
    assert_eq!(counts(db, &table), "997|997");
    rig.stop();
}

#[test]
fn texts_after_binary_values_begin_the_copy_anew() {
    let (db, table) = (Db::Postgres, name("ahead_forms"));
    db.sql(&table, &format!("CREATE TABLE {table} (u uuid, n bigint)"));
    let schema = Schema::structure().field("u", Schema::of(Type::String)).field("n", Schema::of(Type::Int64));
    let schema = schema.build().unwrap();
    let records = |from: i64, to: i64, braces: bool| -> Vec<SinkRecord> {
        let rows = (from..to).map(|n| {
            let plain = format!("00000000-0000-0000-0000-{n:012}");
            // PostgreSQL reads it, and it has no binary form here.
            let id = if braces && n == to - 1 { format!("{{{plain}}}") } else { plain };
            record(&table, n, Datum::NULL, row(&schema, [id.as_str().into(), Value::Int64(n)]))
        });
        rows.collect()
    };
    let mut rig = Rig::new(db, &table, &[]);
    rig.try_put(records(0, 5000, true)).unwrap();
    rig.try_put(records(5000, 5200, false)).unwrap();
    assert_eq!(rig.settle().unwrap(), Offsets::new());
    let found = db.sql(&table, &format!("SELECT count(*), count(DISTINCT u), max(n) FROM {table}"));
    assert_eq!(found, "5200|5200|5199");
    assert!(rig.errant.is_empty());
    rig.stop();
}
