//! The form that names the schema in a header, by its GUID, against confluent-kafka's. Apicurio Registry knows no GUIDs, so
//! this is over a registry in memory.

use lavka_api::data::{Datum, Topic, Value};
use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::{PythonExchange, from_hex};

use crate::converter;
use crate::everything::{nulls, record};

/// Reads headers and payloads, writes what they say with the same schemas to another topic, and prints those headers and
/// payloads.
const AGAIN: &str = r#"
import sys, uuid
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

client = SchemaRegistryClient({"url": sys.argv[1]})
deserializer = AvroDeserializer(client)
lines = [bytes.fromhex(line.strip()) for line in open("messages.txt")]
for name, payload in zip(lines[::2], lines[1::2]):
    headers = [("__value_schema_id", name)]
    value = deserializer(payload, SerializationContext(sys.argv[2], MessageField.VALUE, headers))
    schema = client.get_schema_by_guid(str(uuid.UUID(bytes=name[1:])))
    serializer = AvroSerializer(client, schema.schema_str, conf={"schema.id.serializer": header_schema_id_serializer})
    headers = []
    payload = serializer(value, SerializationContext(sys.argv[2] + "-again", MessageField.VALUE, headers))
    print(headers[0][1].hex())
    print(payload.hex())
"#;

#[test]
fn python_reads_and_writes_the_header_form() {
    let server = MockRegistry::new().serve().unwrap();
    let Some(python) = PythonExchange::with("python_reads_and_writes_the_header_form", &server.url()) else {
        return;
    };
    let form = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
    let keys = [("enhanced.avro.schema.support", "true"), ("value.schema.id.serializer", form)];
    let mut converter = converter(&python.url, &keys);
    let topic = Topic::from(python.topic.as_str());
    let data: Vec<Datum> = [record(), nulls()].into_iter().map(|(datum, _)| datum).collect();
    let messages: Vec<Vec<u8>> =
        data.iter().flat_map(|datum| converter.write_with_header(&topic, datum).unwrap()).collect();
    assert!(messages.iter().step_by(2).all(|name| name.len() == 17 && name[0] == 1));
    let written: Vec<Vec<u8>> = python.run(AGAIN, &[], &messages).iter().map(|line| from_hex(line)).collect();
    assert_eq!(written, messages);
    for (datum, message) in data.iter().zip(written.chunks(2)) {
        let back = converter.read_with_header(&topic, &message[0], &message[1]).unwrap();
        let (Value::Struct(before), Value::Struct(after)) = (&datum.value, &back.value) else {
            panic!("no structs")
        };
        assert_eq!(before.get("int64"), after.get("int64"));
        assert_eq!(before.values().len(), after.values().len());
    }
}
