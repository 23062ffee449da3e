//! What the worker answers to whoever asks it over REST or on the command line.

use lavka_api::Error;
use lavka_api::config::{KeyDef, KeyReport};
use lavka_api::data::OffsetMap;
use lavka_coordination::herder::HerderError;
use lavka_telemetry::redaction::Redactor;

/// A refusal with the HTTP status that Connect gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The `message` of the error body.
    pub message: String,
}

impl Refusal {
    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into() }
    }

    /// 403.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self { status: 403, message: message.into() }
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { status: 404, message: message.into() }
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { status: 409, message: message.into() }
    }

    /// 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self { status: 500, message: message.into() }
    }

    /// The same without values that must not be shown.
    pub(crate) fn without(self, secrets: &Redactor) -> Self {
        Self { message: secrets.redact(&self.message).into_owned(), ..self }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.status)
    }
}

impl std::error::Error for Refusal {}

impl From<HerderError> for Refusal {
    fn from(error: HerderError) -> Self {
        match error {
            HerderError::NotFound(message) => Self::not_found(message),
            HerderError::Conflict(message) => Self::conflict(message),
            HerderError::BadRequest(message) => Self::bad_request(message),
            // Connect's text has no more; the cause is in the status and in the log.
            HerderError::Failed(message, _) => Self::internal(message),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::internal(error.to_string())
    }
}

/// `GET /health` (KIP-1017). Displays as its message; the stage is what the worker is at, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It answers: 200.
    Healthy,
    /// It does not answer yet: 503.
    Starting(Option<String>),
    /// It was ready before and does not answer now: 500.
    Unhealthy(Option<String>),
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (text, stage) = match self {
            Health::Healthy => ("Worker has completed startup and is ready to handle requests.", None),
            Health::Starting(stage) => ("Worker is still starting up.", stage.as_ref()),
            Health::Unhealthy(stage) => (
                "Worker was unable to handle this request and may be unable to handle other requests.",
                stage.as_ref(),
            ),
        };
        f.write_str(text)?;
        match stage {
            Some(stage) => write!(f, " {stage}"),
            None => Ok(()),
        }
    }
}

/// `GET /`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The release of Kafka whose behaviour this build follows.
    pub version: String,
    /// A git id, or `Unknown`.
    pub commit: String,
    /// The cluster's id; `None` until it could be asked.
    pub kafka_cluster_id: Option<String>,
}

/// The outcome of `PUT /connector-plugins/{class}/config/validate`.
#[derive(Debug, Clone)]
pub struct ConfigInfos {
    /// The connector class.
    pub name: String,
    /// The number of error texts.
    pub error_count: usize,
    /// Groups in order.
    pub groups: Vec<String>,
    /// Keys in Connect's order: unknown ones first.
    pub configs: Vec<ConfigInfo>,
}

impl ConfigInfos {
    /// Every error text, in order.
    pub fn errors(&self) -> impl Iterator<Item = &str> {
        self.configs.iter().flat_map(|info| info.value.errors.iter().map(String::as_str))
    }
}

/// One key of [`ConfigInfos`].
#[derive(Debug, Clone)]
pub struct ConfigInfo {
    /// Its definition; `None` for an unknown key.
    pub definition: Option<KeyDef>,
    /// Its value and errors.
    pub value: KeyReport,
}

/// One entry of a connector's offsets. For sinks the maps have Connect's keys `kafka_topic`, `kafka_partition` and
/// `kafka_offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectorOffset {
    /// The source partition, or the Kafka partition of a sink.
    pub partition: OffsetMap,
    /// The offset.
    pub offset: OffsetMap,
}

/// One entry of a request to alter offsets.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetChange {
    /// The partition; `None` where the request had null or nothing.
    pub partition: Option<OffsetMap>,
    /// The offset; `None` resets the partition.
    pub offset: Option<OffsetMap>,
}
