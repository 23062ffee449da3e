//! A record of 20 fields to bytes and back, through the whole converter with all schemas known.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench stops at once where something is wrong")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Topic};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_json_schema::JsonSchemaConverter;
use lavka_schema_registry::SchemaType;
use lavka_schema_registry::mock::MockRegistry;
use lavka_testkit::measure::{processor_time, reading_schema, readings};

const RECORDS: u16 = 1000;

fn json_schema(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = Config::new();
    let session = MockRegistry::new().session(&config, ConverterRole::Value, SchemaType::Json).unwrap();
    let mut converter = JsonSchemaConverter::over(session, &config).unwrap();
    let (topic, schema) = (Topic::from("readings"), reading_schema());
    let values = readings(&schema, RECORDS);
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
    group.throughput(Throughput::Elements(RECORDS.into()));
    group.bench_function("encode", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for value in &values {
                    out.clear();
                    converter
                        .encode(&topic, &mut headers, Some(&schema), black_box(value), &mut out)
                        .unwrap();
                }
            })
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for undecoded in &undecoded {
                    black_box(converter.decode_record(black_box(undecoded)).unwrap());
                }
            })
        });
    });
    group.finish();
}

criterion_group!(benches, json_schema);
criterion_main!(benches);
