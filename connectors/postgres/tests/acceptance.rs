//! The PostgreSQL source keeps what the runtime counts on, against a real server.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper that fails, fails its test")]

use std::sync::Arc;

use lavka_api::config::Config;
use lavka_api::data::Value;
use lavka_testkit::{Postgres, PostgresConfig, acceptance};

const ROWS: usize = 8;

/// The suite validates thousands of configurations, each of which connects. One round of hashing instead of 4096 makes
/// that a matter of seconds; the password is the launcher's.
const ROLE: &str = "CREATE ROLE source SUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$1:c2l4dGVlbiBieXRlcyEhIQ==$XwcUq+4mDfjwd9JyzrU+HkBNKKcL62EaRWtBR+fuZBQ=:ONkZikMv9Qvc+Ku3ZWuNJndmtd42p4jFOZ+fpz7VhxQ='";

#[test]
fn the_postgresql_source() {
    let settings = ["max_replication_slots = 500", "max_wal_senders = 50", "max_connections = 200"];
    let config = PostgresConfig { settings: settings.map(Into::into).to_vec(), ..PostgresConfig::default() };
    let server = Arc::new(Postgres::start(&config).unwrap());
    server.sql(ROLE);
    let port = server.port();
    // Each round has a table, a publication and a slot of its own.
    let tables = Arc::clone(&server);
    let round = move |round: usize| {
        tables.sql(&format!("CREATE TABLE IF NOT EXISTS round{round} (id int PRIMARY KEY, reading float8)"));
        Config::from([
            ("topic.prefix", "srv".to_owned()),
            ("database.hostname", "127.0.0.1".into()),
            ("database.port", port.to_string()),
            ("database.user", "source".into()),
            ("database.password", Postgres::PASSWORD.into()),
            ("database.dbname", Postgres::DATABASE.into()),
            ("plugin.name", "pgoutput".into()),
            ("slot.name", format!("round{round}")),
            ("publication.name", format!("round{round}")),
            ("publication.autocreate.mode", "filtered".into()),
            ("table.include.list", format!("public.round{round}")),
            ("snapshot.mode", "no_data".into()),
            ("poll.interval.ms", "20".into()),
            ("slot.max.retries", "100".into()),
            ("slot.retry.delay.ms", "50".into()),
            ("retriable.restart.connector.wait.ms", "50".into()),
        ])
    };
    acceptance::source(lavka_connector_postgres::plugins().remove(0))
        .config(round(0))
        .refuses("plugin.name", "wal2json")
        .refuses("slot.name", "No Slot")
        .records(ROWS)
        .round(round)
        .fill(move |config| {
            let table = config.get("table.include.list").unwrap();
            server.sql(&format!("INSERT INTO {table} SELECT n, n * 1.5 FROM generate_series(1, {ROWS}) n"));
        })
        // The schema's name, and with it the whole key, is the round's.
        .identity(|handed| match &handed.record.key.value {
            Value::Struct(key) => format!("{:?}", key.values()),
            other => format!("{other:?}"),
        })
        .check()
        .assert_clean();
}
