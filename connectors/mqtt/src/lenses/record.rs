//! From messages to the records of Lenses' converters.

use std::collections::HashMap;

use lavka_api::data::{Datum, Record, Schema, Str, Struct, Topic, Type, Value};
use lavka_api::error::exception;
use lavka_api::java::plain_text;
use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use lavka_converters::payload::{Format as Payload, PayloadDecoder};

use super::json::SchemaReader;
use super::statement::{Format, Statement, Target, kafka_topic};
use crate::environment::Throttle;
use crate::message::Message;
use crate::record::MakeRecord;

/// Makes records; one per task.
#[derive(Debug)]
pub(crate) struct LensesRecords {
    task: TaskId,
    statements: Vec<Statement>,
    throw_on_error: bool,
    payloads: PayloadDecoder,
    schemas: SchemaReader,
    /// Topics made of MQTT topics, up to a limit.
    topics: HashMap<Str, Topic>,
    /// The schema of keys: topic and message id, as Lenses' case class `MsgKey` becomes one.
    key: Schema,
    string: Schema,
    warnings: Throttle,
    skipped: u64,
}

/// Topics that are remembered; beyond it they are forgotten and made anew.
const TOPICS: usize = 10_000;

impl LensesRecords {
    pub(crate) fn new(statements: Vec<Statement>, throw_on_error: bool, task: TaskId) -> Result<Self> {
        let key = Schema::structure()
            .name("io.lenses.streamreactor.common.converters.MsgKey")
            .field("topic", Schema::of(Type::String))
            .field("id", Schema::of(Type::String))
            .build()?;
        Ok(Self {
            task,
            statements,
            throw_on_error,
            payloads: PayloadDecoder::new(),
            schemas: SchemaReader::default(),
            topics: HashMap::new(),
            key,
            string: Schema::of(Type::String),
            warnings: Throttle::default(),
            skipped: 0,
        })
    }

    fn converted(&mut self, message: &Message) -> Result<Record> {
        let topic = message.topic.as_str();
        let Some(statement) = self.statements.iter().find(|statement| statement.is_about(topic)) else {
            return Err(Error::data(format!(
                "Topic '{topic}' can not be matched with a source defined by KCQL."
            )));
        };
        let kafka = match &statement.target {
            Target::Topic(topic) => topic.clone(),
            Target::OfMqttTopic => match self.topics.get(topic) {
                Some(known) => known.clone(),
                None => {
                    let made = kafka_topic(topic);
                    if self.topics.len() >= TOPICS {
                        self.topics.clear();
                    }
                    self.topics.insert(Str::from(topic), made.clone());
                    made
                }
            },
        };
        let value = match statement.format {
            Format::Bytes => self.payloads.bytes(&message.payload),
            Format::Json => {
                let json = self.payloads.decode(Payload::Json, &message.payload, message.received)?;
                self.schemas.read(topic, json.value)?
            }
        };
        let mut record = Record::for_topic(kafka);
        record.key = match (&value.value, statement.keys.is_empty()) {
            (Value::Struct(fields), false) => {
                let parts = statement.keys.iter().map(|path| field_text(fields, path));
                let parts: Vec<String> = parts.collect::<Result<_>>()?;
                Datum::new(self.string.clone(), parts.join(&statement.delimiter))
            }
            _ => {
                let values =
                    vec![Value::from(message.topic.clone()), Value::from(message.packet_id.to_string())];
                Datum::new(self.key.clone(), Struct::new(self.key.clone(), values)?)
            }
        };
        record.value = value;
        record.timestamp = Some(message.received);
        Ok(record)
    }
}

impl MakeRecord for LensesRecords {
    fn record(&mut self, message: Message) -> Result<Option<Record>> {
        match self.converted(&message) {
            Ok(record) => Ok(Some(record)),
            Err(error) if self.throw_on_error => Err(Error::fatal(format!(
                "The message {} on the MQTT topic {} ({} bytes) cannot be converted, and connect.mqtt.converter.throw.on.error \
                 is true. Set it to false to leave such messages out.",
                message.packet_id,
                message.topic.as_str(),
                message.payload.len()
            ))
            .with_exception(exception::CONNECT)
            .caused_by(error)),
            Err(error) => {
                self.skipped += 1;
                if self.warnings.due(message.received) {
                    tracing::warn!(
                        task = %self.task,
                        topic = message.topic.as_str(),
                        skipped = self.skipped,
                        "left out a message that cannot be converted (so far: {}): {error}", self.skipped
                    );
                }
                Ok(None)
            }
        }
    }
}

/// The field at `path` as Java prints it.
fn field_text(fields: &Struct, path: &[String]) -> Result<String> {
    let wrong =
        |what: String| Error::data(format!("Invalid field selection for [{}]. {what}", path.join(".")));
    let mut at = fields;
    let mut rest = path.iter().peekable();
    while let Some(name) = rest.next() {
        let Some(value) = at.get(name) else {
            let fields: Vec<&str> = at.schema().fields().iter().map(|field| field.name().as_str()).collect();
            return Err(wrong(format!(
                "Can't find field [{name}]. Fields available: [{}]",
                fields.join(",")
            )));
        };
        match (value, rest.peek()) {
            (Value::Null, _) => return Err(wrong(format!("Field [{name}] is null"))),
            (Value::Struct(inner), Some(_)) => at = inner,
            (Value::Struct(_) | Value::Array(_), _) | (_, Some(_)) => {
                return Err(wrong("It doesn't resolve to a primitive field".into()));
            }
            (value, None) => return Ok(plain_text(value)),
        }
    }
    Err(wrong("It names no field".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Qos;

    fn message(topic: &str, payload: &str) -> Message {
        Message {
            topic: topic.into(),
            payload: payload.as_bytes().into(),
            packet_id: 7,
            qos: Qos::AtLeastOnce,
            retained: false,
            duplicate: true,
            received: 5,
            properties: None,
        }
    }

    fn records(kcql: &str, throw_on_error: bool) -> LensesRecords {
        let id = TaskId { connector: "c".into(), task: 0 };
        LensesRecords::new(Statement::parse_all(kcql).unwrap(), throw_on_error, id).unwrap()
    }

    const JSON: &str =
        "WITHCONVERTER=`com.datamountaineer.streamreactor.connect.converters.source.JsonSimpleConverter`";

    #[test]
    fn bytes_have_topic_and_message_id_as_their_key() {
        let mut records =
            records("INSERT INTO k SELECT * FROM a/#; INSERT INTO `$` SELECT * FROM /b/+", false);
        let record = records.record(message("a/x", "21")).unwrap().unwrap();
        assert_eq!((record.topic.as_str(), record.timestamp), ("k", Some(5)));
        assert_eq!(record.value.value, Value::from(lavka_api::data::Blob::from(b"21")));
        let Value::Struct(key) = record.key.value else { panic!("no struct") };
        assert_eq!(
            key.schema().name().map(|name| name.as_str()),
            Some("io.lenses.streamreactor.common.converters.MsgKey")
        );
        assert_eq!((key.get("topic"), key.get("id")), (Some(&"a/x".into()), Some(&"7".into())));
        assert_eq!(records.record(message("/b/1", "")).unwrap().unwrap().topic.as_str(), "b_1");
    }

    #[test]
    fn fields_of_json_make_keys() {
        let kcql = format!("INSERT INTO k SELECT * FROM a {JSON} WITHKEY(id, place.room) KEYDELIMITER='-'");
        let mut records = records(&kcql, true);
        let payload = r#"{"id":7,"place":{"room":"r1"},"t":1.5}"#;
        let record = records.record(message("a", payload)).unwrap().unwrap();
        assert_eq!(record.key, Datum::new(Schema::of(Type::String), "7-r1"));
        // What is no object has no fields.
        let number = records.record(message("a", "21")).unwrap().unwrap();
        assert!(matches!(number.key.value, Value::Struct(_)));
        for (payload, part) in [
            (r#"{"place":{"room":"r1"}}"#, "Can't find field [id]"),
            (r#"{"id":null,"place":{"room":"r1"}}"#, "Field [id] is null"),
            (r#"{"id":1,"place":2}"#, "doesn't resolve to a primitive field"),
            (r#"{"id":1,"place":{"room":[1]}}"#, "doesn't resolve to a primitive field"),
            ("{", "not one JSON value"),
        ] {
            let error = records.record(message("a", payload)).unwrap_err();
            assert!(error.trace().contains(part), "{payload}: {}", error.trace());
        }
    }

    #[test]
    fn what_cannot_be_converted_is_left_out_unless_it_is_to_fail() {
        let kcql = format!("INSERT INTO k SELECT * FROM a/# {JSON} WITHREGEX=`a/x`");
        let mut lenient = records(&kcql, false);
        assert!(lenient.record(message("a/x", "{")).unwrap().is_none());
        assert!(lenient.record(message("a/y", "1")).unwrap().is_none());
        assert!(lenient.record(message("a/x", "1")).unwrap().is_some());
        let error = records(&kcql, true).record(message("a/y", "1")).unwrap_err();
        assert!(
            error.trace().contains("can not be matched with a source defined by KCQL"),
            "{}",
            error.trace()
        );
    }
}
