//! Gauges of plugins, for metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// A gauge that nothing is known of: not a number. Names are words in lower case with hyphens. A name
    /// `context.Attribute` is that of an attribute of Debezium's MBeans, and is served as such.
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

/// Gauges of one name, one for each value of a label: rows by table. Clones share them.
///
/// ```
/// use lavka_api::plugin::Gauges;
///
/// let rows = Gauges::new("RowsScanned", "table");
/// rows.set("public.t", 30.0);
/// assert_eq!(rows.values(), [("public.t".to_owned(), 30.0)]);
/// ```
#[derive(Clone, Debug)]
pub struct Gauges {
    name: &'static str,
    label: &'static str,
    values: Arc<Mutex<BTreeMap<String, f64>>>,
}

impl Gauges {
    /// The most of them that are kept; metrics are no place for more.
    pub const MOST: usize = 1_000;

    /// No gauges yet. As for the name, see [`Gauge::new`].
    #[must_use]
    pub fn new(name: &'static str, label: &'static str) -> Self {
        Self { name, label, values: Arc::default() }
    }

    /// Their name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The label that tells them apart.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.label
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, f64>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This is how much that of `label` is now. A new one beyond [`MOST`](Self::MOST) is passed over.
    pub fn set(&self, label: &str, value: f64) {
        let mut values = self.lock();
        if let Some(known) = values.get_mut(label) {
            *known = value;
        } else if values.len() < Self::MOST {
            values.insert(label.to_owned(), value);
        }
    }

    /// Forgets them all.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Each with how much it was last, by label.
    #[must_use]
    pub fn values(&self) -> Vec<(String, f64)> {
        self.lock().iter().map(|(label, value)| (label.clone(), *value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_not_more_gauges_than_metrics_can_bear() {
        let gauges = Gauges::new("rows", "table");
        for table in 0..2 * Gauges::MOST {
            gauges.set(&table.to_string(), 1.0);
        }
        gauges.set("0", 2.0);
        let values = gauges.values();
        assert_eq!((values.len(), values[0].clone()), (Gauges::MOST, ("0".to_owned(), 2.0)));
        gauges.clear();
        assert!(gauges.values().is_empty());
    }
}
