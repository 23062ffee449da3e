//! The whole converter, registry's answers in memory, and prost-reflect's dynamic messages on the same record: 20 fields
//! of mixed types.
//!
//! A record here is a [`Struct`]; the other way's is a `DynamicMessage`, so that making a record of it is not in its
//! figures.

#![expect(clippy::expect_used, reason = "a bench that cannot run has to say so")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Logical, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_protobuf::ProtobufConverter;
use lavka_schema_registry::mock::MockRegistry;
use lavka_schema_registry::{SchemaText, SchemaType};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

const RECORDS: usize = 1000;

fn schema() -> Schema {
    let (optional, of) = (Schema::optional, Schema::of);
    let fields = [
        ("id", of(Type::Int64)),
        ("device", of(Type::String)),
        ("site", of(Type::String)),
        ("sequence", of(Type::Int32)),
        ("at", Schema::logical_of(Logical::Timestamp)),
        ("temperature", of(Type::Float64)),
        ("humidity", of(Type::Float64)),
        ("pressure", of(Type::Float32)),
        ("valid", of(Type::Boolean)),
        ("alarm", of(Type::Boolean)),
        ("count", of(Type::Int32)),
        ("total", of(Type::Int64)),
        ("latitude", of(Type::Float64)),
        ("longitude", of(Type::Float64)),
        ("status", optional(Type::String)),
        ("note", optional(Type::String)),
        ("level", of(Type::Int32)),
        ("day", Schema::logical_of(Logical::Date)),
        ("code", optional(Type::Int64)),
        ("operator", of(Type::String)),
    ];
    let builder = Schema::structure().name("org.example.Reading");
    let builder = fields.into_iter().fold(builder, |builder, (name, schema)| builder.field(name, schema));
    builder.build().expect("a valid schema")
}

/// The records that the bench of the Avro codec has.
fn records(schema: &Schema) -> Vec<Value> {
    let record = |i: usize| {
        let n = i32::try_from(i).expect("a small number");
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
        Value::from(Struct::new(schema.clone(), values).expect("as many values as fields"))
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
    let (topic, schema) = (Topic::from("readings"), schema());
    let values = records(&schema);
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
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("encode", |bencher| {
        timed(bencher, || {
            for value in &values {
                out.clear();
                converter
                    .encode(&topic, &mut headers, Some(&schema), black_box(value), &mut out)
                    .expect("bytes");
            }
        });
    });
    group.bench_function("decode", |bencher| {
        timed(bencher, || {
            for undecoded in &undecoded {
                black_box(converter.decode_record(black_box(undecoded)).expect("a record"));
            }
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
        timed(bencher, || {
            for message in &read {
                out.clear();
                black_box(message).encode(&mut out).expect("room in a vector");
            }
        });
    });
    group.bench_function("decode, prost-reflect", |bencher| {
        timed(bencher, || {
            for bytes in &bare {
                black_box(DynamicMessage::decode(message.clone(), black_box(*bytes)).expect("a message"));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, protobuf);
criterion_main!(benches);
