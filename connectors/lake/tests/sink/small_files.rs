//! What keeps files from being small or from staying open, and what is told of their sizes.

use std::collections::BTreeMap;

use lavka_api::plugin::SinkTask as _;
use lavka_connector_lake::LakeSinkTask;

use crate::harness::{NOW, config, durable, offsets_in, opened, put, reading, rows, runtime};
use crate::model_store::ModelStore;

fn counted(task: &LakeSinkTask, name: &str) -> u64 {
    task.counters().iter().find(|counter| counter.name() == name).unwrap().value()
}

fn measured(task: &LakeSinkTask, name: &str) -> f64 {
    task.gauges().iter().find(|gauge| gauge.name() == name).unwrap().value()
}

fn readings(offsets: std::ops::Range<i64>) -> Vec<lavka_api::data::SinkRecord> {
    offsets.map(|offset| reading(0, offset)).collect()
}

#[test]
fn files_of_a_partition_that_falls_silent_are_finished() {
    runtime().block_on(async {
        let store = ModelStore::new();
        let config = config([("lavka.rotate.idle.ms", "5000")]);
        let (mut task, _) = opened(&config, &store, 1).await.unwrap();
        put(&mut task, readings(0..10), NOW).await.unwrap();
        put(&mut task, readings(10..20), NOW + 4000).await.unwrap();
        put(&mut task, Vec::new(), NOW + 8999).await.unwrap();
        assert!(rows(&store).is_empty(), "the last record is younger than that");
        assert_eq!(measured(&task, "file-open-count"), 1.0);
        assert!(measured(&task, "file-open-memory-bytes") > 0.0);
        put(&mut task, Vec::new(), NOW + 9000).await.unwrap();
        assert_eq!(rows(&store)[&0], (0..20).collect::<Vec<i64>>());
        assert_eq!(durable(&mut task).await, [(0, 20)].into());
        assert_eq!(
            (measured(&task, "file-open-count"), measured(&task, "file-open-memory-bytes")),
            (0.0, 0.0)
        );
        assert_eq!(counted(&task, "file-finished-by-idle-total"), 1);
    });
}

#[test]
fn a_directory_that_falls_silent_leaves_memory_and_is_finished_with_the_others() {
    runtime().block_on(async {
        let store = ModelStore::new();
        let entries = [
            ("lavka.rotate.idle.ms", "5000"),
            ("partitioner.class", "Field"),
            ("partition.field.name", "device"),
        ];
        let (mut task, _) = opened(&config(entries), &store, 1).await.unwrap();
        // The devices a, b and c take turns; then a and b are heard of alone, and at last c again.
        let but_c = |offsets: std::ops::Range<i64>| {
            readings(offsets).into_iter().filter(|record| record.origin.offset % 3 != 2).collect::<Vec<_>>()
        };
        put(&mut task, readings(0..9), NOW).await.unwrap();
        put(&mut task, but_c(9..18), NOW + 4000).await.unwrap();
        assert_eq!(store.files("topics/+tmp").len(), 0, "all wait in memory");
        put(&mut task, but_c(18..27), NOW + 6000).await.unwrap();
        let unfinished = store.files("topics/+tmp");
        assert_eq!(unfinished.len(), 1, "that of c is complete");
        assert_eq!(unfinished.values().map(|bytes| offsets_in(bytes)).collect::<Vec<_>>(), [vec![2, 5, 8]]);
        put(&mut task, readings(27..30), NOW + 7000).await.unwrap();
        assert!(durable(&mut task).await[&0] == 0 && store.files("topics/t/").is_empty());
        put(&mut task, Vec::new(), NOW + 12_000).await.unwrap();
        let of = |device: &str| {
            let files = store.files(&format!("topics/t/device={device}/"));
            files.values().map(|bytes| offsets_in(bytes)).collect::<Vec<_>>()
        };
        assert_eq!(of("c"), [vec![2, 5, 8], vec![29]]);
        assert_eq!((of("a").len(), of("b").len()), (1, 1));
        assert_eq!(rows(&store)[&0].len(), 24);
        assert_eq!(durable(&mut task).await, [(0, 30)].into());
        assert!(store.files("topics/+tmp").is_empty());
    });
}

#[test]
fn sizes_are_told_by_cause() {
    runtime().block_on(async {
        let store = ModelStore::new();
        let entries = [("flush.size", "10"), ("rotate.interval.ms", "60000")];
        let (mut task, _) = opened(&config(entries), &store, 2).await.unwrap();
        put(&mut task, readings(0..25), NOW).await.unwrap();
        put(&mut task, vec![reading(1, 0)], NOW).await.unwrap();
        put(&mut task, Vec::new(), NOW + 60_000).await.unwrap();
        let told: BTreeMap<&str, u64> = task
            .counters()
            .iter()
            .map(|counter| (counter.name(), counter.value()))
            .filter(|(_, value)| *value > 0)
            .collect();
        let bytes: usize = store.files("topics/t/").values().map(Vec::len).sum();
        let want = [
            ("file-bytes-total", u64::try_from(bytes).unwrap()),
            ("file-finished-by-interval-total", 2),
            ("file-finished-by-rows-total", 2),
            ("file-finished-total", 4),
            ("file-rows-total", 26),
            ("file-size-below-64-kib-total", 4),
        ];
        assert_eq!(told, want.into());
    });
}
