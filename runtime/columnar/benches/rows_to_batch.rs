//! Rows to batches: 20 columns as a sensor reading has them.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::data::{Object, Schema, ShapeTable, Struct, Type, Value};
use lavka_columnar::BatchBuilder;

const ROWS: i32 = 1000;

/// Eight doubles, six integers, four strings, two booleans; a tenth of the doubles null.
fn values(i: i32) -> Vec<Value> {
    let mut values = Vec::with_capacity(20);
    for c in 0..8 {
        let null = (i + c) % 10 == 0;
        values.push(if null { Value::Null } else { Value::Float64(f64::from(i * 31 + c) / 7.0) });
    }
    values.extend((0..6).map(|c| Value::Int64(i64::from(i) * (c + 1))));
    values.extend([
        format!("device-{:04}", i % 300).into(),
        ["ok", "warn", "fail"][usize::try_from(i % 3).unwrap()].into(),
        format!("2024-05-06T07:08:{:02}.000Z", i % 60).into(),
        format!("a somewhat longer text of reading number {i}").into(),
    ]);
    values.extend([Value::Boolean(i % 2 == 0), Value::Boolean(i % 5 == 0)]);
    values
}

fn schema() -> Schema {
    let mut builder = Schema::structure();
    let types = [(Type::Float64, 8), (Type::Int64, 6), (Type::String, 4), (Type::Boolean, 2)];
    for (ty, count) in types {
        for c in 0..count {
            builder = builder.field(format!("{}_{c}", ty.name().to_lowercase()), Schema::optional(ty));
        }
    }
    builder.build().unwrap()
}

fn bench(c: &mut Criterion) {
    let schema = schema();
    let structs: Vec<Value> =
        (0..ROWS).map(|i| Struct::new(schema.clone(), values(i)).unwrap().into()).collect();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let shape = ShapeTable::new(100).intern(names.iter().copied());
    let objects: Vec<Value> = (0..ROWS).map(|i| Object::new(shape.clone(), values(i)).into()).collect();

    let mut group = c.benchmark_group("rows_to_batch_20_columns");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs().into()));
    let mut run = |name: &str, mut builder: BatchBuilder, rows: &[Value]| {
        let rows: Vec<&Value> = rows.iter().collect();
        group.bench_function(name, |b| {
            b.iter(|| {
                assert_eq!(builder.append(black_box(&rows)).rows, rows.len());
                builder.finish().unwrap()
            });
        });
    };
    run("structs", BatchBuilder::declared(&schema).unwrap(), &structs);
    run("schemaless, declared", BatchBuilder::declared(&schema).unwrap(), &objects);
    run("schemaless, inferred", BatchBuilder::inferred(None), &objects);
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
