//! Values of every type, and what Python's serializers make of them.

use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, Struct, Type, Value};
use serde_json::{Value as Json, json};

/// A name, a schema, a value, and what Python reads: bytes as hexadecimal, decimals as text, instants in ISO 8601.
pub(crate) fn everything() -> Vec<(&'static str, Schema, Value, Json)> {
    let point =
        Schema::structure().name("org.example.Point").field("x", Schema::of(Type::Int32)).build().unwrap();
    let numbered = Schema::map(Schema::of(Type::Int32), Schema::of(Type::String));
    let color = Schema::builder(Type::String)
        .name("org.example.Color")
        .parameter("io.confluent.connect.avro.Enum", "org.example.Color")
        .parameter("io.confluent.connect.avro.Enum.RED", "RED")
        .parameter("io.confluent.connect.avro.Enum.BLUE", "BLUE")
        .build()
        .unwrap();
    let four = Schema::builder(Type::Bytes)
        .name("org.example.Four")
        .parameter("connect.fixed.size", "4")
        .build()
        .unwrap();
    let choice = Schema::structure()
        .name("io.confluent.connect.avro.Union")
        .field("long", Schema::optional(Type::Int64))
        .field("string", Schema::optional(Type::String))
        .build()
        .unwrap();
    let of = Schema::of;
    let logical = Schema::logical_of;
    let in_point = |x: i32| Value::from(Struct::new(point.clone(), [x.into()]).unwrap());
    let chosen = Value::from(Struct::new(choice.clone(), [Value::Null, "chosen".into()]).unwrap());
    vec![
        ("boolean", of(Type::Boolean), true.into(), json!(true)),
        ("int8", of(Type::Int8), (-5_i8).into(), json!(-5)),
        ("int16", of(Type::Int16), 300_i16.into(), json!(300)),
        ("int32", of(Type::Int32), i32::MIN.into(), json!(i32::MIN)),
        ("int64", of(Type::Int64), i64::MAX.into(), json!(i64::MAX)),
        ("float32", of(Type::Float32), 1.5_f32.into(), json!(1.5)),
        ("float64", of(Type::Float64), (-2.5e-9).into(), json!(-2.5e-9)),
        ("string", of(Type::String), "h\u{e4}user \u{1f600}".into(), json!("h\u{e4}user \u{1f600}")),
        ("bytes", of(Type::Bytes), Blob::from(&[0, 255, 16]).into(), json!("00ff10")),
        ("decimal", logical(Logical::Decimal(2)), Decimal::new(-12_345, 2).into(), json!("-123.45")),
        ("date", logical(Logical::Date), Value::Date(19_000), json!("2022-01-08")),
        ("time", logical(Logical::Time), Value::Time(3_723_004), json!("01:02:03.004000")),
        (
            "timestamp",
            logical(Logical::Timestamp),
            Value::Timestamp(1_700_000_000_123),
            json!("2023-11-14T22:13:20.123000+00:00"),
        ),
        ("array", Schema::array(of(Type::Int64)), vec![1_i64.into(), 2_i64.into()].into(), json!([1, 2])),
        (
            "map",
            Schema::map(of(Type::String), Schema::optional(Type::Int32)),
            Value::Map([("k".into(), 7_i32.into()), ("n".into(), Value::Null)].into()),
            json!({"k": 7, "n": null}),
        ),
        (
            "entries",
            numbered,
            Value::Map([(1_i32.into(), "a".into())].into()),
            json!([{"key": 1, "value": "a"}]),
        ),
        ("struct", point.clone(), in_point(4), json!({"x": 4})),
        ("enum", color, "BLUE".into(), json!("BLUE")),
        ("fixed", four, Blob::from(&[1, 2, 3, 4]).into(), json!("01020304")),
        ("union", choice, chosen, json!("chosen")),
    ]
}

/// One record with a field of every type.
pub(crate) fn record() -> (Datum, Json) {
    let mut builder = Schema::structure().name("org.example.Everything");
    let (mut values, mut expected) = (Vec::new(), serde_json::Map::new());
    for (name, schema, value, json) in everything() {
        builder = builder.field(name, schema);
        values.push(value);
        expected.insert(name.to_owned(), json);
    }
    let schema = builder.build().unwrap();
    (Datum::new(schema.clone(), Struct::new(schema, values).unwrap()), Json::Object(expected))
}

/// One record with an optional field of every type, all null.
pub(crate) fn nulls() -> (Datum, Json) {
    let mut builder = Schema::structure().name("org.example.Nothing");
    let (mut values, mut expected) = (Vec::new(), serde_json::Map::new());
    for (name, schema, ..) in everything() {
        builder = builder.field(name, schema.to_builder().optional().build().unwrap());
        values.push(Value::Null);
        expected.insert(name.to_owned(), Json::Null);
    }
    let schema = builder.build().unwrap();
    (Datum::new(schema.clone(), Struct::new(schema, values).unwrap()), Json::Object(expected))
}
