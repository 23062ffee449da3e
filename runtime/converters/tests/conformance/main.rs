//! The converters against what Apache Kafka 4.3.0 does. Row numbers (J…, JR…) are those of the conformance tables; a
//! row stands in the name of its test or in its table.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod describe;
mod envelope;
mod header;
mod observed;
mod read;
mod write;

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Topic, Value};
use lavka_api::plugin::{Converter, ConverterRole, Factory, HeaderConverter, Plugin};
use lavka_api::{Error, Result};

fn topic() -> Topic {
    Topic::from("t")
}

/// The catalogue entry of `class`, without its package, that makes converters of keys and values.
fn plugin(class: &str) -> Plugin {
    let plugins = lavka_converters::plugins();
    let found = plugins.into_iter().find(|plugin| {
        plugin.class.ends_with(&format!(".{class}")) && matches!(plugin.factory, Factory::Converter(_))
    });
    found.unwrap_or_else(|| panic!("no converter {class}"))
}

fn make<const N: usize>(class: &str, config: [(&str, &str); N]) -> Result<Box<dyn Converter>> {
    match plugin(class).factory {
        Factory::Converter(make) => make(&Config::from(config), ConverterRole::Value),
        _ => panic!("{class} converts no values"),
    }
}

fn json<const N: usize>(config: [(&str, &str); N]) -> Box<dyn Converter> {
    make("JsonConverter", config).unwrap()
}

fn header_converter(class: &str) -> Box<dyn HeaderConverter> {
    for plugin in lavka_converters::plugins() {
        if let Factory::HeaderConverter(make) = plugin.factory
            && plugin.class.ends_with(&format!(".{class}"))
        {
            return make(&Config::new()).unwrap();
        }
    }
    panic!("no header converter {class}")
}

fn encode(converter: &mut dyn Converter, datum: &Datum) -> Result<Option<String>> {
    let mut out = Vec::new();
    let written =
        converter.encode(&topic(), &mut Headers::new(), datum.schema.as_ref(), &datum.value, &mut out)?;
    assert!(written || out.is_empty());
    Ok(written.then(|| String::from_utf8(out).unwrap()))
}

fn decode(converter: &mut dyn Converter, payload: impl AsRef<[u8]>) -> Result<Datum> {
    converter.decode(&topic(), Some(&Blob::from(payload.as_ref())))
}

fn message(error: &Error) -> &str {
    error.message().unwrap_or_default()
}

/// Text of a value without schema, as the converter with `schemas.enable=false` writes it.
fn plain(value: impl Into<Value>) -> String {
    encode(&mut *json([("schemas.enable", "false")]), &Datum::schemaless(value)).unwrap().unwrap()
}
