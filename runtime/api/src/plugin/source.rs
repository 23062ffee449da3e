//! Source connectors and their tasks.

use std::sync::Arc;

use async_trait::async_trait;

use super::connector::{ConnectorContext, TaskId};
use super::counter::Counter;
use super::gauge::{Gauge, Gauges};
use super::topics::Topics;
use super::transactions::{ExactlyOnceSupport, TransactionContext};
use crate::config::{Config, ConfigDef, KeyReport};
use crate::data::{OffsetMap, SourceRecord};
use crate::error::Result;

/// A source connector: decides what its tasks do.
///
/// The worker makes an instance to validate a configuration, to run the connector, and to make tasks; `task` and
/// `validate` are called on instances that were never started, possibly on another machine than the one where the
/// connector runs.
#[async_trait]
pub trait SourceConnector: Send + Sync {
    /// Checks a configuration. Never fails: whatever is wrong is in the reports, one per key of `definition`, each
    /// with complete error texts. The default goes by the definition alone.
    async fn validate(&self, definition: &ConfigDef, config: &Config) -> Vec<KeyReport> {
        definition.validate(config)
    }

    /// Starts the connector. `config` has passed `validate`.
    async fn start(&mut self, context: ConnectorContext, config: &Config) -> Result<()>;

    /// Configurations of at most `max_tasks` tasks. Called after `start`, and again when the connector asked for it.
    async fn task_configs(&mut self, max_tasks: u32) -> Result<Vec<Config>>;

    /// A task with its configuration, not yet started.
    fn task(&self, config: &Config) -> Result<Box<dyn SourceTask>>;

    /// Stops the connector. Called once, also after a failed start.
    async fn stop(&mut self);

    /// Whether the offsets that a user wants to set make sense to the connector; `Ok(true)` if the connector keeps
    /// its offsets in Connect alone, `Ok(false)` if it may keep some elsewhere.
    ///
    /// # Errors
    /// Where the offsets are refused; the message says which and why.
    fn alter_offsets(&self, config: &Config, offsets: &[(OffsetMap, Option<OffsetMap>)]) -> Result<bool> {
        let _ = (config, offsets);
        Ok(false)
    }

    /// Whether tasks with this configuration can deliver exactly once where the worker offers it; `None` if the
    /// connector does not know.
    fn exactly_once_support(&self, config: &Config) -> Option<ExactlyOnceSupport> {
        let _ = config;
        None
    }

    /// Whether tasks with this configuration can say where transactions end, by
    /// [`SourceTask::define_transactions`].
    fn can_define_transaction_boundaries(&self, config: &Config) -> bool {
        let _ = config;
        false
    }
}

/// Looks up committed source offsets.
#[async_trait]
pub trait OffsetReader: Send + Sync {
    /// The offset of each of `partitions`, in their order; `None` where there is none.
    async fn offsets(&self, partitions: &[OffsetMap]) -> Result<Vec<Option<OffsetMap>>>;
}

/// What a source task is given when it starts.
#[derive(Clone)]
pub struct SourceTaskStart {
    /// Which task it is.
    pub id: TaskId,
    /// Where earlier runs left off.
    pub offsets: Arc<dyn OffsetReader>,
}

/// Hears what became of records, from another task than the one that polls: a `poll` may be waiting for just this
/// news (a full window of unacknowledged messages). Must not block.
///
/// For sources whose system wants to be told: a queue that deletes what was acknowledged, a replication slot. A source
/// that goes by offsets alone needs none.
pub trait DeliveryListener: Send + Sync {
    /// The records with these tokens need nothing more: Kafka has acknowledged them, or they were dropped by a
    /// transform or by the error policy. Tokens come in no particular order, each exactly once. With exactly-once
    /// delivery they come once the transaction of their records has ended.
    fn delivered(&self, tokens: &[u64]) {
        let _ = tokens;
    }

    /// Source offsets (one per source partition) are durable in the offset store.
    fn committed(&self, offsets: &[(OffsetMap, OffsetMap)]) {
        let _ = offsets;
    }
}

/// Records that are well handed out at once where many are ready: few enough to be still in the processor's cache when they
/// are encoded, many enough to share what a batch costs. 2,048 changes of eight columns cost 5 to 16 % more.
pub const CACHED_BATCH: usize = 128;

/// A source task: hands out batches of records. Born configured.
///
/// Calls are made one at a time, in the order `start`, `poll`*, `stop`. `stop` follows also a failed `start`.
#[async_trait]
pub trait SourceTask: Send {
    /// Connects to the source and finds the place to go on from.
    async fn start(&mut self, start: SourceTaskStart) -> Result<()>;

    /// Called before `start` where transactions end as the connector says (`transaction.boundary=connector`): nothing is
    /// committed but by a request to `context`. Without this call transactions end as the user says.
    fn define_transactions(&mut self, context: TransactionContext) {
        let _ = context;
    }

    /// Called before `start` where each batch becomes a transaction of Kafka's (exactly-once delivery with
    /// `transaction.boundary=poll`), which takes milliseconds to end: the task hands out as many records at once as it may.
    /// Without this call [`CACHED_BATCH`] is enough.
    fn batches_are_transactions(&mut self) {}

    /// The next records; waits until there are some, and may return none to say "nothing now" (the engine calls again
    /// at once, so wait before returning none).
    ///
    /// A pending `poll` is dropped when the task is paused or stops; whatever it had taken out of the source by then
    /// must still be handed out by the next `poll`, or not count as taken.
    async fn poll(&mut self) -> Result<Vec<SourceRecord>>;

    /// Who hears of deliveries. Asked once, after `start`.
    fn delivery_listener(&self) -> Option<Arc<dyn DeliveryListener>> {
        None
    }

    /// What the task counts for metrics beside what the engine does. Asked once, after `start`.
    fn counters(&self) -> Vec<Counter> {
        Vec::new()
    }

    /// What the task measures for metrics. Asked once, after `start`.
    fn gauges(&self) -> Vec<Gauge> {
        Vec::new()
    }

    /// What the task measures of several things by name: of tables, say. Asked once, after `start`.
    fn gauges_by_label(&self) -> Vec<Gauges> {
        Vec::new()
    }

    /// Labels of everything that the task itself counts and measures. Asked once, after `start`.
    fn metric_labels(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Called before `start` by a worker that has a Kafka cluster: how to read topics, for a task that takes orders there.
    fn take_topics(&mut self, topics: Arc<dyn Topics>) {
        let _ = topics;
    }

    /// Stops the task: no more polls. Deliveries of records in flight were waited for, up to the worker's time-out.
    async fn stop(&mut self);
}
