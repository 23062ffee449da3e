//! How far a sink task has come: what it holds, what it was given, what was committed, when to commit next.
//!
//! Pure: times are passed in, in milliseconds of any clock that only goes forward.

use std::collections::{BTreeMap, BTreeSet};

use lavka_api::data::TopicPartition;
use lavka_api::plugin::Offsets;

/// The progress of one sink task over its assigned partitions.
#[derive(Debug)]
pub struct Progress {
    interval_ms: u64,
    next_commit_ms: u64,
    assigned: BTreeSet<TopicPartition>,
    /// Next offset to hand to the task, for partitions it was given records of (or that were rewound).
    seen: Offsets,
    committed: BTreeMap<TopicPartition, i64>,
}

impl Progress {
    /// No partitions; the first commit is due one interval after `now_ms`.
    #[must_use]
    pub fn new(now_ms: u64, interval_ms: u64) -> Self {
        Self {
            interval_ms,
            next_commit_ms: now_ms.saturating_add(interval_ms),
            assigned: BTreeSet::new(),
            seen: Offsets::new(),
            committed: BTreeMap::new(),
        }
    }

    /// Takes partitions on.
    pub fn assign(&mut self, partitions: &[TopicPartition]) {
        self.assigned.extend(partitions.iter().cloned());
    }

    /// Gives partitions up.
    pub fn revoke(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.assigned.remove(partition);
            self.seen.remove(partition);
            self.committed.remove(partition);
        }
    }

    /// The partitions held.
    #[must_use]
    pub fn assigned(&self) -> Vec<TopicPartition> {
        self.assigned.iter().cloned().collect()
    }

    /// The task was given everything below `next` of `partition`.
    pub fn advance(&mut self, partition: &TopicPartition, next: i64) {
        if !self.assigned.contains(partition) {
            return;
        }
        match self.seen.get_mut(partition) {
            Some(seen) => *seen = next,
            None => {
                self.seen.insert(partition.clone(), next);
            }
        }
    }

    /// Whether a partition is held.
    #[must_use]
    pub fn is_assigned(&self, partition: &TopicPartition) -> bool {
        self.assigned.contains(partition)
    }

    /// What the task was given (of `only` these partitions, where given), for `pre_commit`.
    #[must_use]
    pub fn seen(&self, only: Option<&[TopicPartition]>) -> Offsets {
        let seen = self.seen.iter().filter(|(partition, _)| only.is_none_or(|only| only.contains(partition)));
        seen.map(|(partition, offset)| (partition.clone(), *offset)).collect()
    }

    /// What of the task's answer to `pre_commit` is to be committed: offsets of assigned partitions (of `only`, where
    /// given), none beyond what the task was given, none that is committed already.
    #[must_use]
    pub fn committable(&self, durable: &Offsets, only: Option<&[TopicPartition]>) -> Offsets {
        durable
            .iter()
            .filter(|(partition, _)| self.assigned.contains(*partition))
            .filter(|(partition, _)| only.is_none_or(|only| only.contains(partition)))
            .filter(|(partition, offset)| self.seen.get(*partition).is_some_and(|seen| *offset <= seen))
            .filter(|(partition, offset)| self.committed.get(*partition) != Some(*offset))
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect()
    }

    /// These offsets are committed.
    pub fn note_committed(&mut self, offsets: &Offsets) {
        for (partition, offset) in offsets {
            if self.assigned.contains(partition) {
                self.committed.insert(partition.clone(), *offset);
            }
        }
    }

    /// Milliseconds until the next commit is due; 0 if it is.
    #[must_use]
    pub fn commit_in(&self, now_ms: u64) -> u64 {
        self.next_commit_ms.saturating_sub(now_ms)
    }

    /// A commit was asked for.
    pub fn request_commit(&mut self) {
        self.next_commit_ms = 0;
    }

    /// A commit was tried at `now_ms`.
    pub fn schedule_next(&mut self, now_ms: u64) {
        self.next_commit_ms = now_ms.saturating_add(self.interval_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tp(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn offsets<const N: usize>(entries: [(i32, i64); N]) -> Offsets {
        entries.into_iter().map(|(partition, offset)| (tp(partition), offset)).collect()
    }

    #[test]
    fn commits_are_limited_to_what_was_given() {
        let mut progress = Progress::new(0, 1000);
        progress.assign(&[tp(0), tp(1)]);
        progress.advance(&tp(0), 10);
        progress.advance(&tp(1), 5);
        progress.advance(&tp(9), 5);
        assert_eq!(progress.seen(None), offsets([(0, 10), (1, 5)]));
        assert_eq!(progress.seen(Some(&[tp(1)])), offsets([(1, 5)]));
        let durable = offsets([(0, 10), (1, 6), (9, 1)]);
        assert_eq!(progress.committable(&durable, None), offsets([(0, 10)]));
    }

    #[test]
    fn nothing_is_committed_twice() {
        let mut progress = Progress::new(0, 1000);
        progress.assign(&[tp(0)]);
        progress.advance(&tp(0), 10);
        progress.note_committed(&offsets([(0, 10)]));
        assert_eq!(progress.committable(&offsets([(0, 10)]), None), offsets([]));
        progress.advance(&tp(0), 4);
        assert_eq!(progress.committable(&offsets([(0, 4)]), None), offsets([(0, 4)]), "a rewind may go back");
    }

    #[test]
    fn revoked_partitions_are_forgotten() {
        let mut progress = Progress::new(0, 1000);
        progress.assign(&[tp(0), tp(1)]);
        progress.advance(&tp(0), 10);
        progress.advance(&tp(1), 10);
        let durable = offsets([(0, 10), (1, 10)]);
        assert_eq!(progress.committable(&durable, Some(&[tp(1)])), offsets([(1, 10)]));
        progress.revoke(&[tp(1)]);
        assert_eq!(progress.committable(&durable, None), offsets([(0, 10)]));
        assert_eq!(progress.assigned(), [tp(0)]);
    }

    #[test]
    fn commits_come_due() {
        let mut progress = Progress::new(100, 1000);
        assert_eq!(progress.commit_in(200), 900);
        assert_eq!(progress.commit_in(5000), 0);
        progress.schedule_next(5000);
        assert_eq!(progress.commit_in(5000), 1000);
        progress.request_commit();
        assert_eq!(progress.commit_in(5000), 0);
    }
}
