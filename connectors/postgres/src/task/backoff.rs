//! How long to wait before starting over. Pure.

use std::time::Duration;

/// Waits that double with each failure, half of each random.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest: longest.max(first), failures: 0 }
    }

    /// The wait after another failure; `random` is 64 random bits.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let nominal = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let half = nominal / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_micros(random % spread)
    }

    /// A start succeeded: the next failure is the first.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let millis = Duration::from_millis;
        let mut backoff = Backoff::new(millis(100), millis(400));
        assert_eq!([0, 0, 0, 0].map(|random| backoff.next(random)), [50, 100, 200, 200].map(millis));
        backoff.succeeded();
        assert_eq!(backoff.next(50_000), millis(100));
    }
}
