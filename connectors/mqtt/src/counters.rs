//! What was lost, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

static DROPPED: AtomicU64 = AtomicU64::new(0);
static SKIPPED: AtomicU64 = AtomicU64::new(0);

/// Messages that this process did not hand on, over all MQTT tasks since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Losses {
    /// QoS 0 messages dropped because `records.buffer.queue.size` or `lavka.mqtt.buffer.bytes` was reached.
    pub dropped: u64,
    /// Messages skipped by `lavka.payload.on.error=skip`.
    pub skipped: u64,
}

/// The losses so far.
#[must_use]
pub fn losses() -> Losses {
    Losses { dropped: DROPPED.load(Ordering::Relaxed), skipped: SKIPPED.load(Ordering::Relaxed) }
}

pub(crate) fn count_dropped() {
    DROPPED.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn count_skipped() {
    SKIPPED.fetch_add(1, Ordering::Relaxed);
}
