//! The converter keeps what the runtime counts on, over a registry in memory.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, SchemaBuilder, Struct, Type, Value};
use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::acceptance;

/// A record of the types that there are, under the registry's version of its schema where there is one.
fn reading(name: &str, version: Option<i32>) -> Datum {
    let of = Schema::of;
    // Messages are always optional.
    let optional = |logical: Logical| SchemaBuilder::logical(logical).optional().build().unwrap();
    let mut builder = Schema::structure().name(name);
    if let Some(version) = version {
        builder = builder.version(version);
    }
    let schema = builder
        .field("device", of(Type::String))
        .field("celsius", Schema::optional(Type::Float64))
        .field("raw", of(Type::Bytes))
        .field("price", optional(Logical::Decimal(2)))
        .field("at", optional(Logical::Timestamp))
        .field("small", of(Type::Int8))
        .build()
        .unwrap();
    let values: Vec<Value> = vec![
        "d-1".into(),
        Value::Null,
        Blob::from(vec![0, 0xff]).into(),
        Decimal::new(1234, 2).into(),
        Value::Timestamp(1_700_000_000_000),
        Value::Int8(-8),
    ];
    Datum::new(schema.clone(), Struct::new(schema, values).unwrap())
}

#[test]
fn the_contract_of_converters_is_kept() {
    let server = MockRegistry::new().serve().unwrap();
    acceptance::converter(lavka_protobuf::plugins().remove(0))
        .config([
            ("schema.registry.url", server.url().as_str()),
            ("max.retries", "0"),
            ("optional.for.nullables", "true"),
        ])
        .changes(reading("org.example.Reading", None), reading("Reading", Some(1)))
        .refuses("schemas.cache.config", "0")
        .refuses("schema.registry.url", "localhost")
        .refuses("value.subject.name.strategy", "org.example.Mine")
        .refuses("value.schema.id.serializer", "org.example.Mine")
        .refuses("rule.executors", "mine")
        .check()
        .assert_clean();
}
