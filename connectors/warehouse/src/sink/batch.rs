//! What is written in one transaction: the records of one poll, or of several that came one after the other.

use lavka_api::data::{SinkRecord, TopicPartition};
use lavka_api::plugin::{Offsets, SinkBatch};
use lavka_api::{Error, Result};

/// Records with their places, counted over all polls.
#[derive(Debug)]
pub(super) struct Batch {
    polls: Vec<SinkBatch>,
    len: usize,
}

impl Batch {
    pub(super) fn of(poll: SinkBatch) -> Self {
        Self { len: poll.len(), polls: vec![poll] }
    }

    pub(super) fn push(&mut self, poll: SinkBatch) {
        self.len += poll.len();
        self.polls.push(poll);
    }

    /// The last poll.
    pub(super) fn last(&self) -> Option<SinkBatch> {
        self.polls.last().cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SinkRecord> {
        self.polls.iter().flat_map(|poll| poll.iter())
    }

    fn get(&self, index: usize) -> Option<&SinkRecord> {
        let mut rest = index;
        for poll in &self.polls {
            match rest.checked_sub(poll.len()) {
                Some(behind) => rest = behind,
                None => return poll.get(rest),
            }
        }
        None
    }

    /// For each partition the offset behind its last record.
    pub(super) fn ends(&self) -> Offsets {
        let mut ends = Offsets::new();
        for poll in &self.polls {
            for last in runs(poll).filter_map(<[SinkRecord]>::last) {
                let behind = last.origin.offset.saturating_add(1);
                let end = ends.entry(place(last)).or_insert(behind);
                *end = behind.max(*end);
            }
        }
        ends
    }

    /// Lowers `offsets` to those of each partition's first record here.
    pub(super) fn lower(&self, offsets: &mut Offsets) {
        for poll in &self.polls {
            for first in runs(poll).filter_map(<[SinkRecord]>::first) {
                let offset = first.origin.offset;
                let lowest = offsets.entry(place(first)).or_insert(offset);
                *lowest = offset.min(*lowest);
            }
        }
    }

    /// An error with the record's place before it.
    pub(super) fn located(&self, index: usize, error: &Error) -> Error {
        let Some(record) = self.get(index) else { return error.clone() };
        let origin = &record.origin;
        Error::new(
            error.class(),
            error.exception(),
            format!("the record at {}-{}@{}: {error}", origin.topic, origin.partition, origin.offset),
        )
    }

    /// The first of some errors as that of a whole batch.
    pub(super) fn fail<T>(&self, errors: &[(usize, Error)]) -> Result<T> {
        Err(errors.first().map_or_else(
            || Error::fatal("records were refused"),
            |(index, error)| self.located(*index, error),
        ))
    }
}

/// Records come in runs of one partition.
fn runs(poll: &SinkBatch) -> impl Iterator<Item = &[SinkRecord]> {
    poll.chunk_by(|one, next| {
        one.origin.partition == next.origin.partition && one.origin.topic == next.origin.topic
    })
}

pub(super) fn place(record: &SinkRecord) -> TopicPartition {
    TopicPartition::new(record.origin.topic.clone(), record.origin.partition)
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Datum, KafkaOrigin, Record, RecordKind, TimestampType};

    use super::*;

    fn record(partition: i32, offset: i64) -> SinkRecord {
        let kind = RecordKind::Sink { offset, timestamp_type: TimestampType::CreateTime };
        let record = Record { partition: Some(partition), key: Datum::NULL, kind, ..Record::for_topic("t") };
        let origin = KafkaOrigin { topic: "t".into(), partition, offset, leader_epoch: None };
        SinkRecord { record, origin, raw_key: None, raw_value: None }
    }

    #[test]
    fn places_and_offsets_go_over_all_polls() {
        let mut batch = Batch::of(vec![record(0, 5), record(0, 6), record(1, 9)].into());
        batch.push(vec![record(1, 10), record(0, 7)].into());
        assert_eq!(batch.len(), 5);
        assert_eq!(batch.get(4).map(|record| record.origin.offset), Some(7));
        assert!(batch.get(5).is_none());
        let at = |partition| TopicPartition::new("t", partition);
        assert_eq!(batch.ends(), Offsets::from([(at(0), 8), (at(1), 11)]));
        let mut offsets = Offsets::from([(at(0), 6), (at(1), 3), (at(2), 1)]);
        batch.lower(&mut offsets);
        assert_eq!(offsets, Offsets::from([(at(0), 5), (at(1), 3), (at(2), 1)]));
    }
}
