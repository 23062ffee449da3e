//! The dead letter queue: original bytes, untouched, with the reason in headers.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::data::{Blob, Str, TimestampType, Topic};
use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use lavka_ports::{Ack, OutgoingRecord, Producer, SendError};
use lavka_telemetry::metrics::ErrorMetrics;

use super::policy::Failure;

/// A record as it was consumed.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// Its topic.
    pub topic: &'a Topic,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp: Option<i64>,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
    /// Its key's bytes.
    pub key: Option<&'a Blob>,
    /// Its value's bytes.
    pub value: Option<&'a Blob>,
    /// Its headers.
    pub headers: &'a [(Str, Option<Blob>)],
}

impl Original<'_> {
    /// The record as log lines show it; never its content.
    pub(super) fn describe(&self) -> String {
        let timestamp = self.timestamp.map_or_else(String::new, |ms| {
            format!(", timestamp={ms}, timestampType={}", self.timestamp_type.name())
        });
        format!("{{topic='{}', partition={}, offset={}{timestamp}}}", self.topic, self.partition, self.offset)
    }
}

/// Sends dead letters.
pub struct DeadLetters {
    topic: Topic,
    context_headers: bool,
    producer: Arc<dyn Producer>,
    in_flight: usize,
    acks: Vec<Ack>,
    /// The first dead letter that was lost. From then on nothing may be committed, whoever asks again.
    lost: Option<Error>,
}

/// More dead letters than this are not in flight at once.
const WINDOW: usize = 1000;

impl DeadLetters {
    /// A queue on `topic`, which exists.
    #[must_use]
    pub fn new(topic: Topic, context_headers: bool, producer: Arc<dyn Producer>) -> Self {
        Self { topic, context_headers, producer, in_flight: 0, acks: Vec::new(), lost: None }
    }

    pub(super) async fn send(
        &mut self,
        id: &TaskId,
        failure: &Failure,
        original: &Original<'_>,
        metrics: &ErrorMetrics,
    ) -> Result<()> {
        let context = if self.context_headers { context_of(id, failure, original) } else { Vec::new() };
        let mut headers: Vec<(&str, Option<&[u8]>)> =
            original.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        headers.extend(context.iter().map(|(key, text)| (*key, text.as_deref().map(str::as_bytes))));
        metrics.dead_letter();
        while self.in_flight >= WINDOW {
            self.collect(metrics).await?;
        }
        loop {
            let record = OutgoingRecord {
                topic: &self.topic,
                partition: None,
                key: original.key.map(Blob::as_slice),
                value: original.value.map(Blob::as_slice),
                timestamp: original.timestamp,
                headers: &headers,
                token: 0,
            };
            match self.producer.send(record) {
                Ok(()) => {
                    self.in_flight += 1;
                    return Ok(());
                }
                Err(SendError::QueueFull) if self.in_flight > 0 => self.collect(metrics).await?,
                Err(SendError::QueueFull) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(SendError::Refused(error) | SendError::Fatal(error)) => {
                    return Err(self.lost(error.caused_by(failure.error.clone()), metrics));
                }
            }
        }
    }

    pub(super) async fn settle(&mut self, metrics: &ErrorMetrics) -> Result<()> {
        while self.in_flight > 0 && self.lost.is_none() {
            self.collect(metrics).await?;
        }
        self.lost.clone().map_or(Ok(()), Err)
    }

    async fn collect(&mut self, metrics: &ErrorMetrics) -> Result<()> {
        self.producer.acks(&mut self.acks).await;
        self.in_flight = self.in_flight.saturating_sub(self.acks.len());
        let failed = self.acks.drain(..).find_map(|ack| ack.outcome.err());
        failed.map_or(Ok(()), |error| Err(self.lost(error, metrics)))
    }

    fn lost(&mut self, error: Error, metrics: &ErrorMetrics) -> Error {
        metrics.dead_letter_failure();
        let error = Error::fatal(format!(
            "Could not write to the dead letter queue topic '{}' (errors.deadletterqueue.topic.name); the task stops \
             so that no record is lost",
            self.topic
        ))
        .caused_by(error);
        self.lost.get_or_insert(error).clone()
    }
}

/// The headers that say what happened, in the order of `DeadLetterQueueReporter`.
fn context_of(
    id: &TaskId,
    failure: &Failure,
    original: &Original<'_>,
) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("__connect.errors.topic", Some(original.topic.to_string())),
        ("__connect.errors.partition", Some(original.partition.to_string())),
        ("__connect.errors.offset", Some(original.offset.to_string())),
        ("__connect.errors.connector.name", Some(id.connector.clone())),
        ("__connect.errors.task.id", Some(id.task.to_string())),
        ("__connect.errors.stage", Some(failure.stage.name().to_owned())),
        ("__connect.errors.class.name", Some(failure.class.clone())),
        ("__connect.errors.exception.class.name", Some(failure.error.exception().to_owned())),
        ("__connect.errors.exception.message", failure.error.message().map(str::to_owned)),
        ("__connect.errors.exception.stacktrace", Some(failure.error.trace())),
    ]
}
