//! From messages of Kafka to records.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lavka_api::data::{Datum, Topic};
use lavka_api::error::exception;
use lavka_api::plugin::Undecoded;
use lavka_api::{Error, Result};
use lavka_schema_registry::wire::Located;
use lavka_schema_registry::{ResolvedSchema, SchemaKey, SchemaText, Session};

use super::cache::Cache;
use super::{Settings, is_of_one_schema};
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
pub(super) struct Readers {
    readers: Cache<Key, Arc<Reader>>,
    /// The one that was used last.
    last: Option<(Key, Arc<Reader>)>,
    /// Schemas of the batch that cannot be read.
    refused: HashMap<Key, Error>,
    /// The newest schemas of subjects (`use.latest.version`), and when they were asked for.
    latest: Cache<Arc<str>, (Instant, Arc<ResolvedSchema>)>,
}

struct Reader {
    plan: DecodePlan,
    /// The schema that it reads with, where that is the newest one instead of the writer's.
    latest: Option<Arc<ResolvedSchema>>,
}

impl Readers {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            readers: Cache::new(capacity),
            last: None,
            refused: HashMap::new(),
            latest: Cache::new(capacity),
        }
    }

    /// Fetches the schemas that the batch needs. What is wrong with one schema is said when a record of it is read.
    pub(super) async fn prepare(
        &mut self,
        session: &Session,
        settings: &Settings,
        batch: &[Undecoded<'_>],
    ) -> Result<()> {
        self.refused.clear();
        self.last = None;
        let mut seen = HashSet::new();
        for undecoded in batch {
            // What names no schema is refused when it is read.
            let Ok(Some(located)) = session.locate(undecoded) else { continue };
            let Ok((indexes, _)) = located.take_indexes() else { continue };
            let key = Key { topic: undecoded.topic.clone(), schema: located.key, indexes };
            if seen.contains(&key) {
                continue;
            }
            seen.insert(key.clone());
            match self.reader(session, settings, &located, &key).await {
                Ok(()) => {}
                Err(error) if is_of_one_schema(&error) => {
                    self.refused.insert(key, error);
                }
                Err(error) => return Err(error),
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
    ) -> Result<()> {
        let follows_latest = settings.registry.latest;
        if !follows_latest && self.readers.get(key).is_some() {
            return Ok(());
        }
        let written = session.resolve_for_decode(located, &key.topic).await?;
        let file = parse(&written.schema)?;
        let name = file
            .message_name(&key.indexes)
            .ok_or_else(|| Error::data(format!("Invalid message indexes: {:?}", key.indexes)))?;
        let latest = match follows_latest {
            true => Some(self.latest(session, settings, &key.topic, &name).await?),
            false => None,
        };
        let is_known = |known: &Arc<Reader>| match (&known.latest, &latest) {
            (Some(known), Some(latest)) => Arc::ptr_eq(known, latest),
            (known, latest) => known.is_none() && latest.is_none(),
        };
        if self.readers.get(key).is_some_and(is_known) {
            return Ok(());
        }
        let version = session.version_for_decode(&written.schema, &key.topic, Some(&name)).await?;
        let newest = latest.as_ref().map(|latest| linked(latest)).transpose()?;
        let pool = match newest {
            // A newest schema without the message leaves the writer's in force.
            Some(pool) if pool.message_named(&name).is_some() => pool,
            _ => link(&file, &written)?,
        };
        let plan = DecodePlan::compile(&pool, &name, version, &settings.mapping)?;
        self.readers.put(key.clone(), Arc::new(Reader { plan, latest }));
        Ok(())
    }

    /// The newest schema of the subject, asked for again in its time.
    async fn latest(
        &mut self,
        session: &Session,
        settings: &Settings,
        topic: &Topic,
        name: &str,
    ) -> Result<Arc<ResolvedSchema>> {
        let subject = session.subject(topic, Some(name))?;
        let lifetime = u64::try_from(settings.registry.latest_cache_ttl).ok().map(Duration::from_secs);
        let before = self.latest.get(&subject).cloned();
        if let Some((asked, known)) = &before
            && lifetime.is_none_or(|lifetime| asked.elapsed() < lifetime)
        {
            return Ok(Arc::clone(known));
        }
        let found = session.registry().latest(&subject).await?.schema;
        let found = match before {
            Some((_, known)) if *known == found => known,
            _ => Arc::new(found),
        };
        self.latest.put(subject, (Instant::now(), Arc::clone(&found)));
        Ok(found)
    }

    /// Reads a record.
    pub(super) fn read(&mut self, session: &Session, undecoded: &Undecoded<'_>) -> Result<Datum> {
        let Some(located) = session.locate(undecoded)? else { return Ok(Datum::NULL) };
        let (indexes, payload) = located.take_indexes()?;
        let is_last =
            |key: &Key| key.schema == located.key && key.indexes == indexes && key.topic == *undecoded.topic;
        if !self.last.as_ref().is_some_and(|(key, _)| is_last(key)) {
            let key = Key { topic: undecoded.topic.clone(), schema: located.key, indexes };
            if let Some(error) = self.refused.get(&key) {
                return Err(named(error.clone(), &located));
            }
            let found = self.readers.get(&key).ok_or_else(|| {
                Error::data(format!(
                    "The schema with {} was not prepared for topic {}",
                    key.schema, key.topic
                ))
            })?;
            self.last = Some((key, Arc::clone(found)));
        }
        let Some((_, reader)) = &self.last else { return Ok(Datum::NULL) };
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
