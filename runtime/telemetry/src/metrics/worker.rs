//! Counters of the worker as a whole.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{Group, Named, count};

/// `connect-worker-metrics`.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    connectors: AtomicU64,
    tasks: AtomicU64,
    connector_starts: Starts,
    task_starts: Starts,
}

/// How starting went.
#[derive(Debug, Default)]
struct Starts {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl Starts {
    fn add(&self, succeeded: bool) {
        (if succeeded { &self.succeeded } else { &self.failed }).fetch_add(1, Relaxed);
    }

    fn attempts(&self) -> f64 {
        count(&self.succeeded) + count(&self.failed)
    }

    /// Zero before the first attempt, as in Connect.
    fn share(&self, part: &AtomicU64) -> f64 {
        let attempts = self.attempts();
        if attempts > 0.0 { count(part) / attempts } else { 0.0 }
    }
}

impl WorkerMetrics {
    /// This many connectors run on the worker.
    pub fn connectors(&self, connectors: usize) {
        self.connectors.store(connectors as u64, Relaxed);
    }

    /// This many tasks run on the worker.
    pub fn tasks(&self, tasks: usize) {
        self.tasks.store(tasks as u64, Relaxed);
    }

    /// A connector was started, or failed to start.
    pub fn connector_start(&self, succeeded: bool) {
        self.connector_starts.add(succeeded);
    }

    /// A task was started, or failed to start.
    pub fn task_start(&self, succeeded: bool) {
        self.task_starts.add(succeeded);
    }
}

impl Group for WorkerMetrics {
    const TYPE: &'static str = "connect-worker-metrics";
    const NAMES: &'static [Named<Self>] = &[
        ("connector-count", |m| count(&m.connectors)),
        ("task-count", |m| count(&m.tasks)),
        ("connector-startup-attempts-total", |m| m.connector_starts.attempts()),
        ("connector-startup-success-total", |m| count(&m.connector_starts.succeeded)),
        ("connector-startup-failure-total", |m| count(&m.connector_starts.failed)),
        ("connector-startup-success-percentage", |m| m.connector_starts.share(&m.connector_starts.succeeded)),
        ("connector-startup-failure-percentage", |m| m.connector_starts.share(&m.connector_starts.failed)),
        ("task-startup-attempts-total", |m| m.task_starts.attempts()),
        ("task-startup-success-total", |m| count(&m.task_starts.succeeded)),
        ("task-startup-failure-total", |m| count(&m.task_starts.failed)),
        ("task-startup-success-percentage", |m| m.task_starts.share(&m.task_starts.succeeded)),
        ("task-startup-failure-percentage", |m| m.task_starts.share(&m.task_starts.failed)),
    ];
}
