//! The whole converter, registry's answers in memory, and prost-reflect's dynamic messages on the same record: 20 fields
//! of mixed types.
//!
//! A record here is a `Struct`; the other way's is a `DynamicMessage`, so that making a record of it is not in its
//! figures.

#![expect(clippy::expect_used, reason = "a bench that cannot run has to say so")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Topic};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_protobuf::ProtobufConverter;
use lavka_schema_registry::mock::MockRegistry;
use lavka_schema_registry::{SchemaText, SchemaType};
use lavka_testkit::measure::{processor_time, reading_schema, readings};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

const RECORDS: u16 = 1000;

fn dynamic(registered: &[SchemaText]) -> MessageDescriptor {
    let mut pool = DescriptorPool::new();
    let text = registered.first().expect("a schema was registered").text();
    let known = [
        ("google/type/date.proto", include_str!("../known/google/type/date.proto")),
        ("google/protobuf/timestamp.proto", include_str!("../known/google/protobuf/timestamp.proto")),
        ("reading.proto", text),
    ];
    for (name, text) in known {
        let mut file = protox_parse::parse(name, text).expect("a valid file");
        file.options = None;
        for message in &mut file.message_type {
            message.field.iter_mut().for_each(|field| field.options = None);
        }
        pool.add_file_descriptor_proto(file).expect("a file that links");
    }
    pool.get_message_by_name("org.example.Reading").expect("the record's message")
}

fn protobuf(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mock = MockRegistry::new();
    let config = Config::from([("schema.registry.url", "http://127.0.0.1:1")]);
    let session = mock.session(&config, ConverterRole::Value, SchemaType::Protobuf).expect("a session");
    let mut converter = ProtobufConverter::over(session, &config).expect("a converter");
    let (topic, schema) = (Topic::from("readings"), reading_schema());
    let values = readings(&schema, RECORDS);
    let datum = Datum::new(schema.clone(), values[1].clone());
    runtime.block_on(converter.prepare_encode(&[(&topic, &datum)])).expect("a registered schema");
    let (mut headers, mut out) = (Headers::new(), Vec::new());
    let payloads: Vec<Blob> = values
        .iter()
        .map(|value| {
            out.clear();
            converter.encode(&topic, &mut headers, Some(&schema), value, &mut out).expect("bytes");
            Blob::from(out.as_slice())
        })
        .collect();
    let undecoded: Vec<_> = payloads
        .iter()
        .map(|payload| Undecoded { topic: &topic, payload: Some(payload), headers: &[] })
        .collect();
    runtime.block_on(converter.prepare_decode(&undecoded)).expect("a known schema");

    let mut group = criterion.benchmark_group("protobuf, 20 fields");
    group.throughput(Throughput::Elements(RECORDS.into()));
    group.bench_function("encode", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for value in &values {
                    out.clear();
                    converter
                        .encode(&topic, &mut headers, Some(&schema), black_box(value), &mut out)
                        .expect("bytes");
                }
            })
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for undecoded in &undecoded {
                    black_box(converter.decode_record(black_box(undecoded)).expect("a record"));
                }
            })
        });
    });
    let message = dynamic(&mock.versions("readings-value"));
    let bare: Vec<&[u8]> = payloads.iter().filter_map(|payload| payload.get(6..)).collect();
    let read: Vec<_> = bare
        .iter()
        .map(|bytes| DynamicMessage::decode(message.clone(), *bytes).expect("a message"))
        .collect();
    assert!(read.iter().zip(&bare).all(|(message, bytes)| message.encode_to_vec() == *bytes));
    group.bench_function("encode, prost-reflect", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for message in &read {
                    out.clear();
                    black_box(message).encode(&mut out).expect("room in a vector");
                }
            })
        });
    });
    group.bench_function("decode, prost-reflect", |bencher| {
        bencher.iter_custom(|rounds| {
            processor_time(rounds, || {
                for bytes in &bare {
                    black_box(DynamicMessage::decode(message.clone(), black_box(*bytes)).expect("a message"));
                }
            })
        });
    });
    group.finish();
}

criterion_group!(benches, protobuf);
criterion_main!(benches);
