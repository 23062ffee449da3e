//! `JsonConverter`, reading: rows JR1 to JR26.

use lavka_api::Error;
use lavka_api::data::{Datum, Decimal, Logical, Object, Schema, Struct, Type, Value};
use lavka_api::error::ErrorClass;
use lavka_api::plugin::ConverterRole;

use crate::{decode, json, make, message};

fn enveloped(schema: &str, payload: &str) -> Result<Datum, Error> {
    decode(&mut *json([]), format!(r#"{{"schema":{schema},"payload":{payload}}}"#))
}

/// The value of `payload` by a required schema of `ty`.
fn typed(ty: &str, payload: &str) -> Value {
    enveloped(&format!(r#"{{"type":"{ty}"}}"#), payload).unwrap().value
}

fn bare(document: &str) -> Result<Datum, Error> {
    decode(&mut *json([("schemas.enable", "false")]), document)
}

fn text_of(outcome: Result<Datum, Error>) -> String {
    message(&outcome.unwrap_err()).to_owned()
}

#[test]
fn jr1_to_jr8_values_of_another_type() {
    assert_eq!(typed("int32", "3000000000"), Value::Int32(-1_294_967_296), "JR1");
    assert_eq!(typed("int8", "300"), Value::Int8(44), "JR2");
    assert_eq!(typed("int32", "\"12\""), Value::Int32(0), "JR3");
    assert_eq!(typed("int32", "1.9"), Value::Int32(1), "JR3");
    assert_eq!(typed("string", "1"), Value::Null, "JR4");
    assert_eq!(typed("boolean", "\"true\""), Value::Boolean(false), "JR5");
    assert_eq!(
        text_of(enveloped(r#"{"type":"string"}"#, "null")),
        "Invalid null value for required STRING field",
        "JR6"
    );
    let defaulted = enveloped(r#"{"type":"boolean","default":true}"#, "null").unwrap();
    assert_eq!(defaulted.value, Value::Boolean(true), "JR7");
    assert_eq!(typed("int8", "0012"), Value::Int8(12), "JR8");
}

#[test]
fn jr9_jr19_jr20_schemas() {
    assert_eq!(text_of(enveloped(r#"{"type":"nope"}"#, "1")), "Unknown schema type: nope", "JR9");
    assert_eq!(text_of(enveloped("{}", "1")), "Schema must contain 'type' field", "JR9");
    let lax = enveloped(r#"{"type":"int8","optional":"true","version":"x"}"#, "1").unwrap();
    assert!(lax.schema.is_some_and(|schema| schema.same(&Schema::of(Type::Int8))), "JR19");
    assert_eq!(
        text_of(enveloped(r#"{"type":"int8","parameters":{"a":1}}"#, "1")),
        "Schema parameters must have string values.",
        "JR20"
    );
}

#[test]
fn jr10_not_an_envelope() {
    let text = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain \
                additional fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your \
                converter configuration.";
    for document in [
        r#"{"payload":1}"#,
        r#"{"schema":null,"payload":1,"x":2}"#,
        "12",
        "",
        " ",
        "null",
        "[]",
        r#"{"schema":{"type":"bytes"},"payload":"!!","x":1}"#,
    ] {
        let error = decode(&mut *json([]), document).unwrap_err();
        assert_eq!((message(&error), error.class()), (text, ErrorClass::Data), "JR10 {document}");
    }
}

#[test]
fn jr11_jr12_what_follows_and_what_is_broken() {
    for behind in [" text", r#"{"schema":null}"#, "\u{ff}"] {
        let document = format!(r#"{{"schema":null,"payload":1}}{behind}"#);
        assert_eq!(decode(&mut *json([]), document).unwrap(), Datum::schemaless(1i64), "JR11");
    }
    let text = "Converting byte[] to Kafka Connect data failed due to serialization error: ";
    for document in
        ["{bad", r#"{"schema":{"type":"bytes"},"payload":"!!""#, r#"{"schema":null,"payload":NaN}"#]
    {
        let error = decode(&mut *json([]), document).unwrap_err();
        assert_eq!(message(&error), text, "JR12");
        let cause = error.cause().unwrap();
        assert_eq!(cause.exception(), "org.apache.kafka.common.errors.SerializationException");
        assert!(message(cause).starts_with("Invalid JSON at byte "), "{cause}");
    }
    assert_eq!(text_of(bare("NaN")), text, "JR24");
}

#[test]
fn jr13_structs() {
    let schema = r#"{"type":"struct","fields":[{"type":"int32","field":"a"}]}"#;
    assert_eq!(
        text_of(enveloped(schema, r#"{"b":1}"#)),
        "Invalid null value for required INT32 field",
        "JR13"
    );
    let expected = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
    let record = Struct::new(expected.clone(), vec![Value::Int32(1)]).unwrap();
    for payload in [r#"{"a":1,"b":1}"#, r#"{"b":{"a":[2]},"a":1}"#, r#"{"a":5,"a":1}"#, r#" { "a" : 1 } "#] {
        let datum = enveloped(schema, payload).unwrap();
        assert_eq!(datum, Datum::new(expected.clone(), record.clone()), "JR13 {payload}");
    }
}

#[test]
fn jr14_to_jr17_logical_types_bytes_and_maps() {
    let decimal = r#"{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}}"#;
    assert_eq!(
        enveloped(decimal, "1.5").unwrap(),
        Datum::new(Schema::logical_of(Logical::Decimal(2)), Decimal::new(15, 1)),
        "JR14"
    );
    assert_eq!(enveloped(decimal, "\"AJw=\"").unwrap().value, Decimal::new(156, 2).into(), "JR14");
    let timestamp = r#"{"type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1}"#;
    assert_eq!(
        text_of(enveloped(timestamp, "\"x\"")),
        "Invalid type for Timestamp, underlying representation should be integral but was STRING",
        "JR15"
    );
    assert_eq!(text_of(enveloped(r#"{"type":"bytes"}"#, "\"!!\"")), "Invalid bytes field", "JR16");
    let map = r#"{"type":"map","keys":{"type":"int32"},"values":{"type":"int32"}}"#;
    assert_eq!(
        text_of(enveloped(map, r#"{"1":2}"#)),
        "Maps with non-string fields should be encoded as JSON array of tuples, but found OBJECT",
        "JR17"
    );
    assert_eq!(
        text_of(enveloped(map, "[[1]]")),
        "Found invalid map entry, expected length 2 but found :1",
        "JR17"
    );
}

#[test]
fn jr18_jr21_to_jr25_without_a_schema() {
    assert_eq!(enveloped("null", "12").unwrap(), Datum::schemaless(12i64), "JR18");
    assert_eq!(enveloped("null", "1.0").unwrap(), Datum::schemaless(1.0), "JR18");
    assert_eq!(bare("9223372036854775808").unwrap(), Datum::schemaless(i64::MIN), "JR21");
    assert_eq!(
        bare(r#"{"a":1,"a":2}"#).unwrap(),
        Datum::schemaless(Object::from_entries([("a", 2i64)])),
        "JR22"
    );
    assert_eq!(
        bare(r#"{"schema":null,"payload":1}"#).unwrap(),
        Datum::schemaless(Object::from_entries([("schema", Value::Null), ("payload", 1i64.into())])),
        "JR23"
    );
    assert_eq!(bare("").unwrap(), Datum::NULL, "JR25");
    for enable in ["true", "false"] {
        let mut converter = json([("schemas.enable", enable)]);
        assert_eq!(converter.decode(&crate::topic(), None).unwrap(), Datum::NULL, "JR25");
    }
}

#[test]
fn jr26_schema_content() {
    let content = r#"{"type":"struct","fields":[{"field":"a","type":"int32"}]}"#;
    let mut converter = json([("schema.content", content)]);
    let schema = Schema::structure().field("a", Schema::of(Type::Int32)).build().unwrap();
    let record = Struct::new(schema.clone(), vec![Value::Int32(1)]).unwrap();
    let datum = Datum::new(schema, record);
    assert_eq!(decode(&mut *converter, r#"{"a":1,"b":2}"#).unwrap(), datum, "JR26");
    for (document, text) in [
        ("{}", "Invalid null value for required INT32 field"),
        ("", "Structs should be encoded as JSON objects, but found MISSING"),
        ("null", "Invalid null value for required STRUCT field"),
        ("5", "Structs should be encoded as JSON objects, but found NUMBER"),
        ("{bad", "Converting byte[] to Kafka Connect data failed due to serialization error: "),
    ] {
        assert_eq!(text_of(decode(&mut *converter, document)), text, "JR26");
    }
    assert_eq!(
        crate::encode(&mut *converter, &datum).unwrap().unwrap(),
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","optional":false,"field":"a"}],"optional":false},"payload":{"a":1}}"#
    );
    for (content, text) in [
        ("{bad", "Failed to parse schema in converter config due to serialization error: "),
        ("{}", "Schema must contain 'type' field"),
    ] {
        // Checked even where it has no effect.
        for enable in ["true", "false"] {
            let config = [("schema.content", content), ("schemas.enable", enable)];
            let error = make("JsonConverter", config).err().unwrap();
            assert_eq!((message(&error), error.class()), (text, ErrorClass::Config));
        }
    }
    let mut off = json([("schema.content", content), ("schemas.enable", "false")]);
    assert_eq!(decode(&mut *off, "5").unwrap(), Datum::schemaless(5i64));
    for content in ["", " ", "null"] {
        let mut converter = json([("schema.content", content)]);
        assert_eq!(
            decode(&mut *converter, r#"{"schema":null,"payload":5}"#).unwrap(),
            Datum::schemaless(5i64)
        );
    }
}

#[test]
fn settings_are_checked_with_kafka_s_texts() {
    for (key, value, text) in [
        (
            "decimal.format",
            "x",
            "Invalid value x for configuration decimal.format: String must be one of (case insensitive): NUMERIC, \
             BASE64",
        ),
        (
            "schemas.enable",
            "x",
            "Invalid value x for configuration schemas.enable: Expected value to be either true or false",
        ),
        (
            "converter.type",
            "x",
            "Invalid value x for configuration converter.type: String must be one of: key, value, header",
        ),
    ] {
        let error = make("JsonConverter", [(key, value)]).err().unwrap();
        assert_eq!((message(&error), error.class()), (text, ErrorClass::Config));
    }
    for size in ["0", "-1", "1"] {
        let mut converter = json([("schemas.cache.size", size)]);
        let datum = decode(&mut *converter, r#"{"schema":{"type":"int8"},"payload":1}"#).unwrap();
        assert_eq!(datum.value, Value::Int8(1));
    }
}

#[test]
fn the_catalogue_has_every_class_in_its_roles() {
    let plugins = lavka_converters::plugins();
    assert_eq!(plugins.len(), 21);
    for plugin in &plugins {
        let kafkas = plugin.class.starts_with("org.apache.kafka.");
        assert_eq!(plugin.version, if kafkas { "4.3.0" } else { env!("CARGO_PKG_VERSION") });
        let keys: Vec<_> = (plugin.definition)().iter().map(|key| key.name.to_string()).collect();
        match plugin.class.rsplit('.').next().unwrap() {
            "SimpleHeaderConverter" => assert!(keys.is_empty()),
            "StringConverter" => assert_eq!(keys, ["converter.type", "converter.encoding"]),
            "JsonConverter" | "JsonResilientConverter" => assert_eq!(
                keys,
                [
                    "converter.type",
                    "schemas.enable",
                    "schemas.cache.size",
                    "schema.content",
                    "decimal.format",
                    "replace.null.with.default"
                ]
            ),
            _ => assert_eq!(keys, ["converter.type"]),
        }
    }
    let orders: Vec<_> = (crate::plugin("JsonConverter").definition)()
        .iter()
        .map(|key| (key.group.clone().unwrap_or_default().into_owned(), key.order_in_group))
        .collect();
    let expected = [
        ("", -1),
        ("Schemas", 0),
        ("Schemas", 1),
        ("Schemas", 2),
        ("Serialization", 0),
        ("Serialization", 1),
    ];
    assert_eq!(orders, expected.map(|(group, order)| (group.to_owned(), order)));
    for role in [ConverterRole::Key, ConverterRole::Value, ConverterRole::Header] {
        for plugin in &plugins {
            if let lavka_api::plugin::Factory::Converter(make) = plugin.factory {
                make(&lavka_api::config::Config::new(), role).unwrap();
            }
        }
    }
}
