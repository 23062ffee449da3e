//! Which transactions of one partition are open or were aborted: what a reader of committed records may see (KIP-98).
//!
//! Invariants: `open` and `by_producer` hold the same transactions; `aborted` is ordered by marker.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// A transaction that was aborted, as a fetch response lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aborted {
    pub(super) producer_id: i64,
    pub(super) first_offset: i64,
    /// Where the abort marker is.
    marker: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    open: BTreeMap<i64, i64>,
    by_producer: HashMap<i64, i64>,
    aborted: VecDeque<Aborted>,
}

impl Isolation {
    /// A transactional batch was appended: it opens a transaction, unless the producer has one open here.
    pub(super) fn wrote(&mut self, producer_id: i64, offset: i64) {
        if !self.has_open(producer_id) {
            self.open.insert(offset, producer_id);
            self.by_producer.insert(producer_id, offset);
        }
    }

    /// A marker was appended. One for a producer without a transaction here changes nothing.
    pub(super) fn ended(&mut self, producer_id: i64, marker: i64, committed: bool) {
        let Some(first_offset) = self.by_producer.remove(&producer_id) else { return };
        self.open.remove(&first_offset);
        if !committed {
            self.aborted.push_back(Aborted { producer_id, first_offset, marker });
        }
    }

    pub(super) fn has_open(&self, producer_id: i64) -> bool {
        self.by_producer.contains_key(&producer_id)
    }

    /// Where the oldest open transaction begins.
    pub(super) fn first_open(&self) -> Option<i64> {
        self.open.keys().next().copied()
    }

    /// The producers with a transaction open here.
    pub(super) fn open_producers(&self) -> Vec<i64> {
        self.open.values().copied().collect()
    }

    /// The aborted transactions that have something between two offsets, the second exclusive.
    pub(super) fn aborted_between(&self, from: i64, until: i64) -> impl Iterator<Item = Aborted> {
        let reached = self.aborted.partition_point(|aborted| aborted.marker < from);
        self.aborted.range(reached..).filter(move |aborted| aborted.first_offset < until).copied()
    }

    /// Whether a batch of this producer at this offset belongs to an aborted transaction.
    pub(super) fn is_aborted(&self, producer_id: i64, offset: i64) -> bool {
        self.aborted_between(offset, offset + 1).any(|aborted| aborted.producer_id == producer_id)
    }

    /// Forgets the aborted transactions whose markers the log no longer has.
    pub(super) fn forget_aborted(&mut self, is_gone: impl Fn(i64) -> bool) {
        self.aborted.retain(|aborted| !is_gone(aborted.marker));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(isolation: &Isolation, from: i64, until: i64) -> Vec<i64> {
        isolation.aborted_between(from, until).map(|aborted| aborted.first_offset).collect()
    }

    #[test]
    fn the_oldest_open_transaction_decides_and_aborted_ones_are_found_by_overlap() {
        let mut isolation = Isolation::default();
        isolation.wrote(1, 10);
        isolation.wrote(2, 20);
        isolation.wrote(1, 30);
        assert_eq!(isolation.first_open(), Some(10));
        isolation.ended(1, 40, false);
        assert_eq!(isolation.first_open(), Some(20));
        isolation.ended(2, 41, true);
        assert_eq!((isolation.first_open(), isolation.has_open(2)), (None, false));
        isolation.wrote(2, 42);
        isolation.ended(2, 50, false);
        assert_eq!(firsts(&isolation, 0, 100), [10, 42]);
        assert_eq!(firsts(&isolation, 41, 100), [42], "the first one ended at 40");
        assert_eq!(firsts(&isolation, 0, 42), [10]);
        assert!(isolation.is_aborted(1, 30) && !isolation.is_aborted(2, 30) && isolation.is_aborted(2, 42));
        isolation.forget_aborted(|marker| marker < 50);
        assert_eq!(firsts(&isolation, 0, 100), [42]);
    }

    #[test]
    fn a_marker_without_a_transaction_changes_nothing() {
        let mut isolation = Isolation::default();
        isolation.ended(1, 0, false);
        assert_eq!(firsts(&isolation, 0, 10), [0_i64; 0]);
    }
}
