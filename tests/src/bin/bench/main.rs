//! Throughput and CPU of whole paths beside the bare loops that they are measured against. Run it by `make bench`.
//!
//! Both sides run in this process, one after the other, against the same broker in a process of its own, with the same
//! bytes and client settings; the ratio is what counts, not the absolute figure.

mod source;
mod usage;

use std::error::Error;

/// Rounds; the median is reported.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let bootstrap = std::env::var("LAVKA_TEST_BOOTSTRAP")
        .map_err(|_| "LAVKA_TEST_BOOTSTRAP names no broker; run `make bench`, which starts one")?;
    println!(
        "source path: task → 3 SMTs → JSON without schemas → librdkafka, {} records of 1 KB",
        source::RECORDS
    );
    let mut ratios = Vec::new();
    let mut cpu_ratios = Vec::new();
    for round in 0..=ROUNDS {
        let bare = source::bare(&bootstrap).await?;
        let lavka = source::lavka(&bootstrap).await?;
        // The first round warms broker and caches up.
        if round > 0 {
            println!("  bare {bare}   lavka {lavka}");
            ratios.push(lavka.rate / bare.rate);
            cpu_ratios.push(lavka.cpu_seconds / bare.cpu_seconds);
        }
    }
    println!("  throughput {:.0} % of the bare loop (median of {ROUNDS})", 100.0 * median(&mut ratios));
    println!("  CPU        {:.2} times that of the bare loop", median(&mut cpu_ratios));
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
