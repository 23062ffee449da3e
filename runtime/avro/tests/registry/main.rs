//! The converter with a real registry, and with the serializers that others wrote for Python.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod everything;
mod python;

use lavka_api::ErrorClass;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter, ConverterRole, Factory, Undecoded};
use lavka_testkit::{RestClient, services, unique};

/// The converter as a worker makes it.
fn converter(url: &str, entries: &[(&str, &str)]) -> Box<dyn Converter> {
    let mut config = Config::from([("schema.registry.url", url), ("converter.type", "value")]);
    for (key, value) in entries {
        config.set(*key, *value);
    }
    let Factory::Converter(make) = lavka_avro::plugins().remove(0).factory else { panic!("not a converter") };
    make(&config, ConverterRole::Value).unwrap()
}

fn encode(converter: &mut dyn Converter, topic: &Topic, datum: &Datum) -> lavka_api::Result<Vec<u8>> {
    block_on(converter.prepare_encode(&[(topic, datum)]))?;
    let mut out = Vec::new();
    let wrote =
        converter.encode(topic, &mut Headers::new(), datum.schema.as_ref(), &datum.value, &mut out)?;
    assert!(wrote);
    Ok(out)
}

fn decode(converter: &mut dyn Converter, topic: &Topic, bytes: &[u8]) -> lavka_api::Result<Datum> {
    let payload = Blob::from(bytes);
    let undecoded = Undecoded { topic, payload: Some(&payload), headers: &[] };
    block_on(converter.prepare_decode(&[undecoded]))?;
    converter.decode_record(&undecoded)
}

/// One runtime for all of a thread: the client keeps its connections on it.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

fn reading(optional: bool) -> Datum {
    let mut builder =
        Schema::structure().name("org.example.Reading").field("device", Schema::of(Type::String));
    let mut values: Vec<Value> = vec!["d-1".into()];
    if optional {
        builder = builder.field("celsius", Schema::optional(Type::Float64));
        values.push(21.5.into());
    }
    let schema = builder.build().unwrap();
    Datum::new(schema.clone(), Struct::new(schema, values).unwrap())
}

/// What a registry written by others is sent, it gives back as it was, so that nothing is registered twice.
#[test]
fn schemas_are_registered_looked_up_and_evolve() {
    let Some(registry) = services().schema_registry_for("schemas_are_registered_looked_up_and_evolve") else {
        return;
    };
    let topic = Topic::from(unique("readings"));
    let client = RestClient::new(registry.url());
    let mut first = converter(registry.url(), &[]);
    let old = encode(&mut *first, &topic, &reading(false)).unwrap();
    let new = encode(&mut *first, &topic, &reading(true)).unwrap();
    let versions = client.get(&format!("/subjects/{topic}-value/versions")).body;
    assert_eq!(versions, serde_json::json!([1, 2]));
    let mut second = converter(registry.url(), &[("auto.register.schemas", "false")]);
    assert_eq!(encode(&mut *second, &topic, &reading(true)).unwrap(), new);

    // By the writer's schema, and by the newest.
    for (settings, fields) in [(&[][..], 1), (&[("use.latest.version", "true")], 2)] {
        let mut reader = converter(registry.url(), settings);
        let back = decode(&mut *reader, &topic, &old).unwrap();
        assert_eq!(back.schema.as_ref().and_then(Schema::version), Some(1));
        let Value::Struct(record) = back.value else { panic!("no struct") };
        assert_eq!(record.get("device"), Some(&"d-1".into()));
        assert_eq!(record.values().len(), fields);
    }
    // Where the newest is to be written, an older record gets its defaults.
    let settings = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let mut latest = converter(registry.url(), &settings);
    let bytes = encode(&mut *latest, &topic, &reading(false)).unwrap();
    assert_eq!((&bytes[..5], &bytes[9..]), (&new[..5], &[0][..]));
}

/// The registry's refusal is this record's fault, and says which schema and why.
#[test]
fn an_incompatible_schema_is_a_data_error() {
    let Some(registry) = services().schema_registry_for("an_incompatible_schema_is_a_data_error") else {
        return;
    };
    let topic = Topic::from(unique("strict"));
    let mut converter = converter(registry.url(), &[]);
    encode(&mut *converter, &topic, &reading(false)).unwrap();
    let client = RestClient::new(registry.url());
    let level = client
        .put(&format!("/config/{topic}-value"), &serde_json::json!({ "compatibility": "BACKWARD" }))
        .status;
    assert_eq!(level, 200);
    let schema = Schema::structure()
        .name("org.example.Reading")
        .field("device", Schema::of(Type::String))
        .field("required", Schema::of(Type::Int32))
        .build()
        .unwrap();
    let datum = Datum::new(schema.clone(), Struct::new(schema, ["d".into(), Value::Int32(1)]).unwrap());
    let error = encode(&mut *converter, &topic, &datum).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data, "{error}");
    for part in ["409", "\"required\"", &format!("{topic}-value")] {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
}
