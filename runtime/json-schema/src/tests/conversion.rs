//! From records to bytes and back.

use lavka_api::ErrorClass;
use lavka_api::data::{Datum, Decimal, Headers, Logical, Schema, Struct, Type, Value};
use lavka_api::plugin::Undecoded;
use lavka_schema_registry::{SchemaText, SchemaType};

use super::Rig;

fn point() -> (Schema, Value) {
    let schema = Schema::structure()
        .name("Point")
        .field("x", Schema::of(Type::Int32))
        .field("label", Schema::optional(Type::String))
        .build()
        .unwrap();
    let value = Value::from(Struct::new(schema.clone(), [Value::Int32(7), "a😀".into()]).unwrap());
    (schema, value)
}

#[test]
fn messages_are_id_and_json() {
    let (schema, value) = point();
    let mut rig = Rig::new(&[]);
    let bytes = rig.encode(&Datum::new(schema.clone(), value.clone())).unwrap().unwrap();
    assert_eq!(bytes, b"\0\0\0\0\x01{\"x\":7,\"label\":\"a\\uD83D\\uDE00\"}");
    let back = rig.decode(Some(&bytes)).unwrap();
    // The version is the one in the registry, unless the schema has its own.
    assert_eq!(back.schema.as_ref().unwrap().version(), Some(1));
    let Value::Struct(back) = back.value else { panic!("no struct") };
    let Value::Struct(value) = value else { panic!("no struct") };
    assert_eq!(back.values(), value.values());
}

#[test]
fn a_schema_is_registered_once_and_a_second_one_has_its_own_id() {
    let mut rig = Rig::new(&[]);
    let texts = Datum::new(Schema::of(Type::String), "a");
    let numbers = Datum::new(Schema::of(Type::Int32), Value::Int32(1));
    let ids: Vec<u8> =
        [&texts, &numbers, &texts, &numbers].map(|datum| rig.encode(datum).unwrap().unwrap()[4]).to_vec();
    assert_eq!(ids, [1, 2, 1, 2]);
    assert_eq!(rig.registry.requests().len(), 2);
    assert_eq!(rig.registry.versions("t-value").len(), 2);
}

#[test]
fn nulls() {
    let mut rig = Rig::new(&[]);
    assert_eq!(rig.encode(&Datum::NULL).unwrap(), None);
    assert_eq!(rig.decode(None).unwrap(), Datum::NULL);
    assert_eq!(rig.encode(&Datum::new(Schema::of(Type::Int32), Value::Null)).unwrap(), None);
    let optional = rig.encode(&Datum::new(Schema::optional(Type::Int32), Value::Null)).unwrap().unwrap();
    assert_eq!(&optional[5..], b"null");
    assert!(rig.decode(Some(&optional)).unwrap().is_null());
    let with_default =
        Schema::builder(Type::Int32).default_value(Value::Int32(5)).optional().build().unwrap();
    let default = rig.encode(&Datum::new(with_default.clone(), Value::Null)).unwrap().unwrap();
    assert_eq!(&default[5..], b"5");
    let mut ignoring = Rig::new(&[("ignore.default.for.nullables", "true")]);
    assert_eq!(&ignoring.encode(&Datum::new(with_default, Value::Null)).unwrap().unwrap()[5..], b"null");
    let error = rig.encode(&Datum::schemaless(1_i64)).unwrap_err();
    assert!(error.to_string().contains("schemas.enable=false"), "{error}");
}

#[test]
fn decimals_in_either_format() {
    let schema = Schema::logical_of(Logical::Decimal(2));
    let value = Value::from(Decimal::new(156, 2));
    for (format, json) in [("BASE64", "\"AJw=\""), ("NUMERIC", "1.56")] {
        let mut rig = Rig::new(&[("decimal.format", format)]);
        let bytes = rig.encode(&Datum::new(schema.clone(), value.clone())).unwrap().unwrap();
        assert_eq!(&bytes[5..], json.as_bytes());
        let back = rig.decode(Some(&bytes)).unwrap();
        assert_eq!(back, Datum::new(schema.clone(), value.clone()));
    }
}

#[test]
fn schemas_in_headers() {
    let mut rig = Rig::new(&[(
        "value.schema.id.serializer",
        "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer",
    )]);
    let mut headers = Headers::new();
    let bytes = rig.encode_with(&Datum::new(Schema::of(Type::String), "a"), &mut headers).unwrap().unwrap();
    assert_eq!(bytes, b"\"a\"");
    let Some(Value::Bytes(named)) = headers.last("__value_schema_id").map(|datum| datum.value.clone()) else {
        panic!("no header")
    };
    let headers = [("__value_schema_id".into(), Some(named))];
    let (topic, payload) = (rig.topic.clone(), bytes.into());
    let back = rig.decode_record(&Undecoded { topic: &topic, payload: Some(&payload), headers: &headers });
    assert_eq!(back.unwrap().value, "a".into());
}

#[test]
fn the_latest_version_is_written_if_it_takes_the_data() {
    let settings = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let json = |text: &str| SchemaText::new(SchemaType::Json, text);
    let mut rig = Rig::new(&settings);
    let datum = Datum::new(Schema::of(Type::Int32), Value::Int32(1));
    let missing = rig.encode(&datum).unwrap_err();
    assert_eq!(missing.class(), ErrorClass::Data);
    assert!(missing.to_string().contains("40401"), "{missing}");
    rig.registry.put("t-value", &json(r#"{"type":"string"}"#));
    let refused = rig.encode(&datum).unwrap_err();
    assert!(refused.to_string().contains("latest.compatibility.strict=false"), "{refused}");
    rig.registry.put("t-value", &json(r#"{"type":"number"}"#));
    assert_eq!(rig.encode(&datum).unwrap().unwrap(), b"\0\0\0\0\x021");
}

/// Room for one schema is enough for a batch of several, and a schema that is refused is the fault of its records alone.
#[test]
fn a_batch_may_need_more_schemas_than_the_cache_holds() {
    let mut rig = Rig::new(&[("schemas.cache.config", "1"), ("auto.register.schemas", "false")]);
    let id = |place: u8, json: &str| [&[0, 0, 0, 0, place], json.as_bytes()].concat();
    for text in ["integer", "string", "boolean"] {
        let ty = if text == "integer" { r#"integer","connect.type":"int32"# } else { text };
        rig.registry.put("t-value", &SchemaText::new(SchemaType::Json, format!(r#"{{"type":"{ty}"}}"#)));
    }
    let batch = [
        Datum::new(Schema::of(Type::Int32), Value::Int32(1)),
        Datum::new(Schema::of(Type::Float32), Value::Float32(1.5)),
        Datum::new(Schema::of(Type::String), "a"),
        Datum::new(Schema::of(Type::Boolean), true),
        Datum::new(Schema::of(Type::Int32), Value::Int32(2)),
    ];
    let expected = [id(1, "1"), id(2, "\"a\""), id(3, "true"), id(1, "2")];
    for _ in 0..2 {
        let written = rig.encode_batch(&batch).unwrap();
        let (written, refused): (Vec<_>, Vec<_>) = written.into_iter().partition(Result::is_ok);
        assert_eq!(written.into_iter().flatten().flatten().collect::<Vec<_>>(), expected);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].as_ref().unwrap_err().to_string().contains("40403"), "{refused:?}");
        let unknown = id(9, "1");
        let read = rig.decode_batch(&[&expected[..2], &[unknown], &expected[2..]].concat()).unwrap();
        let (read, refused): (Vec<_>, Vec<_>) = read.into_iter().partition(Result::is_ok);
        let values: Vec<_> = read.into_iter().map(|datum| datum.unwrap().value).collect();
        assert_eq!(values, [Value::Int32(1), "a".into(), true.into(), Value::Int32(2)]);
        assert_eq!(refused.len(), 1);
        assert!(refused[0].as_ref().unwrap_err().to_string().contains("40403"), "{refused:?}");
    }
}

#[test]
fn the_latest_version_is_read() {
    let settings = [("auto.register.schemas", "false"), ("use.latest.version", "true")];
    let json = |text: &str| SchemaText::new(SchemaType::Json, text);
    let mut rig = Rig::new(&settings);
    rig.registry.put("t-value", &json(r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#));
    let newest = r#"{"type":"object","properties":{"a":{"type":"number"},"b":{"oneOf":[{"type":"null"},{"type":"string"}]}}}"#;
    rig.registry.put("t-value", &json(newest));
    let back = rig.decode(Some(b"\0\0\0\0\x01{\"a\":7}")).unwrap();
    assert_eq!(back.schema.unwrap().version(), Some(2));
    let Value::Struct(back) = back.value else { panic!("no struct") };
    assert_eq!(back.values(), [Value::Float64(7.0), Value::Null]);
}

#[test]
fn without_registering_schemas_are_looked_up() {
    let mut rig = Rig::new(&[("auto.register.schemas", "false")]);
    let datum = Datum::new(Schema::of(Type::String), "a");
    assert!(rig.encode(&datum).unwrap_err().to_string().contains("looking up"));
    rig.registry.put("t-value", &SchemaText::new(SchemaType::Json, r#"{"type":"string"}"#));
    assert_eq!(rig.encode(&datum).unwrap().unwrap()[4], 1);
}

#[test]
fn trouble_of_the_registry_keeps_its_class() {
    let datum = Datum::new(Schema::of(Type::String), "a");
    for (status, class) in [(503, ErrorClass::Retriable), (401, ErrorClass::Config), (409, ErrorClass::Data)]
    {
        let mut rig = Rig::new(&[("max.retries", "0")]);
        rig.registry.refuse(status, i32::from(status) * 100 + 1, "no");
        let error = rig.encode(&datum).unwrap_err();
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains("subject t-value"), "{error}");
        // Nothing of it stays.
        assert!(rig.encode(&datum).is_ok());
    }
    let mut rig = Rig::new(&[]);
    rig.registry.disconnect();
    assert!(rig.encode(&datum).is_ok(), "the client tries again by itself");
}

#[test]
fn other_bytes_are_errors_of_the_record() {
    let mut rig = Rig::new(&[]);
    let id = rig.registry.put(
        "t-value",
        &SchemaText::new(SchemaType::Json, r#"{"type":"object","properties":{"a":{"type":"integer"}}}"#),
    );
    let avro = rig.registry.put("t-value", &SchemaText::new(SchemaType::Avro, "\"int\""));
    let message = |id: i32, json: &str| [&[0], id.to_be_bytes().as_slice(), json.as_bytes()].concat();
    for (bytes, part) in [
        (b"{\"a\":1}".to_vec(), "Unknown magic byte!"),
        (message(id, ""), "MISSING"),
        (message(id, "[]"), "Structs should be encoded as JSON objects, but found ARRAY"),
        (message(id, "{\"a\":"), "serialization error"),
        (message(99, "1"), "40403"),
        (message(avro, "1"), "AVRO"),
    ] {
        let error = rig.decode(Some(&bytes)).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Data);
        assert!(error.to_string().contains(part), "{error}");
    }
}
