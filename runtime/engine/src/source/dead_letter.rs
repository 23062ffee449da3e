//! Dead letters of a source task, which Kafka Connect does not have: records that could not be transformed or converted
//! go to a topic instead of being skipped without a trace.
//!
//! They travel with the task's own producer and its own books, as ordinary records do: the window counts them, the
//! record's offset moves once its letter is acknowledged, and a letter that Kafka refuses fails the task.
//!
//! A source record has no bytes before it is converted, so that a letter holds the record as the source handed it out,
//! before any transform: bytes as they are, a null as a null, everything else as JSON with its schema
//! (`{"schema":…,"payload":…}`), and what Connect's JSON cannot hold as Java's text of it.

use lavka_api::data::{Datum, Record, SourcePosition, Topic, Value};
use lavka_api::plugin::TaskId;
use lavka_api::{Error, java};
use lavka_converters::json::{JsonWriter, WriteOptions, offsets::write_offset};
use lavka_ports::OutgoingRecord;

use crate::errors::Failure;

/// Schemas whose JSON is kept. Records that fail are few, and of few schemas.
const CACHED_SCHEMAS: usize = 16;

/// Writes dead letters for a source task.
pub struct SourceDeadLetters {
    topic: Topic,
    context_headers: bool,
    json: JsonWriter,
}

/// How a key or value is kept in a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Null,
    Bytes,
    Json,
    Text,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Null => "null",
            Form::Bytes => "bytes",
            Form::Json => "json",
            Form::Text => "text",
        }
    }
}

/// A letter, ready to be sent.
pub(super) struct Letter {
    topic: Topic,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
    timestamp: Option<i64>,
}

impl Letter {
    /// Bytes of key, value and headers.
    pub(super) fn size(&self) -> usize {
        let of = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        of(&self.key)
            + of(&self.value)
            + self.headers.iter().map(|(name, value)| name.len() + of(value)).sum::<usize>()
    }

    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(super) fn headers(&self) -> Vec<(&str, Option<&[u8]>)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect()
    }

    /// The record to send; `headers` are this letter's.
    pub(super) fn outgoing<'a>(
        &'a self,
        headers: &'a [(&'a str, Option<&'a [u8]>)],
        token: usize,
    ) -> OutgoingRecord<'a> {
        OutgoingRecord {
            topic: &self.topic,
            partition: None,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp: self.timestamp,
            headers,
            token,
        }
    }
}

impl SourceDeadLetters {
    /// Letters to `topic`, which exists.
    #[must_use]
    pub fn new(topic: Topic, context_headers: bool) -> Self {
        Self { topic, context_headers, json: JsonWriter::new(WriteOptions::default(), CACHED_SCHEMAS) }
    }

    /// The letter for `record`, which is as the source handed it out.
    pub(super) fn write(
        &mut self,
        id: &TaskId,
        failure: &Failure,
        record: &Record,
        position: Option<&SourcePosition>,
    ) -> Letter {
        let (key_form, key) = self.payload(&record.key);
        let (value_form, value) = self.payload(&record.value);
        let mut headers: Vec<(String, Option<Vec<u8>>)> = record
            .headers
            .iter()
            .map(|header| (header.key.to_string(), header_bytes(&header.datum)))
            .collect();
        if self.context_headers {
            let forms = [key_form.name(), value_form.name()];
            let context = context_of(id, failure, record, position, forms);
            headers.extend(context.into_iter().map(|(name, text)| (name.to_owned(), text)));
        }
        Letter {
            topic: self.topic.clone(),
            key,
            value,
            headers,
            timestamp: record.timestamp.filter(|ms| *ms >= 0),
        }
    }

    fn payload(&mut self, datum: &Datum) -> (Form, Option<Vec<u8>>) {
        match &datum.value {
            Value::Null => (Form::Null, None),
            Value::Bytes(bytes) => (Form::Bytes, Some(bytes.as_slice().to_vec())),
            value => {
                let mut json = Vec::new();
                match self.json.write_enveloped(datum.schema.as_ref(), value, &mut json) {
                    Ok(()) => (Form::Json, Some(json)),
                    // A value that does not fit its schema may be the very reason for the letter.
                    Err(_) => (Form::Text, Some(java::plain_text(value).into_bytes())),
                }
            }
        }
    }

    /// The error of a task that lost a letter.
    pub(super) fn lost(&self, error: Error) -> Error {
        Error::fatal(format!(
            "Could not write to the dead letter queue topic '{}' (lavka.errors.deadletterqueue.topic.name); the task \
             stops so that no record is lost",
            self.topic
        ))
        .caused_by(error)
    }
}

/// As `SimpleHeaderConverter` writes it; bytes stay as they are.
fn header_bytes(datum: &Datum) -> Option<Vec<u8>> {
    match &datum.value {
        Value::Null => None,
        Value::Bytes(bytes) => Some(bytes.as_slice().to_vec()),
        Value::String(text) => Some(text.as_bytes().to_vec()),
        value => Some(java::connect_text(value).into_bytes()),
    }
}

/// The headers that say what happened: those of a sink's dead letters in their order, but for the partition and offset
/// in Kafka, which the record does not have yet; then where in the source it came from and how it is kept here.
fn context_of(
    id: &TaskId,
    failure: &Failure,
    record: &Record,
    position: Option<&SourcePosition>,
    [key_form, value_form]: [&'static str; 2],
) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let place = |pick: fn(&SourcePosition) -> &lavka_api::data::OffsetMap| {
        let mut json = Vec::new();
        write_offset(pick(position?), &mut json).ok().map(|()| json)
    };
    vec![
        ("__connect.errors.topic", text(&record.topic)),
        ("__connect.errors.connector.name", text(&id.connector)),
        ("__connect.errors.task.id", text(&id.task.to_string())),
        ("__connect.errors.stage", text(failure.stage.name())),
        ("__connect.errors.class.name", text(&failure.class)),
        ("__connect.errors.exception.class.name", text(failure.error.exception())),
        ("__connect.errors.exception.message", failure.error.message().and_then(text)),
        ("__connect.errors.exception.stacktrace", text(&failure.error.trace())),
        ("__lavka.errors.source.partition", place(|position| &position.partition)),
        ("__lavka.errors.source.offset", place(|position| &position.offset)),
        ("__lavka.errors.key.format", text(key_form)),
        ("__lavka.errors.value.format", text(value_form)),
    ]
}
