//! A converter as the engine drives it, one record at a time.

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Str, Topic, Value};
use lavka_api::plugin::{Converter, ConverterRole, Factory, Plugin, Undecoded};
use lavka_api::{Error, Result};
use tokio::runtime::Runtime;

use crate::failure::{Context as _, Failure, OrFail as _};

/// The header in which a message of the header form names the schema of its value.
const SCHEMA_HEADER: &str = "__value_schema_id";

/// A converter of values and the runtime that its connections live on. Each record is a batch of its own.
pub struct DrivenConverter {
    converter: Box<dyn Converter>,
    runtime: Runtime,
}

impl DrivenConverter {
    /// The converter that a worker makes of `plugin` with these keys.
    #[track_caller]
    pub fn new(plugin: &Plugin, keys: &[(&str, &str)]) -> Self {
        let mut config = Config::from([("converter.type", "value")]);
        for (key, value) in keys {
            config.set(*key, *value);
        }
        let Factory::Converter(make) = plugin.factory else {
            crate::failure::fail(format!("{} is no converter", plugin.class))
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context(|| "cannot make a runtime".into()).or_fail();
        let converter = {
            let _inside = runtime.enter();
            make(&config, ConverterRole::Value)
        };
        let failed = |error: Error| Failure::new(format!("{} cannot be made: {error}", plugin.class));
        Self { converter: converter.map_err(failed).or_fail(), runtime }
    }

    /// The message that `datum` becomes; `None` for null.
    ///
    /// # Errors
    /// Those of the converter.
    pub fn encode(&mut self, topic: &Topic, datum: &Datum) -> Result<Option<Vec<u8>>> {
        self.encode_with(topic, datum, &mut Headers::new())
    }

    fn encode_with(
        &mut self,
        topic: &Topic,
        datum: &Datum,
        headers: &mut Headers,
    ) -> Result<Option<Vec<u8>>> {
        self.runtime.block_on(self.converter.prepare_encode(&[(topic, datum)]))?;
        let mut out = Vec::new();
        let schema = datum.schema.as_ref();
        let wrote = self.converter.encode(topic, headers, schema, &datum.value, &mut out)?;
        Ok(wrote.then_some(out))
    }

    /// The message that `datum`, which is not null, becomes.
    ///
    /// # Errors
    /// Those of the converter, and one where it made null of it.
    pub fn write(&mut self, topic: &Topic, datum: &Datum) -> Result<Vec<u8>> {
        self.encode(topic, datum)?.ok_or_else(|| Error::data(format!("{datum:?} became null")))
    }

    /// What a message says.
    ///
    /// # Errors
    /// Those of the converter.
    pub fn read(&mut self, topic: &Topic, message: &[u8]) -> Result<Datum> {
        self.read_with(topic, message, &[])
    }

    fn read_with(&mut self, topic: &Topic, message: &[u8], headers: &[(Str, Option<Blob>)]) -> Result<Datum> {
        let payload = Blob::from(message);
        let undecoded = Undecoded { topic, payload: Some(&payload), headers };
        self.runtime.block_on(self.converter.prepare_decode(&[undecoded]))?;
        self.converter.decode_record(&undecoded)
    }

    /// The message that `datum` becomes in the header form: what its header names the schema by, and the payload.
    ///
    /// # Errors
    /// Those of the converter, and one where there is no such header.
    pub fn write_with_header(&mut self, topic: &Topic, datum: &Datum) -> Result<[Vec<u8>; 2]> {
        let mut headers = Headers::new();
        let payload = self.encode_with(topic, datum, &mut headers)?;
        match (headers.last(SCHEMA_HEADER).map(|header| &header.value), payload) {
            (Some(Value::Bytes(name)), Some(payload)) => Ok([name.to_vec(), payload]),
            (name, _) => Err(Error::data(format!("{datum:?} is named by {name:?}"))),
        }
    }

    /// What a message of the header form says.
    ///
    /// # Errors
    /// Those of the converter.
    pub fn read_with_header(&mut self, topic: &Topic, name: &[u8], payload: &[u8]) -> Result<Datum> {
        self.read_with(topic, payload, &[(SCHEMA_HEADER.into(), Some(Blob::from(name)))])
    }
}
