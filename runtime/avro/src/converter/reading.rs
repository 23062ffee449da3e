//! From messages of Kafka to records.

use std::sync::Arc;

use lavka_api::data::{Datum, ShapeTable, Topic};
use lavka_api::error::exception;
use lavka_api::plugin::Undecoded;
use lavka_api::{Error, Result};
use lavka_schema_registry::wire::Located;
use lavka_schema_registry::{Plans, ResolvedSchema, SchemaKey, Session, of_converter};

use super::parse;
use crate::codec::Decoder;
use crate::mapping::Mapping;

/// Key transitions of schemaless objects that are kept.
const SHAPES: usize = 10_000;

type Key = (Topic, SchemaKey);

pub(super) struct Readers {
    mapping: Mapping,
    fail_on_trailing: bool,
    readers: Plans<Key, Reader>,
    shapes: ShapeTable,
}

struct Reader {
    decoder: Decoder,
    /// The full name of the writer's schema.
    name: Option<String>,
    /// The schema that it reads as, where that is the newest one instead of the writer's.
    latest: Option<Arc<ResolvedSchema>>,
}

impl Readers {
    pub(super) fn new(mapping: Mapping, fail_on_trailing: bool, capacity: usize) -> Self {
        Self { mapping, fail_on_trailing, readers: Plans::new(capacity), shapes: ShapeTable::new(SHAPES) }
    }

    /// Fetches the schemas that the batch needs. What is wrong with one schema is said when a record of it is read.
    pub(super) async fn prepare(&mut self, session: &Session, batch: &[Undecoded<'_>]) -> Result<()> {
        self.readers.begin();
        let mut before: Option<(&Topic, SchemaKey)> = None;
        for undecoded in batch {
            // What names no schema is refused when it is read.
            let Ok(Some(located)) = session.locate(undecoded) else { continue };
            if before == Some((undecoded.topic, located.key)) {
                continue;
            }
            before = Some((undecoded.topic, located.key));
            let key = (undecoded.topic.clone(), located.key);
            if !self.readers.is_settled(&key) {
                let reader = self.reader(session, &located, &key).await;
                let topic = undecoded.topic;
                let failed = format!("Failed to deserialize data for topic {topic} to Avro: ");
                let of_topic = |error| of_converter(error, "deserializing data", topic, &failed);
                self.readers.settle(key, reader.map_err(of_topic))?;
            }
        }
        Ok(())
    }

    async fn reader(&mut self, session: &Session, located: &Located<'_>, key: &Key) -> Result<Arc<Reader>> {
        let topic = &key.0;
        if let Some(known) = self.readers.known(key) {
            let name = known.name.as_deref();
            if known.latest.is_none() || known.latest == session.latest_for_decode(topic, name).await? {
                return Ok(known);
            }
        }
        let written = session.resolve_for_decode(located, topic).await?;
        let writer = parse(&written)?;
        let latest = session.latest_for_decode(topic, writer.full_name()).await?;
        let version = session.version_for_decode(&written.schema, topic, writer.full_name()).await?;
        let reader = match &latest {
            Some(latest) if latest.schema != written.schema => parse(latest)?,
            _ => writer.clone(),
        };
        let decoder = Decoder::new(&self.mapping, &writer, &reader, version)?
            .refusing_trailing_data(self.fail_on_trailing);
        Ok(Arc::new(Reader { decoder, name: writer.full_name().map(str::to_owned), latest }))
    }

    pub(super) fn read(&mut self, session: &Session, undecoded: &Undecoded<'_>) -> Result<Datum> {
        let Some(located) = session.locate(undecoded)? else { return Ok(Datum::NULL) };
        let topic = undecoded.topic;
        let reader = self
            .readers
            .find(|last| last.1 == located.key && last.0 == *topic, || (topic.clone(), located.key))
            .map_err(|error| named(error, &located))?;
        let value = reader
            .decoder
            .decode(located.payload, &mut self.shapes)
            .map_err(|error| named(error, &located))?;
        Ok(Datum { schema: reader.decoder.schema().cloned(), value })
    }
}

/// Says which schema the data was to be read with.
#[cold]
fn named(error: Error, located: &Located<'_>) -> Error {
    error
        .wrapped_in(exception::SERIALIZATION, format!("Error deserializing Avro message for {}", located.key))
}
