//! librdkafka's log lines and errors, as events of ours under the target `librdkafka`.

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The client's name in front of what it says.
pub(crate) struct NativeLog {
    client: String,
}

impl NativeLog {
    pub(crate) fn new(client: &str) -> Self {
        Self { client: client.to_owned() }
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
            tracing::warn!(target: "librdkafka", %client, "no broker can be reached: {reason}");
        } else {
            tracing::debug!(target: "librdkafka", %client, "{error}: {reason}");
        }
    }
}
