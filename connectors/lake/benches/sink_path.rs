//! From the bytes that Kafka has to Parquet with zstd: JSON texts of 20 members, a file of 20 columns.
//!
//! `typed` is what somebody would write by hand for these very messages: serde_json into a struct, a builder of Arrow
//! arrays for each field, the arrow writer. `sink` is what a worker does for any messages: JsonConverter into records
//! without a schema, the columns inferred from them, and all that the sink does to have each row once, except for
//! waiting for a disk: both write to memory. `rows` begins with records that are decoded already, and `decode` is the
//! part before it.
//!
//! The sink encodes on the blocking pool, beside the next rows. To compare the work that is done and not the cores
//! that do it, run the bench on one core (`taskset -c 0 cargo bench ...`).

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot run has to say so")]

#[path = "support/mod.rs"]
mod support;

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Blob, KafkaOrigin, Record, SinkRecord, Topic, TopicPartition};
use lavka_api::plugin::{Converter, ConverterRole, Factory, SinkContext, SinkTask, SinkTaskStart, TaskId};
use lavka_connector_lake::{LakeSinkTask, task_over};

use support::memory_store::MemoryStore;
use support::typed;

/// Records of a file.
const ROWS: u32 = 50_000;
/// `max.poll.records`.
const BATCH: usize = 500;

fn json_converter() -> Box<dyn Converter> {
    let plugins = lavka_converters::plugins();
    let json = plugins.iter().find(|plugin| plugin.class.ends_with("JsonConverter"));
    let config = Config::from([("schemas.enable", "false")]);
    match json.map(|plugin| plugin.factory) {
        Some(Factory::Converter(make)) => make(&config, ConverterRole::Value).expect("a valid configuration"),
        _ => panic!("JsonConverter is a converter"),
    }
}

fn decoded(converter: &mut dyn Converter, topic: &Topic, texts: &[Blob], first: usize) -> Vec<SinkRecord> {
    let record = |(i, text): (usize, &Blob)| {
        let mut record = Record::for_topic(topic.clone());
        record.value = converter.decode(topic, Some(text)).expect("valid JSON");
        let offset = i64::try_from(first + i).expect("a small number");
        let origin = KafkaOrigin { topic: topic.clone(), partition: 0, offset, leader_epoch: None };
        SinkRecord { record, origin, raw_key: None, raw_value: Some(text.clone()) }
    };
    texts.iter().enumerate().map(record).collect()
}

fn config<const N: usize>(entries: [(&str, &str); N]) -> Config {
    let rows = ROWS.to_string();
    let mut config = Config::from([("store.url", "/lake"), ("flush.size", rows.as_str())]);
    for (key, value) in entries {
        config.set(key, value);
    }
    config
}

async fn opened(config: &Config, store: &MemoryStore) -> LakeSinkTask {
    let mut task = task_over(config, Arc::new(store.clone())).expect("a valid configuration");
    let id = TaskId { connector: "lake".into(), task: 0 };
    task.start(SinkTaskStart { id }).await.expect("a store in memory");
    let partitions = [TopicPartition::new("t", 0)];
    task.open(&partitions, &mut SinkContext::at(0)).await.expect("a store in memory");
    task
}

fn sink_path(criterion: &mut Criterion) {
    let texts: Vec<Blob> = (0..ROWS).map(|i| Blob::from(typed::Reading::sample(i).to_json())).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let topic = Topic::from("t");

    let mut group = criterion.benchmark_group("json_to_parquet_20_columns");
    group.throughput(Throughput::Elements(ROWS.into())).sample_size(10);
    for codec in ["zstd", "snappy"] {
        group.bench_function(format!("typed, {codec}"), |bencher| {
            bencher.iter(|| typed::write(black_box(&texts), codec));
        });
        group.bench_function(format!("sink, {codec}"), |bencher| {
            bencher.iter_batched_ref(
                || (MemoryStore::default(), json_converter()),
                |(store, converter)| {
                    runtime.block_on(async {
                        let mut task = opened(&config([("parquet.codec", codec)]), store).await;
                        for (i, texts) in texts.chunks(BATCH).enumerate() {
                            let batch = decoded(converter.as_mut(), &topic, black_box(texts), i * BATCH);
                            let outcome = task.put(batch.into(), &mut SinkContext::at(0)).await;
                            outcome.expect("a store in memory");
                        }
                    });
                    assert_eq!(store.finished(), 1);
                },
                BatchSize::PerIteration,
            );
        });
    }
    let by_device =
        [("partitioner.class", "Field"), ("partition.field.name", "device"), ("parquet.codec", "zstd")];
    for (name, config, files) in [
        ("rows, zstd", config([("parquet.codec", "zstd")]), 1),
        ("rows, zstd, a file for each of 300 devices", config(by_device), 300),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(
                || {
                    let mut converter = json_converter();
                    let chunks = texts.chunks(BATCH).enumerate();
                    let batches: Vec<Arc<[SinkRecord]>> = chunks
                        .map(|(i, texts)| decoded(converter.as_mut(), &topic, texts, i * BATCH).into())
                        .collect();
                    (MemoryStore::default(), batches)
                },
                |(store, batches)| {
                    runtime.block_on(async {
                        let mut task = opened(&config, store).await;
                        for batch in batches {
                            let outcome = task.put(Arc::clone(batch), &mut SinkContext::at(0)).await;
                            outcome.expect("a store in memory");
                        }
                    });
                    assert_eq!(store.finished(), files);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.bench_function("decode", |bencher| {
        let mut converter = json_converter();
        bencher.iter(|| {
            for (i, texts) in texts.chunks(BATCH).enumerate() {
                black_box(decoded(converter.as_mut(), &topic, black_box(texts), i * BATCH));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, sink_path);
criterion_main!(benches);
