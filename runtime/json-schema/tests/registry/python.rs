//! What confluent-kafka's `JSONSerializer` writes is read, and what is written its `JSONDeserializer` reads, validating it
//! against the whole schema.

use lavka_api::data::{Blob, Datum, Decimal, Logical, Schema, Struct, Topic, Type, Value};
use lavka_converters::json::ONE_OF;
use lavka_testkit::{PythonExchange, from_hex, write_file};
use serde_json::json;

use crate::converter;

/// Reads messages in hexadecimal, one a line, and prints what they say as JSON with sorted keys.
const READER: &str = r#"
import json, sys
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

client = SchemaRegistryClient({"url": sys.argv[1]})
deserializer = JSONDeserializer(None, schema_registry_client=client)
for line in open("messages.txt"):
    message = bytes.fromhex(line.strip())
    value = deserializer(message, SerializationContext(sys.argv[2], MessageField.VALUE))
    print(json.dumps(value, sort_keys=True, ensure_ascii=False))
"#;

/// Writes the values of `values.json` with the schema of `schema.json`, and prints the messages in hexadecimal.
const WRITER: &str = r#"
import json, sys
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

client = SchemaRegistryClient({"url": sys.argv[1]})
serializer = JSONSerializer(open("schema.json").read(), client)
for value in json.load(open("values.json")):
    message = serializer(value, SerializationContext(sys.argv[2], MessageField.VALUE))
    print(message.hex())
"#;

/// Every type of Connect in one record, twice optional: set and null.
pub(crate) fn everything() -> Vec<(&'static str, Schema, Value, serde_json::Value)> {
    let point =
        Schema::structure().name("Point").field("x", Schema::of(Type::Int32)).optional().build().unwrap();
    let at = Value::from(Struct::new(point.clone(), [Value::Int32(3)]).unwrap());
    let union = Schema::structure()
        .name(ONE_OF)
        .field(format!("{ONE_OF}.field.0"), Schema::optional(Type::Int64))
        .field(format!("{ONE_OF}.field.1"), Schema::optional(Type::String))
        .build()
        .unwrap();
    let chosen = Value::from(Struct::new(union.clone(), [Value::Null, "text".into()]).unwrap());
    vec![
        ("i8", Schema::of(Type::Int8), Value::Int8(-8), json!(-8)),
        ("i16", Schema::of(Type::Int16), Value::Int16(16), json!(16)),
        ("i32", Schema::of(Type::Int32), Value::Int32(-32), json!(-32)),
        ("i64", Schema::of(Type::Int64), Value::Int64(i64::MAX), json!(i64::MAX)),
        ("f32", Schema::of(Type::Float32), Value::Float32(1.5), json!(1.5)),
        ("f64", Schema::of(Type::Float64), Value::Float64(-0.1), json!(-0.1)),
        ("flag", Schema::of(Type::Boolean), Value::Boolean(true), json!(true)),
        ("text", Schema::of(Type::String), "ü \"q\" 😀".into(), json!("ü \"q\" 😀")),
        ("bytes", Schema::of(Type::Bytes), Blob::from(b"\x00\xff").into(), json!("AP8=")),
        ("price", Schema::logical_of(Logical::Decimal(2)), Decimal::new(156, 2).into(), json!("AJw=")),
        ("day", Schema::logical_of(Logical::Date), Value::Date(20_000), json!(20_000)),
        ("time", Schema::logical_of(Logical::Time), Value::Time(1), json!(1)),
        (
            "when",
            Schema::logical_of(Logical::Timestamp),
            Value::Timestamp(1_700_000_000_000),
            json!(1_700_000_000_000_i64),
        ),
        ("none", Schema::optional(Type::Int32), Value::Null, json!(null)),
        ("some", Schema::optional(Type::Int32), Value::Int32(1), json!(1)),
        (
            "list",
            Schema::array(Schema::of(Type::String)),
            vec!["a".into(), "b".into()].into(),
            json!(["a", "b"]),
        ),
        (
            "map",
            Schema::map(Schema::of(Type::String), Schema::of(Type::Int64)),
            Value::Map([("k".into(), Value::Int64(1))].into()),
            json!({ "k": 1 }),
        ),
        (
            "pairs",
            Schema::map(Schema::of(Type::Int32), Schema::of(Type::String)),
            Value::Map([(Value::Int32(1), "one".into())].into()),
            json!([{ "key": 1, "value": "one" }]),
        ),
        ("at", point.clone(), at, json!({ "x": 3 })),
        ("nowhere", point, Value::Null, json!(null)),
        ("union", union, chosen, json!("text")),
    ]
}

#[test]
fn python_reads_every_type() {
    let Some(python) = PythonExchange::new("python_reads_every_type") else { return };
    let mut builder = Schema::structure().name("Everything");
    for (name, schema, ..) in everything() {
        builder = builder.field(name, schema);
    }
    let schema = builder.build().unwrap();
    let values: Vec<Value> = everything().into_iter().map(|(_, _, value, _)| value).collect();
    let datum = Datum::new(schema.clone(), Struct::new(schema, values).unwrap());
    let topic = Topic::from(python.topic.as_str());
    let mut converter = converter(&python.url, &[]);
    let bytes = converter.write(&topic, &datum).unwrap();
    let read: serde_json::Value =
        serde_json::from_str(&python.run(READER, &[], std::slice::from_ref(&bytes))[0]).unwrap();
    for (name, _, _, expected) in everything() {
        assert_eq!(read[name], expected, "{name}");
    }
    // And back: what was written comes back as it was.
    let Value::Struct(back) = converter.read(&topic, &bytes).unwrap().value else { panic!("no struct") };
    for (name, _, value, _) in everything() {
        assert_eq!(back.get_without_default(name), Some(&value), "{name}");
    }
}

#[test]
fn what_python_writes_is_read() {
    let Some(python) = PythonExchange::new("what_python_writes_is_read") else { return };
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Order",
        "type": "object",
        "definitions": { "Line": { "type": "object", "properties": {
            "sku": { "type": "string" }, "count": { "type": "integer" } }, "required": ["sku"] } },
        "properties": {
            "id": { "type": "integer" },
            "total": { "type": "number" },
            "paid": { "type": "boolean" },
            "state": { "type": "string", "enum": ["NEW", "SENT"] },
            "note": { "type": ["null", "string"] },
            "lines": { "type": "array", "items": { "$ref": "#/definitions/Line" } },
            "first": { "$ref": "#/definitions/Line" },
            "payload": { "oneOf": [{ "type": "integer" }, { "type": "string" }] },
        },
        "required": ["id"],
    });
    let full = json!({ "id": 1, "total": 2.5, "paid": true, "state": "SENT", "note": null,
        "lines": [{ "sku": "a", "count": 2 }, { "sku": "b" }], "first": { "sku": "c" }, "payload": "p" });
    write_file(python.folder.path(), "schema.json", schema.to_string());
    write_file(python.folder.path(), "values.json", json!([full, { "id": 2, "payload": 7 }]).to_string());
    let messages: Vec<Vec<u8>> = python.run(WRITER, &[], &[]).iter().map(|line| from_hex(line)).collect();
    let topic = Topic::from(python.topic.as_str());
    let mut converter = converter(&python.url, &[("use.optional.for.nonrequired", "true")]);
    let mut read = |bytes: &[u8]| match converter.read(&topic, bytes).unwrap().value {
        Value::Struct(record) => *record,
        other => panic!("{other:?}"),
    };
    let order = read(&messages[0]);
    assert_eq!(order.schema().name().map(|name| name.as_str()), Some("Order"));
    for (name, expected) in [
        ("id", Value::Int64(1)),
        ("total", Value::Float64(2.5)),
        ("paid", Value::Boolean(true)),
        ("state", "SENT".into()),
        ("note", Value::Null),
    ] {
        assert_eq!(order.get(name), Some(&expected), "{name}");
    }
    let Some(Value::Array(lines)) = order.get("lines") else { panic!("no lines") };
    let counts: Vec<_> = lines
        .iter()
        .map(|line| match line {
            Value::Struct(line) => line.get("count").cloned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [Some(Value::Int64(2)), Some(Value::Null)]);
    let union = |order: &Struct| match order.get("payload") {
        Some(Value::Struct(union)) => union.values().to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(union(&order), [Value::Null, "p".into()]);
    assert_eq!(union(&read(&messages[1])), [Value::Int64(7), Value::Null]);
}
