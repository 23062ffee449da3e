//! Records as tests write and read them.

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use serde_json::Value;

use crate::failure::fail;

/// A header: a key, and bytes or null.
pub(super) type OwnedHeader = (String, Option<Vec<u8>>);

/// A record to produce. Key and value are null until set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    pub(super) partition: Option<i32>,
    pub(super) timestamp: Option<i64>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<OwnedHeader>,
}

impl NewRecord {
    /// A record with a value.
    pub fn of(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// A record with a key and a null value.
    pub fn tombstone(key: impl Into<Vec<u8>>) -> Self {
        Self::default().key(key)
    }

    /// Sets the key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Fixes the partition; without it the key decides, by murmur2 as in Java.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the timestamp in milliseconds since the epoch; without it the producer's clock is used.
    #[must_use]
    pub fn timestamp(mut self, millis: i64) -> Self {
        self.timestamp = Some(millis);
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((key.to_owned(), Some(value.into())));
        self
    }

    /// Adds a header whose value is null.
    #[must_use]
    pub fn null_header(mut self, key: &str) -> Self {
        self.headers.push((key.to_owned(), None));
        self
    }

    pub(super) fn owned_headers(&self) -> Option<OwnedHeaders> {
        if self.headers.is_empty() {
            return None;
        }
        let start = OwnedHeaders::new_with_capacity(self.headers.len());
        Some(
            self.headers
                .iter()
                .fold(start, |headers, (key, value)| headers.insert(Header { key, value: value.as_ref() })),
        )
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
    /// Milliseconds since the epoch, if the record has a timestamp.
    pub timestamp: Option<i64>,
    /// The key's bytes; absent for null.
    pub key: Option<Vec<u8>>,
    /// The value's bytes; absent for null.
    pub value: Option<Vec<u8>>,
    /// The headers in their order; an absent value is null.
    pub headers: Vec<OwnedHeader>,
}

impl ConsumedRecord {
    pub(super) fn read(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers,
        }
    }

    /// The key as text; `None` for null. Fails the test when it is not UTF-8.
    #[track_caller]
    pub fn key_text(&self) -> Option<&str> {
        self.key.as_deref().map(|bytes| self.text(bytes, "key"))
    }

    /// The value as text; `None` for null. Fails the test when it is not UTF-8.
    #[track_caller]
    pub fn value_text(&self) -> Option<&str> {
        self.value.as_deref().map(|bytes| self.text(bytes, "value"))
    }

    /// The value parsed as JSON; JSON null for a null value. Fails the test when it is not JSON.
    #[track_caller]
    pub fn value_json(&self) -> Value {
        self.value.as_deref().map_or(Value::Null, |bytes| match serde_json::from_slice(bytes) {
            Ok(value) => value,
            Err(error) => fail(format!("the value at {} is not JSON ({error}): {self:?}", self.place())),
        })
    }

    /// The first header of that name: its bytes, if there is one and it is not null.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.as_deref())
    }

    #[track_caller]
    fn text<'a>(&self, bytes: &'a [u8], part: &str) -> &'a str {
        match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => fail(format!("the {part} at {} is not UTF-8 ({error}): {bytes:?}", self.place())),
        }
    }

    fn place(&self) -> String {
        format!("{}-{}@{}", self.topic, self.partition, self.offset)
    }
}
