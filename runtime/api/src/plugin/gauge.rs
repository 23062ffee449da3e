//! Gauges of plugins, for metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that a plugin sets again and again, and metrics show: a lag, the length of a queue. Clones share it.
///
/// ```
/// use lavka_api::plugin::Gauge;
///
/// let lag = Gauge::new("lag-bytes");
/// assert!(lag.value().is_nan());
/// lag.set(512.0);
/// assert_eq!((lag.name(), lag.clone().value()), ("lag-bytes", 512.0));
/// ```
#[derive(Clone, Debug)]
pub struct Gauge {
    name: &'static str,
    bits: Arc<AtomicU64>,
}

impl Gauge {
    /// A gauge that nothing is known of: not a number. Names are words in lower case with hyphens.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, bits: Arc::new(AtomicU64::new(f64::NAN.to_bits())) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// This is how much it is now.
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Ordering::Relaxed);
    }

    /// How much it was last.
    #[must_use]
    pub fn value(&self) -> f64 {
        f64::from_bits(self.bits.load(Ordering::Relaxed))
    }
}
