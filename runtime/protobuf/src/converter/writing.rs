//! From records to messages of Kafka.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lavka_api::data::{Datum, Headers, Schema, Topic, Value};
use lavka_api::{Error, Result};
use lavka_schema_registry::wire::{Frame, write_indexes};
use lavka_schema_registry::{RegisteredSchema, ResolvedSchema, SchemaText, Session};

use super::cache::Cache;
use super::{Settings, compatibility, is_of_one_schema, references};
use crate::encode::EncodePlan;
use crate::mapping::{Derived, derive};
use crate::schema::File;

/// Everything that is known of the schemas that were written, by topic where that matters.
pub(super) struct Writers {
    plans: Cache<Schema, Arc<Planned>>,
    writers: Cache<(Topic, Schema), Arc<Writer>>,
    /// The one that was used last.
    last: Option<Arc<Writer>>,
    /// Schemas of the batch that cannot be written.
    refused: HashMap<(Topic, Schema), Error>,
}

/// What follows from a schema alone.
struct Planned {
    derived: Derived,
    plan: EncodePlan,
    text: SchemaText,
}

/// How records of one schema are written to one topic.
struct Writer {
    topic: Topic,
    schema: Schema,
    planned: Arc<Planned>,
    registered: Arc<RegisteredSchema>,
    frame: Frame,
}

impl Writers {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            plans: Cache::new(capacity),
            writers: Cache::new(capacity),
            last: None,
            refused: HashMap::new(),
        }
    }

    /// Registers or looks up what the batch needs. What is wrong with one schema is said when a record of it is written.
    pub(super) async fn prepare(
        &mut self,
        session: &Session,
        settings: &Settings,
        batch: &[(&Topic, &Datum)],
    ) -> Result<()> {
        self.refused.clear();
        self.last = None;
        let mut seen = HashSet::new();
        for (topic, datum) in batch {
            let Some(schema) = datum.schema.as_ref().filter(|_| !datum.value.is_null()) else { continue };
            if !seen.insert((topic.as_str().as_ptr().addr(), schema.address())) {
                continue;
            }
            match self.writer(session, settings, topic, schema).await {
                Ok(()) => {}
                Err(error) if is_of_one_schema(&error) => {
                    self.refused.insert(((*topic).clone(), schema.clone()), error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn writer(
        &mut self,
        session: &Session,
        settings: &Settings,
        topic: &Topic,
        schema: &Schema,
    ) -> Result<()> {
        let planned = self.planned(session, settings, schema).await?;
        let subject = session.subject(topic, Some(&planned.derived.message))?;
        // What stays the same comes from the session's memory; what may change is asked for again in its time.
        let registered = session.resolve_for_encode(&subject, &planned.text, &compatible).await?;
        let key = (topic.clone(), schema.clone());
        if self.writers.get(&key).is_some_and(|known| Arc::ptr_eq(&known.registered, &registered)) {
            return Ok(());
        }
        let frame = frame(session, &planned, &registered)?;
        let writer = Writer { topic: topic.clone(), schema: schema.clone(), planned, registered, frame };
        self.writers.put(key, Arc::new(writer));
        Ok(())
    }

    async fn planned(
        &mut self,
        session: &Session,
        settings: &Settings,
        schema: &Schema,
    ) -> Result<Arc<Planned>> {
        if let Some(known) = self.plans.get(schema) {
            return Ok(Arc::clone(known));
        }
        let derived = derive(schema, &settings.mapping)?;
        let plan = EncodePlan::compile(schema, &derived, &settings.mapping)?;
        let text = references::with_references(session, settings, &derived).await?;
        let planned = Arc::new(Planned { derived, plan, text });
        self.plans.put(schema.clone(), Arc::clone(&planned));
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
        let is_last = |writer: &Writer| writer.schema.same(schema) && writer.topic == *topic;
        if !self.last.as_deref().is_some_and(is_last) {
            let key = (topic.clone(), schema.clone());
            if let Some(error) = self.refused.get(&key) {
                return Err(error.clone());
            }
            let found = self.writers.get(&key).ok_or_else(|| {
                Error::data(format!("The schema of this record was not prepared for topic {topic}"))
            })?;
            self.last = Some(Arc::clone(found));
        }
        let Some(writer) = &self.last else { return Ok(false) };
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
