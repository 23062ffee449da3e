//! One codec serves keys, values and headers.

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Schema, Topic, Value};
use lavka_api::plugin::{Converter, ConverterRole, HeaderConverter};
use lavka_api::{Error, Result, error::exception};

/// A conversion that looks at nothing but the data itself: neither topic nor headers.
pub(crate) trait Codec: Send {
    /// From bytes to data.
    fn decode(&mut self, payload: Option<&Blob>) -> Result<Datum>;

    /// From data to bytes, appended to `out`; false for null bytes, with nothing appended.
    fn encode(&mut self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<bool>;
}

/// A [`Codec`] in any role.
pub(crate) struct Plain<C>(pub(crate) C);

impl<C: Codec> Converter for Plain<C> {
    fn decode(&mut self, _: &Topic, payload: Option<&Blob>) -> Result<Datum> {
        self.0.decode(payload)
    }

    fn encode(
        &mut self,
        _: &Topic,
        _: &mut Headers,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool> {
        self.0.encode(schema, value, out)
    }
}

impl<C: Codec> HeaderConverter for Plain<C> {
    fn decode(&mut self, _: &Topic, _: &str, payload: Option<&Blob>) -> Result<Datum> {
        self.0.decode(payload)
    }

    fn encode(&mut self, _: &Topic, _: &str, datum: &Datum, out: &mut Vec<u8>) -> Result<bool> {
        self.0.encode(datum.schema.as_ref(), &datum.value, out)
    }
}

/// The key that says what a converter converts; Connect's framework sets it.
pub(crate) const TYPE_KEY: &str = "converter.type";

/// `config` with the role in it, where the framework has not put it there already.
pub(crate) fn with_role(config: &Config, role: ConverterRole) -> Config {
    let mut config = config.clone();
    if !config.contains(TYPE_KEY) {
        let name = match role {
            ConverterRole::Key => "key",
            ConverterRole::Value => "value",
            ConverterRole::Header => "header",
        };
        config.set(TYPE_KEY, name);
    }
    config
}

/// The error of bytes that a (de)serialiser refuses, as the cause that Connect wraps into its own.
pub(crate) fn serialization(message: impl Into<String>) -> Error {
    Error::data(message).with_exception(exception::SERIALIZATION)
}
