//! From messages to records.

use std::sync::Arc;

use lavka_api::data::{Datum, Headers, Record, Schema, SourceRecord, Str, Topic, Type};
use lavka_api::plugin::{DeliveryListener, TaskId};
use lavka_api::{Error, Result, error::exception};
use lavka_converters::payload::{Format, PayloadDecoder, Sparkplug};

use crate::config::MqttConfig;
use crate::environment::Throttle;
use crate::exchange::Exchange;
use crate::inbox::Arrival;
use crate::message::{Message, Properties};

/// From a message to its record, as a dialect of configurations has it.
pub(crate) trait MakeRecord: Send {
    /// The record; none for a message that is left out on purpose.
    ///
    /// # Errors
    /// What fails the task.
    fn record(&mut self, message: Message) -> Result<Option<Record>>;
}

/// Makes records as Confluent's connector; one per task.
pub(crate) struct RecordMaker {
    task: TaskId,
    topic: Topic,
    decoder: Decoder,
    headers_of_v5: bool,
    string: Schema,
    bytes: Schema,
    int32: Schema,
    int64: Schema,
    boolean: Schema,
}

struct Decoder {
    payloads: PayloadDecoder,
    kind: Kind,
    on_error: OnError,
    warnings: Throttle,
    skipped: u64,
}

/// What payloads are.
enum Kind {
    /// All the same.
    All(Format),
    /// What each message says.
    AsSaid,
    /// Of Sparkplug B.
    Sparkplug(Box<Sparkplug>),
}

/// What becomes of a payload that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnError {
    Bytes,
    Skip,
    Fail,
}

/// Records, and the error that kept the rest of the messages from becoming records.
pub(crate) struct Made {
    pub(crate) records: Vec<SourceRecord>,
    pub(crate) failure: Option<Error>,
}

/// Records of `arrivals`, in their order. Messages that are left out need nothing more, of which `exchange` hears.
pub(crate) fn make(maker: &mut dyn MakeRecord, arrivals: Vec<Arrival>, exchange: &Arc<Exchange>) -> Made {
    let mut records = Vec::with_capacity(arrivals.len());
    let mut skipped = Vec::new();
    let mut failure = None;
    for Arrival { token, message } in arrivals {
        match maker.record(message) {
            Ok(Some(record)) => records.push(SourceRecord { record, position: None, token }),
            Ok(None) => skipped.push(token),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    if !skipped.is_empty() {
        exchange.delivered(&skipped);
    }
    Made { records, failure }
}

impl MakeRecord for RecordMaker {
    fn record(&mut self, message: Message) -> Result<Option<Record>> {
        let mut headers = self.headers(&message);
        let value = match self.decoder.decode(&message) {
            Ok(value) => value,
            Err(error) => match self.decoder.on_error {
                OnError::Bytes => {
                    let reason = Datum::new(self.string.clone(), error.to_string());
                    headers.add(Str::from_static("lavka.payload.error"), reason);
                    self.decoder.payloads.bytes(&message.payload)
                }
                OnError::Skip => {
                    self.decoder.skip(&self.task, &message, &error);
                    return Ok(None);
                }
                OnError::Fail => return Err(undecodable(&message, &self.decoder.name(&message), error)),
            },
        };
        let mut record = Record::for_topic(self.topic.clone());
        record.key = Datum::new(self.string.clone(), message.topic);
        record.value = value;
        record.timestamp = Some(message.received);
        record.headers = headers;
        Ok(Some(record))
    }
}

impl RecordMaker {
    pub(crate) fn new(config: &MqttConfig, task: TaskId) -> Self {
        let on_error = match config.payload_on_error.as_str() {
            "skip" => OnError::Skip,
            "fail" => OnError::Fail,
            _ => OnError::Bytes,
        };
        let decoder = Decoder {
            payloads: PayloadDecoder::new(),
            kind: match config.payload_format.as_str() {
                "auto" => Kind::AsSaid,
                "sparkplug-b" => Kind::Sparkplug(Box::new(Sparkplug::new())),
                name => Kind::All(Format::named(name).unwrap_or(Format::Bytes)),
            },
            on_error,
            warnings: Throttle::default(),
            skipped: 0,
        };
        Self {
            task,
            topic: Topic::from(config.kafka_topic.as_str()),
            decoder,
            headers_of_v5: config.v5_headers,
            string: Schema::of(Type::String),
            bytes: Schema::of(Type::Bytes),
            int32: Schema::of(Type::Int32),
            int64: Schema::of(Type::Int64),
            boolean: Schema::of(Type::Boolean),
        }
    }

    fn headers(&self, message: &Message) -> Headers {
        let mut headers = Headers::new();
        headers.reserve(4);
        let int = |value: i32| Datum::new(self.int32.clone(), value);
        let flag = |value: bool| Datum::new(self.boolean.clone(), value);
        headers.add(Str::from_static("mqtt.message.id"), int(message.packet_id.into()));
        headers.add(Str::from_static("mqtt.qos"), int(message.qos.number()));
        headers.add(Str::from_static("mqtt.retained"), flag(message.retained));
        headers.add(Str::from_static("mqtt.duplicate"), flag(message.duplicate));
        if let Some(properties) = message.properties.as_deref().filter(|_| self.headers_of_v5) {
            self.property_headers(properties, &mut headers);
        }
        headers
    }

    fn property_headers(&self, properties: &Properties, headers: &mut Headers) {
        let text = |value: &str| Datum::new(self.string.clone(), value);
        if let Some(content_type) = &properties.content_type {
            headers.add(Str::from_static("mqtt.content.type"), text(content_type));
        }
        if let Some(topic) = &properties.response_topic {
            headers.add(Str::from_static("mqtt.response.topic"), text(topic));
        }
        if let Some(data) = &properties.correlation_data {
            headers
                .add(Str::from_static("mqtt.correlation.data"), Datum::new(self.bytes.clone(), data.clone()));
        }
        if let Some(seconds) = properties.message_expiry {
            let datum = Datum::new(self.int64.clone(), i64::from(seconds));
            headers.add(Str::from_static("mqtt.message.expiry.seconds"), datum);
        }
        if let Some(format) = properties.payload_format {
            let datum = Datum::new(self.int32.clone(), i32::from(format));
            headers.add(Str::from_static("mqtt.payload.format"), datum);
        }
        for (name, value) in &properties.user {
            headers.add(format!("mqtt.user.{name}"), text(value));
        }
    }
}

impl Decoder {
    fn decode(&mut self, message: &Message) -> Result<Datum> {
        let format = match &mut self.kind {
            Kind::Sparkplug(sparkplug) => return sparkplug.decode(&message.topic, &message.payload),
            Kind::All(format) => *format,
            Kind::AsSaid => said(message),
        };
        self.payloads.decode(format, &message.payload, message.received)
    }

    /// What the payload should be, for texts.
    fn name(&self, message: &Message) -> String {
        match &self.kind {
            Kind::Sparkplug(_) => "Sparkplug B".to_owned(),
            Kind::All(format) => format.to_string(),
            Kind::AsSaid => said(message).to_string(),
        }
    }

    fn skip(&mut self, task: &TaskId, message: &Message, error: &Error) {
        self.skipped += 1;
        if self.warnings.due(message.received) {
            tracing::warn!(
                %task,
                topic = message.topic.as_str(),
                skipped = self.skipped,
                "skipped a message whose payload is not {} (so far: {}): {error}", self.name(message), self.skipped
            );
        }
    }
}

/// By the content type.
fn said(message: &Message) -> Format {
    let content_type =
        message.properties.as_deref().and_then(|properties| properties.content_type.as_deref());
    content_type.map_or(Format::Bytes, Format::of_media_type)
}

fn undecodable(message: &Message, format: &str, error: Error) -> Error {
    Error::fatal(format!(
        "The payload of a message on the MQTT topic {} ({} bytes) is not {format}, and lavka.payload.on.error is fail. Set \
         it to bytes or skip to go on.",
        message.topic.as_str(),
        message.payload.len()
    ))
    .with_exception(exception::CONNECT)
    .caused_by(error)
}

#[cfg(test)]
mod tests;
