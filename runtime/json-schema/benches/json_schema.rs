//! Records of 20 fields to bytes and back, with all schemas known. Figures are per record.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench that cannot be set up has nothing to measure")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::data::{Blob, Logical, Schema, Struct, Type, Value};
use lavka_converters::json::{JsonReader, PayloadReader, PayloadWriter, WriteOptions};

/// Mixed types: whole numbers, fractions, texts, a flag, bytes, instants, and optional ones.
fn sample() -> (Schema, Value) {
    let mut builder = Schema::structure().name("org.example.Reading");
    let mut values = Vec::new();
    let fields: [(Schema, Value); 10] = [
        (Schema::of(Type::Int64), Value::Int64(1_234_567_890_123)),
        (Schema::of(Type::Int32), Value::Int32(42)),
        (Schema::of(Type::Float64), Value::Float64(21.5)),
        (Schema::of(Type::String), "device-0001".into()),
        (Schema::of(Type::Boolean), Value::Boolean(true)),
        (Schema::optional(Type::String), "north".into()),
        (Schema::optional(Type::Float64), Value::Null),
        (Schema::logical_of(Logical::Timestamp), Value::Timestamp(1_700_000_000_000)),
        (Schema::of(Type::Int16), Value::Int16(7)),
        (Schema::of(Type::Bytes), Blob::from(b"\x01\x02\x03\x04").into()),
    ];
    for round in 0..2 {
        for (at, (schema, value)) in fields.iter().enumerate() {
            builder = builder.field(format!("field_{}", round * 10 + at), schema.clone());
            values.push(value.clone());
        }
    }
    let schema = builder.build().unwrap();
    let value = Struct::new(schema.clone(), values).unwrap().into();
    (schema, value)
}

fn payloads(criterion: &mut Criterion) {
    let (schema, value) = sample();
    let writer = PayloadWriter::new(&schema, WriteOptions::default()).unwrap();
    let reader = PayloadReader::new(&schema).unwrap();
    let mut out = Vec::new();
    writer.write(&value, &mut out).unwrap();
    let document = out.clone();
    let mut group = criterion.benchmark_group("json schema, 20 fields");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            writer.write(black_box(&value), &mut out).unwrap()
        });
    });
    let mut scratch = JsonReader::new();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| reader.read(black_box(&document), &mut scratch).unwrap());
    });
    group.finish();
}

criterion_group!(benches, payloads);
criterion_main!(benches);
