//! Which source offsets may be committed: of each source partition the longest prefix of records that are settled.
//!
//! Pure: no clock, no I/O. Sequence numbers are dense, so a record in flight costs one ring slot and is found without
//! hashing.

use std::collections::{HashMap, VecDeque};

use lavka_api::data::{OffsetMap, SourcePosition};
use lavka_ports::Buffer;

/// Records in flight, in the order they were submitted.
#[derive(Debug, Default)]
pub struct Tracker {
    /// Sequence number of the ring's front.
    base: u64,
    ring: VecDeque<Slot>,
    /// Source partitions with something in flight or to commit; the others are forgotten and their places reused.
    partitions: Vec<Partition>,
    by_map: HashMap<OffsetMap, usize>,
    free: Vec<usize>,
    /// The partition of the last record: most sources stay with one for a while.
    last: Option<(OffsetMap, usize)>,
    in_flight: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    partition: Option<usize>,
    offset: Option<OffsetMap>,
    token: u64,
    bytes: usize,
    settled: bool,
    /// Passed over by its partition's prefix; the ring may forget it.
    passed: bool,
}

#[derive(Debug, Clone)]
struct Partition {
    map: OffsetMap,
    pending: VecDeque<u64>,
    committable: Option<OffsetMap>,
}

/// A record that needs nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The token its source gave it.
    pub token: u64,
}

impl Tracker {
    /// Nothing in flight.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a record about to be sent (or dropped: settle it right away, so that its offset counts). Gives its
    /// sequence number.
    pub fn submit(&mut self, position: Option<SourcePosition>, token: u64, bytes: usize) -> u64 {
        let sequence = self.base + self.ring.len() as u64;
        let (partition, offset) = match position {
            Some(position) => {
                let index = self.partition(&position.partition);
                if let Some(partition) = self.partitions.get_mut(index) {
                    partition.pending.push_back(sequence);
                }
                (Some(index), Some(position.offset))
            }
            None => (None, None),
        };
        self.ring.push_back(Slot { partition, offset, token, bytes, settled: false, passed: false });
        self.in_flight += 1;
        self.bytes += bytes;
        sequence
    }

    fn partition(&mut self, map: &OffsetMap) -> usize {
        if let Some((last, index)) = &self.last
            && last.same(map)
        {
            return *index;
        }
        let index = match self.by_map.get(map) {
            Some(&index) => index,
            None => self.add_partition(map),
        };
        self.last = Some((map.clone(), index));
        index
    }

    fn add_partition(&mut self, map: &OffsetMap) -> usize {
        let partition = Partition { map: map.clone(), pending: VecDeque::new(), committable: None };
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.partitions.push(partition.clone());
                self.partitions.len() - 1
            }
        };
        if let Some(place) = self.partitions.get_mut(index) {
            *place = partition;
        }
        self.by_map.insert(map.clone(), index);
        index
    }

    /// Takes back the newest record, which was not sent after all, as if it had never been submitted. False if it is
    /// not the newest, or settled.
    pub fn withdraw(&mut self, sequence: u64) -> bool {
        if sequence + 1 != self.base + self.ring.len() as u64 {
            return false;
        }
        let Some(slot) = self.ring.pop_back_if(|slot| !slot.settled) else { return false };
        self.in_flight -= 1;
        self.bytes -= slot.bytes;
        if let Some(partition) = slot.partition.and_then(|index| self.partitions.get_mut(index)) {
            partition.pending.pop_back();
        }
        true
    }

    /// Settles a record: Kafka acknowledged it, or it was dropped. `None` if that was so before.
    pub fn settle(&mut self, sequence: u64) -> Option<Settled> {
        let place = usize::try_from(sequence.checked_sub(self.base)?).ok()?;
        let slot = self.ring.get_mut(place)?;
        if slot.settled {
            return None;
        }
        slot.settled = true;
        let settled = Settled { token: slot.token };
        self.in_flight -= 1;
        self.bytes -= slot.bytes;
        match slot.partition {
            Some(partition) => self.advance(partition),
            None => slot.passed = true,
        }
        while self.ring.front().is_some_and(|slot| slot.passed) {
            self.ring.pop_front();
            self.base += 1;
        }
        Some(settled)
    }

    /// Moves the prefix of a partition over its settled records.
    fn advance(&mut self, index: usize) {
        let Some(partition) = self.partitions.get_mut(index) else { return };
        while let Some(&front) = partition.pending.front() {
            let Some(slot) =
                usize::try_from(front - self.base).ok().and_then(|place| self.ring.get_mut(place))
            else {
                break;
            };
            if !slot.settled {
                break;
            }
            slot.passed = true;
            partition.committable = slot.offset.take();
            partition.pending.pop_front();
        }
    }

    /// Takes what may be committed now and was not taken before: the newest offset of each partition's prefix.
    /// Partitions with nothing left in flight are forgotten, so that a source of many short-lived ones (files) costs
    /// what is in flight and not what ever was.
    pub fn take_committable(&mut self) -> Vec<(OffsetMap, OffsetMap)> {
        let mut taken = Vec::new();
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            let Some(offset) = partition.committable.take() else { continue };
            taken.push((partition.map.clone(), offset));
            if partition.pending.is_empty() {
                self.by_map.remove(&partition.map);
                self.free.push(index);
            }
        }
        self.last = None;
        taken
    }

    /// Gives back offsets that could not be written, unless newer ones came meanwhile.
    pub fn give_back(&mut self, offsets: Vec<(OffsetMap, OffsetMap)>) {
        for (map, offset) in offsets {
            let index = self.partition(&map);
            if let Some(partition) = self.partitions.get_mut(index) {
                partition.committable.get_or_insert(offset);
            }
        }
    }

    /// Records that are not settled, and their bytes.
    pub(super) fn under_way(&self) -> Buffer {
        Buffer { records: self.in_flight, bytes: self.bytes }
    }

    /// Records that are not settled.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::Value;
    use proptest::prelude::*;

    use super::*;

    fn at(partition: i64, offset: i64) -> Option<SourcePosition> {
        Some(SourcePosition {
            partition: OffsetMap::new([("p", Value::Int64(partition))]),
            offset: OffsetMap::new([("o", Value::Int64(offset))]),
        })
    }

    fn taken(tracker: &mut Tracker) -> Vec<(i64, i64)> {
        let number = |map: &OffsetMap, key: &str| map.get(key).and_then(Value::as_i64).unwrap();
        let mut out: Vec<_> =
            tracker.take_committable().iter().map(|(p, o)| (number(p, "p"), number(o, "o"))).collect();
        out.sort_unstable();
        out
    }

    #[test]
    fn only_the_settled_prefix_of_each_partition_counts() {
        let mut tracker = Tracker::new();
        let first = tracker.submit(at(1, 1), 0, 1);
        let second = tracker.submit(at(1, 2), 0, 1);
        let third = tracker.submit(at(2, 1), 0, 1);
        let fourth = tracker.submit(at(2, 2), 0, 1);
        tracker.settle(second);
        assert_eq!(taken(&mut tracker), []);
        tracker.settle(third);
        assert_eq!(taken(&mut tracker), [(2, 1)]);
        tracker.settle(first);
        tracker.settle(fourth);
        assert_eq!(taken(&mut tracker), [(1, 2), (2, 2)]);
        assert_eq!((tracker.in_flight(), tracker.under_way().bytes, tracker.ring.len()), (0, 0, 0));
    }

    #[test]
    fn settling_twice_is_noticed() {
        let mut tracker = Tracker::new();
        let sequence = tracker.submit(at(1, 1), 7, 1);
        assert_eq!(tracker.settle(sequence), Some(Settled { token: 7 }));
        assert_eq!(tracker.settle(sequence), None);
        assert_eq!(tracker.settle(99), None);
    }

    #[test]
    fn offsets_given_back_do_not_replace_newer_ones() {
        let mut tracker = Tracker::new();
        let a = tracker.submit(at(1, 1), 0, 1);
        tracker.settle(a);
        let old = tracker.take_committable();
        let b = tracker.submit(at(1, 2), 0, 1);
        tracker.settle(b);
        tracker.give_back(old.clone());
        assert_eq!(taken(&mut tracker), [(1, 2)]);
        tracker.give_back(old);
        assert_eq!(taken(&mut tracker), [(1, 1)]);
    }

    #[test]
    fn records_without_a_position_only_count_in_flight() {
        let mut tracker = Tracker::new();
        let a = tracker.submit(None, 0, 10);
        let b = tracker.submit(None, 0, 10);
        assert_eq!((tracker.in_flight(), tracker.under_way().bytes), (2, 20));
        tracker.settle(b);
        tracker.settle(a);
        assert_eq!((tracker.in_flight(), tracker.ring.len()), (0, 0));
    }

    #[test]
    fn a_record_that_was_not_sent_can_be_taken_back_once() {
        let mut tracker = Tracker::new();
        let kept = tracker.submit(at(1, 1), 0, 10);
        let dropped = tracker.submit(at(1, 2), 0, 10);
        assert!(!tracker.withdraw(kept), "not the newest");
        assert!(tracker.withdraw(dropped));
        assert!(!tracker.withdraw(dropped));
        assert_eq!(tracker.settle(dropped), None);
        assert_eq!((tracker.in_flight(), tracker.under_way().bytes), (1, 10));
        tracker.settle(kept);
        assert_eq!(taken(&mut tracker), [(1, 1)]);
    }

    #[test]
    fn partitions_that_come_and_go_leave_nothing_behind() {
        let mut tracker = Tracker::new();
        for file in 0..1000 {
            let sequence = tracker.submit(at(file, 1), 0, 1);
            tracker.settle(sequence);
            assert_eq!(taken(&mut tracker), [(file, 1)]);
        }
        assert_eq!((tracker.partitions.len(), tracker.by_map.len()), (1, 0));
    }

    proptest! {
        /// Against a model that keeps everything: after any interleaving of records sent, taken back and settled, of
        /// commits and of commits that fail, what was written last for a partition is the newest record of the
        /// settled prefix it had then.
        #[test]
        fn agrees_with_a_model(steps in prop::collection::vec((0..4i64, 0..20usize, 0..6u8), 1..300)) {
            let mut tracker = Tracker::new();
            let mut model: Vec<(i64, i64, bool)> = Vec::new();
            let mut written: HashMap<i64, i64> = HashMap::new();
            for (partition, pick, kind) in steps {
                let offset = model.len() as i64;
                let sequence = tracker.submit(at(partition, offset), 0, 1);
                prop_assert_eq!(sequence, model.len() as u64);
                if kind == 0 {
                    prop_assert!(tracker.withdraw(sequence));
                } else {
                    model.push((partition, offset, false));
                }
                if let Some(chosen) = model.len().checked_sub(1 + pick) {
                    tracker.settle(chosen as u64);
                    model[chosen].2 = true;
                }
                prop_assert_eq!(tracker.in_flight(), model.iter().filter(|record| !record.2).count());
                prop_assert_eq!(tracker.under_way().bytes, tracker.in_flight());
                match kind {
                    1 | 2 => continue,
                    3 => {
                        let refused = tracker.take_committable();
                        tracker.give_back(refused);
                        continue;
                    }
                    _ => written.extend(taken(&mut tracker)),
                }
                for p in 0..4 {
                    let prefix = model.iter().filter(|r| r.0 == p).take_while(|r| r.2).last().map(|r| r.1);
                    prop_assert_eq!(written.get(&p).copied(), prefix);
                }
            }
        }
    }
}
