//! Time and chance, handed in so that tests can hold them still.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// Where the time of day and randomness come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Environment {
    /// Now, in epoch milliseconds.
    pub(crate) now: fn() -> i64,
    /// 64 random bits, good enough to spread retransmissions and to begin message ids at.
    pub(crate) random: fn() -> u64,
}

impl Environment {
    /// The system's.
    pub(crate) const SYSTEM: Environment = Environment {
        now: || {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        },
        // Each state has keys of its own.
        random: || RandomState::new().hash_one(0u8),
    };
}
