//! `io.confluent.connect.avro.AvroConverter`.

mod catalogue;
mod compatibility;
mod config;
mod reading;
mod writing;

use lavka_api::async_trait;
use lavka_api::config::{Config, ConfigSpec};
use lavka_api::data::{Blob, Datum, Headers, Schema, Topic, Value};
use lavka_api::error::{ErrorClass, exception};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_api::{Error, Result};
use lavka_schema_registry::{ResolvedSchema, SchemaType, Session};

pub use catalogue::plugins;
use config::MappingConfig;
use reading::Readers;
use writing::Writers;

use crate::schema::AvroSchema;

/// Records as Avro, with their schemas in a Schema Registry.
pub struct AvroConverter {
    session: Session,
    writers: Writers,
    readers: Readers,
}

impl AvroConverter {
    /// A converter of keys or values under `config`. Nothing is sent yet.
    ///
    /// # Errors
    /// A config error that names the first wrong key.
    pub fn new(config: &Config, role: ConverterRole) -> Result<Self> {
        Self::over(Session::new(config, role, SchemaType::Avro)?, config)
    }

    /// As [`new`](Self::new), with a session that is there already.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn over(session: Session, config: &Config) -> Result<Self> {
        let keys = MappingConfig::from_config(config)?;
        let capacity = usize::try_from(keys.cache_size).unwrap_or(1);
        Ok(Self {
            session,
            writers: Writers::new(keys.mapping(), capacity),
            readers: Readers::new(keys.mapping(), keys.fail_on_trailing, capacity),
        })
    }
}

#[async_trait]
impl Converter for AvroConverter {
    async fn prepare_decode(&mut self, batch: &[Undecoded<'_>]) -> Result<()> {
        self.readers.prepare(&self.session, batch).await
    }

    async fn prepare_encode(&mut self, batch: &[(&Topic, &Datum)]) -> Result<()> {
        self.writers.prepare(&self.session, batch).await
    }

    fn decode(&mut self, topic: &Topic, payload: Option<&Blob>) -> Result<Datum> {
        self.decode_record(&Undecoded { topic, payload, headers: &[] })
    }

    fn decode_record(&mut self, undecoded: &Undecoded<'_>) -> Result<Datum> {
        self.readers.read(&self.session, undecoded).map_err(|error| {
            outer(error, format!("Failed to deserialize data for topic {} to Avro:", undecoded.topic))
        })
    }

    fn encode(
        &mut self,
        topic: &Topic,
        headers: &mut Headers,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        self.writers
            .write(topic, headers, schema, value, out)
            .map_err(|error| outer(error, format!("Failed to serialize Avro data from topic {topic}:")))
    }
}

/// What the serializer would throw is wrapped, as in Java; what the mapping throws is not.
#[cold]
fn outer(error: Error, message: String) -> Error {
    let of_serializer = error.class() == ErrorClass::Data && error.exception() == exception::SERIALIZATION;
    if of_serializer { error.wrapped_in(exception::DATA, message) } else { error }
}

/// Whether an error is about one schema, so that records of others can go on.
fn is_of_one_schema(error: &Error) -> bool {
    error.class() == ErrorClass::Data
}

/// A registry's schema, with the types of its references.
fn parse(schema: &ResolvedSchema) -> Result<AvroSchema> {
    let references: Vec<&str> = schema.dependencies.iter().map(|it| it.schema.text()).collect();
    AvroSchema::parse_with(schema.schema.text(), &references)
}
