//! From messages to the records of Lenses' converters.

use std::collections::HashMap;

use lavka_api::data::{Datum, Record, Schema, Str, Struct, Topic, Type, Value};
use lavka_api::error::exception;
use lavka_api::plugin::TaskId;
use lavka_api::{Error, Result};
use lavka_converters::payload::PayloadDecoder;

use super::converter::Converter;
use super::schema_files::AvroSchemas;
use super::statement::{Statement, Target, kafka_topic};
use crate::environment::Throttle;
use crate::message::Message;
use crate::record::MakeRecord;

/// How messages become records.
#[derive(Clone, Debug)]
pub(crate) struct Conversions {
    pub(crate) statements: Vec<Statement>,
    /// Whether a message that cannot be converted fails the task.
    pub(crate) throw_on_error: bool,
    /// Whether it is the filter that names schemas and keys: so with Lenses as soon as one schema is in a file.
    pub(crate) named_by_filter: bool,
    /// The name of the schema of keys.
    pub(crate) key_name: &'static str,
}

/// What `MsgKey` is called in releases whose classes are in `io.lenses`.
pub(crate) const KEY_NAME: &str = "io.lenses.streamreactor.common.converters.MsgKey";
/// What it was called in those before, whose classes are in `com.datamountaineer`: a registry that knows keys under this name
/// takes no others.
pub(crate) const OLD_KEY_NAME: &str = "com.datamountaineer.streamreactor.common.converters.MsgKey";

/// Makes records; one per task.
pub(crate) struct LensesRecords {
    task: TaskId,
    statements: Vec<(Statement, Converter)>,
    throw_on_error: bool,
    named_by_filter: bool,
    payloads: PayloadDecoder,
    /// Topics made of MQTT topics, up to a limit.
    topics: HashMap<Str, Topic>,
    /// The schema of keys: topic and message id, as Lenses' case class `MsgKey` becomes one.
    key: Schema,
    warnings: Throttle,
    skipped: u64,
}

/// Topics that are remembered; beyond it they are forgotten and made anew.
const TOPICS: usize = 10_000;

impl LensesRecords {
    /// # Errors
    /// A configuration error where a statement lacks its Avro schema.
    pub(crate) fn new(conversions: Conversions, schemas: &AvroSchemas, task: TaskId) -> Result<Self> {
        let key = Schema::structure()
            .name(conversions.key_name)
            .field("topic", Schema::of(Type::String))
            .field("id", Schema::of(Type::String))
            .build()?;
        let with_converter = |statement: Statement| {
            let converter = Converter::new(&statement, schemas)?;
            Ok((statement, converter))
        };
        Ok(Self {
            task,
            statements: conversions.statements.into_iter().map(with_converter).collect::<Result<_>>()?,
            throw_on_error: conversions.throw_on_error,
            named_by_filter: conversions.named_by_filter,
            payloads: PayloadDecoder::new(),
            topics: HashMap::new(),
            key,
            warnings: Throttle::default(),
            skipped: 0,
        })
    }

    fn converted(&mut self, message: &Message) -> Result<Record> {
        let topic = message.topic.as_str();
        let about = self.statements.iter_mut().find(|(statement, _)| statement.is_about(topic));
        let Some((statement, converter)) = about else {
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
        let source = if self.named_by_filter { &statement.filter } else { topic };
        let converted = converter.convert(statement, source, message, &mut self.payloads)?;
        let mut record = Record::for_topic(kafka);
        record.key = match converted.key {
            Some(key) => key,
            None => {
                let values = vec![Value::from(source), Value::from(message.packet_id.to_string())];
                Datum::new(self.key.clone(), Struct::new(self.key.clone(), values)?)
            }
        };
        record.value = converted.value;
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

#[cfg(test)]
mod tests {
    use super::super::schema_files::SchemaFiles;
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
        let statements = Statement::parse_all(kcql).unwrap();
        let conversions =
            Conversions { statements, throw_on_error, named_by_filter: false, key_name: KEY_NAME };
        LensesRecords::new(conversions, &AvroSchemas::default(), id).unwrap()
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
        assert_eq!(key.schema().name().map(|name| name.as_str()), Some(KEY_NAME));
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
            (r#"{"place":{"room":"r1"}}"#, "Couldn't find field [id] in the schema: [place]"),
            (r#"{"id":1,"place":{}}"#, "Can't find field [room]. Fields available: []"),
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

    #[test]
    fn avro_by_filter_or_by_topic() {
        let folder = lavka_testkit::temp_dir();
        let file = folder.path().join("r.avsc");
        let schema = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"int"}]}"#;
        std::fs::write(&file, schema).unwrap();
        let make = |list: &str, named_by_filter| {
            let schemas = SchemaFiles::parse(&list.replace("FILE", &file.display().to_string())).unwrap();
            let statements = "INSERT INTO k SELECT * FROM a/+ WITHCONVERTER=`AvroConverter`; INSERT INTO l SELECT * FROM b";
            let statements = Statement::parse_all(statements).unwrap();
            let conversions =
                Conversions { statements, throw_on_error: true, named_by_filter, key_name: OLD_KEY_NAME };
            let id = TaskId { connector: "c".into(), task: 0 };
            LensesRecords::new(conversions, &schemas.read().unwrap(), id).unwrap()
        };
        let topic_in_key = |record: &Record| match &record.key.value {
            Value::Struct(key) => key.get("topic").cloned(),
            _ => None,
        };
        let mut records = make("A/+=FILE", true);
        let record = records.record(message("a/x", "\u{e}")).unwrap().unwrap();
        assert!(
            matches!(&record.value.value, Value::Struct(fields) if fields.get("id") == Some(&Value::Int32(7)))
        );
        assert_eq!(topic_in_key(&record), Some("a/+".into()));
        assert_eq!(record.key.schema.unwrap().name().map(|name| name.as_str()), Some(OLD_KEY_NAME));
        assert_eq!(topic_in_key(&records.record(message("b", "")).unwrap().unwrap()), Some("b".into()));
        let mut records = make("a/X=FILE", false);
        let record = records.record(message("a/x", "\u{e}")).unwrap().unwrap();
        assert_eq!(topic_in_key(&record), Some("a/x".into()));
        let error = records.record(message("a/y", "\u{e}")).unwrap_err();
        assert!(error.trace().contains("is not configured for [a/y]"), "{}", error.trace());
    }
}
