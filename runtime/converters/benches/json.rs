//! The JSON codec against `serde_json` through its `Value`, on one record of about 1 KB.
//!
//! In each direction: without a schema; with one in an envelope (`schemas.enable=true`); and through
//! `serde_json::Value`, both the bare conversion between text and `Value` and the whole way between text and record.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot run has to say so")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Object, Schema, SchemaBuilder, Struct, Topic, Type, Value};
use lavka_api::plugin::{Converter, ConverterRole, Factory};
use lavka_converters::json::{JsonReader, JsonWriter, WriteOptions};

const READING: &str = include_str!("../testdata/reading.json");

fn converter(config: &Config) -> Box<dyn Converter> {
    let plugins = lavka_converters::plugins();
    let json = plugins.iter().find(|plugin| plugin.class.ends_with("JsonConverter"));
    match json.map(|plugin| plugin.factory) {
        Some(Factory::Converter(make)) => make(config, ConverterRole::Value).expect("a valid configuration"),
        _ => panic!("JsonConverter is a converter"),
    }
}

/// What a program that goes through `serde_json::Value` does on reading.
fn from_serde(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => value.into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().into(),
        },
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(items) => items.into_iter().map(from_serde).collect::<Vec<_>>().into(),
        serde_json::Value::Object(members) => {
            Object::from_entries(members.into_iter().map(|(key, value)| (key, from_serde(value)))).into()
        }
    }
}

/// What a program that goes through `serde_json::Value` does on writing.
fn to_serde(value: &Value) -> serde_json::Value {
    match value {
        Value::Boolean(value) => (*value).into(),
        Value::Int64(value) => (*value).into(),
        Value::Float64(value) => (*value).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_serde).collect::<Vec<_>>().into(),
        Value::Object(object) => object
            .iter()
            .map(|(key, value)| (key.to_string(), to_serde(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Struct(record) => record
            .iter()
            .map(|(field, value)| (field.name().to_string(), to_serde(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => serde_json::Value::Null,
    }
}

/// A record with a schema that has the members of a schemaless one as optional fields.
fn typed(value: &Value) -> Datum {
    let required = |builder: SchemaBuilder| builder.build().expect("a valid schema");
    match value {
        Value::Object(object) => {
            let fields: Vec<_> = object.iter().map(|(key, value)| (key.clone(), typed(value))).collect();
            let schema =
                required(fields.iter().fold(Schema::structure().optional(), |builder, (key, field)| {
                    builder.field(key.clone(), field.schema.clone().expect("typed"))
                }));
            let values: Vec<_> = fields.into_iter().map(|(_, field)| field.value).collect();
            Datum::new(schema.clone(), Struct::new(schema, values).expect("as many values as fields"))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(typed).collect();
            let inner = items.first().and_then(|item| item.schema.clone()).expect("not empty");
            let values: Vec<_> = items.into_iter().map(|item| item.value).collect();
            Datum::new(required(Schema::array(inner).to_builder().optional()), values)
        }
        other => Datum::new(Schema::optional(other.natural_type().unwrap_or(Type::String)), other.clone()),
    }
}

fn json(criterion: &mut Criterion) {
    let text = READING.trim_end();
    let record = JsonReader::new().read(text.as_bytes()).expect("valid JSON");
    let typed = typed(&record);
    let serde: serde_json::Value = serde_json::from_str(text).expect("valid JSON");
    let mut enveloped = Vec::new();
    let mut writer = JsonWriter::new(WriteOptions::default(), 10);
    writer.write_enveloped(typed.schema.as_ref(), &typed.value, &mut enveloped).expect("a fitting value");

    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut reader = JsonReader::new();
    group.bench_function("lavka", |bencher| {
        bencher.iter(|| reader.read(black_box(text.as_bytes())).expect("valid JSON"));
    });
    group.bench_function("serde_json::Value", |bencher| {
        bencher.iter(|| {
            serde_json::from_slice::<serde_json::Value>(black_box(text.as_bytes())).expect("valid JSON")
        });
    });
    group.bench_function("serde_json::Value to record", |bencher| {
        bencher.iter(|| from_serde(serde_json::from_slice(black_box(text.as_bytes())).expect("valid JSON")));
    });
    let topic = Topic::from("t");
    let payload = Blob::from(enveloped.clone());
    let mut envelopes = converter(&Config::new());
    group.bench_function("lavka with schema", |bencher| {
        bencher.iter(|| envelopes.decode(&topic, Some(black_box(&payload))).expect("valid JSON"));
    });
    group.bench_function("serde_json::Value with schema", |bencher| {
        bencher
            .iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&enveloped)).expect("valid JSON"));
    });
    group.finish();

    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut out = Vec::with_capacity(1 << 14);
    group.bench_function("lavka", |bencher| {
        bencher.iter(|| {
            out.clear();
            writer.write(None, black_box(&record), &mut out).expect("a fitting value");
        });
    });
    group.bench_function("lavka with schema, payload alone", |bencher| {
        bencher.iter(|| {
            out.clear();
            writer.write(typed.schema.as_ref(), black_box(&typed.value), &mut out).expect("a fitting value");
        });
    });
    let mut headers = Headers::new();
    group.bench_function("lavka with schema", |bencher| {
        bencher.iter(|| {
            out.clear();
            let value = black_box(&typed.value);
            envelopes.encode(&topic, &mut headers, typed.schema.as_ref(), value, &mut out).expect("fits");
        });
    });
    group.bench_function("serde_json::Value", |bencher| {
        bencher.iter(|| {
            out.clear();
            serde_json::to_writer(&mut out, black_box(&serde)).expect("a vector takes it");
        });
    });
    group.bench_function("serde_json::Value from record", |bencher| {
        bencher.iter(|| {
            out.clear();
            serde_json::to_writer(&mut out, &to_serde(black_box(&record))).expect("a vector takes it");
        });
    });
    group.finish();
}

criterion_group!(benches, json);
criterion_main!(benches);
