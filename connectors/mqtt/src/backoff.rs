//! How long to wait before connecting again. Pure.

use std::time::Duration;

/// Exponential back-off with jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits of `first`, doubled with each failure up to `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest: longest.max(first), failures: 0 }
    }

    /// The wait after another failure; `random` is 64 random bits. At least half of the nominal wait, so that a server
    /// that comes back is neither stormed by all its clients at once nor kept waiting.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let nominal = self.first.saturating_mul(1 << self.failures.min(30)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let half = nominal / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).saturating_add(1);
        half + Duration::from_micros(random % spread)
    }

    /// A connection was up for `lifetime` and is gone. Only one that lasted makes the failures before it forgotten:
    /// two clients with the same id throw each other out again and again, each time after a success.
    pub(crate) fn connection_ended(&mut self, lifetime: Duration) {
        if lifetime >= self.longest {
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn doubles_up_to_the_longest_with_half_of_it_random() {
        let mut low = Backoff::new(millis(500), millis(3000));
        let lows: Vec<Duration> = (0..5).map(|_| low.next(0)).collect();
        assert_eq!(lows, [250, 500, 1000, 1500, 1500].map(millis));
        let mut high = Backoff::new(millis(500), millis(3000));
        let highs: Vec<Duration> =
            (0..5u64).map(|i| high.next([250, 500, 1000, 1500, 1500][i as usize] * 1000)).collect();
        assert_eq!(highs, [500, 1000, 2000, 3000, 3000].map(millis));
    }

    #[test]
    fn a_lasting_connection_starts_over_and_a_short_one_does_not() {
        let mut backoff = Backoff::new(millis(100), millis(1000));
        backoff.next(0);
        backoff.next(0);
        backoff.connection_ended(millis(999));
        assert_eq!(backoff.next(0), millis(200));
        backoff.connection_ended(millis(1000));
        assert_eq!(backoff.next(0), millis(50));
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut backoff = Backoff::new(millis(u64::MAX / 4), millis(u64::MAX));
        for _ in 0..100 {
            assert!(backoff.next(u64::MAX) <= millis(u64::MAX));
        }
        let mut backoff = Backoff::new(millis(10), millis(1));
        assert_eq!(backoff.next(0), millis(5));
    }
}
