//! The Score transform keeps what the runtime counts on.

#![allow(clippy::unwrap_used, reason = "a helper that fails, fails its test")]

use lavka_api::data::{Datum, Object, Record, Schema, Struct, Type, Value};
use lavka_testkit::acceptance;

/// Features of the model.
const FEATURES: u8 = 20;

fn record(value: Datum) -> Record {
    Record { value, ..Record::for_topic("readings") }
}

fn reading(row: f64) -> impl Iterator<Item = (String, Value)> {
    (0..FEATURES).map(move |i| (format!("x{i}"), Value::Float64(row - f64::from(i) / 4.0)))
}

fn object(row: f64) -> Record {
    record(Datum::schemaless(Object::from_entries(reading(row))))
}

fn structure(row: f64) -> Record {
    let fields = || reading(row).chain([("device".to_owned(), Value::from("d-1"))]);
    let builder = fields().fold(Schema::structure().name("reading"), |builder, (name, value)| {
        let ty = if value.as_str().is_some() { Type::String } else { Type::Float64 };
        builder.field(name, Schema::optional(ty))
    });
    let schema = builder.build().unwrap();
    let values: Vec<Value> = fields().map(|(_, value)| value).collect();
    record(Datum::new(schema.clone(), Struct::new(schema, values).unwrap()))
}

fn model() -> String {
    format!("{}/../../tests/data/onnx/autoencoder.onnx", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn score_to_fields() {
    let config = [("model", model()), ("missing", "null".into()), ("outputs", "mse:anomaly".into())];
    acceptance::transform(lavka_score::plugins().remove(0))
        .config(config)
        .refuses("features", "nothing:x0")
        .refuses("outputs", "nothing")
        .refuses("model", "no/such/model.onnx")
        .record(object(0.5))
        .record(structure(-0.5))
        // A feature that is missing makes predictions null; the fields are there.
        .record(record(Datum::schemaless(Object::from_entries([("x0", 1.0)]))))
        .check()
        .assert_clean();
}

#[test]
fn score_to_headers() {
    let config = [("model", model()), ("output.to", "headers".into()), ("output.prefix", "score.".into())];
    acceptance::transform(lavka_score::plugins().remove(0))
        .config(config)
        .record(object(1.5))
        .record(structure(2.5))
        .check()
        .assert_clean();
}
