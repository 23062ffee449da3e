//! Exactly once: the store dies at every operation in turn, and a new task goes on.

use std::collections::BTreeMap;

use lavka_api::config::Config;
use lavka_api::data::SinkRecord;
use lavka_api::plugin::{SinkContext, SinkTask as _};

use crate::harness::{Consumer, NOW, Random, config, durable_of, opened, put, rows, runtime};
use crate::model_store::{Death, Loss, ModelStore};

const DEATHS: [Death; 3] = [Death::Before, Death::Halfway, Death::After];

async fn run(
    config: &Config,
    store: &ModelStore,
    consumer: &mut Consumer,
    batch: i64,
) -> lavka_api::Result<()> {
    run_with(config, store, consumer, batch, |record| record).await
}

/// Runs a task until the consumer is at its end and everything is committed, or the store dies. The task gets what `made`
/// makes of the consumer's records.
pub(crate) async fn run_with(
    config: &Config,
    store: &ModelStore,
    consumer: &mut Consumer,
    batch: i64,
    made: fn(SinkRecord) -> SinkRecord,
) -> lavka_api::Result<()> {
    let partitions = i32::try_from(consumer.committed.len()).unwrap();
    let (mut task, rewind) = opened(config, store, partitions).await?;
    consumer.rejoin(&rewind);
    while !consumer.at_end() {
        let before = consumer.position.clone();
        let records = consumer.poll(batch).into_iter().map(made).collect();
        match put(&mut task, records, NOW).await {
            Ok(context) => consumer.seek(&context.rewind),
            Err(error) => {
                consumer.position = before;
                return Err(error);
            }
        }
        consumer.committed.extend(durable_of(&mut task, &consumer.seen()).await);
    }
    // The interval has passed: what is open is finished without any record.
    put(&mut task, Vec::new(), NOW + 10_000_000).await?;
    consumer.committed.extend(durable_of(&mut task, &consumer.seen()).await);
    task.close(&crate::harness::assignment(partitions), &mut SinkContext::at(NOW)).await?;
    task.stop().await;
    Ok(())
}

fn expected(partitions: i32, end: i64) -> BTreeMap<i32, Vec<i64>> {
    (0..partitions).map(|partition| (partition, (0..end).collect())).collect()
}

/// Cuts a run of `records` a partition at every operation in every way, and again at every operation of the recovery
/// where `twice`; each time the rows have to be there exactly once in the end.
fn cut_everywhere(config: &Config, partitions: i32, records: i64, batch: i64, twice: bool) {
    let runtime = runtime();
    let operations = {
        let store = ModelStore::new();
        let mut consumer = Consumer::new(partitions, records);
        runtime.block_on(run(config, &store, &mut consumer, batch)).unwrap();
        assert_eq!(rows(&store), expected(partitions, records));
        assert_eq!(store.files("topics/+tmp"), BTreeMap::new());
        store.operations()
    };
    for at in 0..operations {
        for how in DEATHS {
            for loss in [Loss::Nothing, Loss::Unsynced] {
                let place = format!("{how:?} operation {at} of {operations}, losing {loss:?}");
                let mut store = ModelStore::new();
                let mut consumer = Consumer::new(partitions, records);
                store.die_at(at, how);
                assert!(
                    runtime.block_on(run(config, &store, &mut consumer, batch)).is_err() || store.is_dead()
                );
                store.restart(loss);
                if twice {
                    store.die_at((at * 7) % 23, how);
                    let _ = runtime.block_on(run(config, &store, &mut consumer, batch));
                    store.restart(loss);
                }
                for (partition, offsets) in rows(&store) {
                    let last = offsets.last().copied().unwrap_or(-1);
                    let lost = consumer.offsets(last + 1).next();
                    assert!(
                        lost.is_none_or(|lost| lost >= consumer.committed[&partition]),
                        "offset ahead of files, {place}"
                    );
                }
                runtime.block_on(run(config, &store, &mut consumer, batch)).unwrap();
                assert_eq!(rows(&store), expected(partitions, records), "{place}");
                assert_eq!(store.files("topics/+tmp"), BTreeMap::new(), "{place}");
            }
        }
    }
}

const ROTATE: (&str, &str) = ("rotate.interval.ms", "3600000");

#[test]
fn one_file_at_a_time() {
    cut_everywhere(&config([("flush.size", "4"), ROTATE]), 2, 10, 3, false);
}

#[test]
fn many_files_at_a_time() {
    let config = config([
        ("flush.size", "7"),
        ROTATE,
        ("partitioner.class", "Field"),
        ("partition.field.name", "device"),
    ]);
    cut_everywhere(&config, 1, 20, 5, false);
}

#[test]
fn many_files_and_a_second_crash() {
    let config = config([
        ("flush.size", "5"),
        ROTATE,
        ("partitioner.class", "Field"),
        ("partition.field.name", "device"),
    ]);
    cut_everywhere(&config, 1, 12, 4, true);
}

#[test]
fn files_with_several_row_groups() {
    // Memory for next to nothing, so that every batch is a row group of its own.
    let config = config([("flush.size", "1500"), ROTATE, ("lavka.buffer.bytes", "1048576")]);
    let runtime = runtime();
    let mut store = ModelStore::new();
    let mut consumer = Consumer::new(1, 4000);
    for at in [3, 9, 14, 20, 31] {
        store.die_at(at, Death::Halfway);
        let _ = runtime.block_on(run(&config, &store, &mut consumer, 500));
        store.restart(Loss::Unsynced);
    }
    runtime.block_on(run(&config, &store, &mut consumer, 500)).unwrap();
    assert_eq!(rows(&store), expected(1, 4000));
}

#[test]
fn random_batches_and_kills() {
    let runtime = runtime();
    for seed in 0..60 {
        let mut random = Random(seed);
        let flush = (1 + random.below(12)).to_string();
        let bytes = if random.below(3) == 0 { "2000" } else { "-1" };
        let class = ["Default", "Field", "Hourly"][random.below(3)];
        let config = config([
            ("flush.size", &flush),
            ROTATE,
            ("partitioner.class", class),
            ("partition.field.name", "device"),
            ("locale", "en"),
            ("timezone", "UTC"),
            ("lavka.rotate.bytes", bytes),
            ("lavka.max.open.files", "2"),
        ]);
        let partitions = 1 + i32::try_from(random.below(3)).unwrap();
        let end = i64::try_from(20 + random.below(60)).unwrap();
        let mut store = ModelStore::new();
        let left = [|_| true, |offset| offset % 7 != 3, |offset| offset % 20 < 6][random.below(3)];
        let mut consumer = Consumer::new(partitions, end).thinned(left);
        for _ in 0..random.below(8) {
            store.die_at(random.below(120), DEATHS[random.below(3)]);
            if random.below(4) == 0 {
                store.fill_up(random.below(3));
            }
            let batch = i64::try_from(1 + random.below(9)).unwrap();
            let _ = runtime.block_on(run(&config, &store, &mut consumer, batch));
            store.restart([Loss::Nothing, Loss::Unsynced][random.below(2)]);
        }
        runtime.block_on(run(&config, &store, &mut consumer, 6)).unwrap();
        let left: Vec<i64> = consumer.offsets(0).collect();
        let expected = (0..partitions).map(|partition| (partition, left.clone())).collect();
        assert_eq!(rows(&store), expected, "seed {seed}");
    }
}

#[test]
fn a_full_disk_is_waited_out_without_losing_or_repeating() {
    let runtime = runtime();
    let config = config([
        ("flush.size", "7"),
        ROTATE,
        ("partitioner.class", "Field"),
        ("partition.field.name", "device"),
    ]);
    for full in 1..6 {
        let store = ModelStore::new();
        let mut consumer = Consumer::new(1, 30);
        runtime.block_on(async {
            let (mut task, rewind) = opened(&config, &store, 1).await.unwrap();
            consumer.rejoin(&rewind);
            while !consumer.at_end() {
                let records = consumer.poll(8);
                store.fill_up(full);
                let mut tries = 0;
                loop {
                    let mut context = SinkContext::at(NOW);
                    match task.put(records.clone().into(), &mut context).await {
                        Ok(()) => break,
                        Err(error) => {
                            assert!(error.is_retriable(), "{error}");
                            assert_eq!(context.retry_after_ms, Some(5000));
                            tries += 1;
                        }
                    }
                }
                assert!(tries <= full + 1);
            }
            put(&mut task, Vec::new(), NOW + 10_000_000).await.unwrap();
        });
        assert_eq!(rows(&store), expected(1, 30), "{full} failures at a time");
    }
}
