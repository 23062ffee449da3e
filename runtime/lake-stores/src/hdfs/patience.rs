//! How long data nodes may take before what was asked of them counts as failed.
//!
//! Where a data node dies, the client may wait for it for ever: its pipeline is rebuilt while something is written, but not
//! while something is brought to disk. So there is a limit; what ran into it is looked up and done again. A limit that
//! never changed would either be too short for a slow cluster, or keep everybody waiting for a dead node.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdfs_native::HdfsError;
use tokio::time::{Instant, timeout};

const SHORTEST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(160);

/// The limit that a cluster has earned, in milliseconds above the shortest.
#[derive(Debug, Default)]
pub(super) struct Patience(AtomicU64);

impl Patience {
    pub(super) fn limit(&self) -> Duration {
        SHORTEST.saturating_add(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }

    fn set(&self, limit: Duration) {
        let above = limit.clamp(SHORTEST, LONGEST).saturating_sub(SHORTEST);
        self.0.store(u64::try_from(above.as_millis()).unwrap_or_default(), Ordering::Relaxed);
    }

    /// Takes note that the limit was not enough: the next try has twice as long.
    fn ran_out(&self) {
        self.set(self.limit().saturating_mul(2));
    }

    /// Takes note of what an operation took that went through: the limit comes down again when much less is enough.
    fn took(&self, time: Duration) {
        let limit = self.limit();
        if limit > SHORTEST && time.saturating_mul(4) < limit {
            self.set(limit / 2);
        }
    }

    /// Waits for `operation`, at most as long as the limit is.
    pub(super) async fn wait<T>(
        &self,
        operation: impl Future<Output = Result<T, HdfsError>>,
    ) -> Result<T, HdfsError> {
        let (limit, began) = (self.limit(), Instant::now());
        match timeout(limit, operation).await {
            Ok(outcome) => {
                if outcome.is_ok() {
                    self.took(began.elapsed());
                }
                outcome
            }
            Err(_) => {
                self.ran_out();
                let text = format!(
                    "the data nodes did not answer in {} s (hdfs fsck with -openforwrite -files -blocks -locations tells \
                     which they are)",
                    limit.as_secs()
                );
                Err(HdfsError::IOError(std::io::Error::new(std::io::ErrorKind::TimedOut, text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(patience: &Patience) -> u64 {
        patience.limit().as_secs()
    }

    #[test]
    fn the_limit_grows_until_it_is_enough_and_comes_down_when_less_is() {
        let patience = Patience::default();
        for limit in [10, 20, 40, 80, 160, 160] {
            assert_eq!(seconds(&patience), limit);
            patience.ran_out();
        }
        patience.took(Duration::from_secs(50));
        assert_eq!(seconds(&patience), 160, "that is not much less");
        for limit in [80, 40, 20, 10, 10] {
            patience.took(Duration::from_millis(20));
            assert_eq!(seconds(&patience), limit);
        }
    }
}
