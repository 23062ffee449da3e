//! Records: what travels between converters, transforms and connectors.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::{Blob, Schema, SourcePosition, Str, Value};

/// A topic name; cloning copies a pointer.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(Arc<str>);

impl Topic {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Topic {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Topic {
    fn from(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

impl From<String> for Topic {
    fn from(name: String) -> Self {
        Self(Arc::from(name))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A partition of a Kafka topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Topic,
    /// The partition's number.
    pub partition: i32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<Topic>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// A value with its schema, if it has one. The value is not checked against the schema here; [`validate`](super::validate)
/// does that.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Datum {
    /// The schema; `None` for schemaless data.
    pub schema: Option<Schema>,
    /// The value.
    pub value: Value,
}

impl Datum {
    /// No schema, no value.
    pub const NULL: Datum = Datum { schema: None, value: Value::Null };

    /// A value with a schema.
    pub fn new(schema: Schema, value: impl Into<Value>) -> Self {
        Self { schema: Some(schema), value: value.into() }
    }

    /// A value without a schema.
    pub fn schemaless(value: impl Into<Value>) -> Self {
        Self { schema: None, value: value.into() }
    }

    /// Whether the value is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }
}

/// A record header.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The name; several headers may share one.
    pub key: Str,
    /// Its value.
    pub datum: Datum,
}

/// The headers of a record, in order. Names may repeat; the last of a name is the one that counts. Copies share them until
/// one is changed.
///
/// ```
/// use lavka_api::data::{Datum, Headers};
///
/// let mut headers = Headers::new();
/// headers.add("site", Datum::schemaless("north"));
/// headers.add("site", Datum::schemaless("south"));
/// assert_eq!(headers.last("site"), Some(&Datum::schemaless("south")));
/// assert_eq!(headers.len(), 2);
/// let copy = headers.clone();
/// headers.remove("site");
/// assert!(headers.is_empty());
/// assert_eq!(copy.len(), 2);
/// ```
#[derive(Clone, Default)]
pub struct Headers(Option<Arc<Vec<Header>>>);

static NO_HEADERS: Vec<Header> = Vec::new();

impl Headers {
    /// No headers.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Appends a header; one of the same name stays.
    pub fn add(&mut self, key: impl Into<Str>, datum: Datum) {
        self.push(Header { key: key.into(), datum });
    }

    /// Removes every header named `key`.
    pub fn remove(&mut self, key: &str) {
        self.retain(|header| header.key != *key);
    }

    /// Removes the headers that are not to be kept; where all are, headers that others share are not copied.
    pub fn retain(&mut self, keep: impl Fn(&Header) -> bool) {
        if !self.iter().all(&keep) {
            self.deref_mut().retain(keep);
        }
    }

    /// The last header named `key`.
    #[must_use]
    pub fn last(&self, key: &str) -> Option<&Datum> {
        self.iter().rev().find(|header| header.key == *key).map(|header| &header.datum)
    }
}

impl Deref for Headers {
    type Target = Vec<Header>;
    fn deref(&self) -> &Vec<Header> {
        self.0.as_deref().unwrap_or(&NO_HEADERS)
    }
}

/// Headers that others share are copied first.
impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut Vec<Header> {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

/// Equal headers look alike, whether they are shared or were never there.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Headers").field(&**self).finish()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        let headers: Vec<Header> = headers.into_iter().collect();
        Self((!headers.is_empty()).then(|| Arc::new(headers)))
    }
}

/// What a record's timestamp means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimestampType {
    /// The broker is too old to say.
    NoTimestampType,
    /// Set by the producer.
    #[default]
    CreateTime,
    /// Set by the broker.
    LogAppendTime,
}

impl TimestampType {
    /// The name in Connect's logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TimestampType::NoTimestampType => "NoTimestampType",
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        }
    }
}

/// Which way a record travels, and what a transform may read of that but not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// From a source connector to Kafka.
    Source,
    /// From Kafka to a sink connector.
    Sink {
        /// The record's offset.
        offset: i64,
        /// What its timestamp means.
        timestamp_type: TimestampType,
    },
}

/// What transforms work on: a record on its way in either direction.
///
/// ```
/// use lavka_api::data::{Datum, Record, Schema, Type};
///
/// let record = Record {
///     key: Datum::new(Schema::of(Type::String), "d-1"),
///     value: Datum::schemaless(21.5),
///     timestamp: Some(1_700_000_000_000),
///     ..Record::for_topic("readings")
/// };
/// assert_eq!(&*record.topic, "readings");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The topic it is bound for (source) or came from (sink, unless a transform changed it).
    pub topic: Topic,
    /// The partition, where a source fixes it, or of the sink record.
    pub partition: Option<i32>,
    /// The key.
    pub key: Datum,
    /// The value; null is a tombstone.
    pub value: Datum,
    /// Epoch milliseconds.
    pub timestamp: Option<i64>,
    /// The headers.
    pub headers: Headers,
    /// Source or sink.
    pub kind: RecordKind,
}

impl Record {
    /// A source record for `topic` with nothing else set.
    pub fn for_topic(topic: impl Into<Topic>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            key: Datum::NULL,
            value: Datum::NULL,
            timestamp: None,
            headers: Headers::new(),
            kind: RecordKind::Source,
        }
    }

    /// Bytes this record holds, roughly; queues are bounded by it.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        size_of::<Self>()
            + self.key.value.heap_size()
            + self.value.value.heap_size()
            + self.headers.iter().map(|h| size_of::<Header>() + h.datum.value.heap_size()).sum::<usize>()
    }
}

/// A record on its way from a source connector to Kafka.
#[derive(Clone, Debug)]
pub struct SourceRecord {
    /// The record.
    pub record: Record,
    /// Where it came from. `None` for sources that keep no offsets (MQTT, where the broker does).
    pub position: Option<SourcePosition>,
    /// Whatever the source needs to recognise the record by when its
    /// [`DeliveryListener`](crate::plugin::DeliveryListener) hears of it; 0 where it has none.
    pub token: u64,
}

impl SourceRecord {
    /// Nothing for Kafka, only a place: the source has looked at everything up to `position`, and none of it becomes a
    /// record. It counts as delivered once all before it are, so that the offset moves on while nothing is captured.
    ///
    /// ```
    /// use lavka_api::data::{OffsetMap, SourcePosition, SourceRecord};
    ///
    /// let position = SourcePosition {
    ///     partition: OffsetMap::new([("server", "orders")]),
    ///     offset: OffsetMap::new([("lsn", 42_i64)]),
    /// };
    /// assert!(SourceRecord::progress(position).is_progress());
    /// ```
    #[must_use]
    pub fn progress(position: SourcePosition) -> Self {
        Self { record: Record::for_topic(""), position: Some(position), token: 0 }
    }

    /// Whether it is a place without a record.
    #[must_use]
    pub fn is_progress(&self) -> bool {
        self.record.topic.is_empty()
    }
}

/// The place in Kafka that a sink record was read from; transforms do not change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaOrigin {
    /// The topic.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The epoch of the leader that wrote the record, where the broker tells it (KIP-320). Together with the offset it
    /// stands for one record for good: after an unclean leader election a log may have another record at the same
    /// offset, in a later epoch.
    pub leader_epoch: Option<i32>,
}

/// A record on its way from Kafka to a sink connector.
#[derive(Clone, Debug)]
pub struct SinkRecord {
    /// The record after converters and transforms.
    pub record: Record,
    /// Where it was read.
    pub origin: KafkaOrigin,
    /// The bytes of the key as they were consumed, for dead letters; shared with the record's value where that is bytes.
    pub raw_key: Option<Blob>,
    /// The bytes of the value as they were consumed.
    pub raw_value: Option<Blob>,
}
