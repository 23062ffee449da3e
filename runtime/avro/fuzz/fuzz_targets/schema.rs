//! Text as a schema: what is read prints as something that is read as the same, and goes to Connect and back.

#![no_main]

use lavka_avro::{AvroSchema, Mapping};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(schema) = AvroSchema::parse(text) else { return };
    let printed = schema.to_string();
    assert_eq!(AvroSchema::parse(&printed).expect("what was printed is read").to_string(), printed);
    let mapping = Mapping::default();
    if let Ok(Some(connect)) = mapping.to_connect(&schema, Some(1)) {
        let _ = mapping.to_avro(Some(&connect));
    }
});
