//! From messages of Kafka to records.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lavka_api::data::{Datum, ShapeTable, Topic};
use lavka_api::error::exception;
use lavka_api::plugin::Undecoded;
use lavka_api::{Error, Result};
use lavka_schema_registry::wire::Located;
use lavka_schema_registry::{RegistryConfig, ResolvedSchema, SchemaKey, Session};

use super::cache::Cache;
use super::{is_of_one_schema, parse};
use crate::codec::Decoder;
use crate::mapping::Mapping;

/// Key transitions of schemaless objects that are kept.
const SHAPES: usize = 10_000;

type Key = (Topic, SchemaKey);

pub(super) struct Readers {
    mapping: Mapping,
    readers: Cache<Key, Arc<Reader>>,
    /// What the batch needs, whatever the caches have room for: how to read it, or why it cannot be read.
    batch: HashMap<Key, Result<Arc<Reader>>>,
    /// The one that was used last.
    last: Option<(Key, Arc<Reader>)>,
    latest: Option<Latest>,
    shapes: ShapeTable,
}

struct Reader {
    decoder: Decoder,
    /// The schema that it reads as, where that is the newest one instead of the writer's.
    latest: Option<Arc<ResolvedSchema>>,
}

/// The newest schemas of subjects (`use.latest.version`), and when they were asked for.
struct Latest {
    lifetime: Option<Duration>,
    known: Cache<Arc<str>, (Instant, Arc<ResolvedSchema>)>,
}

impl Readers {
    pub(super) fn new(mapping: Mapping, capacity: usize, registry: &RegistryConfig) -> Self {
        let latest = registry.latest.then(|| Latest {
            lifetime: u64::try_from(registry.latest_cache_ttl).ok().map(Duration::from_secs),
            known: Cache::new(usize::try_from(registry.latest_cache_size).unwrap_or(1)),
        });
        Self {
            mapping,
            readers: Cache::new(capacity),
            batch: HashMap::new(),
            last: None,
            latest,
            shapes: ShapeTable::new(SHAPES),
        }
    }

    /// Fetches the schemas that the batch needs. What is wrong with one schema is said when a record of it is read.
    pub(super) async fn prepare(&mut self, session: &Session, batch: &[Undecoded<'_>]) -> Result<()> {
        self.batch.clear();
        self.last = None;
        let mut before: Option<(&Topic, SchemaKey)> = None;
        for undecoded in batch {
            // What names no schema is refused when it is read.
            let Ok(Some(located)) = session.locate(undecoded) else { continue };
            if before == Some((undecoded.topic, located.key)) {
                continue;
            }
            before = Some((undecoded.topic, located.key));
            let key = (undecoded.topic.clone(), located.key);
            if self.batch.contains_key(&key) {
                continue;
            }
            let reader = self.reader(session, &located, &key).await;
            if let Err(error) = &reader
                && !is_of_one_schema(error)
            {
                return reader.map(drop);
            }
            self.batch.insert(key, reader);
        }
        Ok(())
    }

    async fn reader(&mut self, session: &Session, located: &Located<'_>, key: &Key) -> Result<Arc<Reader>> {
        let known = self.readers.get(key);
        if let Some(known) = &known
            && self.latest.is_none()
        {
            return Ok(Arc::clone(known));
        }
        let topic = &key.0;
        let written = session.resolve_for_decode(located, topic).await?;
        let writer = parse(&written)?;
        let latest = match &mut self.latest {
            Some(latest) => Some(latest.of(session, topic, writer.full_name()).await?),
            None => None,
        };
        if let Some(known) = known
            && let (Some(before), Some(latest)) = (&known.latest, &latest)
            && Arc::ptr_eq(before, latest)
        {
            return Ok(known);
        }
        let version = session.version_for_decode(&written.schema, topic, writer.full_name()).await?;
        let reader = match &latest {
            Some(latest) if latest.schema != written.schema => parse(latest)?,
            _ => writer.clone(),
        };
        let decoder = Decoder::new(&self.mapping, &writer, &reader, version)?;
        let reader = Arc::new(Reader { decoder, latest });
        self.readers.put(key.clone(), Arc::clone(&reader));
        Ok(reader)
    }

    pub(super) fn read(&mut self, session: &Session, undecoded: &Undecoded<'_>) -> Result<Datum> {
        let Some(located) = session.locate(undecoded)? else { return Ok(Datum::NULL) };
        let is_last = |key: &Key| key.1 == located.key && key.0 == *undecoded.topic;
        if !self.last.as_ref().is_some_and(|(key, _)| is_last(key)) {
            self.last = None;
            let key = (undecoded.topic.clone(), located.key);
            match self.batch.get(&key) {
                Some(Ok(reader)) => self.last = Some((key, Arc::clone(reader))),
                Some(Err(error)) => return Err(named(error.clone(), &located)),
                None => {}
            }
        }
        let Some((_, reader)) = &self.last else {
            return Err(Error::fatal(format!(
                "a message of topic {} was not in the batch that was prepared",
                undecoded.topic
            )));
        };
        let value = reader
            .decoder
            .decode(located.payload, &mut self.shapes)
            .map_err(|error| named(error, &located))?;
        Ok(Datum { schema: reader.decoder.schema().cloned(), value })
    }
}

impl Latest {
    /// The newest schema of the subject; asked for again in its time.
    async fn of(
        &mut self,
        session: &Session,
        topic: &Topic,
        record: Option<&str>,
    ) -> Result<Arc<ResolvedSchema>> {
        let subject = session.subject(topic, record)?;
        let before = self.known.get(&subject);
        if let Some((asked, known)) = &before
            && self.lifetime.is_none_or(|lifetime| asked.elapsed() < lifetime)
        {
            return Ok(Arc::clone(known));
        }
        let found = session.registry().latest(&subject).await?.schema;
        let found = match before {
            Some((_, known)) if *known == found => known,
            _ => Arc::new(found),
        };
        self.known.put(subject, (Instant::now(), Arc::clone(&found)));
        Ok(found)
    }
}

/// Says which schema the data was to be read with.
#[cold]
fn named(error: Error, located: &Located<'_>) -> Error {
    error
        .wrapped_in(exception::SERIALIZATION, format!("Error deserializing Avro message for {}", located.key))
}
