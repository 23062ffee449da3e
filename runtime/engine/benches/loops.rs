//! What the loops of the engine cost a record: source task → chain → JSON → producer, and consumer → bytes → chain →
//! sink task. The clients and plugins at their ends cost nothing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench fails as tests do")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

mod parts;

use parts::{BATCH, run_sink, run_source, sink_batches, source_batches};

const BATCHES: usize = 50;

fn loops(c: &mut Criterion) {
    let mut group = c.benchmark_group("loops");
    group.throughput(Throughput::Elements((BATCHES * BATCH) as u64));
    for (name, headers) in [("source", 0), ("source, two headers", 2)] {
        group.bench_function(name, |b| {
            b.iter_batched(|| source_batches(BATCHES, headers), run_source, BatchSize::PerIteration);
        });
    }
    group.bench_function("sink", |b| {
        b.iter_batched(|| sink_batches(BATCHES), run_sink, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, loops);
criterion_main!(benches);
