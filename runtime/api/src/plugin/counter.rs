//! Counters of plugins, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, which a plugin counts and metrics show. Clones share it.
///
/// ```
/// use lavka_api::plugin::Counter;
///
/// let dropped = Counter::new("message-dropped-total");
/// let counted_elsewhere = dropped.clone();
/// counted_elsewhere.add(2);
/// assert_eq!((dropped.name(), dropped.value()), ("message-dropped-total", 2));
/// ```
#[derive(Clone, Debug)]
pub struct Counter {
    name: &'static str,
    value: Arc<AtomicU64>,
}

impl Counter {
    /// A counter at 0. Names are words in lower case with hyphens; those of totals end with `-total`, as Kafka's do.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, value: Arc::default() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.value.fetch_add(n, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}
