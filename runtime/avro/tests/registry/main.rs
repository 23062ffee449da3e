//! The converter with a real registry, and with the serializers that others wrote for Python.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod everything;
mod header;
mod python;

use lavka_api::ErrorClass;
use lavka_api::data::{Datum, Schema, Struct, Topic, Type, Value};
use lavka_testkit::{DrivenConverter, RestClient, services, unique};

/// The converter as a worker makes it.
fn converter(url: &str, keys: &[(&str, &str)]) -> DrivenConverter {
    DrivenConverter::new(&lavka_avro::plugins().remove(0), &[&[("schema.registry.url", url)], keys].concat())
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
    let old = first.write(&topic, &reading(false)).unwrap();
    let new = first.write(&topic, &reading(true)).unwrap();
    let versions = client.get(&format!("/subjects/{topic}-value/versions")).body;
    assert_eq!(versions, serde_json::json!([1, 2]));
    let mut second = converter(registry.url(), &[("auto.register.schemas", "false")]);
    assert_eq!(second.write(&topic, &reading(true)).unwrap(), new);

    // By the writer's schema, and by the newest.
    for (settings, fields) in [(&[][..], 1), (&[("use.latest.version", "true")], 2)] {
        let mut reader = converter(registry.url(), settings);
        let back = reader.read(&topic, &old).unwrap();
        assert_eq!(back.schema.as_ref().and_then(Schema::version), Some(1));
        let Value::Struct(record) = back.value else { panic!("no struct") };
        assert_eq!(record.get("device"), Some(&"d-1".into()));
        assert_eq!(record.values().len(), fields);
    }
    // Where the newest is to be written, an older record gets its defaults.
    let settings = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let mut latest = converter(registry.url(), &settings);
    let bytes = latest.write(&topic, &reading(false)).unwrap();
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
    converter.write(&topic, &reading(false)).unwrap();
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
    let error = converter.write(&topic, &datum).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data, "{error}");
    for part in ["409", "\"required\"", &format!("{topic}-value")] {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
}
