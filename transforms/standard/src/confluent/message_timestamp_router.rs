//! `MessageTimestampRouter`: makes a topic of the record's topic and a time in its value.

use std::time::{SystemTime, UNIX_EPOCH};

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Record, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::date_format::{DateFormat, century_start, valid_date_format};
use crate::operand::{map_get, not_a_map};
use crate::topics::TimedTopics;

const PURPOSE: &str = "routing by a time in the value";

lavka_api::config! {
    /// Keys of `MessageTimestampRouter`.
    pub(crate) struct MessageTimestampRouterConfig {
        topic_format: String = key("topic.format").default("${topic}-${timestamp}").high()
            .doc("The new topic; ${topic} and ${timestamp} stand for the old one and for the time."),
        topic_timestamp_format: String = key("topic.timestamp.format").default("yyyyMMdd").high().check(valid_date_format())
            .doc("How the time is written in the topic, in UTC: a pattern of Java's SimpleDateFormat."),
        message_timestamp_format: String = key("message.timestamp.format").default("yyyy-MM-dd'T'HH:mm:ss.SSSX").high()
            .check(valid_date_format())
            .doc("How the time is written in the value: a pattern of Java's SimpleDateFormat. Numbers are read as \
                  milliseconds since 1970 whatever the pattern."),
        keys: Vec<String> = key("message.timestamp.keys").high().check(Check::non_empty_list())
            .doc("Fields that may hold the time; the first that is there counts."),
    }
}

pub(crate) struct MessageTimestampRouter {
    keys: Vec<String>,
    read: DateFormat,
    write: DateFormat,
    century_start: i64,
    topics: TimedTopics,
}

impl MessageTimestampRouter {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let config = MessageTimestampRouterConfig::from_config(config)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Ok(Self {
            keys: config.keys,
            read: DateFormat::compile(&config.message_timestamp_format).map_err(Error::config)?,
            write: DateFormat::compile(&config.topic_timestamp_format).map_err(Error::config)?,
            century_start: century_start(i64::try_from(now).unwrap_or(i64::MAX)),
            topics: TimedTopics::new(config.topic_format),
        })
    }

    fn instant(&self, value: &Value) -> Result<i64> {
        let field = |name: &str| match value {
            Value::Object(object) => Ok(object.get(name)),
            Value::Map(entries) => Ok(map_get(entries, name)),
            other => Err(not_a_map(other, PURPOSE)),
        };
        for name in &self.keys {
            match field(name)? {
                None | Some(Value::Null) => {}
                Some(Value::Timestamp(ms) | Value::Int64(ms)) => return Ok(*ms),
                Some(Value::String(text)) => {
                    let pattern = self.read.pattern();
                    return self.read.parse(text, self.century_start).ok_or_else(|| {
                        Error::data(format!(
                            "MessageTimestampRouter: the field {name} does not match message.timestamp.format ({pattern})"
                        ))
                    });
                }
                Some(other) => {
                    let class = other.java_class();
                    return Err(Error::data(format!(
                        "MessageTimestampRouter: the field {name} is a {class}, no time"
                    )));
                }
            }
        }
        Err(Error::data(format!(
            "MessageTimestampRouter: the value has none of the fields {} (message.timestamp.keys)",
            self.keys.join(", ")
        )))
    }
}

impl Transform for MessageTimestampRouter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let instant = self.instant(&record.value.value)?;
        let Self { write, topics, .. } = self;
        record.topic = topics.get(&record.topic, |text| write.format(instant, text)).clone();
        Ok(Verdict::Keep)
    }
}
