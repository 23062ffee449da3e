//! How long a change takes from its commit to a consumer of Kafka, at a steady rate.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lavka_telemetry::metrics::Metrics;
use lavka_testkit::{Postgres, PostgresConfig};
use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::{Outcome, load, reader};
use crate::worker;

/// Changes a second, each a transaction of its own.
const RATE: u32 = 1_000;
const SECONDS: u32 = 15;
/// Those of the first seconds do not count.
const WARM_UP: u32 = 5;

pub(super) async fn run(bootstrap: &str) -> Outcome<()> {
    println!("PostgreSQL latency: {RATE} transactions a second for {SECONDS} s, from commit to a consumer");
    // Without this a commit is not handed to readers before the server's next round of writing.
    let settings = vec!["synchronous_commit = on".to_owned()];
    let server = Postgres::start(&PostgresConfig { settings, ..PostgresConfig::default() })?;
    server.sql("create table beats (id bigint primary key, v text)");
    let slot = load::slot(&server, "latency")?;
    let prefix = format!("latency{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros());
    let config = reader::config(&server, &slot, &[("topic.prefix", &prefix)]);
    let folder = tempfile::tempdir()?;
    let plugins = lavka_connector_postgres::plugins();
    let settings = [("producer.linger.ms", "0")];
    let worker = worker::start(bootstrap, folder.path(), Metrics::new(), plugins, &settings)?;
    worker.handle().put_connector("bench-latency".into(), config, None, true).await?;
    let (port, bootstrap) = (server.port(), bootstrap.to_owned());
    let writing = tokio::task::spawn_blocking(move || write(port).map_err(|error| error.to_string()));
    let topic = format!("{prefix}.public.beats");
    let reading =
        tokio::task::spawn_blocking(move || read(&bootstrap, &topic).map_err(|error| error.to_string()));
    writing.await??;
    let mut waits = reading.await??;
    worker.shutdown().await;
    waits.sort_unstable();
    let at = |share: f64| {
        let place = (waits.len() as f64 * share) as usize;
        waits
            .get(place.min(waits.len().saturating_sub(1)))
            .map_or(f64::NAN, |wait| wait.as_secs_f64() * 1000.0)
    };
    println!(
        "  {} changes: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms",
        waits.len(),
        at(0.5),
        at(0.99),
        at(0.999)
    );
    Ok(())
}

/// One transaction a millisecond, whether or not earlier ones were waited for.
fn write(port: u16) -> Outcome<()> {
    let mut psql = Command::new("psql")
        .args(["-X", "-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", Postgres::USER])
        .args(["-d", Postgres::DATABASE])
        .env("PGPASSWORD", Postgres::PASSWORD)
        .stdin(Stdio::piped())
        .spawn()?;
    let mut input = psql.stdin.take().ok_or("no input")?;
    let began = Instant::now();
    for number in 0..RATE * SECONDS {
        let due = Duration::from_secs_f64(f64::from(number) / f64::from(RATE));
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        writeln!(input, "insert into beats values ({number}, 'a short text');")?;
    }
    drop(input);
    psql.wait()?;
    Ok(())
}

/// What passed between commit and arrival, change by change.
fn read(bootstrap: &str, topic: &str) -> Outcome<Vec<Duration>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", topic)
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "5")
        .set("topic.metadata.refresh.interval.ms", "200")
        .create()?;
    consumer.subscribe(&[topic])?;
    let mut waits = Vec::new();
    let until = Instant::now() + Duration::from_secs(u64::from(SECONDS) + 30);
    while Instant::now() < until {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let Ok(message) = message else { continue };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let value: serde_json::Value = serde_json::from_slice(message.payload().unwrap_or_default())?;
        let commit = Duration::from_micros(value["source"]["ts_us"].as_u64().unwrap_or(0));
        let number = value["after"]["id"].as_u64().unwrap_or(0);
        if number >= u64::from(RATE * WARM_UP) {
            waits.push(now.saturating_sub(commit));
        }
        if number + 1 == u64::from(RATE * SECONDS) {
            break;
        }
    }
    Ok(waits)
}
