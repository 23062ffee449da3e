//! Counters of tasks, under the names of Connect's metrics.
//!
//! Each group has one table from name to field ([`Group::NAMES`]), which is the only place where a name is written.
//! The engine holds bound handles (an `Arc` of atomics): counting never looks anything up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A metric's name and how to read it.
pub type Named<M> = (&'static str, fn(&M) -> f64);

/// A group of metrics of one task.
pub trait Group: 'static {
    /// The group's type in Connect (`source-task-metrics`).
    const TYPE: &'static str;
    /// Metric names and how to read them.
    const NAMES: &'static [Named<Self>];
}

/// One value in a [snapshot](Metrics::snapshot).
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The group's type.
    pub group: &'static str,
    /// The connector.
    pub connector: String,
    /// The task.
    pub task: u32,
    /// The metric.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
}

/// `source-task-metrics`.
#[derive(Debug, Default)]
pub struct SourceTaskMetrics {
    polled: AtomicU64,
    written: AtomicU64,
    active: AtomicU64,
    active_max: AtomicU64,
    poll_max_ms: AtomicU64,
    poll_total_ms: AtomicU64,
    polls: AtomicU64,
}

impl SourceTaskMetrics {
    /// A poll returned `records` after `took`.
    pub fn polled(&self, records: usize, took: Duration) {
        let ms = millis(took);
        self.polled.fetch_add(records as u64, Relaxed);
        self.polls.fetch_add(1, Relaxed);
        self.poll_max_ms.fetch_max(ms, Relaxed);
        self.poll_total_ms.fetch_add(ms, Relaxed);
    }

    /// Kafka acknowledged `records`.
    pub fn written(&self, records: usize) {
        self.written.fetch_add(records as u64, Relaxed);
    }

    /// This many records are in flight.
    pub fn active(&self, records: usize) {
        self.active.store(records as u64, Relaxed);
        self.active_max.fetch_max(records as u64, Relaxed);
    }
}

impl Group for SourceTaskMetrics {
    const TYPE: &'static str = "source-task-metrics";
    const NAMES: &'static [Named<Self>] = &[
        ("source-record-poll-total", |m| count(&m.polled)),
        ("source-record-write-total", |m| count(&m.written)),
        ("source-record-active-count", |m| count(&m.active)),
        ("source-record-active-count-max", |m| count(&m.active_max)),
        ("poll-batch-max-time-ms", |m| count(&m.poll_max_ms)),
        ("poll-batch-avg-time-ms", |m| count(&m.poll_total_ms) / count(&m.polls)),
    ];
}

/// `sink-task-metrics`.
#[derive(Debug, Default)]
pub struct SinkTaskMetrics {
    read: AtomicU64,
    sent: AtomicU64,
    partitions: AtomicU64,
    commits: AtomicU64,
    put_max_ms: AtomicU64,
    put_total_ms: AtomicU64,
    puts: AtomicU64,
}

impl SinkTaskMetrics {
    /// `records` were consumed.
    pub fn read(&self, records: usize) {
        self.read.fetch_add(records as u64, Relaxed);
    }

    /// A `put` of `records` returned after `took`.
    pub fn sent(&self, records: usize, took: Duration) {
        let ms = millis(took);
        self.sent.fetch_add(records as u64, Relaxed);
        self.puts.fetch_add(1, Relaxed);
        self.put_max_ms.fetch_max(ms, Relaxed);
        self.put_total_ms.fetch_add(ms, Relaxed);
    }

    /// This many partitions are assigned.
    pub fn partitions(&self, partitions: usize) {
        self.partitions.store(partitions as u64, Relaxed);
    }

    /// Offsets were committed.
    pub fn committed(&self) {
        self.commits.fetch_add(1, Relaxed);
    }
}

impl Group for SinkTaskMetrics {
    const TYPE: &'static str = "sink-task-metrics";
    const NAMES: &'static [Named<Self>] = &[
        ("sink-record-read-total", |m| count(&m.read)),
        ("sink-record-send-total", |m| count(&m.sent)),
        ("sink-record-active-count", |m| count(&m.read) - count(&m.sent)),
        ("partition-count", |m| count(&m.partitions)),
        ("offset-commit-completion-total", |m| count(&m.commits)),
        ("put-batch-max-time-ms", |m| count(&m.put_max_ms)),
        ("put-batch-avg-time-ms", |m| count(&m.put_total_ms) / count(&m.puts)),
    ];
}

/// `task-error-metrics`.
#[derive(Debug, Default)]
pub struct ErrorMetrics {
    failures: AtomicU64,
    errors: AtomicU64,
    skipped: AtomicU64,
    retries: AtomicU64,
    logged: AtomicU64,
    dead_letters: AtomicU64,
    dead_letter_failures: AtomicU64,
    last_error_ms: AtomicI64,
}

impl ErrorMetrics {
    /// An operation failed, whether or not it will be tried again.
    pub fn failure(&self) {
        self.failures.fetch_add(1, Relaxed);
    }

    /// A record ended in an error at `now` (epoch milliseconds).
    pub fn error(&self, now: i64) {
        self.errors.fetch_add(1, Relaxed);
        self.last_error_ms.store(now, Relaxed);
    }

    /// A record was skipped.
    pub fn skipped(&self) {
        self.skipped.fetch_add(1, Relaxed);
    }

    /// An operation is tried again.
    pub fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// An error was logged.
    pub fn logged(&self) {
        self.logged.fetch_add(1, Relaxed);
    }

    /// A dead letter is sent.
    pub fn dead_letter(&self) {
        self.dead_letters.fetch_add(1, Relaxed);
    }

    /// A dead letter could not be sent.
    pub fn dead_letter_failure(&self) {
        self.dead_letter_failures.fetch_add(1, Relaxed);
    }
}

impl Group for ErrorMetrics {
    const TYPE: &'static str = "task-error-metrics";
    const NAMES: &'static [Named<Self>] = &[
        ("total-record-failures", |m| count(&m.failures)),
        ("total-record-errors", |m| count(&m.errors)),
        ("total-records-skipped", |m| count(&m.skipped)),
        ("total-retries", |m| count(&m.retries)),
        ("total-errors-logged", |m| count(&m.logged)),
        ("deadletterqueue-produce-requests", |m| count(&m.dead_letters)),
        ("deadletterqueue-produce-failures", |m| count(&m.dead_letter_failures)),
        ("last-error-timestamp", |m| number(m.last_error_ms.load(Relaxed))),
    ];
}

/// All metrics of a worker's tasks.
#[derive(Debug, Default, Clone)]
pub struct Metrics(Arc<Mutex<Tasks>>);

type PerTask<M> = BTreeMap<(String, u32), Arc<M>>;

#[derive(Debug, Default)]
struct Tasks {
    sources: PerTask<SourceTaskMetrics>,
    sinks: PerTask<SinkTaskMetrics>,
    errors: PerTask<ErrorMetrics>,
}

impl Metrics {
    /// No metrics yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of a source task; those of an earlier run go on.
    #[must_use]
    pub fn source_task(&self, connector: &str, task: u32) -> Arc<SourceTaskMetrics> {
        Arc::clone(self.tasks().sources.entry((connector.to_owned(), task)).or_default())
    }

    /// The counters of a sink task; those of an earlier run go on.
    #[must_use]
    pub fn sink_task(&self, connector: &str, task: u32) -> Arc<SinkTaskMetrics> {
        Arc::clone(self.tasks().sinks.entry((connector.to_owned(), task)).or_default())
    }

    /// The error counters of a task; those of an earlier run go on.
    #[must_use]
    pub fn errors(&self, connector: &str, task: u32) -> Arc<ErrorMetrics> {
        Arc::clone(self.tasks().errors.entry((connector.to_owned(), task)).or_default())
    }

    /// Forgets the tasks of a connector that was deleted.
    pub fn forget(&self, connector: &str) {
        let mut tasks = self.tasks();
        tasks.sources.retain(|(name, _), _| name != connector);
        tasks.sinks.retain(|(name, _), _| name != connector);
        tasks.errors.retain(|(name, _), _| name != connector);
    }

    /// Every value there is, by group, connector and task.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Sample> {
        let tasks = self.tasks();
        let mut out = Vec::new();
        read(&tasks.sources, &mut out);
        read(&tasks.sinks, &mut out);
        read(&tasks.errors, &mut out);
        out
    }
}

fn read<M: Group>(group: &PerTask<M>, out: &mut Vec<Sample>) {
    for ((connector, task), metrics) in group {
        out.extend(M::NAMES.iter().map(|(name, value)| Sample {
            group: M::TYPE,
            connector: connector.clone(),
            task: *task,
            name,
            value: value(metrics),
        }));
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "metrics are doubles everywhere; 2^53 records are far away")]
fn count(counter: &AtomicU64) -> f64 {
    counter.load(Relaxed) as f64
}

#[expect(clippy::cast_precision_loss, reason = "epoch milliseconds fit a double for 285,000 years")]
fn number(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_has_every_name_once_per_task() {
        let metrics = Metrics::new();
        metrics.source_task("c", 0).polled(3, Duration::from_millis(4));
        metrics.source_task("c", 0).written(2);
        metrics.sink_task("s", 1).read(7);
        let value = |name: &str| metrics.snapshot().into_iter().find(|s| s.name == name).map(|s| s.value);
        assert_eq!(value("source-record-poll-total"), Some(3.0));
        assert_eq!(value("source-record-write-total"), Some(2.0));
        assert_eq!(value("poll-batch-avg-time-ms"), Some(4.0));
        assert_eq!(value("sink-record-active-count"), Some(7.0));
        metrics.forget("c");
        assert_eq!(value("source-record-poll-total"), None);
    }
}
