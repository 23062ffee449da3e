//! How many allocations a record costs.

use allocation_counter::measure;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Headers, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{ConverterRole, Factory};
use lavka_converters::json::{JsonReader, JsonWriter, WriteOptions};

/// Allocations of this thread while `work` runs.
#[expect(clippy::unwrap_used, reason = "a helper that fails, fails its test")]
fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let mut result = None;
    let count = measure(|| result = Some(work())).count_total;
    (count, result.unwrap())
}

const READING: &str = include_str!("../testdata/reading.json");

#[test]
fn a_schemaless_record_costs_what_it_holds() {
    let mut reader = JsonReader::new();
    reader.read(READING.as_bytes()).unwrap();
    let (count, record) = allocations(|| reader.read(READING.as_bytes()).unwrap());
    // Two for each of 5 objects (the box and the values), one for each of 2 arrays, one for each of 5 strings of more
    // than 24 bytes.
    assert_eq!(count, 5 * 2 + 2 + 5);

    let mut writer = JsonWriter::new(WriteOptions::default(), 10);
    let mut out = Vec::with_capacity(2 * READING.len());
    // The names of a shape are prepared when it comes the second time.
    for round in 0..4 {
        out.clear();
        let (count, ()) = allocations(|| writer.write(None, &record, &mut out).unwrap());
        assert!(count == 0 || round == 1, "{count} allocations in round {round}");
    }
    assert_eq!(out, READING.trim_end().as_bytes());
}

#[test]
fn a_typed_record_costs_no_more() {
    let schema = Schema::structure()
        .field("id", Schema::of(Type::Int64))
        .field("name", Schema::optional(Type::String))
        .field("ratio", Schema::of(Type::Float64))
        .field("ok", Schema::of(Type::Boolean))
        .field("items", Schema::array(Schema::of(Type::Int32)))
        .build()
        .unwrap();
    let items: Vec<Value> = (0..8i32).map(Value::from).collect();
    let values = vec![7i64.into(), "a name".into(), 0.25.into(), true.into(), items.into()];
    let record = Value::from(Struct::new(schema.clone(), values).unwrap());

    let make = lavka_converters::plugins().into_iter().find_map(|plugin| match plugin.factory {
        Factory::Converter(make) if plugin.class.ends_with("JsonConverter") => Some(make),
        _ => None,
    });
    let mut converter = make.unwrap()(&Config::new(), ConverterRole::Value).unwrap();
    let (topic, mut headers) = (Topic::from("t"), Headers::new());
    let mut out = Vec::with_capacity(4096);
    let mut write = |out: &mut Vec<u8>| {
        out.clear();
        converter.encode(&topic, &mut headers, Some(&schema), &record, out).unwrap();
    };
    write(&mut out);
    let (count, ()) = allocations(|| write(&mut out));
    assert_eq!(count, 0);

    let payload = Blob::from(out.as_slice());
    converter.decode(&topic, Some(&payload)).unwrap();
    let (count, datum) = allocations(|| converter.decode(&topic, Some(&payload)).unwrap());
    // The box of the struct, its values, and the items.
    assert_eq!(count, 3);
    assert_eq!(datum.value, record);
}
