//! Sink connectors and their tasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::connector::{ConnectorContext, TaskId};
use super::counter::Counter;
use super::gauge::Gauge;
use crate::config::{Config, ConfigDef, KeyReport};
use crate::data::{SinkRecord, TopicPartition};
use crate::error::{Error, Result};

/// A sink connector: decides what its tasks do. The rules of [`SourceConnector`](super::SourceConnector) hold.
#[async_trait]
pub trait SinkConnector: Send + Sync {
    /// Checks a configuration. Never fails: whatever is wrong is in the reports.
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate(config)
    }

    /// Starts the connector. `config` has passed `validate`.
    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()>;

    /// Configurations of at most `max_tasks` tasks; most sinks give every task the same.
    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>>;

    /// A task with its configuration, not yet started.
    fn task(&self, config: &Config) -> Result<Box<dyn SinkTask>>;

    /// Stops the connector. Called once, also after a failed start.
    async fn stop(&mut self);

    /// As [`SourceConnector::alter_offsets`](super::SourceConnector::alter_offsets), for the consumer group's offsets.
    ///
    /// # Errors
    /// Where the offsets are refused; the message says which and why.
    fn alter_offsets(&self, config: &Config, offsets: &[(TopicPartition, Option<i64>)]) -> Result<bool> {
        let _ = (config, offsets);
        Ok(false)
    }
}

/// Records in consumed order per partition. Cloning copies a pointer, so a task can hand the batch to a blocking pool
/// while the engine keeps it for another try.
pub type SinkBatch = Arc<[SinkRecord]>;

/// For each partition the offset of the next record to read: one more than the last one it stands for.
pub type Offsets = BTreeMap<TopicPartition, i64>;

/// What a sink task is given when it starts.
#[derive(Clone, Debug)]
pub struct SinkTaskStart {
    /// Which task it is.
    pub id: TaskId,
}

/// A record that the task could not write, to be reported (dead letter queue, log) instead of failing the task.
#[derive(Clone, Debug)]
pub struct ErrantRecord {
    /// Its place in the batch of the call.
    pub index: usize,
    /// Why.
    pub error: Error,
}

/// What a sink task can tell and ask: a plain value that the engine fills before and drains after each call.
#[derive(Debug, Default)]
pub struct SinkContext {
    /// Now, in epoch milliseconds: the only clock a task needs.
    pub now: i64,
    /// Whether errant records will be taken (`errors.tolerance=all`, or a dead letter queue is configured). Where not,
    /// reporting one fails the task.
    pub takes_errant_records: bool,
    /// Offsets to go on reading from, which take the place of the consumer's own.
    pub rewind: Offsets,
    /// For partitions in `rewind`, where it is known: the leader epoch of the record before that offset. The log is then
    /// asked whether it still has that record. Where an unclean leader election cut it off, reading goes on at the cut,
    /// and records come whose offsets are lower than the one asked for
    /// ([`KafkaOrigin::leader_epoch`](crate::data::KafkaOrigin::leader_epoch) tells them from those that were lost).
    pub rewind_epochs: BTreeMap<TopicPartition, i32>,
    /// Partitions to stop reading until they are resumed.
    pub pause: Vec<TopicPartition>,
    /// Partitions to read again.
    pub resume: Vec<TopicPartition>,
    /// Whether `pre_commit` should be called soon instead of at the next interval.
    pub request_commit: bool,
    /// Records that could not be written.
    pub errant: Vec<ErrantRecord>,
    /// After a retriable error: how long to wait before the next try, in milliseconds; the engine's own back-off if
    /// `None`.
    pub retry_after_ms: Option<u64>,
}

impl SinkContext {
    /// A context for a call at `now` (epoch milliseconds).
    #[must_use]
    pub fn at(now: i64) -> Self {
        Self { now, ..Self::default() }
    }
}

/// A sink task: writes batches of records. Born configured.
///
/// Calls are made one at a time: `start`, then `open` for partitions that were assigned, `put` with their records
/// (and with none, at least every second, so that time can be acted on), `pre_commit` before offsets are committed and
/// before `close`, `stop` at the end, also after a failed `start`.
#[async_trait]
pub trait SinkTask: Send {
    /// Connects to the target.
    async fn start(&mut self, start: SinkTaskStart) -> Result<()>;

    /// Partitions were assigned. A task that keeps offsets with its data asks for a rewind here.
    async fn open(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        let _ = (partitions, context);
        Ok(())
    }

    /// Takes a batch, which may be empty. After a retriable error the same batch comes again; after any other the
    /// task fails.
    async fn put(&mut self, batch: SinkBatch, context: &mut SinkContext) -> Result<()>;

    /// Offsets up to which everything is durable. `seen` is what `put` was given so far; the answer may lag behind,
    /// and partitions left out of it are not committed.
    async fn pre_commit(&mut self, seen: &Offsets, context: &mut SinkContext) -> Result<Offsets> {
        let _ = context;
        Ok(seen.clone())
    }

    /// Partitions were taken away. Their offsets were committed as `pre_commit` said; what is not durable will be
    /// read again by their next owner.
    async fn close(&mut self, partitions: &[TopicPartition], context: &mut SinkContext) -> Result<()> {
        let _ = (partitions, context);
        Ok(())
    }

    /// What the task counts for metrics beside what the engine does. Asked once, after `start`.
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }

    /// What the task measures for metrics. Asked once, after `start`.
    fn gauges(&self) -> Vec<Gauge> {
        Vec::new()
    }

    /// Stops the task.
    async fn stop(&mut self);
}
