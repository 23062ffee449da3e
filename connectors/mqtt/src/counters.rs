//! What was lost, over all tasks.

use std::sync::atomic::{AtomicU64, Ordering};

static SKIPPED: AtomicU64 = AtomicU64::new(0);

/// Messages that this process did not hand on, over all MQTT tasks since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Losses {
    /// Messages skipped by `lavka.payload.on.error=skip`.
    pub skipped: u64,
}

/// The losses so far.
#[must_use]
pub fn losses() -> Losses {
    Losses { skipped: SKIPPED.load(Ordering::Relaxed) }
}

pub(crate) fn count_skipped() {
    SKIPPED.fetch_add(1, Ordering::Relaxed);
}
