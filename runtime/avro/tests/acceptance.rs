//! The converter keeps what the runtime counts on, over a registry in memory.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, Struct, Type, Value};
use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::acceptance;

/// A record of the types that there are, under the registry's version of its schema where there is one.
fn reading(version: Option<i32>) -> Datum {
    let of = Schema::of;
    let mut builder = Schema::structure().name("org.example.Reading");
    if let Some(version) = version {
        builder = builder.version(version);
    }
    let schema = builder
        .field("device", of(Type::String))
        .field("celsius", Schema::optional(Type::Float64))
        .field("raw", of(Type::Bytes))
        .field("price", Schema::logical_of(Logical::Decimal(2)))
        .field("at", Schema::logical_of(Logical::Timestamp))
        .field("tags", Schema::array(of(Type::String)))
        .field("counts", Schema::map(of(Type::String), of(Type::Int64)))
        .field("small", of(Type::Int8))
        .build()
        .unwrap();
    let values: Vec<Value> = vec![
        "d-1".into(),
        Value::Null,
        Blob::from(vec![0, 0xff]).into(),
        Decimal::new(1234, 2).into(),
        Value::Timestamp(1_700_000_000_000),
        vec!["a".into(), "b".into()].into(),
        Value::Map([("k".into(), Value::Int64(-1))].into()),
        Value::Int8(-8),
    ];
    Datum::new(schema.clone(), Struct::new(schema, values).unwrap())
}

#[test]
fn the_contract_of_converters_is_kept() {
    let server = MockRegistry::new().serve().unwrap();
    acceptance::converter(lavka_avro::plugins().remove(0))
        .config([("schema.registry.url", server.url().as_str()), ("max.retries", "0")])
        .changes(reading(None), reading(Some(1)))
        .keeps(Datum::new(Schema::builder(Type::Int8).version(2).build().unwrap(), 7_i8))
        .refuses("schemas.cache.config", "0")
        .refuses("schema.registry.url", "localhost")
        .refuses("value.subject.name.strategy", "org.example.Mine")
        .refuses("value.schema.id.serializer", "org.example.Mine")
        .refuses("rule.executors", "mine")
        .check()
        .assert_clean();
}
