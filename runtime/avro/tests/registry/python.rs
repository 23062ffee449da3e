//! What confluent-kafka's `AvroSerializer` writes is read, and what is written its `AvroDeserializer` reads.

use lavka_api::data::{Schema, Topic, Value};
use lavka_testkit::{PythonExchange, from_hex};
use serde_json::Value as Json;

use crate::converter;
use crate::everything::{everything, nulls, record};

/// Reads messages in hexadecimal, one a line, and prints what they say as JSON.
const READER: &str = r#"
import json, sys
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

def shown(value):
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)

client = SchemaRegistryClient({"url": sys.argv[1]})
deserializer = AvroDeserializer(client)
for line in open("messages.txt"):
    message = bytes.fromhex(line.strip())
    value = deserializer(message, SerializationContext(sys.argv[2], MessageField.VALUE))
    print(json.dumps(value, default=shown, ensure_ascii=False))
"#;

/// Reads messages, writes what they say with the same schema to another topic, and prints those messages.
const WRITER: &str = r#"
import sys
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

client = SchemaRegistryClient({"url": sys.argv[1]})
deserializer = AvroDeserializer(client)
for line in open("messages.txt"):
    message = bytes.fromhex(line.strip())
    schema = client.get_schema(int.from_bytes(message[1:5], "big"))
    value = deserializer(message, SerializationContext(sys.argv[2], MessageField.VALUE))
    serializer = AvroSerializer(client, schema.schema_str)
    print(serializer(value, SerializationContext(sys.argv[2] + "-again", MessageField.VALUE)).hex())
"#;

/// Settings under which enums are enums.
pub(crate) const ENHANCED: &[(&str, &str)] = &[("enhanced.avro.schema.support", "true")];

#[test]
fn python_reads_every_type() {
    let Some(python) = PythonExchange::new("python_reads_every_type") else { return };
    let mut converter = converter(&python.url, ENHANCED);
    let topic = Topic::from(python.topic.as_str());
    let mut messages = Vec::new();
    let mut expected = Vec::new();
    for (datum, json) in [record(), nulls()] {
        messages.push(converter.write(&topic, &datum).unwrap());
        expected.push(json);
    }
    for (name, schema, value, json) in everything() {
        // Bytes alone have no length before them in Java's form; Python writes and wants one.
        if name != "bytes" && name != "decimal" {
            let datum = lavka_api::data::Datum::new(schema, value);
            let topic = Topic::from(format!("{topic}-{name}"));
            messages.push(converter.write(&topic, &datum).unwrap());
            expected.push(json);
        }
    }
    let read: Vec<Json> =
        python.run(READER, &[], &messages).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, expected);
}

#[test]
fn what_python_writes_is_read() {
    let Some(python) = PythonExchange::new("what_python_writes_is_read") else { return };
    let mut converter = converter(&python.url, ENHANCED);
    let topic = Topic::from(python.topic.as_str());
    let data = [record().0, nulls().0];
    let messages: Vec<Vec<u8>> = data.iter().map(|datum| converter.write(&topic, datum).unwrap()).collect();
    let written = python.run(WRITER, &[], &messages);
    let again = Topic::from(format!("{topic}-again"));
    for ((datum, message), written) in data.iter().zip(&messages).zip(&written) {
        let bytes = from_hex(written);
        assert_eq!(bytes[5..], message[5..], "the same data");
        let back = converter.read(&again, &bytes).unwrap();
        let (Value::Struct(before), Value::Struct(after)) = (&datum.value, &back.value) else {
            panic!("no structs")
        };
        for ((field, before), after) in before.iter().zip(after.values()) {
            match (before, after) {
                // Of another version, so of another schema.
                (Value::Struct(before), Value::Struct(after)) => {
                    assert_eq!(before.values(), after.values(), "{}", field.name());
                }
                (before, after) => assert_eq!(before, after, "{}", field.name()),
            }
        }
        assert!(back.schema.as_ref().and_then(Schema::version).is_some());
    }
}
