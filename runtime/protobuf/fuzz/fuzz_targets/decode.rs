//! Bytes as a message of a schema that comes with them: the text of a `.proto` file or a descriptor in Base64, a zero
//! byte, message indexes and the message. A registry in memory has the schema.

#![no_main]

use lavka_api::config::Config;
use lavka_api::data::{Blob, Topic};
use lavka_api::plugin::{Converter as _, ConverterRole, Undecoded};
use lavka_protobuf::ProtobufConverter;
use lavka_schema_registry::mock::MockRegistry;
use lavka_schema_registry::{SchemaText, SchemaType};
use libfuzzer_sys::fuzz_target;

/// What is read where no schema comes along: something of everything.
const SCHEMA: &str = "import \"google/protobuf/struct.proto\"; import \"google/protobuf/timestamp.proto\"; import \
    \"confluent/type/decimal.proto\"; message M { optional int32 a = 1; repeated int64 b = 2 [packed = true]; repeated \
    string c = 3; map<int32, N> d = 4; optional N e = 5; oneof o { string f = 6; N g = 7; } optional group Gr = 9 { \
    repeated N n = 1; } optional google.protobuf.Struct i = 10; optional google.protobuf.Timestamp j = 11; optional \
    confluent.type.Decimal k = 12; optional E m = 14; message N { repeated sint32 x = 1; optional double y = 2; } enum E { \
    ONE = 1; } }";

fuzz_target!(|input: &[u8]| {
    let (text, message) = match input.iter().position(|byte| *byte == 0) {
        Some(at) => (std::str::from_utf8(&input[..at]).unwrap_or(SCHEMA), &input[at + 1..]),
        None => (SCHEMA, input),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mock = MockRegistry::new();
    let id = mock.put("t-value", &SchemaText::new(SchemaType::Protobuf, text));
    let config = Config::from([("schema.registry.url", "http://127.0.0.1:1")]);
    let session = mock.session(&config, ConverterRole::Value, SchemaType::Protobuf).expect("a session");
    let mut converter = ProtobufConverter::over(session, &config).expect("a converter");
    let mut bytes = vec![0];
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(message);
    let (topic, payload) = (Topic::from("t"), Blob::from(bytes));
    let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &[] };
    runtime.block_on(converter.prepare_decode(&[undecoded])).expect("what is wrong is said on decoding");
    let _ = converter.decode_record(&undecoded);
});
