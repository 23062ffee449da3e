//! A record of 20 fields to bytes and back, through the whole converter with all schemas known.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at once where something is wrong")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Logical, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_json_schema::JsonSchemaConverter;
use lavka_schema_registry::SchemaType;
use lavka_schema_registry::mock::MockRegistry;

const RECORDS: usize = 1000;

/// The record of the benches of the other converters with a registry.
fn schema() -> Schema {
    let logical = Schema::logical_of;
    let (of, optional) = (Schema::of, Schema::optional);
    Schema::structure()
        .name("org.example.Reading")
        .field("id", of(Type::Int64))
        .field("device", of(Type::String))
        .field("site", of(Type::String))
        .field("sequence", of(Type::Int32))
        .field("at", logical(Logical::Timestamp))
        .field("temperature", of(Type::Float64))
        .field("humidity", of(Type::Float64))
        .field("pressure", of(Type::Float32))
        .field("valid", of(Type::Boolean))
        .field("alarm", of(Type::Boolean))
        .field("count", of(Type::Int32))
        .field("total", of(Type::Int64))
        .field("latitude", of(Type::Float64))
        .field("longitude", of(Type::Float64))
        .field("status", optional(Type::String))
        .field("note", optional(Type::String))
        .field("level", of(Type::Int32))
        .field("day", logical(Logical::Date))
        .field("code", optional(Type::Int64))
        .field("operator", of(Type::String))
        .build()
        .unwrap()
}

fn records(schema: &Schema) -> Vec<Value> {
    let record = |i: usize| {
        let n = i32::try_from(i).unwrap();
        let x = f64::from(n);
        let values: Vec<Value> = vec![
            (i64::from(n) * 7919 + 1_000_000).into(),
            format!("device-{:04}", n % 500).into(),
            ["Praha", "Brno", "Ostrava"][i % 3].into(),
            n.into(),
            Value::Timestamp(1_760_000_000_000 + i64::from(n) * 250),
            (20.0 + x / 100.0).into(),
            (40.0 + x / 50.0).into(),
            (1013.25_f32).into(),
            i.is_multiple_of(2).into(),
            i.is_multiple_of(17).into(),
            (n * 31).into(),
            (i64::from(n) * 1_000_003).into(),
            (50.0 + x / 1e4).into(),
            (14.0 + x / 1e4).into(),
            Value::Null,
            "measured by the second probe".into(),
            (n % 7).into(),
            Value::Date(20_000 + n % 30),
            if i.is_multiple_of(3) { Value::Null } else { Value::Int64(i64::from(n) * 11) },
            "night shift".into(),
        ];
        Value::from(Struct::new(schema.clone(), values).unwrap())
    };
    (0..RECORDS).map(record).collect()
}

/// Nanoseconds that this thread has had a processor; on a busy machine the wall clock says more of the others.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Runs `once`, which takes all records, and gives the time of the processor.
fn timed(bencher: &mut Bencher<'_>, mut once: impl FnMut()) {
    bencher.iter_custom(|rounds| {
        let began = processor_time();
        for _ in 0..rounds {
            once();
        }
        processor_time().saturating_sub(began).max(Duration::from_nanos(1))
    });
}

fn json_schema(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config::new();
    let session = MockRegistry::new().session(&config, ConverterRole::Value, SchemaType::Json).unwrap();
    let mut converter = JsonSchemaConverter::over(session, &config).unwrap();
    let (topic, schema) = (Topic::from("readings"), schema());
    let values = records(&schema);
    let datum = Datum::new(schema.clone(), values[1].clone());
    runtime.block_on(converter.prepare_encode(&[(&topic, &datum)])).unwrap();
    let (mut headers, mut out) = (Headers::new(), Vec::new());
    let payloads: Vec<Blob> = values
        .iter()
        .map(|value| {
            out.clear();
            converter.encode(&topic, &mut headers, Some(&schema), value, &mut out).unwrap();
            Blob::from(out.as_slice())
        })
        .collect();
    let undecoded: Vec<_> = payloads
        .iter()
        .map(|payload| Undecoded { topic: &topic, payload: Some(payload), headers: &[] })
        .collect();
    runtime.block_on(converter.prepare_decode(&undecoded)).unwrap();

    let mut group = criterion.benchmark_group("json schema, 20 fields");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("encode", |bencher| {
        timed(bencher, || {
            for value in &values {
                out.clear();
                converter.encode(&topic, &mut headers, Some(&schema), black_box(value), &mut out).unwrap();
            }
        });
    });
    group.bench_function("decode", |bencher| {
        timed(bencher, || {
            for undecoded in &undecoded {
                black_box(converter.decode_record(black_box(undecoded)).unwrap());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, json_schema);
criterion_main!(benches);
