//! The form that names the schema in a header, by its GUID, against confluent-kafka's. Apicurio Registry knows no GUIDs, so
//! this is over a registry in memory.

use lavka_api::data::{Datum, Schema, Struct, Topic, Value};
use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::{PythonExchange, from_hex};

use crate::converter;
use crate::python::everything;

/// Reads a header and a payload, writes what it says with the same schema to another topic, and prints that header and
/// payload.
const AGAIN: &str = r#"
import sys, uuid
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

client = SchemaRegistryClient({"url": sys.argv[1]})
name, payload = [bytes.fromhex(line.strip()) for line in open("messages.txt")]
context = SerializationContext(sys.argv[2], MessageField.VALUE, [("__value_schema_id", name)])
value = JSONDeserializer(None, schema_registry_client=client)(payload, context)
schema = client.get_schema_by_guid(str(uuid.UUID(bytes=name[1:])))
serializer = JSONSerializer(schema.schema_str, client, conf={"schema.id.serializer": header_schema_id_serializer})
context = SerializationContext(sys.argv[2] + "-again", MessageField.VALUE, [])
payload = serializer(value, context)
print(context.headers[0][1].hex())
print(payload.hex())
"#;

#[test]
fn python_reads_and_writes_the_header_form() {
    let server = MockRegistry::new().serve().unwrap();
    let Some(python) = PythonExchange::with("python_reads_and_writes_the_header_form", &server.url()) else {
        return;
    };
    let form = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer";
    let mut converter = converter(&python.url, &[("value.schema.id.serializer", form)]);
    let topic = Topic::from(python.topic.as_str());
    let mut builder = Schema::structure().name("Everything");
    for (name, schema, ..) in everything() {
        builder = builder.field(name, schema);
    }
    let schema = builder.build().unwrap();
    let values: Vec<Value> = everything().into_iter().map(|(_, _, value, _)| value).collect();
    let datum = Datum::new(schema.clone(), Struct::new(schema, values).unwrap());
    let message = converter.write_with_header(&topic, &datum).unwrap();
    assert!(message[0].len() == 17 && message[0][0] == 1);
    let written: Vec<Vec<u8>> = python.run(AGAIN, &[], &message).iter().map(|line| from_hex(line)).collect();
    assert_eq!(written[0], message[0]);
    let Value::Struct(back) = converter.read_with_header(&topic, &written[0], &written[1]).unwrap().value
    else {
        panic!("no struct")
    };
    for (name, _, value, _) in everything() {
        assert_eq!(back.get_without_default(name), Some(&value), "{name}");
    }
}
