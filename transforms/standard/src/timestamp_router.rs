//! `TimestampRouter`: makes a topic of the record's topic and timestamp.

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Record, RecordKind};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::date_format::{DateFormat, valid_date_format};
use crate::topics::TimedTopics;

lavka_api::config! {
    /// Keys of `TimestampRouter`.
    pub(crate) struct TimestampRouterConfig {
        topic_format: String = key("topic.format").default("${topic}-${timestamp}").high()
            .doc("The new topic; ${topic} and ${timestamp} stand for the old one and for the timestamp."),
        timestamp_format: String = key("timestamp.format").default("yyyyMMdd").high().check(valid_date_format())
            .doc("How the timestamp is written, in UTC: a pattern of Java's SimpleDateFormat."),
    }
}

pub(crate) struct TimestampRouter {
    format: DateFormat,
    topics: TimedTopics,
}

impl TimestampRouter {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let config = TimestampRouterConfig::from_config(config)?;
        Ok(Self {
            format: DateFormat::compile(&config.timestamp_format).map_err(Error::config)?,
            topics: TimedTopics::new(config.topic_format),
        })
    }
}

/// The record as Java prints it, without its data, which has no place in a log.
fn shown(record: &Record) -> String {
    let topic = &record.topic;
    let partition = record.partition.map_or_else(|| "null".into(), |partition| partition.to_string());
    let place = format!("ConnectRecord{{topic='{topic}', kafkaPartition={partition}}}");
    match record.kind {
        RecordKind::Source => format!("SourceRecord{{}} {place}"),
        RecordKind::Sink { offset, timestamp_type } => {
            format!("SinkRecord{{kafkaOffset={offset}, timestampType={}}} {place}", timestamp_type.name())
        }
    }
}

impl Transform for TimestampRouter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Some(timestamp) = record.timestamp else {
            return Err(Error::data(format!("Timestamp missing on record: {}", shown(record))));
        };
        let Self { format, topics } = self;
        record.topic = topics.get(&record.topic, |text| format.format(timestamp, text)).clone();
        Ok(Verdict::Keep)
    }
}
