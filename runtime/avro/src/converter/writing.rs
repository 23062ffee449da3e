//! From records to messages of Kafka.

use std::sync::Arc;

use lavka_api::data::{Datum, Headers, Schema, Topic, Value};
use lavka_api::error::exception;
use lavka_api::{Error, Result};
use lavka_schema_registry::wire::Frame;
use lavka_schema_registry::{Cache, Plans, RegisteredSchema, SchemaText, SchemaType, Session, of_converter};

use super::{compatibility, is_of_one_schema, parse};
use crate::codec::Encoder;
use crate::mapping::Mapping;
use crate::schema::AvroSchema;

/// A topic and a schema; `None` is that of schemaless data.
type Key = (Topic, Option<Schema>);

pub(super) struct Writers {
    mapping: Mapping,
    /// What follows from a schema alone.
    mapped: Cache<Option<Schema>, Arc<Mapped>>,
    writers: Plans<Key, Writer>,
}

struct Mapped {
    avro: AvroSchema,
    text: SchemaText,
}

/// How records of one schema are written to one topic.
struct Writer {
    registered: Arc<RegisteredSchema>,
    frame: Frame,
    encoder: Encoder,
}

impl Writers {
    pub(super) fn new(mapping: Mapping, capacity: usize) -> Self {
        Self { mapping, mapped: Cache::new(capacity), writers: Plans::new(capacity) }
    }

    /// Registers or looks up what the batch needs. What is wrong with one schema is said when a record of it is written.
    pub(super) async fn prepare(&mut self, session: &Session, batch: &[(&Topic, &Datum)]) -> Result<()> {
        self.writers.begin();
        let mut before: Option<(&Topic, Option<&Schema>)> = None;
        for (topic, datum) in batch {
            let schema = datum.schema.as_ref();
            if datum.value.is_null() || before.is_some_and(|before| is_same(before, topic, schema)) {
                continue;
            }
            before = Some((topic, schema));
            let key = ((*topic).clone(), schema.cloned());
            if !self.writers.is_settled(&key) {
                let writer = self.writer(session, &key).await;
                let failed = format!("Failed to serialize Avro data from topic {topic} :");
                let of_topic = |error| of_converter(error, "serializing Avro data", topic, &failed);
                self.writers.settle(key, writer.map_err(of_topic))?;
            }
        }
        Ok(())
    }

    async fn writer(&mut self, session: &Session, key: &Key) -> Result<Arc<Writer>> {
        let (topic, schema) = key;
        let mapped = self.mapped(schema.as_ref())?;
        let subject = session.subject(topic, mapped.avro.full_name())?;
        // What stays the same comes from the session's memory; what may change is asked for again in its time.
        let registered = session
            .resolve_for_encode(&subject, &mapped.text, &compatibility::check)
            .await
            .map_err(|error| of_serializer(error, "Error registering or retrieving Avro schema", &mapped))?;
        if let Some(known) = self.writers.known(key)
            && Arc::ptr_eq(&known.registered, &registered)
        {
            return Ok(known);
        }
        let frame = session.frame(&registered, &[])?;
        let target = if registered.schema.schema.text() == mapped.text.text() {
            mapped.avro.clone()
        } else {
            parse(&registered.schema)?
        };
        let encoder = Encoder::new(&self.mapping, schema.as_ref(), &target)?;
        Ok(Arc::new(Writer { registered, frame, encoder }))
    }

    fn mapped(&mut self, schema: Option<&Schema>) -> Result<Arc<Mapped>> {
        let key = schema.cloned();
        if let Some(known) = self.mapped.get(&key) {
            return Ok(Arc::clone(known));
        }
        let avro = self.mapping.to_avro(schema)?;
        let text = SchemaText::new(SchemaType::Avro, avro.to_string());
        let mapped = Arc::new(Mapped { avro, text });
        self.mapped.put(key, Arc::clone(&mapped));
        Ok(mapped)
    }

    /// Appends a message; false for null.
    pub(super) fn write(
        &mut self,
        topic: &Topic,
        headers: &mut Headers,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        if value.is_null() {
            return match schema {
                Some(schema) if !schema.is_optional() => {
                    Err(Error::data("Found null value for non-optional schema"))
                }
                _ => Ok(false),
            };
        }
        let writer = self.writers.find(
            |last| is_same((&last.0, last.1.as_ref()), topic, schema),
            || (topic.clone(), schema.cloned()),
        )?;
        writer.frame.write(headers, out);
        writer.encoder.encode(value, out).map_err(|error| match error.exception() {
            exception::SERIALIZATION => {
                error.wrapped_in(exception::SERIALIZATION, "Error serializing Avro message")
            }
            _ => error,
        })
    }
}

/// Whether a record goes the way of the one before, without looking into names and schemas.
fn is_same(before: (&Topic, Option<&Schema>), topic: &Topic, schema: Option<&Schema>) -> bool {
    let same_schema = match (before.1, schema) {
        (Some(before), Some(schema)) => before.same(schema),
        (None, None) => true,
        _ => false,
    };
    same_schema && before.0 == topic
}

/// A registry's refusal, with the schema that it is about. What is wrong with the registry itself stays as it is.
#[cold]
fn of_serializer(error: Error, doing: &str, mapped: &Mapped) -> Error {
    if !is_of_one_schema(&error) {
        return error;
    }
    error.wrapped_in(exception::SERIALIZATION, format!("{doing}{}", mapped.text.text()))
}
