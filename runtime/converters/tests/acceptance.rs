//! The converters of keys and values keep what the runtime counts on.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use lavka_api::data::{Blob, Datum, Decimal, Logical, Object, Schema, Struct, Type, Value};
use lavka_api::plugin::{Catalogue, PluginKind};
use lavka_testkit::acceptance::{self, ConverterAcceptance};

fn converter(name: &str) -> ConverterAcceptance {
    let catalogue = Catalogue::new(lavka_converters::plugins());
    acceptance::converter(catalogue.find(name, |kind| kind == PluginKind::Converter).unwrap().clone())
}

fn reading() -> Datum {
    let schema = Schema::structure()
        .name("org.example.Reading")
        .version(1)
        .field("device", Schema::of(Type::String))
        .field("t", Schema::optional(Type::Float64))
        .field("raw", Schema::of(Type::Bytes))
        .field("price", Schema::logical_of(Logical::Decimal(2)))
        .field("at", Schema::logical_of(Logical::Timestamp))
        .field("tags", Schema::array(Schema::of(Type::String)))
        .build()
        .unwrap();
    let values: Vec<Value> = vec![
        "d-1".into(),
        21.5.into(),
        Blob::from(vec![0, 0xff]).into(),
        Decimal::new(1234, 2).into(),
        Value::Timestamp(1_700_000_000_000),
        vec!["a".into(), "b".into()].into(),
    ];
    Datum::new(schema.clone(), Struct::new(schema, values).unwrap())
}

#[test]
fn json_with_schemas() {
    converter("JsonConverter")
        .keeps(reading())
        .keeps(Datum::new(Schema::of(Type::Int8), 7_i8))
        .check()
        .assert_clean();
}

#[test]
fn json_without_schemas() {
    let object =
        Object::from_entries([("device", Value::from("d-1")), ("t", 21.5.into()), ("n", 7_i64.into())]);
    converter("JsonConverter")
        .config([("schemas.enable", "false"), ("decimal.format", "NUMERIC")])
        .keeps(Datum::schemaless(object))
        .changes(Datum::new(Schema::of(Type::Int8), 7_i8), Datum::schemaless(7_i64))
        .check()
        .assert_clean();
}

#[test]
fn text_and_bytes() {
    let string = || Schema::optional(Type::String);
    converter("StringConverter")
        .keeps(Datum::new(string(), "fünf"))
        .changes(Datum::schemaless(5_i64), Datum::new(string(), "5"))
        .refuses("converter.encoding", "no such charset")
        .check()
        .assert_clean();
    let bytes = Value::Bytes(Blob::from(vec![0, 1, 0xff]));
    converter("ByteArrayConverter")
        .keeps(Datum::new(Schema::optional(Type::Bytes), bytes))
        .check()
        .assert_clean();
}

#[test]
fn numbers_and_booleans() {
    for (name, ty, value) in [
        ("ShortConverter", Type::Int16, Value::Int16(i16::MIN)),
        ("IntegerConverter", Type::Int32, Value::Int32(i32::MAX)),
        ("LongConverter", Type::Int64, Value::Int64(-1)),
        ("FloatConverter", Type::Float32, Value::Float32(f32::NAN)),
        ("DoubleConverter", Type::Float64, Value::Float64(f64::MIN_POSITIVE)),
        ("BooleanConverter", Type::Boolean, Value::Boolean(true)),
    ] {
        converter(name).keeps(Datum::new(Schema::optional(ty), value)).check().assert_clean();
    }
}
