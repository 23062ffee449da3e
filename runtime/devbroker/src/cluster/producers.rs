//! Idempotent producers of one partition: which batch comes next, and which ones were seen already (KIP-98, KIP-360).

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use kafka_protocol::ResponseError;

use super::batch::{BatchHeader, Refusal};

/// Kafka remembers as many; a producer has at most five requests in flight.
const REMEMBERED: usize = 5;
/// More producers than this in one partition push out the one that has been silent for longest.
const MAX_PRODUCERS: usize = 2_000;

/// Numbers of one batch that was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    append_time: i64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    written: VecDeque<Written>,
    last_seen: Duration,
}

/// What to do with a batch of an idempotent producer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Append it.
    Next,
    /// It is in the log already: acknowledge it again, with the place and time it was given then.
    Duplicate { base_offset: i64, append_time: i64 },
}

/// The producers known to one partition, by producer id.
#[derive(Debug, Default)]
pub(super) struct Producers(HashMap<i64, Producer>);

fn last_sequence(header: &BatchHeader) -> i32 {
    increment(header.base_sequence, header.last_offset_delta)
}

/// Sequence numbers wrap from the greatest 32-bit number to 0.
fn increment(sequence: i32, by: i32) -> i32 {
    sequence.wrapping_add(by) & i32::MAX
}

impl Producers {
    /// Compares a batch with what came before. Batches without a producer id are always next.
    pub(super) fn check(&self, header: &BatchHeader) -> Result<Verdict, Refusal> {
        if header.producer_id < 0 {
            return Ok(Verdict::Next);
        }
        // Nothing known, perhaps because retention took it: any sequence starts the count anew (KIP-360).
        let Some(producer) = self.0.get(&header.producer_id) else { return Ok(Verdict::Next) };
        if header.producer_epoch < producer.epoch {
            let text = format!(
                "Epoch of producer {} is {}, which is smaller than the last seen epoch {}",
                header.producer_id, header.producer_epoch, producer.epoch
            );
            return Err((ResponseError::InvalidProducerEpoch, text));
        }
        if header.producer_epoch > producer.epoch {
            if header.base_sequence == 0 {
                return Ok(Verdict::Next);
            }
            let text = format!(
                "Invalid sequence number for new epoch of producer {}: {} (request epoch), {} (seq. number), {} (current producer epoch)",
                header.producer_id, header.producer_epoch, header.base_sequence, producer.epoch
            );
            return Err((ResponseError::OutOfOrderSequenceNumber, text));
        }
        let (first, last) = (header.base_sequence, last_sequence(header));
        let same = |seen: &&Written| (seen.first_sequence, seen.last_sequence) == (first, last);
        if let Some(seen) = producer.written.iter().find(same) {
            return Ok(Verdict::Duplicate { base_offset: seen.base_offset, append_time: seen.append_time });
        }
        // Nothing written since a marker raised the epoch: the count starts anew.
        let newest = producer.written.back().map_or(-1, |newest| newest.last_sequence);
        if first == increment(newest, 1) {
            return Ok(Verdict::Next);
        }
        let text = format!(
            "Out of order sequence number for producer {}: {first} (incoming seq. number), {newest} (current end sequence number)",
            header.producer_id
        );
        Err((ResponseError::OutOfOrderSequenceNumber, text))
    }

    /// Remembers a batch that [`check`](Self::check) called next, after it was appended.
    pub(super) fn record(&mut self, header: &BatchHeader, base_offset: i64, append_time: i64, now: Duration) {
        if header.producer_id < 0 {
            return;
        }
        let producer = self.seen(header.producer_id, header.producer_epoch, now);
        if producer.written.len() == REMEMBERED {
            producer.written.pop_front();
        }
        producer.written.push_back(Written {
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header),
            base_offset,
            append_time,
        });
    }

    /// Remembers the epoch of a marker: batches with a smaller one are refused from now on.
    pub(super) fn record_marker(&mut self, producer_id: i64, epoch: i16, now: Duration) {
        self.seen(producer_id, epoch, now);
    }

    fn seen(&mut self, producer_id: i64, epoch: i16, now: Duration) -> &mut Producer {
        if self.0.len() >= MAX_PRODUCERS && !self.0.contains_key(&producer_id) {
            self.forget_longest_silent();
        }
        let producer = self.0.entry(producer_id).or_insert_with(|| Producer {
            epoch,
            written: VecDeque::with_capacity(REMEMBERED),
            last_seen: now,
        });
        if producer.epoch < epoch {
            producer.epoch = epoch;
            producer.written.clear();
        }
        producer.last_seen = now;
        producer
    }

    /// The epoch last seen of a producer.
    pub(super) fn epoch(&self, producer_id: i64) -> Option<i16> {
        self.0.get(&producer_id).map(|producer| producer.epoch)
    }

    /// Forgets producers not heard of for `idle` (Kafka: producer.id.expiration.ms).
    pub(super) fn expire(&mut self, now: Duration, idle: Duration) {
        self.0.retain(|_, producer| producer.last_seen + idle > now);
    }

    fn forget_longest_silent(&mut self) {
        let silent = self.0.iter().min_by_key(|(_, producer)| producer.last_seen).map(|(id, _)| *id);
        if let Some(id) = silent {
            self.0.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(id: i64, epoch: i16, sequence: i32, count: i32) -> BatchHeader {
        BatchHeader {
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: sequence,
            count,
        }
    }

    fn append(producers: &mut Producers, header: &BatchHeader, offset: i64) {
        assert_eq!(producers.check(header), Ok(Verdict::Next));
        producers.record(header, offset, -1, Duration::ZERO);
    }

    fn error(producers: &Producers, header: &BatchHeader) -> ResponseError {
        producers.check(header).unwrap_err().0
    }

    #[test]
    fn sequences_follow_each_other_and_repeats_are_recognised() {
        let mut producers = Producers::default();
        append(&mut producers, &batch(9, 0, 0, 10), 100);
        append(&mut producers, &batch(9, 0, 10, 1), 110);
        let again = producers.check(&batch(9, 0, 0, 10)).unwrap();
        assert_eq!(again, Verdict::Duplicate { base_offset: 100, append_time: -1 });
        assert_eq!(error(&producers, &batch(9, 0, 12, 1)), ResponseError::OutOfOrderSequenceNumber);
        assert_eq!(error(&producers, &batch(9, 0, 0, 9)), ResponseError::OutOfOrderSequenceNumber);
        assert_eq!(producers.check(&batch(10, 0, 77, 1)), Ok(Verdict::Next), "nothing known of producer 10");
    }

    #[test]
    fn only_the_last_five_batches_are_remembered() {
        let mut producers = Producers::default();
        (0..6).for_each(|n| append(&mut producers, &batch(1, 0, n, 1), i64::from(n)));
        assert_eq!(error(&producers, &batch(1, 0, 0, 1)), ResponseError::OutOfOrderSequenceNumber);
        let oldest = Verdict::Duplicate { base_offset: 1, append_time: -1 };
        assert_eq!(producers.check(&batch(1, 0, 1, 1)), Ok(oldest));
    }

    #[test]
    fn epochs_only_grow_and_start_at_sequence_zero() {
        let mut producers = Producers::default();
        append(&mut producers, &batch(1, 3, 5, 1), 0);
        assert_eq!(error(&producers, &batch(1, 2, 6, 1)), ResponseError::InvalidProducerEpoch);
        assert_eq!(error(&producers, &batch(1, 4, 6, 1)), ResponseError::OutOfOrderSequenceNumber);
        append(&mut producers, &batch(1, 4, 0, 1), 1);
        assert_eq!(error(&producers, &batch(1, 3, 6, 1)), ResponseError::InvalidProducerEpoch);
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let mut producers = Producers::default();
        append(&mut producers, &batch(1, 0, i32::MAX - 1, 2), 0);
        append(&mut producers, &batch(1, 0, 0, 3), 2);
        append(&mut producers, &batch(2, 0, i32::MAX, 3), 5);
        append(&mut producers, &batch(2, 0, 2, 1), 8);
    }

    #[test]
    fn silent_producers_are_forgotten() {
        let mut producers = Producers::default();
        append(&mut producers, &batch(1, 0, 0, 1), 0);
        producers.record(&batch(2, 0, 0, 1), 1, -1, Duration::from_secs(50));
        producers.expire(Duration::from_secs(60), Duration::from_secs(60));
        assert_eq!(producers.check(&batch(1, 0, 9, 1)), Ok(Verdict::Next));
        assert_eq!(error(&producers, &batch(2, 0, 9, 1)), ResponseError::OutOfOrderSequenceNumber);
    }

    #[test]
    fn many_producers_push_out_the_one_silent_for_longest() {
        let mut producers = Producers::default();
        for id in 0..=MAX_PRODUCERS as i64 {
            producers.record(&batch(id, 0, 0, 1), id, -1, Duration::from_millis(id as u64));
        }
        assert_eq!(producers.0.len(), MAX_PRODUCERS);
        assert!(!producers.0.contains_key(&0));
    }
}
