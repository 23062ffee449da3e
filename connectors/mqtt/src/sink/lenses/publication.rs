//! From records to the messages that Lenses' statements ask for.

use std::collections::HashMap;

use lavka_api::data::{Datum, Object, SinkRecord, Value};
use lavka_api::{Error, Result};

use super::super::field::find;
use super::super::payload::{Encoding, PayloadEncoder};
use super::super::publication::{MakePublications, Manner, checked};
use super::avro::AvroWriter;
use super::statement::{Selected, Statement};
use crate::lenses::schema_files::{AvroSchemas, missing};
use crate::message::Publication;

/// Makes a message for each statement about a record's topic; one per task.
pub(crate) struct LensesPublications {
    statements: HashMap<String, Vec<Prepared>>,
    manner: Manner,
    payloads: PayloadEncoder,
}

struct Prepared {
    statement: Statement,
    avro: Option<AvroWriter>,
}

impl LensesPublications {
    /// # Errors
    /// A configuration error where a statement lacks its Avro schema.
    pub(crate) fn new(statements: Vec<Statement>, schemas: &AvroSchemas, manner: Manner) -> Result<Self> {
        let mut by_topic: HashMap<String, Vec<Prepared>> = HashMap::new();
        for statement in statements {
            let avro = match (statement.avro, schemas.of(&statement.source)) {
                (false, _) => None,
                (true, Some(schema)) => Some(AvroWriter::new(schema.clone())),
                (true, None) => return Err(Error::config(missing(&statement.source))),
            };
            by_topic.entry(statement.source.clone()).or_default().push(Prepared { statement, avro });
        }
        Ok(Self { statements: by_topic, manner, payloads: PayloadEncoder::new(Encoding::Auto) })
    }
}

impl MakePublications for LensesPublications {
    fn publications(&mut self, record: &SinkRecord, out: &mut Vec<Publication>) -> Result<()> {
        let topic: &str = &record.record.topic;
        let Some(statements) = self.statements.get_mut(topic) else {
            return Err(Error::data(format!("no statement of connect.mqtt.kcql is about the topic {topic}")));
        };
        for Prepared { statement, avro } in statements {
            let value = &record.record.value;
            let payload = match (avro, statement.fields.as_slice()) {
                (Some(avro), fields) => avro.encode(value, fields)?,
                (None, []) => self.payloads.encode(value)?,
                (None, fields) => self.payloads.encode(&selected(&value.value, fields)?)?,
            };
            out.push(checked(Publication {
                topic: statement.target.of(record)?,
                payload,
                qos: self.manner.qos,
                retain: self.manner.retain,
                properties: None,
            })?);
        }
        Ok(())
    }
}

/// The fields of `value` as an object.
fn selected(value: &Value, fields: &[Selected]) -> Result<Datum> {
    let entries =
        fields.iter().map(|field| Ok((field.name.as_str(), find(value, &field.path, "value")?.clone())));
    let entries: Vec<(&str, Value)> = entries.collect::<Result<_>>()?;
    Ok(Datum::schemaless(Object::from_entries(entries)))
}

#[cfg(test)]
mod tests {
    use super::super::super::publication::tests::record;
    use super::*;
    use crate::message::Qos;

    #[test]
    fn a_message_for_each_statement() {
        let kcql = "INSERT INTO a SELECT * FROM k; INSERT INTO `place.room` SELECT id AS n, place.room FROM k \
                    PROPERTIES('mqtt.target.from.field'='true')";
        let manner = Manner { qos: Qos::AtLeastOnce, retain: false };
        let mut maker =
            LensesPublications::new(Statement::parse_all(kcql).unwrap(), &AvroSchemas::default(), manner)
                .unwrap();
        let place = Object::from_entries([("room", "r1")]);
        let value = Object::from_entries([("id", Value::Int64(7)), ("place", place.into())]);
        let mut out = Vec::new();
        maker.publications(&record("k", Datum::schemaless(value)), &mut out).unwrap();
        let shown: Vec<(String, String)> = out
            .iter()
            .map(|message| (message.topic.to_string(), String::from_utf8(message.payload.to_vec()).unwrap()))
            .collect();
        let expected = [("a", r#"{"id":7,"place":{"room":"r1"}}"#), ("r1", r#"{"n":7,"room":"r1"}"#)];
        assert_eq!(shown, expected.map(|(topic, payload)| (topic.to_owned(), payload.to_owned())));
        let error = maker.publications(&record("l", Datum::schemaless("x")), &mut out).unwrap_err();
        assert!(error.to_string().contains("about the topic l"), "{error}");
    }
}
