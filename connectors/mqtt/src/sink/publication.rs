//! From records to messages.

use lavka_api::data::SinkRecord;
use lavka_api::{Error, Result};

use super::payload::{Encoding, PayloadEncoder};
use super::properties::PropertyRules;
use super::template::TopicTemplate;
use crate::message::{LARGEST_PACKET, Publication, Qos};

/// From a record to its messages, as a dialect of configurations has it.
pub(crate) trait MakePublications: Send {
    /// Appends the messages of `record` to `out`: none where the record is about nothing that is published.
    ///
    /// # Errors
    /// A data error for a record of which no message can be made; `out` may then hold some of its messages.
    fn publications(&mut self, record: &SinkRecord, out: &mut Vec<Publication>) -> Result<()>;
}

/// How messages are published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
}

/// A message of each record; one maker per task.
pub(crate) struct PublicationMaker {
    pub(crate) topic: TopicTemplate,
    pub(crate) manner: Manner,
    pub(crate) payloads: PayloadEncoder,
    /// With MQTT 5.
    pub(crate) properties: Option<PropertyRules>,
}

impl PublicationMaker {
    pub(crate) fn new(
        topic: TopicTemplate,
        manner: Manner,
        encoding: Encoding,
        properties: Option<PropertyRules>,
    ) -> Self {
        Self { topic, manner, payloads: PayloadEncoder::new(encoding), properties }
    }
}

impl MakePublications for PublicationMaker {
    fn publications(&mut self, record: &SinkRecord, out: &mut Vec<Publication>) -> Result<()> {
        let properties = match &self.properties {
            Some(rules) => rules.properties(&record.record.headers)?,
            None => None,
        };
        let publication = Publication {
            topic: self.topic.of(record)?,
            payload: self.payloads.encode(&record.record.value)?,
            qos: self.manner.qos,
            retain: self.manner.retain,
            properties,
        };
        out.push(checked(publication)?);
        Ok(())
    }
}

/// `publication`, if MQTT knows packets of its size.
///
/// # Errors
/// A data error where it does not.
pub(crate) fn checked(publication: Publication) -> Result<Publication> {
    if publication.packet_size() > LARGEST_PACKET {
        return Err(Error::data(format!(
            "a payload of {} bytes is more than an MQTT message can carry",
            publication.payload.len()
        )));
    }
    Ok(publication)
}

#[cfg(test)]
pub(crate) mod tests {
    use lavka_api::data::{Datum, KafkaOrigin, Record, RecordKind, TimestampType};

    use super::*;

    /// A consumed record.
    pub(crate) fn record(topic: &str, value: Datum) -> SinkRecord {
        let mut record = Record::for_topic(topic);
        record.value = value;
        record.kind = RecordKind::Sink { offset: 0, timestamp_type: TimestampType::CreateTime };
        let origin = KafkaOrigin { topic: topic.into(), partition: 0, offset: 0, leader_epoch: None };
        SinkRecord { record, origin, raw_key: None, raw_value: None }
    }

    #[test]
    fn a_message_of_each_record() {
        let template = TopicTemplate::parse("d/${topic}").unwrap();
        let manner = Manner { qos: Qos::ExactlyOnce, retain: true };
        let mut maker = PublicationMaker::new(template, manner, Encoding::Auto, None);
        let mut out = Vec::new();
        maker.publications(&record("t", Datum::schemaless("on")), &mut out).unwrap();
        let expected = Publication {
            topic: "d/t".into(),
            payload: b"on".into(),
            qos: Qos::ExactlyOnce,
            retain: true,
            properties: None,
        };
        assert_eq!(out, [expected]);
    }
}
