//! What the loops allocate. Whatever a task needs once is in both of two runs of different lengths, so their difference
//! is what its records cost.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails, fails its test")]

#[path = "../benches/parts/mod.rs"]
mod parts;

use parts::{BATCH, run_sink, run_source, sink_batches, source_batches};

const SHORT: usize = 20;
const LONG: usize = 120;

/// Allocations per batch, between a short and a long run.
fn per_batch<T>(batches: impl Fn(usize) -> Vec<T>, run: impl Fn(Vec<T>)) -> u64 {
    let count = |length| {
        let batches = batches(length);
        allocation_counter::measure(|| run(batches)).count_total
    };
    // The first run fills caches that live as long as the process.
    count(1);
    let (short, long) = (count(SHORT), count(LONG));
    (long - short) / (LONG - SHORT) as u64
}

#[test]
fn a_source_record_costs_no_allocation() {
    let plain = per_batch(|batches| source_batches(batches, 0), run_source);
    assert!(plain < 40, "{plain} allocations for a batch of {BATCH}");
}

#[test]
fn a_source_record_with_headers_costs_no_allocation() {
    let headers = per_batch(|batches| source_batches(batches, 2), run_source);
    assert!(headers < 40, "{headers} allocations for a batch of {BATCH}");
}

#[test]
fn a_sink_record_costs_no_allocation() {
    let sink = per_batch(sink_batches, run_sink);
    assert!(sink < 40, "{sink} allocations for a batch of {BATCH}");
}
