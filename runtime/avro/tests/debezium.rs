//! Envelopes, keys and unwrapped rows of Debezium 3.6.3, with the schemas that Confluent's `AvroData` made of them.
//!
//! `testdata/debezium.jsonl` has a case a line: `connect` is what `JsonConverter` wrote of the key or value with its schema,
//! `avro` the schema's text, and `error` what Java threw instead.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::data::{Blob, Datum, ShapeTable};
use lavka_api::plugin::{ConverterRole, Factory};
use lavka_avro::{AvroSchema, Decoder, Encoder, Mapping};
use serde_json::Value as Json;

const CASES: &str = include_str!("../testdata/debezium.jsonl");

fn datum(text: &str) -> Datum {
    let plugins = lavka_converters::plugins();
    let plugin = plugins.iter().find(|plugin| plugin.class.ends_with(".JsonConverter")).unwrap();
    let Factory::Converter(make) = plugin.factory else { panic!("no converter") };
    let settings = [("replace.null.with.default", "false")];
    let mut converter = make(&settings.into_iter().collect(), ConverterRole::Value).unwrap();
    converter.decode(&"t".into(), Some(&Blob::from(text.as_bytes().to_vec()))).unwrap()
}

#[test]
fn every_record_of_debezium_has_its_schema_and_comes_back() {
    let mapping = Mapping::default();
    let mut compared = 0;
    for line in CASES.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let datum = datum(case["connect"].as_str().unwrap());
        let schema = datum.schema.as_ref();
        let Some(expected) = case["avro"].as_str() else {
            let error = mapping.to_avro(schema).unwrap_err();
            let ours = format!("{}: {}", error.exception(), error.message().unwrap_or_default());
            assert_eq!(ours, case["error"].as_str().unwrap(), "{name}");
            continue;
        };
        let avro = mapping.to_avro(schema).unwrap();
        assert_eq!(avro.to_string(), expected, "{name}");
        let mut bytes = Vec::new();
        assert!(Encoder::new(&mapping, schema, &avro).unwrap().encode(&datum.value, &mut bytes).unwrap());
        // Through the text, as a registry gives it back.
        let parsed = AvroSchema::parse(expected).unwrap();
        let decoder = Decoder::new(&mapping, &parsed, &parsed, None).unwrap();
        let back = decoder.decode(&bytes, &mut ShapeTable::new(100)).unwrap();
        let mut again = Vec::new();
        let encoder = Encoder::new(&mapping, decoder.schema(), &avro).unwrap();
        assert!(encoder.encode(&back, &mut again).unwrap(), "{name}");
        assert_eq!(again, bytes, "{name}");
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
}
