//! From records to messages of Kafka.

use std::sync::Arc;

use lavka_api::data::{Datum, Headers, Schema, Topic, Value};
use lavka_api::{Error, Result};
use lavka_schema_registry::wire::{Frame, write_indexes};
use lavka_schema_registry::{
    Cache, Plans, RegisteredSchema, ResolvedSchema, SchemaText, Session, of_converter,
};

use super::{Settings, compatibility, references};
use crate::encode::EncodePlan;
use crate::mapping::{Derived, derive};
use crate::schema::File;

type Key = (Topic, Schema);

/// Everything that is known of the schemas that were written, by topic where that matters.
pub(super) struct Writers {
    planned: Cache<Schema, Arc<Planned>>,
    writers: Plans<Key, Writer>,
}

/// What follows from a schema alone.
struct Planned {
    derived: Derived,
    plan: EncodePlan,
    text: SchemaText,
}

/// How records of one schema are written to one topic.
struct Writer {
    planned: Arc<Planned>,
    registered: Arc<RegisteredSchema>,
    frame: Frame,
}

impl Writers {
    pub(super) fn new(capacity: usize) -> Self {
        Self { planned: Cache::new(capacity), writers: Plans::new(capacity) }
    }

    /// Registers or looks up what the batch needs. What is wrong with one schema is said when a record of it is written.
    pub(super) async fn prepare(
        &mut self,
        session: &Session,
        settings: &Settings,
        batch: &[(&Topic, &Datum)],
    ) -> Result<()> {
        self.writers.begin();
        let mut before: Option<(&Topic, &Schema)> = None;
        for &(topic, datum) in batch {
            let Some(schema) = datum.schema.as_ref().filter(|_| !datum.value.is_null()) else { continue };
            if before.is_some_and(|before| before.1.same(schema) && before.0 == topic) {
                continue;
            }
            before = Some((topic, schema));
            let key = (topic.clone(), schema.clone());
            if !self.writers.is_settled(&key) {
                let writer = self.writer(session, settings, &key).await;
                let failed = format!("Failed to serialize Protobuf data from topic {topic} :");
                let of_topic = |error| of_converter(error, "serializing Protobuf data", topic, &failed);
                self.writers.settle(key, writer.map_err(of_topic))?;
            }
        }
        Ok(())
    }

    async fn writer(&mut self, session: &Session, settings: &Settings, key: &Key) -> Result<Arc<Writer>> {
        let (topic, schema) = key;
        let planned = self.planned(session, settings, schema).await?;
        let subject = session.subject(topic, Some(&planned.derived.message))?;
        // What stays the same comes from the session's memory; what may change is asked for again in its time.
        let registered = session.resolve_for_encode(&subject, &planned.text, &compatible).await?;
        if let Some(known) = self.writers.known(key)
            && Arc::ptr_eq(&known.registered, &registered)
        {
            return Ok(known);
        }
        let frame = frame(session, &planned, &registered)?;
        Ok(Arc::new(Writer { planned, registered, frame }))
    }

    async fn planned(
        &mut self,
        session: &Session,
        settings: &Settings,
        schema: &Schema,
    ) -> Result<Arc<Planned>> {
        if let Some(known) = self.planned.get(schema) {
            return Ok(Arc::clone(known));
        }
        let derived = derive(schema, &settings.mapping)?;
        let plan = EncodePlan::compile(schema, &derived, &settings.mapping)?;
        let text = references::with_references(session, settings, &derived).await?;
        let planned = Arc::new(Planned { derived, plan, text });
        self.planned.put(schema.clone(), Arc::clone(&planned));
        Ok(planned)
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
        let schema = match (schema, value) {
            (_, Value::Null) => return Ok(false),
            (Some(schema), _) => schema,
            (None, _) => {
                return Err(Error::data(
                    "Protobuf needs a schema, and the record has none: give it one, for example by a transform, or use a \
                     converter that writes records without one",
                ));
            }
        };
        let writer = self
            .writers
            .find(|last| last.1.same(schema) && last.0 == *topic, || (topic.clone(), schema.clone()))?;
        writer.frame.write(headers, out);
        writer.planned.plan.write(value, out)?;
        Ok(true)
    }
}

/// What stands before the payload: the id, and where the message is in the file that the id names.
fn frame(session: &Session, planned: &Planned, registered: &RegisteredSchema) -> Result<Frame> {
    let text = &registered.schema.schema;
    let indexes = if text.text() == planned.derived.text.as_str() {
        planned.derived.file.message_indexes(&planned.derived.message)
    } else {
        File::parse(&registered.subject, text.text())?.message_indexes(&planned.derived.message)
    };
    let mut bytes = Vec::new();
    write_indexes(if indexes.is_empty() { &[0] } else { &indexes }, &mut bytes);
    session.frame(registered, &bytes)
}

fn compatible(registered: &ResolvedSchema, own: &SchemaText) -> Result<(), String> {
    if registered.schema.text() == own.text() {
        return Ok(());
    }
    let parse =
        |text: &SchemaText| File::parse("schema.proto", text.text()).map_err(|error| error.to_string());
    compatibility::check(&parse(&registered.schema)?, &parse(own)?)
}
