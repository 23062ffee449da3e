//! Throughput and CPU of whole paths beside the bare loops that they are measured against. Run it by `make bench`.
//!
//! Both sides run in this process, one after the other, against the same broker in a process of its own, with the same
//! bytes and client settings; the ratio is what counts, not the absolute figure.

/// The binary's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

mod aiven;
mod avro;
mod cdc;
mod coap;
mod java;
mod mqtt;
mod sink;
mod source;
mod usage;
mod warehouse;
mod worker;

use std::error::Error;
use std::sync::Arc;

use usage::Run;

/// Rounds; the median is reported.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let bootstrap = std::env::var("LAVKA_TEST_BOOTSTRAP")
        .map_err(|_| "LAVKA_TEST_BOOTSTRAP names no broker; run `make bench`, which starts one")?;
    match std::env::args().nth(1).as_deref() {
        None => {
            source_path(&bootstrap).await?;
            sink_path(&bootstrap).await?;
            lake_path(&bootstrap).await?;
            aiven::run(&bootstrap).await?;
            avro_path(&bootstrap).await?;
            cdc::run(&bootstrap, None).await?;
            warehouse::run(&bootstrap, None).await?;
            mqtt::run(&bootstrap).await?;
            coap::run().await
        }
        Some("source") => source_path(&bootstrap).await,
        Some("sink") => sink_path(&bootstrap).await,
        Some("lake") => lake_path(&bootstrap).await,
        Some("aiven") => aiven::run(&bootstrap).await,
        Some("avro") => avro_path(&bootstrap).await,
        Some("cdc") => cdc::run(&bootstrap, std::env::args().nth(2).as_deref()).await,
        Some("mqtt") => mqtt::run(&bootstrap).await,
        Some("warehouse") => warehouse::run(&bootstrap, std::env::args().nth(2).as_deref()).await,
        Some("coap") => coap::run().await,
        Some(other) => Err(format!(
            "{other} is none of source, sink, lake, aiven, avro, cdc, warehouse, mqtt and coap; without an argument all run"
        )
        .into()),
    }
}

async fn source_path(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    println!(
        "source path: task → 3 SMTs → JSON without schemas → librdkafka, {} records of 1 KB",
        source::RECORDS
    );
    let mut comparison = Comparison::default();
    for round in 0..=ROUNDS {
        comparison.add(round, source::bare(bootstrap).await?, source::lavka(bootstrap).await?);
    }
    comparison.print();
    println!("  making the records, which is part of that: {}", source::making().await?);
    Ok(())
}

async fn sink_path(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    println!(
        "sink path: Kafka → JSON → Parquet zstd, {} records of 20 columns, beside typed structs and the arrow writer",
        sink::RECORDS
    );
    let form = Arc::new(sink::Form::Json);
    sink::prepare(bootstrap, &form).await?;
    compare_sinks(bootstrap, &form).await
}

async fn lake_path(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    println!("the same with Avro, serde_avro_fast in the bare loop");
    let form = Arc::new(sink::Form::avro(avro::registry()?).await?);
    sink::prepare(bootstrap, &form).await?;
    // First, so that nothing of the other runs is resident any more.
    let memory = sink::hundred_partitions(bootstrap, &form).await?;
    println!("  with 100 open directories the whole process has {memory}");
    compare_sinks(bootstrap, &form).await
}

async fn compare_sinks(bootstrap: &str, form: &Arc<sink::Form>) -> Result<(), Box<dyn Error>> {
    let mut comparison = Comparison::default();
    for round in 0..=ROUNDS {
        comparison.add(round, sink::bare(bootstrap, form).await?, sink::lavka(bootstrap, form, round).await?);
    }
    comparison.print();
    Ok(())
}

async fn avro_path(bootstrap: &str) -> Result<(), Box<dyn Error>> {
    println!("source path: task → Avro → librdkafka, {} records of 20 fields", avro::RECORDS);
    let registry = avro::registry()?;
    let mut shares = Vec::new();
    for round in 0..=ROUNDS {
        let (path, converter) =
            (avro::lavka(bootstrap, &registry).await?, avro::converting(&registry).await?);
        if round > 0 {
            println!("  path {path}   converter alone {converter}");
            shares.push(converter.cpu_seconds / path.cpu_seconds);
        }
    }
    println!(
        "  the converter takes {:.0} % of the path's CPU (median of {ROUNDS})",
        100.0 * median(&mut shares)
    );
    Ok(())
}

/// Lavka in proportion to the bare loop, round by round.
#[derive(Default)]
struct Comparison {
    throughput: Vec<f64>,
    cpu: Vec<f64>,
}

impl Comparison {
    /// Takes a round; the first one warms broker and caches up and does not count.
    fn add(&mut self, round: usize, bare: Run, lavka: Run) {
        if round > 0 {
            println!("  bare {bare}   lavka {lavka}");
            self.throughput.push(lavka.rate / bare.rate);
            self.cpu.push(lavka.cpu_seconds / bare.cpu_seconds);
        }
    }

    fn print(mut self) {
        let throughput = 100.0 * median(&mut self.throughput);
        println!("  throughput {throughput:.0} % of the bare loop (median of {ROUNDS})");
        println!("  CPU        {:.2} times that of the bare loop", median(&mut self.cpu));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
