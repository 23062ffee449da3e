//! Bytes as a message of a schema that comes with them: the text of a schema, a zero byte, JSON. A registry in memory has
//! the schema. A message that begins with a byte other than zero names its schema itself, in either form.

#![no_main]

use lavka_api::config::Config;
use lavka_api::data::{Blob, Topic};
use lavka_api::plugin::{Converter as _, ConverterRole, Undecoded};
use lavka_json_schema::JsonSchemaConverter;
use lavka_schema_registry::mock::MockRegistry;
use lavka_schema_registry::{SchemaText, SchemaType};
use libfuzzer_sys::fuzz_target;

/// What is read where no schema comes along: something of everything.
const SCHEMA: &str = r##"{"type":"object","definitions":{"p":{"type":"object","properties":{"x":{"type":"integer"}}}},
    "properties":{"a":{"type":"integer","connect.type":"int16"},"b":{"type":"number"},
    "c":{"oneOf":[{"type":"null"},{"type":"string"}]},"d":{"type":"string","connect.type":"bytes"},
    "e":{"type":"array","items":{"$ref":"#/definitions/p"}},"f":{"type":"boolean","default":true},
    "g":{"type":"object","connect.type":"map","additionalProperties":{"type":"integer"}},
    "h":{"oneOf":[{"type":"integer"},{"type":"object","properties":{"y":{"type":"string"}}}]},
    "i":{"type":"string","title":"org.apache.kafka.connect.data.Decimal","connect.type":"bytes",
    "connect.parameters":{"scale":"2"}},"j":{"enum":["A","B"]}}}"##;

fuzz_target!(|input: &[u8]| {
    let (text, message) = match input.iter().position(|byte| *byte == 0) {
        Some(at) => (std::str::from_utf8(&input[..at]).unwrap_or(SCHEMA), &input[at + 1..]),
        None => (SCHEMA, input),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mock = MockRegistry::new();
    let id = mock.put("t-value", &SchemaText::new(SchemaType::Json, text));
    let config = Config::from([("schema.registry.url", "http://127.0.0.1:1")]);
    let session = mock.session(&config, ConverterRole::Value, SchemaType::Json).expect("a session");
    let mut converter = JsonSchemaConverter::over(session, &config).expect("a converter");
    let named = [&[0], id.to_be_bytes().as_slice(), message].concat();
    let header = [("__value_schema_id".into(), Some(Blob::from(message)))];
    let topic = Topic::from("t");
    for (payload, headers) in [(&named[..], &[][..]), (message, &[]), (message, &header)] {
        let payload = Blob::from(payload);
        let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers };
        runtime.block_on(converter.prepare_decode(&[undecoded])).expect("what is wrong is said on decoding");
        let _ = converter.decode_record(&undecoded);
    }
});
