//! From bytes to records.

use async_trait::async_trait;
use lavka_api::Error;
use lavka_api::data::{Blob, Datum, Header, Headers, KafkaOrigin, Record, RecordKind, SinkRecord};
use lavka_api::plugin::{Converter, HeaderConverter, Undecoded};
use lavka_ports::ConsumedRecord;

use crate::errors::{Failure, Original, Prepares, Stage};

/// The converters of a sink task.
pub struct Decoder {
    key: Box<dyn Converter>,
    value: Box<dyn Converter>,
    header: Box<dyn HeaderConverter>,
    classes: [String; 3],
}

impl Decoder {
    /// A decoder of the three converters, each with its class name for error reports.
    #[must_use]
    pub fn new(
        key: (String, Box<dyn Converter>),
        value: (String, Box<dyn Converter>),
        header: (String, Box<dyn HeaderConverter>),
    ) -> Self {
        Self { key: key.1, value: value.1, header: header.1, classes: [key.0, value.0, header.0] }
    }

    /// Decodes one record.
    pub(crate) fn decode(&mut self, consumed: &ConsumedRecord) -> Result<SinkRecord, Failure> {
        let topic = &consumed.topic;
        let key = self.key.decode_record(&undecoded(consumed, consumed.key.as_ref()));
        let key: Datum = key.map_err(|error| self.failure(Stage::KeyConverter, error))?;
        let value = self.value.decode_record(&undecoded(consumed, consumed.value.as_ref()));
        let value: Datum = value.map_err(|error| self.failure(Stage::ValueConverter, error))?;
        let mut headers = Headers::new();
        for (name, payload) in &consumed.headers {
            let datum = self.header.decode(topic, name, payload.as_ref());
            let datum = datum.map_err(|error| self.failure(Stage::HeaderConverter, error))?;
            headers.push(Header { key: name.clone(), datum });
        }
        Ok(SinkRecord {
            record: Record {
                topic: topic.clone(),
                partition: Some(consumed.partition),
                key,
                value,
                timestamp: consumed.timestamp,
                headers,
                kind: RecordKind::Sink { offset: consumed.offset, timestamp_type: consumed.timestamp_type },
            },
            origin: KafkaOrigin {
                topic: topic.clone(),
                partition: consumed.partition,
                offset: consumed.offset,
                leader_epoch: consumed.leader_epoch,
            },
            raw_key: consumed.key.clone(),
            raw_value: consumed.value.clone(),
        })
    }

    fn failure(&self, stage: Stage, error: Error) -> Failure {
        let class = match stage {
            Stage::KeyConverter => &self.classes[0],
            Stage::ValueConverter => &self.classes[1],
            _ => &self.classes[2],
        };
        Failure { stage, class: class.clone(), error }
    }
}

#[async_trait]
impl Prepares<ConsumedRecord> for Decoder {
    async fn prepare(&mut self, records: &[ConsumedRecord]) -> Result<(), Failure> {
        fn side(
            records: &[ConsumedRecord],
            pick: fn(&ConsumedRecord) -> Option<&Blob>,
        ) -> Vec<Undecoded<'_>> {
            records.iter().map(|record| undecoded(record, pick(record))).collect()
        }
        let keys = self.key.prepare_decode(&side(records, |record| record.key.as_ref())).await;
        keys.map_err(|error| self.failure(Stage::KeyConverter, error))?;
        let values = self.value.prepare_decode(&side(records, |record| record.value.as_ref())).await;
        values.map_err(|error| self.failure(Stage::ValueConverter, error))
    }
}

/// Key or value of a consumed record, as converters take it.
fn undecoded<'a>(consumed: &'a ConsumedRecord, payload: Option<&'a Blob>) -> Undecoded<'a> {
    Undecoded { topic: &consumed.topic, payload, headers: &consumed.headers }
}

/// A consumed record as error reports and dead letters take it.
pub(crate) fn original(consumed: &ConsumedRecord) -> Original<'_> {
    Original {
        topic: &consumed.topic,
        partition: consumed.partition,
        offset: consumed.offset,
        timestamp: consumed.timestamp,
        timestamp_type: consumed.timestamp_type,
        key: consumed.key.as_ref(),
        value: consumed.value.as_ref(),
        headers: &consumed.headers,
    }
}
