//! The converter over a registry in memory.

mod conversion;
mod hostile;
mod mapping;
mod random;
mod texts;

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Schema, Topic, Value};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_schema_registry::SchemaType;
use lavka_schema_registry::mock::MockRegistry;

use crate::config::JsonSchemaConfig;
use crate::converter::JsonSchemaConverter;

pub(super) fn settings(entries: &[(&str, &str)]) -> JsonSchemaConfig {
    JsonSchemaConfig::read(&entries.iter().copied().collect()).unwrap()
}

/// A converter of values with its registry.
pub(super) struct Rig {
    pub(super) registry: MockRegistry,
    converter: JsonSchemaConverter,
    pub(super) topic: Topic,
}

impl Rig {
    pub(super) fn new(entries: &[(&str, &str)]) -> Self {
        Self::on(&MockRegistry::new(), entries)
    }

    pub(super) fn on(registry: &MockRegistry, entries: &[(&str, &str)]) -> Self {
        let config: Config = entries.iter().copied().collect();
        let session = registry.session(&config, ConverterRole::Value, SchemaType::Json).unwrap();
        let converter = JsonSchemaConverter::over(session, &config).unwrap();
        Self { registry: registry.clone(), converter, topic: Topic::from("t") }
    }

    pub(super) fn encode(&mut self, datum: &Datum) -> Result<Option<Vec<u8>>> {
        self.encode_with(datum, &mut Headers::new())
    }

    pub(super) fn encode_with(&mut self, datum: &Datum, headers: &mut Headers) -> Result<Option<Vec<u8>>> {
        block_on(self.converter.prepare_encode(&[(&self.topic, datum)]))?;
        let mut out = Vec::new();
        let wrote =
            self.converter.encode(&self.topic, headers, datum.schema.as_ref(), &datum.value, &mut out)?;
        Ok(wrote.then_some(out))
    }

    /// What each record of a batch is written as, or what is in the way.
    pub(super) fn encode_batch(&mut self, batch: &[Datum]) -> Result<Vec<Result<Option<Vec<u8>>>>> {
        let together: Vec<_> = batch.iter().map(|datum| (&self.topic, datum)).collect();
        block_on(self.converter.prepare_encode(&together))?;
        let mut encode = |datum: &Datum| {
            let mut out = Vec::new();
            let (schema, headers) = (datum.schema.as_ref(), &mut Headers::new());
            let wrote = self.converter.encode(&self.topic, headers, schema, &datum.value, &mut out)?;
            Ok(wrote.then_some(out))
        };
        Ok(batch.iter().map(&mut encode).collect())
    }

    /// What each message of a batch is read as, or what is in the way.
    pub(super) fn decode_batch(&mut self, batch: &[Vec<u8>]) -> Result<Vec<Result<Datum>>> {
        let payloads: Vec<Blob> = batch.iter().map(|bytes| Blob::from(&**bytes)).collect();
        let topic = self.topic.clone();
        let undecoded = |payload| Undecoded { topic: &topic, payload: Some(payload), headers: &[] };
        let together: Vec<_> = payloads.iter().map(undecoded).collect();
        block_on(self.converter.prepare_decode(&together))?;
        Ok(together.iter().map(|undecoded| self.converter.decode_record(undecoded)).collect())
    }

    pub(super) fn decode(&mut self, bytes: Option<&[u8]>) -> Result<Datum> {
        let payload = bytes.map(Blob::from);
        self.decode_record(&Undecoded { topic: &self.topic.clone(), payload: payload.as_ref(), headers: &[] })
    }

    pub(super) fn decode_record(&mut self, undecoded: &Undecoded<'_>) -> Result<Datum> {
        block_on(self.converter.prepare_decode(&[*undecoded]))?;
        self.converter.decode_record(undecoded)
    }

    /// What `value` comes back as.
    pub(super) fn there_and_back(&mut self, schema: &Schema, value: &Value) -> Datum {
        let bytes = self.encode(&Datum::new(schema.clone(), value.clone())).unwrap();
        self.decode(bytes.as_deref()).unwrap()
    }
}

pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
