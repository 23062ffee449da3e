//! The log of one partition: encoded batches in memory, oldest first.
//!
//! There are no files, but segments are counted as if there were: compaction leaves the newest one alone, as in Kafka.
//!
//! Invariants: batches are ordered by offset and do not overlap; `start <= first batch's last offset`; `end` is the
//! offset the next record gets and never moves back; `bytes` and `records` are the sums over the batches held.

mod compaction;

use std::{collections::VecDeque, ops::ControlFlow};

use bytes::{Bytes, BytesMut};

pub(super) use self::compaction::{Appetite, Pass};

use super::{
    batch::{self, BatchHeader},
    records,
};

/// What a batch costs beside its bytes: its entry in the queue and the allocator's share.
const BATCH_OVERHEAD: usize = 128;

/// One batch as producers wrote it and consumers will get it.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) base_offset: i64,
    pub(super) header: BatchHeader,
    bytes: Bytes,
    /// When deletions in it, or the marker that it is, will go (milliseconds since 1970).
    horizon: Option<i64>,
}

impl Batch {
    /// For a marker, whether it commits.
    pub(super) fn outcome(&self) -> Option<bool> {
        self.header.is_control().then(|| batch::commits(&self.bytes))
    }

    fn last_offset(&self) -> i64 {
        self.base_offset + i64::from(self.header.last_offset_delta)
    }

    fn cost(&self) -> usize {
        self.bytes.len() + BATCH_OVERHEAD
    }

    /// The first record from the offset `start` on whose timestamp is `timestamp` or later, as (its timestamp, its
    /// offset). A batch whose records cannot be read counts by its header alone.
    fn find(&self, timestamp: i64, start: i64) -> Option<(i64, i64)> {
        let mut found = None;
        let scanned = records::scan(&self.header, &self.bytes, |record| {
            let offset = self.base_offset + i64::from(record.offset_delta);
            if record.timestamp >= timestamp && offset >= start {
                found = Some((record.timestamp, offset));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        match scanned {
            Ok(()) => found,
            Err(_) => Some((self.header.max_timestamp, self.base_offset.max(start))),
        }
    }
}

/// How much something takes or gave back.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) bytes: usize,
    pub(super) records: u64,
}

impl Held {
    fn add(&mut self, batch: &Batch) {
        self.bytes += batch.cost();
        self.records += u64::from(batch.header.count.unsigned_abs());
    }

    fn take(&mut self, batch: &Batch) {
        self.bytes -= batch.cost();
        self.records -= u64::from(batch.header.count.unsigned_abs());
    }
}

/// When a segment is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentLimits {
    pub(super) bytes: usize,
    /// Milliseconds between its first batch and the next one.
    pub(super) age: i64,
}

/// The newest segment.
#[derive(Debug, Default)]
struct Segment {
    /// Offset of its first batch.
    base: i64,
    bytes: usize,
    first_timestamp: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    batches: VecDeque<Batch>,
    start: i64,
    end: i64,
    held: Held,
    segment: Segment,
    /// Everything before this offset was compacted.
    compacted_to: i64,
    /// When a pass of compaction will find deletions to drop.
    next_horizon: Option<i64>,
    /// The leader epochs after the first one, each with the offset at which it began.
    epochs: Vec<(i32, i64)>,
}

impl Log {
    /// The first offset that can be read.
    pub(super) fn start(&self) -> i64 {
        self.start
    }

    /// The offset after the last record. With one replica it is the high watermark too.
    pub(super) fn end(&self) -> i64 {
        self.end
    }

    pub(super) fn held(&self) -> Held {
        self.held
    }

    /// Appends a checked batch; gives its base offset.
    pub(super) fn append(
        &mut self,
        bytes: &[u8],
        mut header: BatchHeader,
        leader_epoch: i32,
        append_time: Option<i64>,
        limits: SegmentLimits,
    ) -> i64 {
        let base_offset = self.end;
        let bytes = batch::stamp(bytes, &mut header, base_offset, leader_epoch, append_time);
        let batch = Batch { base_offset, header, bytes, horizon: None };
        self.end = batch.last_offset() + 1;
        self.held.add(&batch);
        self.count_into_segment(&batch, limits);
        self.batches.push_back(batch);
        base_offset
    }

    fn count_into_segment(&mut self, batch: &Batch, limits: SegmentLimits) {
        let segment = &mut self.segment;
        let (size, timestamp) = (batch.bytes.len(), batch.header.max_timestamp);
        let is_full = segment.bytes.saturating_add(size) > limits.bytes;
        let is_old = timestamp.saturating_sub(segment.first_timestamp) > limits.age;
        if segment.bytes == 0 || is_full || is_old {
            *segment = Segment { base: batch.base_offset, bytes: 0, first_timestamp: timestamp };
        }
        segment.bytes += size;
    }

    /// The batches held, oldest first.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter()
    }

    /// Drops the newest batches until at least so many records are gone, or none are left.
    pub(super) fn lose(&mut self, records: u64) {
        let target = self.held.records.saturating_sub(records);
        while self.held.records > target
            && let Some(batch) = self.batches.pop_back()
        {
            self.held.take(&batch);
            self.end = batch.base_offset;
        }
        self.segment.base = self.segment.base.min(self.end);
        self.compacted_to = self.compacted_to.min(self.end);
    }

    /// A new leader writes from here on.
    pub(super) fn begin_epoch(&mut self, epoch: i32) {
        self.epochs.retain(|(_, start)| *start < self.end);
        self.epochs.push((epoch, self.end));
    }

    /// The leader epoch in which the record at an offset was written.
    pub(super) fn epoch_at(&self, offset: i64) -> i32 {
        let later = self.epochs.partition_point(|(_, start)| *start <= offset);
        later.checked_sub(1).and_then(|index| self.epochs.get(index)).map_or(0, |(epoch, _)| *epoch)
    }

    /// The last epoch up to `epoch` and where it ended; `None` if no later one began yet.
    pub(super) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let next = self.epochs.iter().position(|(later, _)| *later > epoch)?;
        let (_, end) = self.epochs.get(next)?;
        let before =
            next.checked_sub(1).and_then(|index| self.epochs.get(index)).map_or(0, |(epoch, _)| *epoch);
        Some((before, *end))
    }

    /// Index of the batch that holds `offset` or, where it is gone, of the next one.
    fn index_of(&self, offset: i64) -> usize {
        self.batches.partition_point(|batch| batch.last_offset() < offset)
    }

    /// Whole batches from the one that holds `from` up to the offset `until`, as many as `max_bytes` allows and one
    /// in any case if `at_least_one`; and the offset after them. Records before `from` in the first batch are for the
    /// reader to skip.
    pub(super) fn read(&self, from: i64, until: i64, max_bytes: usize, at_least_one: bool) -> (Bytes, i64) {
        let first = self.index_of(from);
        let mut size = 0_usize;
        let mut count = 0;
        let mut next = from;
        for batch in self.batches.range(first..) {
            let larger = size.saturating_add(batch.bytes.len());
            let fits = larger <= max_bytes || (at_least_one && count == 0);
            if batch.base_offset >= until || !fits {
                break;
            }
            size = larger;
            count += 1;
            next = batch.last_offset() + 1;
        }
        let mut chosen = self.batches.range(first..first + count).map(|batch| &batch.bytes);
        if count == 1 {
            return (chosen.next().cloned().unwrap_or_default(), next);
        }
        let mut joined = BytesMut::with_capacity(size);
        chosen.for_each(|bytes| joined.extend_from_slice(bytes));
        (joined.freeze(), next)
    }

    /// How many bytes the batches between two offsets have.
    pub(super) fn bytes_between(&self, from: i64, until: i64) -> usize {
        let batches = self.batches.range(self.index_of(from)..);
        batches.take_while(|batch| batch.base_offset < until).map(|batch| batch.bytes.len()).sum()
    }

    /// The earliest record at or after `timestamp`, as (its timestamp, its offset).
    pub(super) fn find_time(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.batches
            .iter()
            .filter(|batch| batch.header.max_timestamp >= timestamp)
            .find_map(|batch| batch.find(timestamp, self.start))
    }

    /// The first record that carries the greatest timestamp, as (its timestamp, its offset).
    pub(super) fn find_max_time(&self) -> Option<(i64, i64)> {
        let greatest = self.batches.iter().map(|batch| batch.header.max_timestamp).max()?;
        self.batches
            .iter()
            .filter(|batch| batch.header.max_timestamp == greatest)
            .find_map(|batch| batch.find(greatest, self.start))
    }

    fn drop_oldest(&mut self) -> Held {
        let Some(batch) = self.batches.pop_front() else { return Held::default() };
        self.start = self.start.max(batch.last_offset() + 1);
        self.held.take(&batch);
        let mut freed = Held::default();
        freed.add(&batch);
        freed
    }

    fn drop_while(&mut self, old: impl Fn(&Self, &Batch) -> bool) -> Held {
        let mut freed = Held::default();
        while self.batches.front().is_some_and(|batch| old(self, batch)) {
            let one = self.drop_oldest();
            freed.bytes += one.bytes;
            freed.records += one.records;
        }
        freed
    }

    /// Drops the oldest batches until at most `limit` bytes are held. The newest batch stays.
    pub(super) fn trim_to(&mut self, limit: usize) -> Held {
        self.drop_while(|log, _| log.held.bytes > limit && log.batches.len() > 1)
    }

    /// Drops the oldest batches, the newest included if need be, until `amount` bytes are given back.
    pub(super) fn give_back(&mut self, amount: usize) -> Held {
        let target = self.held.bytes.saturating_sub(amount);
        self.drop_while(|log, _| log.held.bytes > target)
    }

    /// Drops leading batches whose newest record is older than `horizon` (milliseconds since 1970).
    pub(super) fn drop_before_time(&mut self, horizon: i64) -> Held {
        self.drop_while(|_, batch| batch.header.max_timestamp < horizon)
    }

    /// Forgets everything before `offset`, which must lie between start and end. A batch that also holds later
    /// records stays; readers skip.
    pub(super) fn drop_before_offset(&mut self, offset: i64) -> Held {
        let freed = self.drop_while(|_, batch| batch.last_offset() < offset);
        self.start = self.start.max(offset);
        freed
    }
}
