//! What a record costs: nothing on the way out, the struct and its texts on the way in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::data::{Decimal, Logical, Schema, ShapeTable, Struct, Type, Value};
use lavka_avro::{Decoder, Encoder, Mapping};

#[test]
fn plans_allocate_only_what_values_are_made_of() {
    let schema = Schema::structure()
        .name("R")
        .field("a", Schema::of(Type::Int64))
        .field("b", Schema::optional(Type::String))
        .field("c", Schema::of(Type::Float64))
        .field("d", Schema::logical_of(Logical::Decimal(2)))
        .field("e", Schema::optional(Type::Int32))
        .field("f", Schema::of(Type::String))
        .build()
        .unwrap();
    let values: Vec<Value> = vec![
        1_i64.into(),
        "short".into(),
        0.5.into(),
        Decimal::new(1234, 2).into(),
        Value::Null,
        "a text that is longer than what fits into a value".into(),
    ];
    let record = Value::from(Struct::new(schema.clone(), values).unwrap());
    let mapping = Mapping::default();
    let avro = mapping.to_avro(Some(&schema)).unwrap();
    let encoder = Encoder::new(&mapping, Some(&schema), &avro).unwrap();
    let mut out = Vec::with_capacity(4096);
    let writing = allocation_counter::measure(|| {
        for _ in 0..10 {
            encoder.encode(&record, &mut out).unwrap();
        }
    });
    assert_eq!(writing.count_total, 0);

    let datum = &out[..out.len() / 10];
    let decoder = Decoder::new(&mapping, &avro, &avro, None).unwrap();
    let mut shapes = ShapeTable::new(1);
    let reading = allocation_counter::measure(|| drop(decoder.decode(datum, &mut shapes).unwrap()));
    // The struct, its values, the long text, the decimal and its digits.
    assert!(reading.count_total <= 6, "{}", reading.count_total);
}
