//! What scoring costs: a row alone, as a record-at-a-time chain does it, and rows in batches of 1000. One core.
//!
//! The rows are those of the golden data, repeated. Filling the batch is part of the measure; parsing is not.

#![expect(clippy::expect_used, clippy::panic, reason = "a bench that cannot run has nothing to measure")]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lavka_models::{Feature, FeatureBatch, Model, Predictions, load};

const BATCH: usize = 1000;

fn path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "data", "onnx", file].iter().collect()
}

fn model(name: &str) -> Arc<dyn Model> {
    match load(&path(&format!("{name}.onnx"))) {
        Ok(model) => model,
        Err(error) => panic!("{error}"),
    }
}

/// The cells of the golden rows; a blank is missing.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path(&format!("{name}.rows.csv"))).unwrap_or_default();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn floats(name: &str) -> Vec<Vec<f32>> {
    rows(name).iter().map(|row| row.iter().map(|cell| cell.parse().unwrap_or(f32::NAN)).collect()).collect()
}

/// A model whose features are all 32-bit numbers.
fn bench_matrix(criterion: &mut Criterion, name: &str) {
    let model = model(name);
    let rows = floats(name);
    let mut scorer = model.scorer();
    let mut batch = FeatureBatch::new(model.signature());
    let mut predictions = Predictions::new(model.signature());
    let mut run = |rows: &mut dyn Iterator<Item = &Vec<f32>>| {
        batch.clear();
        for row in rows {
            batch.push_floats(row).expect("golden rows fit their model");
        }
        scorer.score(black_box(&batch), &mut predictions).expect("golden rows can be scored");
        black_box(predictions.column(0).is_some())
    };

    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    let mut next = rows.iter().cycle();
    group.bench_function("one by one", |bencher| bencher.iter(|| run(&mut next.by_ref().take(1))));
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batches of 1000", |bencher| {
        bencher.iter(|| run(&mut rows.iter().cycle().take(BATCH)));
    });
    group.finish();
}

/// A model with numbers, integers and text, filled value by value as a transform does it.
fn bench_columns(criterion: &mut Criterion, name: &str) {
    let model = model(name);
    let rows = rows(name);
    let features: Vec<Vec<Feature<'_>>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| match (cell.parse::<i64>(), cell.parse::<f64>()) {
                    (Ok(integer), _) => Feature::Integer(integer),
                    (_, Ok(number)) => Feature::Number(number),
                    _ if cell.is_empty() => Feature::Missing,
                    _ => Feature::Text(cell),
                })
                .collect()
        })
        .collect();
    let mut scorer = model.scorer();
    let mut batch = FeatureBatch::new(model.signature());
    let mut predictions = Predictions::new(model.signature());
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("batches of 1000", |bencher| {
        bencher.iter(|| {
            batch.clear();
            for features in features.iter().cycle().take(BATCH) {
                let row = batch.push_row();
                for (column, &feature) in features.iter().enumerate() {
                    batch.set(row, column, feature).expect("golden values fit their columns");
                }
            }
            scorer.score(black_box(&batch), &mut predictions).expect("golden rows can be scored");
            black_box(predictions.column(0).is_some())
        });
    });
    group.finish();
}

fn score(criterion: &mut Criterion) {
    for name in
        ["lgbm_binary", "lgbm_multiclass", "xgb_binary", "sk_gbr", "sk_mlp", "autoencoder", "sk_kmeans"]
    {
        bench_matrix(criterion, name);
    }
    for name in ["sk_pipeline_strings", "sk_pipeline_forest"] {
        bench_columns(criterion, name);
    }
}

criterion_group!(benches, score);
criterion_main!(benches);
