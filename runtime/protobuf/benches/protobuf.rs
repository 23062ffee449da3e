//! The whole converter, registry's answers in memory, and prost-reflect's dynamic messages on the same record: 20 fields
//! of mixed types.
//!
//! A record here is a [`Struct`]; the other way's is a `DynamicMessage`, so that making a record of it is not in its
//! figures.

#![expect(clippy::expect_used, reason = "a bench that cannot run has to say so")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Decimal, Headers, Logical, Schema, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter, ConverterRole, Undecoded};
use lavka_protobuf::ProtobufConverter;
use lavka_schema_registry::mock::MockRegistry;
use lavka_schema_registry::{SchemaText, SchemaType};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

/// 20 fields: integers, floats, texts short and long, booleans, bytes, an instant and a decimal. Some are null.
fn record() -> Datum {
    let text = |text: &str| Value::from(text);
    let fields: [(&str, Schema, Value); 20] = [
        ("id", Schema::of(Type::Int64), Value::Int64(9_007_199_254_740_993)),
        ("customer", Schema::of(Type::Int64), Value::Int64(482_913)),
        ("status", Schema::of(Type::Int32), Value::Int32(3)),
        ("quantity", Schema::of(Type::Int32), Value::Int32(1250)),
        ("priority", Schema::of(Type::Int16), Value::Int16(7)),
        ("flags", Schema::of(Type::Int8), Value::Int8(5)),
        ("price", Schema::of(Type::Float64), Value::Float64(19.99)),
        ("weight", Schema::of(Type::Float32), Value::Float32(0.75)),
        ("latitude", Schema::of(Type::Float64), Value::Float64(52.520_008)),
        ("longitude", Schema::of(Type::Float64), Value::Float64(13.404_954)),
        ("active", Schema::of(Type::Boolean), Value::Boolean(true)),
        ("gift", Schema::of(Type::Boolean), Value::Boolean(false)),
        ("sku", Schema::of(Type::String), text("A-1042-X")),
        ("city", Schema::of(Type::String), text("Berlin")),
        ("note", Schema::optional(Type::String), text("leave at the door, ring twice")),
        ("coupon", Schema::optional(Type::String), Value::Null),
        ("token", Schema::of(Type::Bytes), Blob::from(&[7; 16]).into()),
        ("created", Schema::logical_of(Logical::Timestamp), Value::Timestamp(1_764_547_200_123)),
        ("total", Schema::logical_of(Logical::Decimal(2)), Decimal::new(24_987, 2).into()),
        ("parent", Schema::optional(Type::Int64), Value::Null),
    ];
    let schema =
        fields.iter().fold(Schema::structure().name("org.example.Order"), |builder, (name, schema, _)| {
            builder.field(*name, schema.clone())
        });
    let schema = schema.build().expect("a valid schema");
    let values: Vec<Value> = fields.into_iter().map(|(_, _, value)| value).collect();
    Datum::new(schema.clone(), Struct::new(schema, values).expect("as many values as fields"))
}

fn dynamic(registered: &[SchemaText]) -> MessageDescriptor {
    let mut pool = DescriptorPool::new();
    let text = registered.first().expect("a schema was registered").text();
    let known = [
        ("confluent/type/decimal.proto", include_str!("../known/confluent/type/decimal.proto")),
        ("google/protobuf/timestamp.proto", include_str!("../known/google/protobuf/timestamp.proto")),
        ("order.proto", text),
    ];
    for (name, text) in known {
        let mut file = protox_parse::parse(name, text).expect("a valid file");
        file.options = None;
        for message in &mut file.message_type {
            message.field.iter_mut().for_each(|field| field.options = None);
        }
        pool.add_file_descriptor_proto(file).expect("a file that links");
    }
    pool.get_message_by_name("org.example.Order").expect("the record's message")
}

fn protobuf(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mock = MockRegistry::new();
    let config = Config::from([("schema.registry.url", "http://127.0.0.1:1")]);
    let session = mock.session(&config, ConverterRole::Value, SchemaType::Protobuf).expect("a session");
    let mut converter = ProtobufConverter::over(session, &config).expect("a converter");
    let (topic, datum) = (Topic::from("orders"), record());
    runtime.block_on(converter.prepare_encode(&[(&topic, &datum)])).expect("a registered schema");
    let (mut headers, mut out) = (Headers::new(), Vec::new());
    converter.encode(&topic, &mut headers, datum.schema.as_ref(), &datum.value, &mut out).expect("bytes");
    let payload = Blob::from(out.as_slice());
    let undecoded = Undecoded { topic: &topic, payload: Some(&payload), headers: &[] };
    runtime.block_on(converter.prepare_decode(&[undecoded])).expect("a known schema");

    let mut group = criterion.benchmark_group(format!("protobuf, 20 fields, {} bytes", out.len()));
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            out.clear();
            converter
                .encode(&topic, &mut headers, datum.schema.as_ref(), black_box(&datum.value), &mut out)
                .expect("bytes")
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| converter.decode_record(black_box(&undecoded)).expect("a record"));
    });
    let message = dynamic(&mock.versions("orders-value"));
    let bare = payload.get(6..).expect("a payload behind id and index");
    let read = DynamicMessage::decode(message.clone(), bare).expect("a message");
    assert_eq!(read.encode_to_vec(), bare);
    group.bench_function("encode, prost-reflect", |bencher| {
        bencher.iter(|| {
            out.clear();
            black_box(&read).encode(&mut out).expect("room in a vector");
        });
    });
    group.bench_function("decode, prost-reflect", |bencher| {
        bencher.iter(|| DynamicMessage::decode(message.clone(), black_box(bare)).expect("a message"));
    });
    group.finish();
}

criterion_group!(benches, protobuf);
criterion_main!(benches);
