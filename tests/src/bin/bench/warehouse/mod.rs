//! Kafka to tables of PostgreSQL: beside raw binary `COPY` of rows that were encoded beforehand, beside an upsert through a
//! staging table written by hand, beside Debezium's JDBC sink in a Java worker that was warmed up by a pass of its own, and
//! the same over ODBC; and the rates of MariaDB and SQLite.
//!
//! Server, broker and worker share the machine. A table has ten columns and a primary key; upserts meet rows that are
//! there.

mod debezium;
mod others;
mod raw;
pub(crate) mod rows;

use std::error::Error;
use std::time::Duration;

use lavka_api::config::Config;
use lavka_telemetry::metrics::Metrics;
use lavka_testkit::{Postgres, PostgresConfig};

use super::java::Beside;
use super::usage::{Run, Stopwatch};
use super::{avro, median, worker};
use debezium::Debezium;
use raw::Table;
use rows::RECORDS;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Rows of a batch, of all sides.
const BATCH: u32 = 3000;
/// Rounds; the median is reported.
const ROUNDS: usize = 3;
/// Rounds of inserts alone.
const INSERT_ROUNDS: usize = 9;

/// Runs one part, or all.
pub(crate) async fn run(bootstrap: &str, part: Option<&str>) -> Outcome<()> {
    let settings = ["shared_buffers = 256MB", "max_wal_size = 8GB"].map(str::to_owned).to_vec();
    let server = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() })?;
    match part {
        None => {
            limits(bootstrap, &server).await?;
            beside_debezium(bootstrap, &server).await?;
            over_odbc(bootstrap, &server).await?;
            others::run(bootstrap).await
        }
        Some("limits") => limits(bootstrap, &server).await,
        Some("inserts") => inserts(bootstrap, &server).await,
        Some("debezium") => beside_debezium(bootstrap, &server).await,
        Some("odbc") => over_odbc(bootstrap, &server).await,
        Some("others") => others::run(bootstrap).await,
        Some(other) => Err(format!("{other} is none of limits, inserts, debezium, odbc and others").into()),
    }
}

async fn limits(bootstrap: &str, server: &Postgres) -> Outcome<()> {
    println!("Kafka (Avro) → PostgreSQL, {RECORDS} records of 10 columns, transactions of {BATCH}");
    let registry = avro::registry()?;
    rows::produce(bootstrap, rows::AVRO, &registry).await?;
    let mut table = Table::open(server).await?;
    let native = raw::url(server);
    let (mut inserts, mut upserts) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let [copy, insert] = copy_and_inserts(bootstrap, &native, &mut table, &registry).await?;
        table.mark().await?;
        let by_hand = table.upsert().await?;
        table.mark().await?;
        let upsert = lavka(bootstrap, &native, &mut table, Format::Avro(&registry), "upsert").await?;
        if round > 0 {
            println!("  raw COPY {copy}   Lavka {insert}   upsert by hand {by_hand}   Lavka {upsert}");
            inserts.push(insert.rate / copy.rate);
            upserts.push(upsert.rate / by_hand.rate);
        }
    }
    println!(
        "  inserts {:.0} % of raw COPY, upserts {:.0} % of those by hand (median of {ROUNDS})",
        100.0 * median(&mut inserts),
        100.0 * median(&mut upserts)
    );
    Ok(())
}

/// The raw `COPY` into the empty table, and our inserts into it.
async fn copy_and_inserts(
    bootstrap: &str,
    url: &str,
    table: &mut Table,
    registry: &str,
) -> Outcome<[Run; 2]> {
    table.empty().await?;
    let copy = table.copy().await?;
    table.empty().await?;
    Ok([copy, lavka(bootstrap, url, table, Format::Avro(registry), "insert").await?])
}

/// The first half of [`limits`], more often.
async fn inserts(bootstrap: &str, server: &Postgres) -> Outcome<()> {
    println!("Kafka (Avro) → PostgreSQL, {RECORDS} records of 10 columns, inserts alone");
    let registry = avro::registry()?;
    rows::produce(bootstrap, rows::AVRO, &registry).await?;
    let mut table = Table::open(server).await?;
    let native = raw::url(server);
    let (mut ratios, mut costs) = (Vec::new(), Vec::new());
    for round in 0..=INSERT_ROUNDS {
        let [copy, insert] = copy_and_inserts(bootstrap, &native, &mut table, &registry).await?;
        if round > 0 {
            println!("  raw COPY {copy}   Lavka {insert}");
            ratios.push(insert.rate / copy.rate);
            costs.push(insert.cpu_seconds * 1e6 / f64::from(RECORDS));
        }
    }
    println!(
        "  inserts {:.0} % of raw COPY, {:.2} µs of the worker's processor a row (medians of {INSERT_ROUNDS})",
        100.0 * median(&mut ratios),
        median(&mut costs)
    );
    Ok(())
}

async fn beside_debezium(bootstrap: &str, server: &Postgres) -> Outcome<()> {
    println!(
        "Kafka (JSON with schemas) → PostgreSQL, {RECORDS} records of 10 columns, beside Debezium's JDBC sink"
    );
    rows::produce(bootstrap, rows::JSON, "").await?;
    let mut table = Table::open(server).await?;
    let mut debezium = Debezium::launch(bootstrap)?;
    for mode in ["insert", "upsert"] {
        let mut beside = Beside::new(mode);
        for _ in 0..=ROUNDS {
            table.ready(mode).await?;
            let us = lavka(bootstrap, &raw::url(server), &mut table, Format::Json, mode).await?;
            table.ready(mode).await?;
            beside.add(us, debezium.write(server, &mut table, mode).await?);
        }
        beside.print(debezium.pid());
    }
    Ok(())
}

async fn over_odbc(bootstrap: &str, server: &Postgres) -> Outcome<()> {
    println!(
        "Kafka (Avro) → PostgreSQL over its ODBC driver, {RECORDS} records of 10 columns, beside the native driver"
    );
    let registry = avro::registry()?;
    rows::produce(bootstrap, rows::AVRO, &registry).await?;
    let mut table = Table::open(server).await?;
    for mode in ["insert", "upsert"] {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let mut runs = Vec::with_capacity(2);
            for url in [raw::url(server), raw::odbc_url(server)] {
                table.ready(mode).await?;
                runs.push(lavka(bootstrap, &url, &mut table, Format::Avro(&registry), mode).await?);
            }
            if let [native, odbc] = runs.as_slice() {
                println!("  {mode}: native {native}   ODBC {odbc}");
                rates.push(odbc.rate / native.rate);
            }
        }
        println!(
            "  {mode}: {:.0} % of the native driver's rate (median of {ROUNDS})",
            100.0 * median(&mut rates)
        );
    }
    Ok(())
}

/// What the messages are.
#[derive(Clone, Copy)]
enum Format<'a> {
    /// With the registry's URL.
    Avro(&'a str),
    Json,
}

/// Through a worker into PostgreSQL, as [`written`] says.
async fn lavka(
    bootstrap: &str,
    url: &str,
    table: &mut Table,
    format: Format<'_>,
    mode: &str,
) -> Outcome<Run> {
    let keys = [
        ("connection.url", url),
        ("connection.user", Postgres::USER),
        ("connection.password", Postgres::PASSWORD),
    ];
    written(bootstrap, &keys, format, mode, async || table.wait_for(RECORDS - 1).await).await
}

/// Through a worker: consumer group, converter, sink, which is told how to connect. Timed from the first record on, so that
/// joining the group does not count, until `all` says that the last row is committed.
async fn written(
    bootstrap: &str,
    keys: &[(&str, &str)],
    format: Format<'_>,
    mode: &str,
    all: impl AsyncFnOnce() -> Outcome<()>,
) -> Outcome<Run> {
    let folder = tempfile::tempdir()?;
    let metrics = Metrics::new();
    let plugins = [lavka_avro::plugins(), lavka_connector_warehouse::plugins()].into_iter().flatten();
    let worker = worker::start(bootstrap, folder.path(), metrics.clone(), plugins.collect(), &[])?;
    let mut connector = Config::from([
        ("connector.class", "io.confluent.connect.jdbc.JdbcSinkConnector".to_owned()),
        ("table.name.format", raw::TABLE.into()),
        ("insert.mode", mode.into()),
        ("pk.mode", "record_value".into()),
        ("pk.fields", "id".into()),
        ("batch.size", BATCH.to_string()),
        ("consumer.override.max.poll.records", BATCH.to_string()),
    ]);
    let more = match format {
        Format::Avro(registry) => [
            ("topics", rows::AVRO),
            ("value.converter", rows::CONVERTER),
            ("value.converter.schema.registry.url", registry),
        ],
        Format::Json => [
            ("topics", rows::JSON),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter.schemas.enable", "true"),
        ],
    };
    more.into_iter().chain(keys.iter().copied()).for_each(|(key, value)| {
        connector.set(key, value);
    });
    let name = format!("bench-{}", lavka_testkit::unique("warehouse"));
    worker.handle().put_connector(name, connector, None, true).await?;
    while worker::total(&metrics, "sink-record-read-total") < 1.0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let watch = Stopwatch::start();
    all().await?;
    let run = watch.stop(RECORDS);
    worker.shutdown().await;
    Ok(run)
}
