//! From messages of Kafka to records.

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::data::{Datum, Topic};
use lavka_api::error::exception;
use lavka_api::plugin::Undecoded;
use lavka_api::{Error, Result};
use lavka_schema_registry::wire::Located;
use lavka_schema_registry::{Plans, ResolvedSchema, SchemaKey, SchemaText, Session, of_converter};

use super::Settings;
use crate::decode::DecodePlan;
use crate::schema::{File, Pool};

/// What tells apart how a payload is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    topic: Topic,
    schema: SchemaKey,
    indexes: Vec<i32>,
}

/// Everything that is known of the schemas that were read.
pub(super) struct Readers(Plans<Key, Reader>);

struct Reader {
    plan: DecodePlan,
    /// The full name of the message.
    name: String,
    /// The schema that it reads with, where that is the newest one instead of the writer's.
    latest: Option<Arc<ResolvedSchema>>,
}

impl Readers {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Plans::new(capacity))
    }

    /// Fetches the schemas that the batch needs. What is wrong with one schema is said when a record of it is read.
    pub(super) async fn prepare(
        &mut self,
        session: &Session,
        settings: &Settings,
        batch: &[Undecoded<'_>],
    ) -> Result<()> {
        self.0.begin();
        for undecoded in batch {
            // What names no schema is refused when it is read.
            let Ok(Some(located)) = session.locate(undecoded) else { continue };
            let Ok((indexes, _)) = located.take_indexes() else { continue };
            let key = Key { topic: undecoded.topic.clone(), schema: located.key, indexes };
            if !self.0.is_settled(&key) {
                let reader = self.reader(session, settings, &located, &key).await;
                let topic = undecoded.topic;
                let failed = format!("Failed to deserialize data for topic {topic} to Protobuf: ");
                let of_topic = |error| of_converter(error, "deserializing data", topic, &failed);
                self.0.settle(key, reader.map_err(of_topic))?;
            }
        }
        Ok(())
    }

    async fn reader(
        &mut self,
        session: &Session,
        settings: &Settings,
        located: &Located<'_>,
        key: &Key,
    ) -> Result<Arc<Reader>> {
        if let Some(known) = self.0.known(key) {
            let name = Some(known.name.as_str());
            if known.latest.is_none() || known.latest == session.latest_for_decode(&key.topic, name).await? {
                return Ok(known);
            }
        }
        let written = session.resolve_for_decode(located, &key.topic).await?;
        let file = parse(&written.schema)?;
        let name = file
            .message_name(&key.indexes)
            .ok_or_else(|| Error::data(format!("Invalid message indexes: {:?}", key.indexes)))?;
        let latest = session.latest_for_decode(&key.topic, Some(&name)).await?;
        let version = session.version_for_decode(&written.schema, &key.topic, Some(&name)).await?;
        let newest = latest.as_ref().map(|latest| linked(latest)).transpose()?;
        let pool = match newest {
            // A newest schema without the message leaves the writer's in force.
            Some(pool) if pool.message_named(&name).is_some() => pool,
            _ => link(&file, &written)?,
        };
        let plan = DecodePlan::compile(&pool, &name, version, &settings.mapping)?;
        Ok(Arc::new(Reader { plan, name, latest }))
    }

    /// Reads a record.
    pub(super) fn read(&mut self, session: &Session, undecoded: &Undecoded<'_>) -> Result<Datum> {
        let Some(located) = session.locate(undecoded)? else { return Ok(Datum::NULL) };
        let (indexes, payload) = located.take_indexes()?;
        let topic = undecoded.topic;
        let reader = self
            .0
            .find(
                |last| last.schema == located.key && last.indexes == indexes && last.topic == *topic,
                || Key { topic: topic.clone(), schema: located.key, indexes: indexes.clone() },
            )
            .map_err(|error| named(error, &located))?;
        reader.read(payload, &located)
    }
}

impl Reader {
    fn read(&self, payload: &[u8], located: &Located<'_>) -> Result<Datum> {
        let value = self.plan.read(payload).map_err(|error| named(error, located))?;
        Ok(Datum { schema: Some(self.plan.schema().clone()), value })
    }
}

#[cold]
fn named(error: Error, located: &Located<'_>) -> Error {
    error.wrapped_in(
        exception::SERIALIZATION,
        format!("Error deserializing Protobuf message for {}", located.key),
    )
}

fn parse(schema: &SchemaText) -> Result<Arc<File>> {
    File::parse("schema.proto", schema.text()).map(Arc::new)
}

fn linked(schema: &ResolvedSchema) -> Result<Pool> {
    link(&parse(&schema.schema)?, schema)
}

fn link(file: &Arc<File>, schema: &ResolvedSchema) -> Result<Pool> {
    let imports = schema
        .dependencies
        .iter()
        .map(|dependency| Ok((dependency.name.to_string(), parse(&dependency.schema)?)))
        .collect::<Result<HashMap<_, _>>>()?;
    Pool::link(file, &imports)
}
