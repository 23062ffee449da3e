//! `io.confluent.connect.protobuf.ProtobufConverter`.

mod catalogue;
mod compatibility;
mod config;
mod reading;
mod references;
mod writing;

use lavka_api::async_trait;
use lavka_api::config::{Config, ConfigSpec};
use lavka_api::data::{Blob, Datum, Headers, Schema, Topic, Value};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_api::{Error, ErrorClass, Result};
use lavka_schema_registry::{RegistryConfig, SchemaType, Session};

pub use catalogue::plugins;
use config::ReferenceSettings;
use reading::Readers;
use writing::Writers;

use crate::settings::MappingSettings;

/// Records as Protobuf, with their schemas in a Schema Registry.
pub struct ProtobufConverter {
    session: Session,
    settings: Settings,
    writers: Writers,
    readers: Readers,
}

/// What the configuration says, apart from how the registry is reached.
struct Settings {
    mapping: MappingSettings,
    references: ReferenceSettings,
    registry: RegistryConfig,
}

impl ProtobufConverter {
    /// A converter of keys or values under `config`. Nothing is sent yet.
    ///
    /// # Errors
    /// A config error that names the first wrong key.
    pub fn new(config: &Config, role: ConverterRole) -> Result<Self> {
        Self::over(Session::new(config, role, SchemaType::Protobuf)?, config)
    }

    /// As [`new`](Self::new), with a session that is there already.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn over(session: Session, config: &Config) -> Result<Self> {
        let mapping = MappingSettings::from_config(config)?;
        let capacity = usize::try_from(mapping.cache_size).unwrap_or(1);
        let references = ReferenceSettings::from_config(config)?;
        let settings = Settings { mapping, references, registry: RegistryConfig::from_config(config)? };
        Ok(Self { session, settings, writers: Writers::new(capacity), readers: Readers::new(capacity) })
    }
}

#[async_trait]
impl Converter for ProtobufConverter {
    async fn prepare_decode(&mut self, batch: &[Undecoded<'_>]) -> Result<()> {
        self.readers.prepare(&self.session, &self.settings, batch).await
    }

    async fn prepare_encode(&mut self, batch: &[(&Topic, &Datum)]) -> Result<()> {
        self.writers.prepare(&self.session, &self.settings, batch).await
    }

    fn decode(&mut self, topic: &Topic, payload: Option<&Blob>) -> Result<Datum> {
        self.decode_record(&Undecoded { topic, payload, headers: &[] })
    }

    fn decode_record(&mut self, undecoded: &Undecoded<'_>) -> Result<Datum> {
        self.readers.read(&self.session, undecoded).map_err(|error| {
            wrapped(error, format!("Failed to deserialize data for topic {} to Protobuf:", undecoded.topic))
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
            .map_err(|error| wrapped(error, format!("Failed to serialize Protobuf data from topic {topic}:")))
    }
}

/// What the record is to blame for, as users know it from the Java converter.
#[cold]
fn wrapped(error: Error, message: String) -> Error {
    if error.class() == ErrorClass::Data {
        error.wrapped_in(lavka_api::error::exception::DATA, message)
    } else {
        error
    }
}
