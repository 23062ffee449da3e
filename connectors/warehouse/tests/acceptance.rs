//! The sinks keep what the runtime counts on.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use lavka_api::config::Config;
use lavka_api::data::{Datum, Record, Schema, Struct, TopicPartition, Type, Value};
use lavka_testkit::acceptance;
use sqlx::{Connection as _, Row as _};

fn place(partition: &TopicPartition, offset: i64) -> Record {
    thread_local! {
        static SCHEMA: Schema = Schema::structure()
            .field("part", Schema::of(Type::Int32))
            .field("place", Schema::of(Type::Int64))
            .build()
            .unwrap();
    }
    SCHEMA.with(|schema| {
        let value =
            Struct::new(schema.clone(), [Value::Int32(partition.partition), Value::Int64(offset)]).unwrap();
        Record { value: Datum::new(schema.clone(), value), ..Record::for_topic("t") }
    })
}

fn written(config: &Config) -> Vec<(i32, i64)> {
    let file = config.get("connection.url").unwrap().strip_prefix("jdbc:sqlite:").unwrap().to_owned();
    let read = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection =
                sqlx::SqliteConnection::connect(&format!("sqlite:{file}?mode=rwc")).await.unwrap();
            let rows = sqlx::raw_sql("SELECT part, place FROM acceptance").fetch_all(&mut connection).await;
            // No record came, so there is no table.
            let rows = rows.unwrap_or_default();
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        })
    };
    std::thread::spawn(read).join().unwrap()
}

fn check(
    plugin: usize,
    keys: &'static [(&'static str, &'static str)],
    refused: (&str, &str),
    exactly_once: bool,
) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let config = move |round: String| {
        let mut config = Config::new();
        config.set("connection.url", format!("jdbc:sqlite:{}", root.join(round).display()));
        for (key, value) in keys {
            config.set(*key, *value);
        }
        config
    };
    let mut suite = acceptance::sink(lavka_connector_warehouse::plugins().remove(plugin))
        .config(config("sample".to_owned()))
        .refuses(refused.0, refused.1)
        .refuses("connection.url", "jdbc:h2:mem:x")
        .records(60)
        .record(place)
        .written(written)
        .unwritable(Record { value: Datum::schemaless("no struct"), ..Record::for_topic("t") });
    if exactly_once {
        suite = suite.exactly_once();
    }
    suite.round(move |round| config(round.to_string())).check().assert_clean();
}

const ONCE: &[(&str, &str)] = &[("auto.create", "true"), ("lavka.exactly.once", "true")];
const UPSERT: &[(&str, &str)] =
    &[("auto.create", "true"), ("insert.mode", "upsert"), ("pk.mode", "record_value")];
const CHANGES: &[(&str, &str)] =
    &[("schema.evolution", "basic"), ("insert.mode", "upsert"), ("primary.key.mode", "record_value")];

#[test]
fn confluents_sink_with_offsets_in_the_database() {
    check(0, ONCE, ("delete.enabled", "true"), true);
}

#[test]
fn aivens_sink_with_upserts() {
    check(1, UPSERT, ("db.timezone", "Nowhere"), true);
}

#[test]
fn debeziums_sink_with_upserts() {
    check(2, CHANGES, ("use.time.zone", "Nowhere"), true);
}

#[test]
fn the_source_by_an_incrementing_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.db").display().to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection =
            sqlx::SqliteConnection::connect(&format!("sqlite:{file}?mode=rwc")).await.unwrap();
        let rows: Vec<String> = (1..=20).map(|id| format!("({id}, 'order {id}')")).collect();
        let sql = format!(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, name TEXT); INSERT INTO orders VALUES {}",
            rows.join(",")
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    let url = format!("jdbc:sqlite:{file}");
    acceptance::source(lavka_connector_warehouse::plugins().remove(3))
        .config([
            ("connection.url", url.as_str()),
            ("mode", "incrementing"),
            ("validate.non.null", "false"),
            ("topic.prefix", "shop-"),
            ("poll.interval.ms", "100"),
            ("batch.max.rows", "3"),
        ])
        .refuses("connection.url", "jdbc:h2:mem:x")
        .refuses("mode", "timestamp")
        .records(20)
        .check()
        .assert_clean();
}
