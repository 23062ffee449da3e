//! Counters of one task.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::plugin::PluginMetrics;
use super::{Group, Named, OfPlugin, Sizes, Times, count, number};

/// `source-task-metrics`.
#[derive(Debug, Default)]
pub struct SourceTaskMetrics {
    polled: AtomicU64,
    written: AtomicU64,
    active: AtomicU64,
    active_max: AtomicU64,
    polls: Times,
    transactions: Sizes,
    plugin: PluginMetrics,
}

impl SourceTaskMetrics {
    /// The task has a counter of its own, which `read` reads. It takes the place of that of an earlier run, and goes on
    /// from there.
    pub fn counter(&self, name: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) {
        self.plugin.counter(name, read);
    }

    /// The task has a gauge of its own, which `read` reads. It takes the place of that of an earlier run.
    pub fn gauge(&self, name: &'static str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.plugin.gauge(name, read);
    }

    /// The task has gauges of its own under one name, which `read` reads with the value of `label` that tells each from
    /// the others. They take the place of those of an earlier run.
    pub fn gauges(
        &self,
        name: &'static str,
        label: &'static str,
        read: impl Fn() -> Vec<(String, f64)> + Send + Sync + 'static,
    ) {
        self.plugin.gauges(name, label, read);
    }

    /// Labels of everything that the task counts and measures of its own.
    pub fn labels(&self, labels: Vec<(&'static str, String)>) {
        self.plugin.labels(labels);
    }

    /// A poll returned `records` after `took`.
    pub fn polled(&self, records: usize, took: Duration) {
        self.polled.fetch_add(records as u64, Relaxed);
        self.polls.add(took);
    }

    /// Kafka acknowledged `records`.
    pub fn written(&self, records: usize) {
        self.written.fetch_add(records as u64, Relaxed);
    }

    /// A transaction of so many records was committed.
    pub fn transaction(&self, records: usize) {
        self.transactions.add(records as u64);
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
        ("poll-batch-max-time-ms", |m| m.polls.max()),
        ("poll-batch-avg-time-ms", |m| m.polls.avg()),
        ("transaction-size-min", |m| m.transactions.min()),
        ("transaction-size-max", |m| m.transactions.max()),
        ("transaction-size-avg", |m| m.transactions.avg()),
    ];

    fn of_plugin(&self) -> Vec<OfPlugin> {
        self.plugin.values()
    }
}

/// `sink-task-metrics`.
#[derive(Debug, Default)]
pub struct SinkTaskMetrics {
    read: AtomicU64,
    sent: AtomicU64,
    partitions: AtomicU64,
    commits: AtomicU64,
    skipped_commits: AtomicU64,
    commit_number: AtomicU64,
    lag_max: AtomicU64,
    puts: Times,
    plugin: PluginMetrics,
}

impl SinkTaskMetrics {
    /// The task has a counter of its own, see [`SourceTaskMetrics::counter`].
    pub fn counter(&self, name: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) {
        self.plugin.counter(name, read);
    }

    /// The task has a gauge of its own, see [`SourceTaskMetrics::gauge`].
    pub fn gauge(&self, name: &'static str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.plugin.gauge(name, read);
    }

    /// `records` were consumed.
    pub fn read(&self, records: usize) {
        self.read.fetch_add(records as u64, Relaxed);
    }

    /// A `put` of `records` returned after `took`.
    pub fn sent(&self, records: usize, took: Duration) {
        self.sent.fetch_add(records as u64, Relaxed);
        self.puts.add(took);
    }

    /// This many partitions are assigned.
    pub fn partitions(&self, partitions: usize) {
        self.partitions.store(partitions as u64, Relaxed);
    }

    /// Offsets were committed.
    pub fn committed(&self) {
        self.commits.fetch_add(1, Relaxed);
    }

    /// A commit was left out because a newer one had begun.
    pub fn commit_skipped(&self) {
        self.skipped_commits.fetch_add(1, Relaxed);
    }

    /// The number of the commit that was begun last.
    pub fn commit_number(&self, number: u64) {
        self.commit_number.store(number, Relaxed);
    }

    /// Records by which the partition furthest behind is behind the end of its log.
    pub fn lag(&self, records: u64) {
        self.lag_max.store(records, Relaxed);
    }
}

impl Group for SinkTaskMetrics {
    const TYPE: &'static str = "sink-task-metrics";
    const NAMES: &'static [Named<Self>] = &[
        ("sink-record-read-total", |m| count(&m.read)),
        ("sink-record-send-total", |m| count(&m.sent)),
        ("sink-record-active-count", |m| count(&m.read) - count(&m.sent)),
        ("partition-count", |m| count(&m.partitions)),
        ("sink-record-lag-max", |m| count(&m.lag_max)),
        ("offset-commit-seq-no", |m| count(&m.commit_number)),
        ("offset-commit-completion-total", |m| count(&m.commits)),
        ("offset-commit-skip-total", |m| count(&m.skipped_commits)),
        ("put-batch-max-time-ms", |m| m.puts.max()),
        ("put-batch-avg-time-ms", |m| m.puts.avg()),
    ];

    fn of_plugin(&self) -> Vec<OfPlugin> {
        self.plugin.values()
    }
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
