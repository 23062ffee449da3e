//! The producer: librdkafka's, with a thread of its own that collects acknowledgements.
//!
//! A record costs one call ([`native`]) and librdkafka's copy of its bytes; its token travels as the message's opaque
//! pointer. What was acknowledged gathers in one vector, which [`acks`](Producer::acks) empties.

mod native;
mod transactions;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::config::Config;
use lavka_api::data::Topic;
use lavka_api::{Error, ErrorClass, Result, error::exception};
use lavka_ports::{Ack, OutgoingRecord, Producer, SendError};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use tokio::sync::Notify;

use self::native::NativeProducer;
use crate::admin::topics;
use crate::failure;
use crate::log::NativeLog;
use crate::oauth::Tokens;
use crate::settings::{self, ProducerSettings};
use crate::wire::WireClient;

/// Records taken and not yet acknowledged to the caller, at most. librdkafka's own count stops at the acknowledgement,
/// so that acknowledgements nobody takes would grow without end.
const MAX_IN_FLIGHT: usize = 100_000;

/// How long the collecting thread sleeps in librdkafka where nothing happens.
const POLL: Duration = Duration::from_millis(200);

/// What the callbacks fill and the caller empties.
struct Deliveries {
    log: NativeLog,
    tokens: Tokens,
    batch_size: i64,
    acks: Mutex<Vec<Ack>>,
    arrived: Notify,
    in_flight: AtomicUsize,
}

impl Deliveries {
    fn acks(&self) -> MutexGuard<'_, Vec<Ack>> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a record that was taken is not in Kafka.
    fn failure(&self, error: &KafkaError, topic: &str, partition: i32) -> Error {
        let subject = if partition < 0 {
            format!("Topic {topic}")
        } else {
            format!("Topic {topic}, partition {partition}")
        };
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageTimedOut) => Error::new(
                ErrorClass::Retriable,
                failure::TIMEOUT,
                format!(
                    "{subject}: expiring a record that no broker acknowledged within delivery.timeout.ms; see the log \
                     for why"
                ),
            ),
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                let broker = failure::native(RDKafkaErrorCode::MessageSizeTooLarge, &subject);
                Error::new(
                    ErrorClass::Data,
                    failure::RECORD_TOO_LARGE,
                    format!(
                        "{broker} The record, or the batch it was sent in (batch.size={}), exceeds the topic's \
                         max.message.bytes.",
                        self.batch_size
                    ),
                )
            }
            Some(code) => failure::native(code, &subject),
            None => Error::fatal(format!("{subject}: {error}")),
        }
    }
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> std::result::Result<OAuthToken, Box<dyn std::error::Error>> {
        self.tokens.next()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.log.line(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, token: usize) {
        let outcome = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, message)) => Err(self.failure(error, message.topic(), message.partition())),
        };
        let mut acks = self.acks();
        acks.push(Ack { token, outcome });
        if acks.len() == 1 {
            self.arrived.notify_one();
        }
    }
}

/// The producer behind the port.
pub(crate) struct RdKafkaProducer {
    native: NativeProducer,
    deliveries: Arc<Deliveries>,
    stop: Arc<AtomicBool>,
    max_record_bytes: i64,
    wire: WireClient,
}

impl RdKafkaProducer {
    /// Makes a producer and its thread; connects to nothing yet.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Self::with(settings::producer(config)?)
    }

    /// Makes a producer that sends in transactions, under the id of its configuration.
    pub(crate) fn transactional(config: &Config) -> Result<Self> {
        Self::with(settings::transactional_producer(config)?)
    }

    fn with(settings: ProducerSettings) -> Result<Self> {
        let deliveries = Deliveries {
            log: NativeLog::new(&settings.wire.client_id),
            tokens: Tokens::of(&settings.wire.security),
            batch_size: settings.native.number("batch.size").unwrap_or_default(),
            acks: Mutex::new(Vec::new()),
            arrived: Notify::new(),
            in_flight: AtomicUsize::new(0),
        };
        let native = BaseProducer::from_config_and_context(&settings.native.client_config(), deliveries)
            .map_err(|error| failure::creation(&error, "producer"))?;
        let deliveries = Arc::clone(native.context());
        let native = Arc::new(native);
        let stop = Arc::new(AtomicBool::new(false));
        let (polled, stopped) = (Arc::clone(&native), Arc::clone(&stop));
        thread::Builder::new()
            .name("kafka-producer".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    polled.poll(POLL);
                }
                // Dropping the producer waits up to half a second for its queues; here nobody is kept waiting.
                drop(polled);
            })
            .map_err(|error| {
                Error::fatal(format!("Cannot start the thread of the Kafka producer: {error}"))
            })?;
        Ok(Self {
            native: NativeProducer::new(native),
            deliveries,
            stop,
            max_record_bytes: settings.native.number("message.max.bytes").unwrap_or(i64::MAX),
            wire: WireClient::new(settings.wire),
        })
    }

    fn refusal(&self, error: &KafkaError, record: &OutgoingRecord<'_>) -> SendError {
        let subject = match record.partition {
            Some(partition) => format!("Topic {}, partition {partition}", record.topic),
            None => format!("Topic {}", record.topic),
        };
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => SendError::QueueFull,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => SendError::Refused(Error::new(
                ErrorClass::Data,
                failure::RECORD_TOO_LARGE,
                format!(
                    "{subject}: The message is {} bytes when serialized which is larger than {}, which is the value of \
                     the max.request.size configuration.",
                    size_of_record(record),
                    self.max_record_bytes
                ),
            )),
            Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::Fenced) => {
                let (code, reason) = self
                    .native
                    .base()
                    .client()
                    .fatal_error()
                    .unwrap_or((RDKafkaErrorCode::Fatal, String::new()));
                SendError::Fatal(failure::native(code, &format!("The producer cannot go on ({reason})")))
            }
            Some(RDKafkaErrorCode::UnknownTopic) => SendError::Refused(Error::data(format!(
                "{subject}: the topic does not exist and the broker does not create it: create it first"
            ))),
            Some(code) => SendError::Refused(failure::native(code, &subject).with_class(ErrorClass::Data)),
            None => SendError::Refused(illegal(format!("{subject}: {error}"))),
        }
    }
}

impl Drop for RdKafkaProducer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Java's error for an argument that no record can have.
fn illegal(text: String) -> Error {
    Error::new(ErrorClass::Data, exception::ILLEGAL_ARGUMENT, text)
}

fn size_of_record(record: &OutgoingRecord<'_>) -> usize {
    let headers = record.headers.iter().map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len));
    record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers.sum::<usize>()
}

#[async_trait]
impl Producer for RdKafkaProducer {
    fn send(&self, record: OutgoingRecord<'_>) -> std::result::Result<(), SendError> {
        if let Some(partition) = record.partition.filter(|partition| *partition < 0) {
            return Err(SendError::Refused(illegal(format!(
                "Invalid partition: {partition}. Partition number should always be non-negative or null."
            ))));
        }
        if let Some(timestamp) = record.timestamp.filter(|timestamp| *timestamp < 0) {
            return Err(SendError::Refused(illegal(format!(
                "Invalid timestamp: {timestamp}. Timestamp should always be non-negative or null."
            ))));
        }
        if self.deliveries.in_flight.fetch_add(1, Ordering::Relaxed) >= MAX_IN_FLIGHT {
            self.deliveries.in_flight.fetch_sub(1, Ordering::Relaxed);
            return Err(SendError::QueueFull);
        }
        self.native.send(&record).map_err(|error| {
            self.deliveries.in_flight.fetch_sub(1, Ordering::Relaxed);
            self.refusal(&error, &record)
        })
    }

    async fn acks(&self, out: &mut Vec<Ack>) {
        loop {
            {
                let mut acks = self.deliveries.acks();
                if !acks.is_empty() {
                    self.deliveries.in_flight.fetch_sub(acks.len(), Ordering::Relaxed);
                    out.append(&mut acks);
                    return;
                }
            }
            self.deliveries.arrived.notified().await;
        }
    }

    async fn flush(&self, timeout: Duration) -> bool {
        let native = Arc::clone(self.native.base());
        tokio::task::spawn_blocking(move || native.flush(timeout).is_ok()).await.unwrap_or(false)
    }

    async fn partitions(&self, topic: &Topic, timeout: Duration) -> Result<Option<i32>> {
        match tokio::time::timeout(timeout, topics::describe(&self.wire, topic)).await {
            Ok(outcome) => Ok(outcome?.map(|info| info.partitions)),
            Err(_) => Err(Error::new(
                ErrorClass::Retriable,
                failure::TIMEOUT,
                format!("Topic {topic} not present in metadata after {} ms.", timeout.as_millis()),
            )),
        }
    }
}
