//! Changes of PostgreSQL: beside `pg_recvlogical`, which throws them away and is the limit of what a server sends, and
//! beside Debezium's own connector in a Java process that was warmed up by a pass of its own.

mod debezium;
mod lag;
mod load;
mod reader;
mod worker;

use std::error::Error;
use std::time::Instant;

use lavka_api::config::Config;
use lavka_testkit::{Authority, Postgres, PostgresConfig, PostgresTls};

use super::java::Beside;
use super::median;
use super::usage::{Run, forget_peak, peak};
use debezium::Debezium;
use load::{CHANGES, Load};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// A producer that gathers and compresses, as one that is to take much is usually set.
const COMPRESSING: [(&str, &str); 2] = [("producer.linger.ms", "5"), ("producer.compression.type", "lz4")];
/// Rounds; the median is reported.
const ROUNDS: usize = 3;
/// Rows of the table that a snapshot reads, unless LAVKA_BENCH_ROWS says how many.
const ROWS: u32 = 1_000_000;
/// Tables of a large database.
const TABLES: u32 = 5_000;

/// Runs one part, or all.
pub(crate) async fn run(bootstrap: &str, part: Option<&str>) -> Outcome<()> {
    let parts = [
        "stream",
        "workers",
        "alone",
        "worker",
        "tls",
        "memory",
        "latency",
        "snapshot",
        "transaction",
        "tables",
    ];
    for known in parts.iter().filter(|known| part.is_none_or(|part| part == **known)) {
        match *known {
            "stream" => stream(bootstrap).await?,
            "workers" => workers(bootstrap).await?,
            "alone" => alone().await?,
            "worker" => worker_alone(bootstrap).await?,
            "tls" => tls().await?,
            "memory" => memory(bootstrap).await?,
            "latency" => lag::run(bootstrap).await?,
            "snapshot" => snapshot().await?,
            "transaction" => transaction().await?,
            _ => tables().await?,
        }
    }
    match part {
        Some(part) if !parts.contains(&part) => Err(format!("{part} is none of {}", parts.join(", ")).into()),
        _ => Ok(()),
    }
}

/// A server whose disk does not matter.
fn server() -> Outcome<Postgres> {
    server_with(None)
}

fn server_with(tls: Option<PostgresTls>) -> Outcome<Postgres> {
    let settings = [
        "shared_buffers = 256MB",
        "max_wal_size = 8GB",
        "max_replication_slots = 40",
        "max_wal_senders = 40",
    ];
    let settings = settings.map(str::to_owned).to_vec();
    Ok(Postgres::start(&PostgresConfig { settings, tls, ..PostgresConfig::default() })?)
}

async fn stream(bootstrap: &str) -> Outcome<()> {
    println!(
        "PostgreSQL stream: {CHANGES} changes of 8 columns in 300 transactions, thirds of insert, update, delete"
    );
    let server = server()?;
    let load = Load::write(&server)?;
    let mut debezium = Debezium::launch()?;
    // The first pass warms Java's compiler up and does not count.
    let (mut limits, mut discards, mut kafkas, mut theirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut task_alone = 0;
    for round in 0..=ROUNDS {
        let limit = load.recvlogical(&server)?;
        forget_peak()?;
        let discard = reader::discard(&reader::config(&server, &load.slot()?, &[]), CHANGES).await?;
        if round == 0 {
            // Before there was a producer in this process.
            task_alone = peak(std::process::id());
        }
        let config = reader::config(&server, &load.slot()?, &[]);
        let kafka = worker::ours(bootstrap, config, &COMPRESSING).await?;
        let them = debezium.read(&reader::config(&server, &load.slot()?, &[]), CHANGES)?;
        if round > 0 {
            println!(
                "  pg_recvlogical {limit}   discarded JSON {discard}   into Kafka {kafka}   Debezium, discarded JSON {them}"
            );
            limits.push(limit);
            discards.push(discard);
            kafkas.push(kafka);
            theirs.push(them);
        }
    }
    let rate = |runs: &[Run]| median(&mut runs.iter().map(|run| run.rate).collect::<Vec<_>>());
    println!(
        "  of the limit's rate: discarded {:.0} %, into Kafka {:.0} %",
        100.0 * rate(&discards) / rate(&limits),
        100.0 * rate(&kafkas) / rate(&limits)
    );
    println!(
        "  CPU a change: discarded {:.2} µs, into Kafka {:.2} µs, Debezium {:.2} µs, pg_recvlogical {:.2} µs",
        cost(&discards),
        cost(&kafkas),
        cost(&theirs),
        cost(&limits)
    );
    println!(
        "  beside Debezium: {:.1} times the rate, {:.1} times less CPU",
        rate(&discards) / rate(&theirs),
        cost(&theirs) / cost(&discards)
    );
    println!(
        "  most memory: the task alone {task_alone} MB, the worker with its producer {} MB, Debezium's task {} MB",
        peak(std::process::id()),
        peak(debezium.pid())
    );
    Ok(())
}

/// Two workers, each with its producer, one after the other: with the producer's defaults, and compressing.
async fn workers(bootstrap: &str) -> Outcome<()> {
    println!(
        "PostgreSQL stream into Kafka: {CHANGES} changes of 8 columns, JSON, a worker beside Java's with Debezium"
    );
    let server = server()?;
    let load = Load::write(&server)?;
    for (what, producer) in [("defaults", [].as_slice()), ("lz4, linger.ms=5", &COMPRESSING)] {
        let java = worker::Theirs::launch(bootstrap, producer)?;
        forget_peak()?;
        let mut beside = Beside::new(what);
        for _ in 0..=ROUNDS {
            let us = worker::ours(bootstrap, reader::config(&server, &load.slot()?, &[]), producer).await?;
            beside.add(us, java.run(reader::config(&server, &load.slot()?, &[])).await?);
        }
        beside.print(java.pid());
    }
    Ok(())
}

/// The source with nothing beside it: what a profiler is to look at.
async fn alone() -> Outcome<()> {
    println!("PostgreSQL stream: {CHANGES} changes of 8 columns, JSON that is discarded, nothing beside it");
    again_and_again(async |config| reader::discard(&config, CHANGES).await).await
}

/// Our worker with nothing beside it, as its producer is by default: the same for the whole way into Kafka.
async fn worker_alone(bootstrap: &str) -> Outcome<()> {
    println!("PostgreSQL stream into Kafka: {CHANGES} changes of 8 columns, JSON, nothing beside the worker");
    again_and_again(async |config| worker::ours(bootstrap, config, &[]).await).await
}

/// The same changes by `read`, one time after the other.
async fn again_and_again(read: impl AsyncFn(Config) -> Outcome<Run>) -> Outcome<()> {
    let server = server()?;
    let load = Load::write(&server)?;
    let mut runs = Vec::new();
    forget_peak()?;
    for _ in 0..=2 * ROUNDS {
        let run = read(reader::config(&server, &load.slot()?, &[])).await?;
        println!("  {run}");
        runs.push(run);
    }
    println!("  CPU a change: {:.2} µs, most memory {} MB", cost(&runs), peak(std::process::id()));
    Ok(())
}

/// The median processor time of a change, in microseconds.
fn cost(runs: &[Run]) -> f64 {
    median(&mut runs.iter().map(|run| run.cpu_seconds * 1e6 / f64::from(CHANGES)).collect::<Vec<_>>())
}

async fn tls() -> Outcome<()> {
    println!(
        "PostgreSQL stream with TLS beside one without: {CHANGES} changes of 8 columns, JSON that is discarded"
    );
    let identity = Authority::new("the bench's").server();
    let server = server_with(Some(PostgresTls { certificate: identity.certificate, key: identity.key }))?;
    let load = Load::write(&server)?;
    let mut shares = Vec::new();
    for round in 0..=ROUNDS {
        let read = async |mode: &str| {
            let config = reader::config(&server, &load.slot()?, &[("database.sslmode", mode)]);
            reader::discard(&config, CHANGES).await
        };
        let (plain, encrypted) = (read("disable").await?, read("require").await?);
        if round > 0 {
            println!("  without {plain}   with {encrypted}");
            shares.push(encrypted.rate / plain.rate);
        }
    }
    println!("  with TLS {:.0} % of the rate without", 100.0 * median(&mut shares));
    Ok(())
}

/// What the worker's memory goes to: with the buffer of the producer that is its default, and with small ones.
async fn memory(bootstrap: &str) -> Outcome<()> {
    println!("PostgreSQL stream into Kafka: the most memory of the process, by the producer's buffer.memory");
    let server = server()?;
    let load = Load::write(&server)?;
    forget_peak()?;
    println!("  before the worker {} MB", peak(std::process::id()));
    // From small to large: what was resident once may stay so.
    for megabytes in [1, 4, 8, 16, 32] {
        let buffer = (megabytes << 20).to_string();
        let config = reader::config(&server, &load.slot()?, &[("producer.override.buffer.memory", &buffer)]);
        forget_peak()?;
        let run = worker::ours(bootstrap, config, &COMPRESSING).await?;
        println!("  {megabytes:>2} MB: {} MB   {run}", peak(std::process::id()));
    }
    Ok(())
}

async fn snapshot() -> Outcome<()> {
    let rows = std::env::var("LAVKA_BENCH_ROWS").map_or(Ok(ROWS), |rows| rows.parse())?;
    println!("PostgreSQL snapshot: {rows} rows of 8 columns, one thread, JSON that is discarded");
    let server = server()?;
    load::table(&server, rows)?;
    let more = [("snapshot.mode", "initial_only")];
    let mut debezium = Debezium::launch()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // Of a table that is larger by far the first round is the only one: Java's compiler is warm before much of it is read.
    let rounds = if rows > ROWS { 0 } else { 2 };
    for round in 0..=rounds {
        let us = reader::discard(&reader::config(&server, &format!("ours_{round}"), &more), rows).await?;
        let them = debezium.read(&reader::config(&server, &format!("theirs_{round}"), &more), rows)?;
        if round > 0 || rounds == 0 {
            println!("  Lavka {us}   Debezium {them}");
            ours.push(us.rate);
            theirs.push(them.rate);
        }
    }
    println!("  {:.1} times Debezium's rate", median(&mut ours) / median(&mut theirs));
    Ok(())
}

async fn transaction() -> Outcome<()> {
    let (rows, bytes) = (1_000_000_u32, 2_000);
    println!("PostgreSQL: one transaction of {rows} rows of {bytes} bytes, JSON that is discarded");
    let server = server()?;
    server.sql(
        "create table large (id bigint primary key, v text); alter table large alter v set storage plain",
    );
    let slot = load::slot(&server, "large")?;
    server.sql(&format!(
        "insert into large select i, repeat(chr(65 + (i % 26)::int), {bytes}) from generate_series(1, {rows}) i"
    ));
    forget_peak()?;
    let run = reader::discard(&reader::config(&server, &slot, &[]), rows).await?;
    println!("  {run}, at most {} MB resident", peak(std::process::id()));
    Ok(())
}

async fn tables() -> Outcome<()> {
    println!("PostgreSQL: start with {TABLES} tables of 8 columns, until the first change is there");
    let server = server()?;
    server.sql(&load::many(TABLES));
    // With the snapshot, which has one row for each of the rounds before, and without.
    for (round, mode) in (0_u32..).zip(["no_data", "no_data", "initial", "initial"]) {
        let slot = format!("many_{round}");
        let began = Instant::now();
        let mut task =
            reader::Reader::start(&reader::config(&server, &slot, &[("snapshot.mode", mode)])).await?;
        let started = began.elapsed();
        server.sql("insert into many_1 (id) values (default)");
        task.read(if mode == "initial" { round + 1 } else { 1 }).await?;
        println!("  {mode}: started in {started:.2?}, the change was there after {:.2?}", began.elapsed());
        task.stop().await;
    }
    Ok(())
}
