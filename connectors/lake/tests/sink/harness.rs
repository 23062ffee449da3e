//! A topic, a consumer that seeks as the engine does, and what is to be read in the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Datum, KafkaOrigin, Object, Record, SinkRecord, TopicPartition, Value};
use lavka_api::plugin::{Offsets, SinkContext, SinkTask, SinkTaskStart, TaskId};
use lavka_connector_lake::{LakeSinkTask, task_over};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::model_store::ModelStore;

pub(crate) const NOW: i64 = 1_700_000_000_000;

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A configuration with `entries` on top of what every one needs.
pub(crate) fn config<const N: usize>(entries: [(&str, &str); N]) -> Config {
    let mut config = Config::from([("store.url", "/lake"), ("flush.size", "1000000")]);
    for (key, value) in entries {
        config.set(key, value);
    }
    config
}

pub(crate) fn record(topic: &str, partition: i32, offset: i64, value: Datum) -> SinkRecord {
    let mut record = Record::for_topic(topic);
    record.partition = Some(partition);
    record.value = value;
    record.timestamp = Some(NOW + offset * 1000);
    let origin = KafkaOrigin { topic: topic.into(), partition, offset, leader_epoch: None };
    SinkRecord { record, origin, raw_key: None, raw_value: None }
}

/// A schemaless reading with its offset in it.
pub(crate) fn reading(partition: i32, offset: i64) -> SinkRecord {
    let device = ["a", "b", "c"][usize::try_from(offset % 3).unwrap()];
    let value = Object::from_entries([
        ("offset", Value::Int64(offset)),
        ("device", device.into()),
        ("t", Value::Float64(0.5)),
    ]);
    record("t", partition, offset, Datum::schemaless(value))
}

pub(crate) fn start(id: u32) -> SinkTaskStart {
    SinkTaskStart { id: TaskId { connector: "lake".into(), task: id } }
}

pub(crate) async fn started(config: &Config, store: &ModelStore) -> Result<LakeSinkTask> {
    let mut task = task_over(config, Arc::new(store.clone()))?;
    task.start(start(0)).await?;
    Ok(task)
}

/// A started task with the partitions of `t` open, and where it wants to go on.
pub(crate) async fn opened(
    config: &Config,
    store: &ModelStore,
    partitions: i32,
) -> Result<(LakeSinkTask, Offsets)> {
    let mut task = started(config, store).await?;
    let mut context = SinkContext::at(NOW);
    task.open(&assignment(partitions), &mut context).await?;
    Ok((task, context.rewind))
}

pub(crate) fn assignment(partitions: i32) -> Vec<TopicPartition> {
    (0..partitions).map(|partition| TopicPartition::new("t", partition)).collect()
}

pub(crate) async fn put(task: &mut LakeSinkTask, batch: Vec<SinkRecord>, now: i64) -> Result<SinkContext> {
    let mut context = SinkContext::at(now);
    task.put(batch.into(), &mut context).await?;
    Ok(context)
}

pub(crate) async fn durable(task: &mut LakeSinkTask) -> BTreeMap<i32, i64> {
    durable_of(task, &Offsets::new()).await
}

/// The same where the engine has handed out what lies below `seen`.
pub(crate) async fn durable_of(task: &mut LakeSinkTask, seen: &Offsets) -> BTreeMap<i32, i64> {
    let offsets = task.pre_commit(seen, &mut SinkContext::at(NOW)).await.unwrap();
    offsets.into_iter().map(|(tp, offset)| (tp.partition, offset)).collect()
}

/// The batches of a Parquet file.
pub(crate) fn parquet(bytes: &[u8]) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(bytes)).unwrap();
    reader.build().unwrap().map(std::result::Result::unwrap).collect()
}

/// The values of the column `offset`, in order.
pub(crate) fn offsets_in(bytes: &[u8]) -> Vec<i64> {
    let column = |batch: &RecordBatch| {
        let column = batch.column_by_name("offset").unwrap().as_primitive::<Int64Type>();
        assert_eq!(column.null_count(), 0);
        column.values().to_vec()
    };
    parquet(bytes).iter().flat_map(column).collect()
}

/// The offsets in all finished files by Kafka partition; panics where a file does not hold what its name says.
pub(crate) fn rows(store: &ModelStore) -> BTreeMap<i32, Vec<i64>> {
    let mut rows: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for (path, bytes) in store.files("topics/t/") {
        let name = path.rsplit('/').next().unwrap();
        let parts: Vec<&str> = name.strip_suffix(".parquet").unwrap().split('+').collect();
        let [topic, partition, start, end] = parts[..] else { panic!("{name}") };
        assert_eq!((topic, start.len(), end.len()), ("t", 10, 10), "{name}");
        let offsets = offsets_in(&bytes);
        let bounds = (offsets.first().copied(), offsets.last().copied());
        assert_eq!(bounds, (start.parse().ok(), end.parse().ok()), "{name}");
        rows.entry(partition.parse().unwrap()).or_default().extend(offsets);
    }
    rows.values_mut().for_each(|offsets| offsets.sort_unstable());
    rows
}

/// A consumer of the partitions of `t`: hands out records from where it stands, and stands where a task or the
/// group's offsets put it.
#[derive(Debug, Clone)]
pub(crate) struct Consumer {
    pub(crate) position: BTreeMap<i32, i64>,
    pub(crate) committed: BTreeMap<i32, i64>,
    end: i64,
    /// Of the records that the topic once had, those that are left, or that no filter drops.
    left: fn(i64) -> bool,
}

impl Consumer {
    /// `end` records in each of the partitions.
    pub(crate) fn new(partitions: i32, end: i64) -> Self {
        let zero: BTreeMap<i32, i64> = (0..partitions).map(|partition| (partition, 0)).collect();
        Self { position: zero.clone(), committed: zero, end, left: |_| true }
    }

    /// The same with only those records whose offset `left` approves of.
    pub(crate) fn thinned(self, left: fn(i64) -> bool) -> Self {
        Self { left, ..self }
    }

    /// Offsets of the records that there are from `from` on.
    pub(crate) fn offsets(&self, from: i64) -> impl Iterator<Item = i64> + use<> {
        let left = self.left;
        (from..self.end).filter(move |offset| left(*offset))
    }

    /// What the engine has handed out, for `pre_commit`.
    pub(crate) fn seen(&self) -> Offsets {
        self.position.iter().map(|(partition, next)| (TopicPartition::new("t", *partition), *next)).collect()
    }

    /// A new member: it begins at the group's offsets unless the task knows better.
    pub(crate) fn rejoin(&mut self, rewind: &Offsets) {
        self.position.clone_from(&self.committed);
        self.seek(rewind);
    }

    pub(crate) fn seek(&mut self, rewind: &Offsets) {
        for (tp, offset) in rewind {
            self.position.insert(tp.partition, *offset);
        }
    }

    /// The next records, `count` of each partition at most.
    pub(crate) fn poll(&mut self, count: i64) -> Vec<SinkRecord> {
        let (end, left) = (self.end, self.left);
        self.position
            .iter_mut()
            .flat_map(|(partition, position)| {
                let from = *position;
                *position = end.min(from + count).max(from);
                let partition = *partition;
                (from..*position)
                    .filter(move |offset| left(*offset))
                    .map(move |offset| reading(partition, offset))
            })
            .collect()
    }

    pub(crate) fn at_end(&self) -> bool {
        self.position.values().all(|position| *position >= self.end)
    }
}

/// A fixed sequence of pseudo-random numbers (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }
}
