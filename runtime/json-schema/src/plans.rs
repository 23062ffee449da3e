//! What the converter made of schemas, found per record by pointer.

use std::collections::HashMap;
use std::hash::Hash;

/// Plans by what they are for. Those that the current batch needs are never thrown out; of the others, all go at once
/// when there are too many, which is rare: schemas are few.
pub(crate) struct Plans<K, P> {
    plans: HashMap<K, (u64, P)>,
    most: usize,
    batch: u64,
}

impl<K: Hash + Eq, P> Plans<K, P> {
    pub(crate) fn new(most: usize) -> Self {
        Self { plans: HashMap::new(), most, batch: 0 }
    }

    /// A batch begins.
    pub(crate) fn begin(&mut self) {
        self.batch += 1;
    }

    /// Whether this batch has a plan of `key` already.
    pub(crate) fn is_ready(&self, key: &K) -> bool {
        self.plans.get(key).is_some_and(|(batch, _)| *batch == self.batch)
    }

    /// The plan of `key`.
    pub(crate) fn get(&self, key: &K) -> Option<&P> {
        self.plans.get(key).map(|(_, plan)| plan)
    }

    /// Keeps the plan of `key` for this batch, where there is one.
    pub(crate) fn keep(&mut self, key: &K) {
        if let Some((batch, _)) = self.plans.get_mut(key) {
            *batch = self.batch;
        }
    }

    /// Sets the plan of `key`.
    pub(crate) fn put(&mut self, key: K, plan: P) {
        if self.plans.len() >= self.most {
            let current = self.batch;
            self.plans.retain(|_, (batch, _)| *batch == current);
        }
        self.plans.insert(key, (self.batch, plan));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_keeps_what_it_needs() {
        let mut plans = Plans::new(2);
        plans.begin();
        plans.put("a", 1);
        plans.put("b", 2);
        plans.put("c", 3);
        assert!(plans.is_ready(&"a") && plans.get(&"c") == Some(&3));
        plans.begin();
        assert!(!plans.is_ready(&"a"));
        plans.keep(&"a");
        plans.put("d", 4);
        assert_eq!((plans.get(&"a"), plans.get(&"b"), plans.get(&"d")), (Some(&1), None, Some(&4)));
    }
}
