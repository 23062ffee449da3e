//! Texts of schemas, as Confluent's converter registers them: what its printer (everit-json-schema 1.14.6, and Jackson
//! behind it) makes of the same schemas.

use lavka_api::data::{Logical, Schema, SchemaBuilder, Type, Value};
use lavka_converters::json::ONE_OF;

use super::settings;
use crate::text::text_of;

fn text(schema: SchemaBuilder) -> String {
    text_of(&schema.build().unwrap(), &settings(&[])).unwrap()
}

#[test]
fn scalars() {
    for (ty, expected) in [
        (Type::Int8, r#"{"type":"integer","connect.type":"int8"}"#),
        (Type::Int16, r#"{"type":"integer","connect.type":"int16"}"#),
        (Type::Int32, r#"{"type":"integer","connect.type":"int32"}"#),
        (Type::Int64, r#"{"type":"integer","connect.type":"int64"}"#),
        (Type::Float32, r#"{"type":"number","connect.type":"float32"}"#),
        (Type::Float64, r#"{"type":"number","connect.type":"float64"}"#),
        (Type::Boolean, r#"{"type":"boolean"}"#),
        (Type::String, r#"{"type":"string"}"#),
        (Type::Bytes, r#"{"type":"string","connect.type":"bytes"}"#),
    ] {
        assert_eq!(text(Schema::builder(ty)), expected);
        assert_eq!(
            text(Schema::builder(ty).optional()),
            format!(r#"{{"oneOf":[{{"type":"null"}},{expected}]}}"#)
        );
    }
}

#[test]
fn annotations() {
    let decimal = Schema::logical_of(Logical::Decimal(2)).to_builder();
    assert_eq!(
        text(decimal.clone()),
        r#"{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.version":1,"connect.type":"bytes","connect.parameters":{"scale":"2"}}"#
    );
    let numeric = text_of(&decimal.build().unwrap(), &settings(&[("decimal.format", "numeric")])).unwrap();
    assert!(numeric.starts_with(r#"{"type":"number","title""#), "{numeric}");
    assert_eq!(
        text(Schema::builder(Type::Float64).doc("a \"doc\"").default_value(Value::Float64(1.0)).optional()),
        r#"{"oneOf":[{"type":"null"},{"type":"number","description":"a \"doc\"","default":1,"connect.type":"float64"}]}"#
    );
    for (default, printed) in
        [(1.0, "1"), (1.5, "1.5"), (1e10, "1.0E+10"), (1e-5, "0.000010"), (-0.25, "-0.25"), (1e-3, "0.001")]
    {
        let text = text(Schema::builder(Type::Float64).default_value(Value::Float64(default)));
        assert!(text.contains(&format!("\"default\":{printed},")), "{default}: {text}");
    }
}

#[test]
fn structs_maps_and_arrays() {
    let inner =
        Schema::structure().name("In").field("x", Schema::of(Type::Boolean)).optional().build().unwrap();
    let schema = Schema::structure()
        .name("org.example.Order")
        .version(3)
        .doc("An order")
        .field("id", Schema::of(Type::Int64))
        .field("name", Schema::optional(Type::String))
        .field("in", inner)
        .field("tags", Schema::array(Schema::of(Type::String)))
        .field("texts", Schema::map(Schema::of(Type::String), Schema::optional(Type::Int32)))
        .field("codes", Schema::map(Schema::of(Type::Int32), Schema::of(Type::String)));
    assert_eq!(
        text(schema),
        concat!(
            r#"{"type":"object","title":"org.example.Order","description":"An order","connect.version":3,"properties":{"#,
            r#""codes":{"type":"array","connect.index":5,"connect.type":"map","items":{"type":"object","properties":{"value":{"type":"string","connect.index":1},"key":{"type":"integer","connect.index":0,"connect.type":"int32"}}}},"#,
            r#""texts":{"type":"object","connect.index":4,"connect.type":"map","additionalProperties":{"oneOf":[{"type":"null"},{"type":"integer","connect.type":"int32"}]}},"#,
            r#""in":{"connect.index":2,"oneOf":[{"type":"null"},{"type":"object","title":"In","properties":{"x":{"connect.index":0,"type":"boolean"}}}]},"#,
            r#""name":{"connect.index":1,"oneOf":[{"type":"null"},{"type":"string"}]},"#,
            r#""id":{"type":"integer","connect.index":0,"connect.type":"int64"},"#,
            r#""tags":{"type":"array","connect.index":3,"items":{"type":"string"}}}}"#
        )
    );
    let closed = Schema::structure().field("a", Schema::of(Type::String)).build().unwrap();
    assert_eq!(
        text_of(&closed, &settings(&[("object.additional.properties", "false")])).unwrap(),
        r#"{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string","connect.index":0}}}"#
    );
}

#[test]
fn unions_and_enums() {
    let union = Schema::structure()
        .name(ONE_OF)
        .field(format!("{ONE_OF}.field.0"), Schema::optional(Type::Int32))
        .field(format!("{ONE_OF}.field.1"), Schema::optional(Type::String))
        .optional();
    assert_eq!(
        text(union),
        r#"{"oneOf":[{"type":"null"},{"type":"integer","connect.index":0,"connect.type":"int32"},{"type":"string","connect.index":1}]}"#
    );
    let color = ["RED", "GREEN", "BLUE", "ONE", "TWO"].into_iter().fold(
        Schema::builder(Type::String).parameter("io.confluent.connect.json.Enum", ""),
        |builder, symbol| builder.parameter(format!("io.confluent.connect.json.Enum.{symbol}"), symbol),
    );
    assert_eq!(text(color), r#"{"enum":["RED","BLUE","ONE","GREEN","TWO"]}"#);
}

#[test]
fn ids_become_references() {
    let point = Schema::structure()
        .name("Point")
        .parameter("io.confluent.connect.json.Id", "#id1")
        .field("x", Schema::of(Type::Int8))
        .build()
        .unwrap();
    let line = Schema::structure().field("from", point.clone()).field("to", point);
    assert_eq!(
        text(line),
        r##"{"type":"object","properties":{"from":{"type":"object","title":"Point","id":"#id1","connect.index":0,"properties":{"x":{"type":"integer","connect.index":0,"connect.type":"int8"}}},"to":{"$ref":"#id1"}}}"##
    );
}

#[test]
fn depth_is_bounded() {
    let mut schema = Schema::of(Type::Int8);
    for _ in 0..300 {
        schema = Schema::array(schema);
    }
    assert!(text_of(&schema, &settings(&[])).unwrap_err().to_string().contains("nested deeper"));
}
