//! The converter with a real registry, and with the serializers that others wrote for Python.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod python;
mod session;

use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Topic};
use lavka_api::plugin::{Converter, ConverterRole, Factory, Undecoded};

/// The converter as a worker makes it.
pub(crate) fn converter(url: &str, entries: &[(&str, &str)]) -> Box<dyn Converter> {
    let mut config = Config::from([("schema.registry.url", url), ("converter.type", "value")]);
    for (key, value) in entries {
        config.set(*key, *value);
    }
    let plugin = lavka_json_schema::plugins().remove(0);
    let Factory::Converter(make) = plugin.factory else { panic!("not a converter") };
    make(&config, ConverterRole::Value).unwrap()
}

pub(crate) fn encode(
    converter: &mut dyn Converter,
    topic: &Topic,
    datum: &Datum,
) -> lavka_api::Result<Vec<u8>> {
    block_on(converter.prepare_encode(&[(topic, datum)]))?;
    let mut out = Vec::new();
    let wrote =
        converter.encode(topic, &mut Headers::new(), datum.schema.as_ref(), &datum.value, &mut out)?;
    assert!(wrote);
    Ok(out)
}

pub(crate) fn decode(converter: &mut dyn Converter, topic: &Topic, bytes: &[u8]) -> lavka_api::Result<Datum> {
    let payload = Blob::from(bytes);
    let undecoded = Undecoded { topic, payload: Some(&payload), headers: &[] };
    block_on(converter.prepare_decode(&[undecoded]))?;
    converter.decode_record(&undecoded)
}

/// One runtime for all of a thread: the client keeps its connections on it.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
