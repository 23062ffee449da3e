//! When to try again: pure arithmetic over the clock that is passed in.

/// Waits between tries: 300 ms doubling with each, a uniformly random wait below the maximum once they exceed it, and
/// none beyond the deadline (`RetryWithToleranceOperator.backoff`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// `errors.retry.timeout`: how long to go on trying, in milliseconds; `None` for ever.
    pub timeout_ms: Option<u64>,
    /// `errors.retry.delay.max.ms`.
    pub max_delay_ms: u64,
}

const FIRST_DELAY_MS: u64 = 300;

impl Backoff {
    /// Whether another try may start `elapsed_ms` after the first.
    #[must_use]
    pub fn may_retry(&self, elapsed_ms: u64) -> bool {
        self.timeout_ms.is_none_or(|timeout| elapsed_ms < timeout)
    }

    /// How long to wait before the try after failure number `failures` (from 1), `elapsed_ms` after the first try
    /// began. `random` is uniform in `0.0..1.0`.
    #[must_use]
    pub fn delay_ms(&self, failures: u32, elapsed_ms: u64, random: f64) -> u64 {
        let exponent = failures.saturating_sub(1).min(32);
        let mut delay = FIRST_DELAY_MS.saturating_mul(1 << exponent);
        if delay > self.max_delay_ms {
            delay = fraction_of(self.max_delay_ms, random);
        }
        match self.timeout_ms {
            Some(timeout) => delay.min(timeout.saturating_sub(elapsed_ms)),
            None => delay,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a random wait needs no precision, and the factor is in 0..1"
)]
fn fraction_of(max: u64, random: f64) -> u64 {
    (max as f64 * random.clamp(0.0, 1.0)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs failures until the deadline, as if every try took no time.
    fn delays(timeout_ms: Option<u64>, failures: u32) -> Vec<u64> {
        let backoff = Backoff { timeout_ms, max_delay_ms: 60_000 };
        let mut elapsed = 0;
        let mut out = Vec::new();
        for failure in 1..=failures {
            if !backoff.may_retry(elapsed) {
                break;
            }
            let delay = backoff.delay_ms(failure, elapsed, 0.5);
            out.push(delay);
            elapsed += delay;
        }
        out
    }

    #[test]
    fn e1_no_timeout_no_retry() {
        assert_eq!(delays(Some(0), 3), [0u64; 0]);
    }

    #[test]
    fn e2_delays_double() {
        assert_eq!(delays(Some(6000), 1), [300]);
        assert_eq!(delays(Some(6000), 3), [300, 600, 1200]);
    }

    #[test]
    fn e3_the_last_delay_ends_at_the_deadline() {
        assert_eq!(delays(Some(6000), 99), [300, 600, 1200, 2400, 1500]);
    }

    #[test]
    fn e4_for_ever_goes_on_doubling() {
        assert_eq!(delays(None, 8), [300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400]);
    }

    #[test]
    fn e5_above_the_maximum_it_is_random() {
        let backoff = Backoff { timeout_ms: None, max_delay_ms: 100 };
        assert_eq!(backoff.delay_ms(1, 0, 0.25), 25);
        assert_eq!(backoff.delay_ms(500, 0, 0.999), 99);
    }

    #[test]
    fn e6_past_the_deadline_nothing_waits() {
        let backoff = Backoff { timeout_ms: Some(1000), max_delay_ms: 60_000 };
        assert_eq!(backoff.delay_ms(3, 1500, 0.5), 0);
    }
}
