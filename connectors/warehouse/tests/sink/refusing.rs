//! Servers that are full, or that only read.

use std::time::Duration;

use lavka_api::data::SinkRecord;
use lavka_testkit::{Postgres, PostgresConfig};

use crate::databases::{Db, mariadb, postgres, postgres_url};
use crate::harness::{Rig, key, name, record, value};

const UPSERT: &[(&str, &str)] =
    &[("insert.mode", "upsert"), ("pk.mode", "record_key"), ("auto.create", "true"), ("max.retries", "1000")];

/// `UPSERT` with another connection.
pub(crate) fn at<'a>(url: &'a str, user: &'a str, password: &'a str) -> Vec<(&'static str, &'a str)> {
    let mut keys = UPSERT.to_vec();
    keys.extend([("connection.url", url), ("connection.user", user), ("connection.password", password)]);
    keys
}

fn batch(table: &str, ids: std::ops::Range<i32>) -> Vec<SinkRecord> {
    // Texts that the server does not make smaller.
    let text = |id: i32| {
        (0..20).map(|part| format!("{:016x}", (i64::from(id) + 1) * 7919 * (part + 3))).collect::<String>()
    };
    ids.map(|id| record(table, id.into(), key(id), value(&text(id), id.into()))).collect()
}

/// Writes until the server has no more room, which is retriable; `room` makes some. Then everything is written, within so
/// many tries.
pub(crate) fn fills_up(
    mut rig: Rig,
    table: &str,
    room: impl FnOnce(),
    tries: usize,
    count: impl Fn() -> String,
) {
    let mut next = 0;
    let error = loop {
        match rig.feed(batch(table, next..next + 500), (next + 500).into()) {
            Ok(on) => next = on.try_into().unwrap(),
            Err(error) => break error,
        }
        assert!(next < 100_000, "it is never full");
    };
    assert!(error.is_retriable(), "{error}");
    assert!(error.to_string().contains("The server's disk is full"), "{error}");
    assert_eq!(rig.context.retry_after_ms, Some(10));
    assert_eq!(count(), next.to_string(), "a batch is there whole or not at all");
    room();
    let mut last = String::new();
    for _ in 0..tries {
        match rig.try_put(batch(table, next..next + 500)) {
            Ok(()) => break,
            Err(error) => last = error.to_string(),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(count(), (next + 500).to_string(), "{last}");
    assert!(rig.errant.is_empty(), "{:?}", rig.errant);
    rig.stop();
}

#[test]
fn a_full_postgresql_is_waited_for() {
    if !Postgres::can_have_disk_for("a_full_postgresql_is_waited_for") {
        return;
    }
    let config = PostgresConfig { disk: Some("size=2m".into()), ..PostgresConfig::default() };
    let server = Postgres::start(&config).unwrap();
    server.sql(&format!(
        "CREATE TABLESPACE small LOCATION '{}'; CREATE TABLE readings (id int PRIMARY KEY USING INDEX TABLESPACE small, \
         name text, amount bigint) TABLESPACE small",
        server.disk().display()
    ));
    let url = postgres_url(server.port());
    let rig = Rig::new(Db::Postgres, "", &at(&url, Postgres::USER, Postgres::PASSWORD));
    let count = || server.sql("SELECT count(*) FROM readings");
    fills_up(rig, "readings", || server.remount("size=64m"), 1, count);
}

#[test]
fn a_server_that_only_reads_is_tried_again() {
    let user = name("reader");
    postgres().sql(&format!(
        "CREATE ROLE {user} LOGIN SUPERUSER PASSWORD 'secret'; ALTER ROLE {user} SET default_transaction_read_only = on"
    ));
    // Who may do everything writes to a MariaDB that only reads.
    let rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER";
    mariadb().sql(&format!(
        "CREATE USER {user}@'%' IDENTIFIED BY 'secret'; GRANT {rights} ON shop.* TO {user}@'%'"
    ));
    for db in [Db::Postgres, Db::Maria] {
        let table = name("reading");
        Rig::new(db, &table, UPSERT).put(batch(&table, 0..1));
        if db == Db::Maria {
            mariadb().sql("SET GLOBAL read_only = 1");
        }
        let url = db.connection("").remove(0).1;
        let mut rig = Rig::new(db, &table, &at(&url, &user, "secret"));
        let error = rig.try_put(batch(&table, 1..2)).unwrap_err();
        let writable = if db == Db::Postgres {
            // Sessions keep what they began with.
            postgres().sql(&format!(
                "ALTER ROLE {user} RESET ALL; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"
            ))
        } else {
            mariadb().sql("SET GLOBAL read_only = 0")
        };
        assert!(error.is_retriable(), "{db:?} {error} {writable}");
        assert!(
            error.to_string().contains("check that connection.url leads to the primary"),
            "{db:?} {error}"
        );
        rig.put(batch(&table, 1..2));
        assert_eq!(db.sql(&table, &format!("SELECT count(*) FROM {table}")), "2", "{db:?}");
        rig.stop();
    }
}
