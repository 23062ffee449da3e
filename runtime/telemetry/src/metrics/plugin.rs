//! What a task's plugin counts and measures of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{OfPlugin, double};

/// Metrics that a task's plugin has of its own.
#[derive(Debug, Default)]
pub(super) struct PluginMetrics(Mutex<Readings>);

/// How each is read, by name.
#[derive(Default)]
struct Readings {
    counters: BTreeMap<&'static str, Count>,
    gauges: BTreeMap<&'static str, Read<f64>>,
    labelled: BTreeMap<&'static str, (&'static str, Read<Values>)>,
    labels: Vec<(&'static str, String)>,
}

/// Numbers by the value of a label.
type Values = Vec<(String, f64)>;
type Read<T> = Box<dyn Fn() -> T + Send + Sync>;

/// A counter, with what the counters of earlier runs came to.
struct Count {
    earlier: u64,
    read: Read<u64>,
}

impl Count {
    fn value(&self) -> u64 {
        self.earlier.saturating_add((self.read)())
    }
}

impl Readings {
    fn values(&self) -> Vec<OfPlugin> {
        let value = |name, value| OfPlugin { name, labels: self.labels.clone(), value };
        let mut values: Vec<OfPlugin> =
            self.counters.iter().map(|(name, counter)| value(name, double(counter.value()))).collect();
        values.extend(self.gauges.iter().map(|(name, read)| value(name, read())));
        for (name, (label, read)) in &self.labelled {
            values.extend(read().into_iter().map(|(of, amount)| {
                let mut one = value(name, amount);
                one.labels.push((label, of));
                one
            }));
        }
        values
    }
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}

impl PluginMetrics {
    fn lock(&self) -> MutexGuard<'_, Readings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A counter, which takes the place of that of an earlier run and goes on from there.
    pub(super) fn counter(&self, name: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) {
        let counters = &mut self.lock().counters;
        let earlier = counters.get(name).map_or(0, Count::value);
        counters.insert(name, Count { earlier, read: Box::new(read) });
    }

    pub(super) fn gauge(&self, name: &'static str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.lock().gauges.insert(name, Box::new(read));
    }

    pub(super) fn gauges(
        &self,
        name: &'static str,
        label: &'static str,
        read: impl Fn() -> Values + Send + Sync + 'static,
    ) {
        self.lock().labelled.insert(name, (label, Box::new(read)));
    }

    pub(super) fn labels(&self, labels: Vec<(&'static str, String)>) {
        self.lock().labels = labels;
    }

    pub(super) fn values(&self) -> Vec<OfPlugin> {
        self.lock().values()
    }
}
