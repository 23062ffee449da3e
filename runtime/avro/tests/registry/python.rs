//! What confluent-kafka's `AvroSerializer` writes is read, and what is written its `AvroDeserializer` reads.

use std::time::Duration;

use lavka_api::data::{Schema, Topic, Value};
use lavka_testkit::{Python, SchemaRegistry, cannot_run, services, temp_dir, unique, write_file};
use serde_json::Value as Json;

use crate::everything::{everything, nulls, record};
use crate::{converter, decode, encode};

const LONGEST: Duration = Duration::from_secs(120);

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

struct Rig {
    registry: &'static SchemaRegistry,
    python: Python,
    topic: Topic,
    folder: lavka_testkit::TempDir,
}

impl Rig {
    fn new(test: &str) -> Option<Self> {
        let registry = services().schema_registry_for(test)?;
        match Python::for_registry() {
            Ok(python) => {
                Some(Self { registry, python, topic: Topic::from(unique("python")), folder: temp_dir() })
            }
            Err(unavailable) => {
                let failure = lavka_testkit::Failure::from(unavailable);
                cannot_run(test, &format!("confluent-kafka for Python: {failure}"));
                None
            }
        }
    }

    fn run(&self, program: &str, messages: &[Vec<u8>]) -> Vec<String> {
        let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        write_file(self.folder.path(), "messages.txt", messages.iter().map(hex).collect::<String>());
        write_file(self.folder.path(), "program.py", program);
        let arguments = ["program.py", self.registry.url(), &self.topic];
        let printed = self.python.run(self.folder.path(), &arguments, LONGEST).unwrap();
        printed.lines().map(str::to_owned).collect()
    }
}

/// Settings under which enums are enums.
const ENHANCED: &[(&str, &str)] = &[("enhanced.avro.schema.support", "true")];

#[test]
fn python_reads_every_type() {
    let Some(rig) = Rig::new("python_reads_every_type") else { return };
    let mut converter = converter(rig.registry.url(), ENHANCED);
    let mut messages = Vec::new();
    let mut expected = Vec::new();
    for (datum, json) in [record(), nulls()] {
        messages.push(encode(&mut *converter, &rig.topic, &datum).unwrap());
        expected.push(json);
    }
    for (name, schema, value, json) in everything() {
        // Bytes alone have no length before them in Java's form; Python writes and wants one.
        if name != "bytes" && name != "decimal" {
            let datum = lavka_api::data::Datum::new(schema, value);
            let topic = Topic::from(format!("{}-{name}", rig.topic));
            messages.push(encode(&mut *converter, &topic, &datum).unwrap());
            expected.push(json);
        }
    }
    let read: Vec<Json> =
        rig.run(READER, &messages).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, expected);
}

#[test]
fn what_python_writes_is_read() {
    let Some(rig) = Rig::new("what_python_writes_is_read") else { return };
    let mut converter = converter(rig.registry.url(), ENHANCED);
    let data = [record().0, nulls().0];
    let messages: Vec<Vec<u8>> =
        data.iter().map(|datum| encode(&mut *converter, &rig.topic, datum).unwrap()).collect();
    let written = rig.run(WRITER, &messages);
    let again = Topic::from(format!("{}-again", rig.topic));
    for ((datum, message), written) in data.iter().zip(&messages).zip(&written) {
        let bytes: Vec<u8> = (0..written.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&written[at..at + 2], 16).unwrap())
            .collect();
        assert_eq!(bytes[5..], message[5..], "the same data");
        let back = decode(&mut *converter, &again, &bytes).unwrap();
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
