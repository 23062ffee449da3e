//! From records to bytes.

use std::ops::Range;

use async_trait::async_trait;
use lavka_api::data::{Datum, Record, Topic, Value};
use lavka_api::plugin::{Converter, HeaderConverter};
use lavka_api::{Error, ErrorClass, Result};

use crate::errors::{Failure, Prepares, Stage};

/// The converters of a source task, and the buffers they write into.
pub struct Encoder {
    key: Box<dyn Converter>,
    value: Box<dyn Converter>,
    header: Box<dyn HeaderConverter>,
    classes: [String; 3],
    buffer: Vec<u8>,
    headers: Vec<Option<Range<usize>>>,
    space: HeaderSpace,
}

/// Room for the headers of a record, kept between records.
pub(crate) type HeaderSpace = Vec<(&'static str, Option<&'static [u8]>)>;

/// A record's bytes, inside the encoder's buffer.
pub(crate) struct Encoded<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
    pub(crate) topic: &'a Topic,
    pub(crate) partition: Option<i32>,
}

impl Encoded<'_> {
    /// Bytes of key, value and headers.
    pub(crate) fn size(&self) -> usize {
        let of = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        of(self.key)
            + of(self.value)
            + self.headers.iter().map(|(key, value)| key.len() + of(*value)).sum::<usize>()
    }

    /// What [`Encoder::keep`] takes back once the record is sent. An empty vector of another lifetime is collected in
    /// place, so nothing is allocated.
    pub(crate) fn into_space(mut self) -> HeaderSpace {
        self.headers.clear();
        self.headers.into_iter().map(|_| ("", None)).collect()
    }
}

impl Encoder {
    /// An encoder of the three converters, each with its class name for error reports.
    #[must_use]
    pub fn new(
        key: (String, Box<dyn Converter>),
        value: (String, Box<dyn Converter>),
        header: (String, Box<dyn HeaderConverter>),
    ) -> Self {
        Self {
            key: key.1,
            value: value.1,
            header: header.1,
            classes: [key.0, value.0, header.0],
            buffer: Vec::new(),
            headers: Vec::new(),
            space: Vec::new(),
        }
    }

    /// Encodes one record. The bytes live until the next call.
    pub(crate) fn encode<'a>(&'a mut self, record: &'a mut Record) -> Result<Encoded<'a>, Failure> {
        self.buffer.clear();
        self.headers.clear();
        let Record { topic, partition, key, value, headers, .. } = record;
        let of_record = headers.len();
        let has_key = self
            .key
            .encode(topic, headers, key.schema.as_ref(), &key.value, &mut self.buffer)
            .map_err(|error| self.failure(Stage::KeyConverter, error))?;
        let key_end = self.buffer.len();
        let has_value = self
            .value
            .encode(topic, headers, value.schema.as_ref(), &value.value, &mut self.buffer)
            .map_err(|error| self.failure(Stage::ValueConverter, error))?;
        let value_end = self.buffer.len();
        for (at, header) in headers.iter().enumerate() {
            let start = self.buffer.len();
            // What a converter of key or value added is bytes already.
            if let (true, Value::Bytes(bytes)) = (at >= of_record, &header.datum.value) {
                self.buffer.extend_from_slice(bytes);
                self.headers.push(Some(start..self.buffer.len()));
                continue;
            }
            let present = self
                .header
                .encode(topic, &header.key, &header.datum, &mut self.buffer)
                .map_err(|error| self.failure(Stage::HeaderConverter, error))?;
            self.headers.push(present.then_some(start..self.buffer.len()));
        }
        let bytes = self.buffer.as_slice();
        let mut sent: Vec<(&str, Option<&[u8]>)> = std::mem::take(&mut self.space);
        sent.extend(
            headers.iter().zip(&self.headers).map(|(header, range)| {
                (header.key.as_str(), range.clone().and_then(|range| bytes.get(range)))
            }),
        );
        Ok(Encoded {
            key: has_key.then(|| &bytes[..key_end]),
            value: has_value.then(|| &bytes[key_end..value_end]),
            headers: sent,
            topic,
            partition: *partition,
        })
    }

    /// Takes back the room of a record that was sent.
    pub(crate) fn keep(&mut self, space: HeaderSpace) {
        self.space = space;
    }

    fn failure(&self, stage: Stage, error: Error) -> Failure {
        let class = match stage {
            Stage::KeyConverter => self.classes[0].clone(),
            Stage::ValueConverter => self.classes[1].clone(),
            _ => self.classes[2].clone(),
        };
        Failure { stage, class, error }
    }
}

#[async_trait]
impl<'r> Prepares<&'r Record> for Encoder {
    async fn prepare(&mut self, records: &[&'r Record]) -> Result<(), Failure> {
        fn side<'r>(records: &[&'r Record], pick: fn(&Record) -> &Datum) -> Vec<(&'r Topic, &'r Datum)> {
            records.iter().map(|record| (&record.topic, pick(record))).collect()
        }
        let keys = self.key.prepare_encode(&side(records, |record| &record.key)).await;
        keys.map_err(|error| self.failure(Stage::KeyConverter, error))?;
        let values = self.value.prepare_encode(&side(records, |record| &record.value)).await;
        values.map_err(|error| self.failure(Stage::ValueConverter, error))
    }
}

/// A record's timestamp as it is sent: -1 says that there is none.
///
/// # Errors
/// Any other negative timestamp is no fault of the data that could be tolerated: the task fails, as in Connect.
pub(crate) fn sent_timestamp(record: &Record) -> Result<Option<i64>> {
    match record.timestamp {
        Some(ms) if ms < -1 => Err(Error::new(
            ErrorClass::Fatal,
            "org.apache.kafka.common.InvalidRecordException",
            format!("Invalid record timestamp {ms}"),
        )),
        timestamp => Ok(timestamp.filter(|ms| *ms >= 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lavka_api::data::{Blob, Headers, Schema, Type};

    /// Writes nothing but a header of bytes.
    struct Adding;

    impl Converter for Adding {
        fn decode(&mut self, _: &Topic, _: Option<&Blob>) -> Result<Datum> {
            Ok(Datum::NULL)
        }

        fn encode(
            &mut self,
            _: &Topic,
            headers: &mut Headers,
            _: Option<&Schema>,
            _: &Value,
            _: &mut Vec<u8>,
        ) -> Result<bool> {
            headers.add("added", Datum::new(Schema::of(Type::Bytes), Blob::from(b"\x01\xff")));
            Ok(false)
        }
    }

    struct Marking;

    impl HeaderConverter for Marking {
        fn decode(&mut self, _: &Topic, _: &str, _: Option<&Blob>) -> Result<Datum> {
            Ok(Datum::NULL)
        }

        fn encode(&mut self, _: &Topic, _: &str, _: &Datum, out: &mut Vec<u8>) -> Result<bool> {
            out.extend_from_slice(b"converted");
            Ok(true)
        }
    }

    #[test]
    fn headers_that_converters_add_are_sent_as_they_are() {
        let mut encoder = Encoder::new(
            ("Key".into(), Box::new(Adding)),
            ("Value".into(), Box::new(Adding)),
            ("Header".into(), Box::new(Marking)),
        );
        let mut record = Record::for_topic("t");
        record.headers.add("own", Datum::new(Schema::of(Type::Bytes), Blob::from(b"\x02")));
        let Ok(encoded) = encoder.encode(&mut record) else { panic!("not encoded") };
        assert_eq!(
            encoded.headers,
            [
                ("own", Some(b"converted".as_slice())),
                ("added", Some(b"\x01\xff".as_slice())),
                ("added", Some(b"\x01\xff".as_slice())),
            ]
        );
    }
}
