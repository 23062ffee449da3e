//! librdkafka's log lines and errors, as events of ours under the target `librdkafka`.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The client's name in front of what it says.
pub(crate) struct NativeLog {
    client: String,
    outage: Mutex<Outage>,
}

/// Lets one line through in a while: librdkafka reports the lack of a broker some forty times a second.
#[derive(Debug, Default)]
struct Outage {
    said: Option<Instant>,
}

impl Outage {
    const INTERVAL: Duration = Duration::from_secs(10);

    fn due(&mut self, now: Instant) -> bool {
        let due = self.said.is_none_or(|said| now.saturating_duration_since(said) >= Self::INTERVAL);
        if due {
            self.said = Some(now);
        }
        due
    }
}

impl NativeLog {
    pub(crate) fn new(client: &str) -> Self {
        Self { client: client.to_owned(), outage: Mutex::default() }
    }

    /// A log line. Its level is one lower than librdkafka's, which reports every connection that fails as an error: a
    /// broker that is away is a warning here, and an error only where it becomes one for a task.
    pub(crate) fn line(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        use RDKafkaLogLevel as L;
        let client = &self.client;
        match level {
            L::Emerg | L::Alert | L::Critical => {
                tracing::error!(target: "librdkafka", %client, "{facility}: {text}");
            }
            L::Error | L::Warning => tracing::warn!(target: "librdkafka", %client, "{facility}: {text}"),
            L::Notice | L::Info => tracing::info!(target: "librdkafka", %client, "{facility}: {text}"),
            L::Debug => tracing::debug!(target: "librdkafka", %client, "{facility}: {text}"),
        }
    }

    /// An error that is not about a record. The connection errors among them were log lines already.
    pub(crate) fn error(&self, error: &KafkaError, reason: &str) {
        let client = &self.client;
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            if self.outage.lock().unwrap_or_else(PoisonError::into_inner).due(Instant::now()) {
                tracing::warn!(
                    target: "librdkafka",
                    %client,
                    "no broker of bootstrap.servers can be reached ({reason}); trying again until one is"
                );
            }
        } else {
            tracing::debug!(target: "librdkafka", %client, "{error}: {reason}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_reported_every_ten_seconds() {
        let start = Instant::now();
        let mut outage = Outage::default();
        let due: Vec<u64> = [0, 1, 9, 10, 11, 25]
            .into_iter()
            .filter(|seconds| outage.due(start + Duration::from_secs(*seconds)))
            .collect();
        assert_eq!(due, [0, 10, 25]);
    }
}
