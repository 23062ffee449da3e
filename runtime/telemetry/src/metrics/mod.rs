//! Counters of tasks, under the names of Connect's metrics.
//!
//! Each group has one table from name to field ([`Group::NAMES`]), which is the only place where a name is written.
//! The engine holds bound handles (an `Arc` of atomics): counting never looks anything up.
//!
//! Maxima and averages are over the life of a task, not over a window of time; rates are left to whoever reads the
//! totals.

mod plugin;
mod task;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use task::{ErrorMetrics, SinkTaskMetrics, SourceTaskMetrics};

/// A metric's name and how to read it.
pub type Named<M> = (&'static str, fn(&M) -> f64);

/// A group of metrics of one task.
pub trait Group: 'static {
    /// The group's type in Connect (`source-task-metrics`).
    const TYPE: &'static str;
    /// Metric names and how to read them.
    const NAMES: &'static [Named<Self>];

    /// Metrics of the task's plugin, by name.
    fn of_plugin(&self) -> Vec<OfPlugin> {
        Vec::new()
    }
}

/// One value that a task's plugin counts or measures.
#[derive(Debug, Clone, PartialEq)]
pub struct OfPlugin {
    /// The metric.
    pub name: &'static str,
    /// What else tells it from others: names and values.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: f64,
}

/// The group that metrics of plugins are in, as in Connect (KIP-877).
pub const PLUGINS: &str = "plugins";

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
    /// What tells it from others of the same task: names and values.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: f64,
}

/// The metrics of all tasks of a worker. Clones share them.
#[derive(Debug, Default, Clone)]
pub struct Metrics {
    tasks: Arc<Mutex<Tasks>>,
}

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
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Forgets one task, which was taken away for good.
    pub fn forget_task(&self, connector: &str, task: u32) {
        let key = (connector.to_owned(), task);
        let mut tasks = self.tasks();
        tasks.sources.remove(&key);
        tasks.sinks.remove(&key);
        tasks.errors.remove(&key);
    }

    /// Every value there is, by group, connector and task.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Sample> {
        let mut out = Vec::new();
        let tasks = self.tasks();
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
            labels: Vec::new(),
            value: value(metrics),
        }));
        out.extend(metrics.of_plugin().into_iter().map(|OfPlugin { name, labels, value }| Sample {
            group: PLUGINS,
            connector: connector.clone(),
            task: *task,
            name,
            labels,
            value,
        }));
    }
}

/// How long something took, again and again.
#[derive(Debug, Default)]
struct Times {
    count: AtomicU64,
    total_ms: AtomicU64,
    max_ms: AtomicU64,
}

impl Times {
    fn add(&self, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Relaxed);
        self.total_ms.fetch_add(ms, Relaxed);
        self.max_ms.fetch_max(ms, Relaxed);
    }

    /// In milliseconds; not a number before the first time, as in Connect.
    fn max(&self) -> f64 {
        if self.count.load(Relaxed) == 0 { f64::NAN } else { count(&self.max_ms) }
    }

    /// In milliseconds; not a number before the first time.
    fn avg(&self) -> f64 {
        count(&self.total_ms) / count(&self.count)
    }
}

/// Sizes: their least, greatest and average; not a number before the first.
#[derive(Debug, Default)]
struct Sizes {
    count: AtomicU64,
    total: AtomicU64,
    /// One more than the least, so that 0 says that there was none.
    least: AtomicU64,
    most: AtomicU64,
}

impl Sizes {
    fn add(&self, size: u64) {
        self.count.fetch_add(1, Relaxed);
        self.total.fetch_add(size, Relaxed);
        self.most.fetch_max(size, Relaxed);
        let noted = size.saturating_add(1);
        let less = |least| (least == 0 || noted < least).then_some(noted);
        let _ = self.least.fetch_update(Relaxed, Relaxed, less);
    }

    fn min(&self) -> f64 {
        self.least.load(Relaxed).checked_sub(1).map_or(f64::NAN, double)
    }

    fn max(&self) -> f64 {
        if self.count.load(Relaxed) == 0 { f64::NAN } else { count(&self.most) }
    }

    fn avg(&self) -> f64 {
        count(&self.total) / count(&self.count)
    }
}

fn count(counter: &AtomicU64) -> f64 {
    double(counter.load(Relaxed))
}

#[expect(clippy::cast_precision_loss, reason = "metrics are doubles everywhere; 2^53 records are far away")]
pub(crate) fn double(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "epoch milliseconds fit a double for 285,000 years")]
fn number(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn value(metrics: &Metrics, name: &str) -> Option<f64> {
        metrics.snapshot().into_iter().find(|sample| sample.name == name).map(|sample| sample.value)
    }

    #[test]
    fn what_was_counted_is_read() {
        let metrics = Metrics::new();
        let source = metrics.source_task("c", 0);
        assert!(value(&metrics, "poll-batch-max-time-ms").is_some_and(f64::is_nan));
        source.polled(3, Duration::from_millis(4));
        source.polled(1, Duration::from_millis(2));
        // A restarted task goes on counting.
        metrics.source_task("c", 0).written(2);
        source.active(2);
        source.active(1);
        assert!(value(&metrics, "transaction-size-min").is_some_and(f64::is_nan));
        source.transaction(4);
        source.transaction(2);
        let sink = metrics.sink_task("s", 1);
        sink.read(7);
        sink.sent(4, Duration::from_millis(9));
        sink.committed();
        sink.commit_skipped();
        sink.commit_number(5);
        sink.lag(12);
        let errors = metrics.errors("s", 1);
        errors.failure();
        errors.error(1000);
        errors.dead_letter();
        for (name, expected) in [
            ("source-record-poll-total", 4.0),
            ("source-record-write-total", 2.0),
            ("source-record-active-count", 1.0),
            ("source-record-active-count-max", 2.0),
            ("transaction-size-min", 2.0),
            ("transaction-size-max", 4.0),
            ("transaction-size-avg", 3.0),
            ("poll-batch-max-time-ms", 4.0),
            ("poll-batch-avg-time-ms", 3.0),
            ("sink-record-read-total", 7.0),
            ("sink-record-send-total", 4.0),
            ("sink-record-active-count", 3.0),
            ("sink-record-lag-max", 12.0),
            ("put-batch-max-time-ms", 9.0),
            ("offset-commit-completion-total", 1.0),
            ("offset-commit-skip-total", 1.0),
            ("offset-commit-seq-no", 5.0),
            ("total-record-failures", 1.0),
            ("total-record-errors", 1.0),
            ("deadletterqueue-produce-requests", 1.0),
            ("last-error-timestamp", 1000.0),
        ] {
            assert_eq!(value(&metrics, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn counters_of_plugins_go_on_after_a_restart() {
        let metrics = Metrics::new();
        let counter = |value: u64| {
            let counter = Arc::new(AtomicU64::new(value));
            let read = Arc::clone(&counter);
            metrics.source_task("c", 0).counter("lost-total", move || read.load(Relaxed));
            counter
        };
        let first = counter(2);
        first.fetch_add(3, Relaxed);
        let lost = || metrics.snapshot().into_iter().find(|sample| sample.name == "lost-total").unwrap();
        assert_eq!(
            (lost().group, lost().connector.as_str(), lost().task, lost().value),
            ("plugins", "c", 0, 5.0)
        );
        counter(1);
        first.fetch_add(100, Relaxed);
        assert_eq!(lost().value, 6.0);
        assert_eq!(metrics.snapshot().iter().filter(|sample| sample.name == "lost-total").count(), 1);
        let source = metrics.source_task("c", 0);
        source.gauges("rows", "table", || vec![("a".to_owned(), 1.0), ("b".to_owned(), 2.0)]);
        source.labels(vec![("server", "s".to_owned())]);
        assert_eq!(lost().labels, [("server", "s".to_owned())]);
        let rows: Vec<Sample> =
            metrics.snapshot().into_iter().filter(|sample| sample.name == "rows").collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (&*rows[1].labels, rows[1].value),
            (&[("server", "s".into()), ("table", "b".into())][..], 2.0)
        );
        let sink = metrics.sink_task("c", 1);
        sink.counter("files-total", || 7);
        sink.gauge("file-bytes-avg", || 1.5);
        let of_sink = |name| metrics.snapshot().into_iter().find(|sample| sample.name == name).unwrap();
        for (name, value) in [("files-total", 7.0), ("file-bytes-avg", 1.5)] {
            assert_eq!((of_sink(name).group, of_sink(name).task, of_sink(name).value), ("plugins", 1, value));
        }
    }

    #[test]
    fn every_name_comes_once_per_task() {
        let metrics = Metrics::new();
        for task in 0..2 {
            let _ = (metrics.source_task("c", task), metrics.sink_task("s", task), metrics.errors("c", task));
        }
        let samples = metrics.snapshot();
        let distinct: BTreeSet<_> =
            samples.iter().map(|s| (s.group, s.connector.clone(), s.task, s.name)).collect();
        assert_eq!(distinct.len(), samples.len());
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let metrics = Metrics::new();
        for task in 0..2 {
            metrics.source_task("c", task).written(1);
            metrics.errors("c", task).skipped();
        }
        let tasks = |metrics: &Metrics| -> BTreeSet<u32> {
            metrics.snapshot().into_iter().map(|sample| sample.task).collect()
        };
        metrics.forget_task("c", 0);
        assert_eq!(tasks(&metrics), BTreeSet::from([1]));
        metrics.forget("c");
        assert_eq!(tasks(&metrics), BTreeSet::new());
        metrics.source_task("c", 1).polled(0, Duration::ZERO);
        assert_eq!(value(&metrics, "source-record-write-total"), Some(0.0), "counted from zero again");
    }
}
