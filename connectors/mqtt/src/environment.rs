//! Time and chance, handed in so that tests can hold them still.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

/// Where time and randomness come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Environment {
    /// Now, in epoch milliseconds.
    pub(crate) now: fn() -> i64,
    /// 64 random bits, good enough for spreading reconnects.
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

/// Lets a warning through once in a while. Pure.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    last: Option<i64>,
}

impl Throttle {
    /// Milliseconds between two warnings of a kind.
    const INTERVAL: i64 = 10_000;

    /// Whether to warn at `now` (epoch milliseconds).
    pub(crate) fn due(&mut self, now: i64) -> bool {
        // A clock that was set back does not silence anybody.
        let due = self.last.is_none_or(|last| now < last || now - last >= Self::INTERVAL);
        if due {
            self.last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_every_ten_seconds() {
        let mut throttle = Throttle::default();
        let due: Vec<i64> =
            [0, 1, 9_999, 10_000, 10_001, 30_000, 5].into_iter().filter(|now| throttle.due(*now)).collect();
        assert_eq!(due, [0, 10_000, 30_000, 5]);
    }

    #[test]
    fn chance_varies() {
        let drawn: std::collections::HashSet<u64> = (0..16).map(|_| (Environment::SYSTEM.random)()).collect();
        assert!(drawn.len() > 1);
    }
}
