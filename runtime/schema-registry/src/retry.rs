//! How often and when a request is repeated. Pure: the random number comes in as an argument.

use std::time::Duration;

/// The client's own repetitions, before the engine hears of the trouble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    /// Rounds over all URLs behind the first one (`max.retries`).
    pub(crate) retries: u32,
    /// The longest wait before the first repetition (`retries.wait.ms`).
    pub(crate) first: Duration,
    /// The longest wait before any (`retries.max.wait.ms`).
    pub(crate) longest: Duration,
}

impl RetryPolicy {
    /// The wait before repetition `attempt` (from 0): from nothing up to `first` doubled `attempt` times, as `random`
    /// decides.
    pub(crate) fn wait(&self, attempt: u32, random: u64) -> Duration {
        let most = self
            .first
            .saturating_mul(1_u32.checked_shl(attempt.min(30)).unwrap_or(u32::MAX))
            .min(self.longest);
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(if millis == 0 { 0 } else { random % millis + 1 })
    }

    /// Whether an answer of this status may be another one a little later.
    pub(crate) fn repeats(status: u16) -> bool {
        matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest() {
        let policy = RetryPolicy {
            retries: 3,
            first: Duration::from_millis(1000),
            longest: Duration::from_millis(20_000),
        };
        let most: Vec<u128> = (0..7).map(|attempt| policy.wait(attempt, 59_999_999).as_millis()).collect();
        assert_eq!(most, [1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
        assert_eq!(policy.wait(40, 0), Duration::from_millis(1));
        let hasty = RetryPolicy { first: Duration::ZERO, ..policy };
        assert_eq!(hasty.wait(5, 7), Duration::ZERO);
    }
}
