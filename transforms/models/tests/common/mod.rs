//! Golden models with their rows and the predictions of ONNX Runtime, and comparisons with them.
#![expect(dead_code, unreachable_pub, reason = "every test binary uses a part of this")]
#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

pub mod build;

use std::path::PathBuf;
use std::sync::Arc;

use lavka_models::{
    ElementType, Feature, FeatureBatch, Model, ModelError, Prediction, Predictions, Selection, Signature,
    load,
};
use serde_json::Value;

/// The golden models in `tests/data/onnx` of the workspace.
pub const GOLDEN: [&str; 11] = [
    "lgbm_binary",
    "lgbm_multiclass",
    "xgb_binary",
    "sk_gbr",
    "sk_mlp",
    "autoencoder",
    "sk_kmeans",
    "sk_isolation_forest",
    "sk_pipeline_forest",
    "sk_pipeline_strings",
    "sk_pipeline_strings_zipmap",
];

pub const TOLERANCE: f64 = 1e-5;

pub fn golden_path(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "data", "onnx", file].iter().collect()
}

pub fn golden_bytes(name: &str) -> Vec<u8> {
    std::fs::read(golden_path(&format!("{name}.onnx"))).unwrap()
}

pub fn golden_model(name: &str) -> Arc<dyn Model> {
    load(&golden_path(&format!("{name}.onnx"))).unwrap()
}

/// What ONNX Runtime made of the rows: for each output its name and its data.
pub fn golden_outputs(name: &str) -> Vec<(String, Value)> {
    let text = std::fs::read_to_string(golden_path(&format!("{name}.expected.json"))).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    let outputs = expected["outputs"].as_array().unwrap();
    outputs
        .iter()
        .map(|output| (output["name"].as_str().unwrap().to_owned(), output["data"].clone()))
        .collect()
}

/// The golden rows as cells of text, without the header.
pub fn golden_rows(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(golden_path(&format!("{name}.rows.csv"))).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Rows of text as features: what is blank is missing.
pub fn batch_of(signature: &Arc<Signature>, rows: &[Vec<String>]) -> FeatureBatch {
    let mut batch = FeatureBatch::new(signature);
    for cells in rows {
        assert_eq!(cells.len(), signature.inputs().len());
        let row = batch.push_row();
        for (column, (cell, input)) in cells.iter().zip(signature.inputs()).enumerate() {
            let feature = match input.element {
                _ if cell.is_empty() => Feature::Missing,
                ElementType::String => Feature::Text(cell),
                ElementType::Int64 => Feature::Integer(cell.parse().unwrap()),
                // The files hold 32-bit numbers in as many digits as tell them apart.
                _ => Feature::Number(f64::from(cell.parse::<f32>().unwrap())),
            };
            batch.set(row, column, feature).unwrap();
        }
    }
    batch
}

pub fn score(model: &dyn Model, batch: &FeatureBatch) -> Result<Predictions, ModelError> {
    let mut predictions = Predictions::new(model.signature());
    model.scorer().score(batch, &mut predictions)?;
    Ok(predictions)
}

/// All values of a row of nested lists or of maps, in order.
fn flatten<'a>(value: &'a Value, into: &mut Vec<&'a Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, into)),
        Value::Object(entries) => entries.values().for_each(|item| flatten(item, into)),
        _ => into.push(value),
    }
}

/// Asserts that predictions are what ONNX Runtime gave: labels equal, numbers within the tolerance.
pub fn assert_agrees(what: &str, predictions: &Predictions, expected: &[(String, Value)]) {
    let differences = differences(predictions, expected);
    assert!(differences.is_empty(), "{what}: {}", differences.join("\n"));
}

/// Where predictions are not what ONNX Runtime gave.
pub fn differences(predictions: &Predictions, expected: &[(String, Value)]) -> Vec<String> {
    let outputs = predictions.signature().outputs();
    let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    let wanted: Vec<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    if names != wanted {
        return vec![format!("outputs {names:?}, not {wanted:?}")];
    }
    let mut differences = Vec::new();
    for (output, (name, data)) in expected.iter().enumerate() {
        let mut cells = Vec::new();
        flatten(data, &mut cells);
        let width = outputs[output].width;
        if cells.len() != predictions.rows() * width {
            let rows = predictions.rows();
            differences.push(format!("{name}: {rows} rows of {width} values, not {} values", cells.len()));
            continue;
        }
        for (cell, wanted) in cells.iter().enumerate() {
            let (row, column) = (cell / width, cell % width);
            let found = predictions.value(Selection { output, column: Some(column) }, row).unwrap();
            if !agrees(found, wanted) {
                differences.push(format!("{name}[{column}] of row {row}: {found:?}, not {wanted}"));
            }
        }
    }
    differences
}

fn agrees(found: Prediction<'_>, wanted: &Value) -> bool {
    match found {
        Prediction::Text(text) => wanted == text,
        Prediction::Integer(number) => wanted.as_i64() == Some(number),
        Prediction::Bool(truth) => wanted.as_bool() == Some(truth),
        Prediction::Float(number) => close(f64::from(number), wanted),
        Prediction::Double(number) => close(number, wanted),
        Prediction::Missing => wanted.is_null(),
    }
}

fn close(found: f64, wanted: &Value) -> bool {
    // JSON has no word for these; the generator writes them as text.
    let wanted = match wanted.as_str() {
        Some(text) => text.parse().unwrap(),
        None => wanted.as_f64().unwrap(),
    };
    found == wanted
        || (found.is_nan() && wanted.is_nan())
        || (found - wanted).abs() <= TOLERANCE * wanted.abs().max(1.0)
}

/// A small generator of numbers, the same in every run (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Asserts that the only row of `alone` is, bit for bit, a row of `together`.
pub fn assert_same_row(what: &str, together: &Predictions, row: usize, alone: &Predictions) {
    for (output, spec) in together.signature().outputs().iter().enumerate() {
        for column in 0..spec.width {
            let selection = Selection { output, column: Some(column) };
            let (a, b) = (together.value(selection, row).unwrap(), alone.value(selection, 0).unwrap());
            let same = match (a, b) {
                (Prediction::Float(a), Prediction::Float(b)) => a.to_bits() == b.to_bits(),
                (Prediction::Double(a), Prediction::Double(b)) => a.to_bits() == b.to_bits(),
                (a, b) => a == b,
            };
            assert!(same, "{what}: {}[{column}] of row {row} is {a:?} in a batch and {b:?} alone", spec.name);
        }
    }
}
