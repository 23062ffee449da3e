//! The log of one partition: encoded batches in memory, oldest first.
//!
//! Invariants: batches are ordered by offset and do not overlap; `start <= first batch's last offset`; `end` is the
//! offset the next record gets and never moves back; `bytes` and `records` are the sums over the batches held.

use std::{collections::VecDeque, ops::ControlFlow};

use bytes::{Bytes, BytesMut};

use super::{
    batch::{self, BatchHeader},
    records,
};

/// What a batch costs beside its bytes: its entry in the queue and the allocator's share.
const BATCH_OVERHEAD: usize = 128;

/// One batch as producers wrote it and consumers will get it.
#[derive(Debug)]
struct Batch {
    base_offset: i64,
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
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

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Log {
    batches: VecDeque<Batch>,
    start: i64,
    end: i64,
    held: Held,
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
    ) -> i64 {
        let base_offset = self.end;
        let bytes = batch::stamp(bytes, &mut header, base_offset, leader_epoch, append_time);
        let batch = Batch { base_offset, header, bytes };
        self.end = batch.last_offset() + 1;
        self.held.bytes += batch.cost();
        self.held.records += u64::from(header.count.unsigned_abs());
        self.batches.push_back(batch);
        base_offset
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
        let freed = Held { bytes: batch.cost(), records: u64::from(batch.header.count.unsigned_abs()) };
        self.held.bytes -= freed.bytes;
        self.held.records -= freed.records;
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
