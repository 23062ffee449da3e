//! Keeping the last record of each key (KIP-58, KIP-354, KIP-534), and nothing of aborted transactions.
//!
//! A batch that loses records keeps its offsets, sequence numbers and codec; what it keeps is copied byte by byte, so
//! readers see gaps and nothing else. Deletions (records without a value) and markers of transactions without records
//! stay for `delete.retention.ms` after the first pass that found them, so that a reader who is not far behind hears
//! of them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
};

use bytes::Bytes;

use crate::cluster::{
    batch,
    isolation::Isolation,
    records::{self, RecordView},
};

use super::{Batch, Log};

/// What a pass may do and when it takes place.
#[derive(Debug, Clone, Copy)]
pub(in crate::cluster) struct Pass {
    /// Nothing from this offset on is looked at.
    pub(in crate::cluster) until: i64,
    /// Milliseconds since 1970.
    pub(in crate::cluster) now: i64,
    /// How long deletions stay, in milliseconds.
    pub(in crate::cluster) delete_retention: i64,
}

/// When compaction of a topic is worth it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cluster) struct Appetite {
    /// The share of bytes not yet compacted above which it is.
    pub(in crate::cluster) dirty_ratio: f64,
    /// Records younger than this stay as they are, in milliseconds.
    pub(in crate::cluster) min_lag: i64,
    /// Records older than this do not stay as they are, in milliseconds.
    pub(in crate::cluster) max_lag: i64,
}

impl Log {
    /// Whether sealed segments have records that no pass has looked at, or deletions that will go one day.
    pub(in crate::cluster) fn may_be_compacted(&self) -> bool {
        self.segment.base > self.compacted_to || self.next_horizon.is_some()
    }

    /// Up to where a pass would go now, if it is time for one. `stable` is where the oldest open transaction begins.
    pub(in crate::cluster) fn compactable(&self, stable: i64, now: i64, appetite: Appetite) -> Option<i64> {
        let young = now.saturating_sub(appetite.min_lag);
        let fresh = self.batches.iter().find(|batch| {
            batch.base_offset >= self.compacted_to
                && appetite.min_lag > 0
                && batch.header.max_timestamp > young
        });
        let until = fresh.map_or(i64::MAX, |batch| batch.base_offset).min(stable).min(self.segment.base);
        if self.next_horizon.is_some_and(|horizon| horizon <= now) {
            return Some(until.max(self.compacted_to));
        }
        let dirty = self.bytes_between(self.compacted_to, until);
        if until <= self.compacted_to || dirty == 0 {
            return None;
        }
        let clean = self.bytes_between(self.start, self.compacted_to);
        let ratio = dirty as f64 / (dirty + clean) as f64;
        let oldest = self.batches.get(self.index_of(self.compacted_to))?.header.max_timestamp;
        (ratio > appetite.dirty_ratio || now.saturating_sub(oldest) > appetite.max_lag).then_some(until)
    }

    /// Whether a pass over everything could give back a good part of what is held.
    pub(in crate::cluster) fn is_worth_squeezing(&self, stable: i64) -> bool {
        let dirty = self.bytes_between(self.compacted_to, stable);
        dirty > 0 && dirty.saturating_mul(8) >= self.held.bytes
    }

    /// Goes over everything before `pass.until`.
    pub(in crate::cluster) fn compact(&mut self, pass: Pass, isolation: &mut Isolation) {
        let count = self.batches.partition_point(|batch| batch.base_offset < pass.until);
        let newest = newest_by_key(self.batches.range(..count), isolation);
        let rest = self.batches.split_off(count);
        let old = std::mem::replace(&mut self.batches, VecDeque::with_capacity(count));
        // Producers with records that stay and whose transaction has not ended yet.
        let mut open = HashSet::new();
        let mut dropped_markers = HashSet::new();
        self.next_horizon = None;
        for batch in old {
            let (offset, producer) = (batch.base_offset, batch.header.producer_id);
            self.held.take(&batch);
            let kept = if batch.header.is_control() {
                let kept = keep_marker(batch, pass, open.remove(&producer));
                if kept.is_none() {
                    dropped_markers.insert(offset);
                }
                kept
            } else if is_aborted(&batch, isolation) {
                None
            } else {
                let kept = keep_newest(batch, pass, &newest);
                if kept.as_ref().is_some_and(|kept| kept.header.is_transactional()) {
                    open.insert(producer);
                }
                kept
            };
            if let Some(kept) = kept {
                self.held.add(&kept);
                self.next_horizon = [self.next_horizon, kept.horizon].into_iter().flatten().min();
                self.batches.push_back(kept);
            }
        }
        self.batches.extend(rest);
        self.compacted_to = self.compacted_to.max(pass.until.min(self.end));
        isolation.forget_aborted(|marker| dropped_markers.contains(&marker));
    }
}

fn is_aborted(batch: &Batch, isolation: &Isolation) -> bool {
    batch.header.is_transactional() && isolation.is_aborted(batch.header.producer_id, batch.base_offset)
}

/// The offset of the last record of each key.
fn newest_by_key<'a>(
    batches: impl Iterator<Item = &'a Batch>,
    isolation: &Isolation,
) -> HashMap<Vec<u8>, i64> {
    let mut newest = HashMap::new();
    for batch in batches {
        if batch.header.is_control() || is_aborted(batch, isolation) {
            continue;
        }
        let Ok(unpacked) = records::unpack(&batch.header, &batch.bytes) else { continue };
        for record in records::views(&unpacked) {
            let Ok(record) = record else { break };
            if let Some(key) = record.key {
                let offset = batch.base_offset + i64::from(record.offset_delta);
                match newest.get_mut(key) {
                    Some(known) => *known = offset,
                    None => {
                        newest.insert(key.to_vec(), offset);
                    }
                }
            }
        }
    }
    newest
}

/// A marker stays as long as something of its transaction does, and `delete_retention` longer.
fn keep_marker(mut batch: Batch, pass: Pass, has_records: bool) -> Option<Batch> {
    if has_records {
        return Some(batch);
    }
    let horizon = *batch.horizon.get_or_insert(pass.now.saturating_add(pass.delete_retention));
    (horizon > pass.now).then_some(batch)
}

/// What is left of a batch; one that cannot be read stays whole.
fn keep_newest(mut batch: Batch, pass: Pass, newest: &HashMap<Vec<u8>, i64>) -> Option<Batch> {
    let Ok(unpacked) = records::unpack(&batch.header, &batch.bytes) else { return Some(batch) };
    let Ok(all) = records::views(&unpacked).collect::<io::Result<Vec<RecordView<'_>>>>() else {
        return Some(batch);
    };
    let is_newest = |record: &RecordView<'_>| {
        let offset = batch.base_offset + i64::from(record.offset_delta);
        record.key.is_some_and(|key| newest.get(key) == Some(&offset))
    };
    let mut kept: Vec<&RecordView<'_>> = all.iter().filter(|record| is_newest(record)).collect();
    if kept.iter().any(|record| record.is_deletion) {
        let horizon = *batch.horizon.get_or_insert(pass.now.saturating_add(pass.delete_retention));
        if horizon <= pass.now {
            kept.retain(|record| !record.is_deletion);
            batch.horizon = None;
        }
    } else {
        batch.horizon = None;
    }
    if kept.is_empty() {
        return None;
    }
    if kept.len() < all.len() {
        // A codec that fails to pack what it unpacked leaves the batch as it was.
        if let Ok(bytes) = rewritten(&mut batch, &kept) {
            batch.bytes = bytes;
        }
    }
    Some(batch)
}

fn rewritten(batch: &mut Batch, kept: &[&RecordView<'_>]) -> io::Result<Bytes> {
    let plain: Vec<u8> = kept.iter().flat_map(|record| record.raw).copied().collect();
    let packed = records::pack(&batch.header, &plain)?;
    if !batch.header.is_log_append_time() {
        let base = batch.header.base_timestamp;
        let times = kept.iter().map(|record| base.saturating_add(record.timestamp_delta));
        batch.header.max_timestamp = times.max().unwrap_or(base);
    }
    batch.header.count = i32::try_from(kept.len()).unwrap_or(i32::MAX);
    Ok(batch::repack(&batch.bytes, &batch.header, &packed))
}
