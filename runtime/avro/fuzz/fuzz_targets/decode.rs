//! Bytes as data of a schema that comes with them: the text of a schema, a zero byte, a datum.

#![no_main]

use lavka_api::data::ShapeTable;
use lavka_avro::{AvroSchema, Decoder, Mapping};
use libfuzzer_sys::fuzz_target;

/// What is read where no schema comes along: everything there is.
const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[
    {"name":"a","type":"int"},{"name":"b","type":["null","string"]},{"name":"c","type":{"type":"array","items":"long"}},
    {"name":"d","type":{"type":"map","values":["int","string",{"type":"fixed","name":"F","size":3}]}},
    {"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},{"name":"f","type":"double"},
    {"name":"g","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"h","type":{"type":"array","items":{"type":"record","name":"Empty","fields":[]}}}]}"#;

fuzz_target!(|input: &[u8]| {
    let (text, datum) = match input.iter().position(|byte| *byte == 0) {
        Some(at) => (std::str::from_utf8(&input[..at]).unwrap_or(SCHEMA), &input[at + 1..]),
        None => (SCHEMA, input),
    };
    let Ok(schema) = AvroSchema::parse(text).or_else(|_| AvroSchema::parse(SCHEMA)) else { return };
    if let Ok(decoder) = Decoder::new(&Mapping::default(), &schema, &schema, None) {
        let _ = decoder.decode(datum, &mut ShapeTable::new(100));
    }
});
