//! Every operator agrees with ONNX Runtime on small graphs. `testdata/operators.py` makes the graphs, the rows and what
//! that implementation makes of them.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use std::collections::HashSet;

use common::{differences, score};
use lavka_models::{ElementType, Feature, FeatureBatch, Model, onnx};
use serde_json::Value;

struct Case {
    name: String,
    model: Vec<u8>,
    rows: Vec<Vec<Value>>,
    outputs: Vec<(String, Value)>,
}

fn cases() -> Vec<Case> {
    let cases: Value = serde_json::from_str(include_str!("../testdata/operators.json")).unwrap();
    let cases = cases.as_array().unwrap().iter().map(|case| Case {
        name: case["name"].as_str().unwrap().to_owned(),
        model: bytes(case["model"].as_str().unwrap()),
        rows: case["rows"].as_array().unwrap().iter().map(|row| row.as_array().unwrap().clone()).collect(),
        outputs: case["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|output| (output["name"].as_str().unwrap().to_owned(), output["data"].clone()))
            .collect(),
    });
    cases.collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn batch(model: &dyn Model, rows: &[Vec<Value>]) -> FeatureBatch {
    let mut batch = FeatureBatch::new(model.signature());
    for cells in rows {
        let row = batch.push_row();
        assert_eq!(cells.len(), model.inputs().len());
        for (column, (cell, input)) in cells.iter().zip(model.inputs()).enumerate() {
            let feature = match (cell, input.element) {
                (Value::Null, _) => Feature::Missing,
                (Value::Bool(truth), _) => Feature::Bool(*truth),
                (Value::String(text), ElementType::String) => Feature::Text(text),
                (Value::String(text), _) => Feature::Number(text.parse().unwrap()),
                (Value::Number(number), ElementType::Int64 | ElementType::Int32) => {
                    Feature::Integer(number.as_i64().unwrap())
                }
                (number, _) => Feature::Number(number.as_f64().unwrap()),
            };
            batch.set(row, column, feature).unwrap();
        }
    }
    batch
}

#[test]
fn agree_with_onnx_runtime() {
    let cases = cases();
    assert!(cases.len() > 380, "{} cases", cases.len());
    let mut found = Vec::new();
    for case in &cases {
        let outcome =
            onnx::load_bytes(&case.model).and_then(|model| score(&*model, &batch(&*model, &case.rows)));
        match outcome {
            Ok(predictions) => {
                let differences = differences(&predictions, &case.outputs);
                found
                    .extend(differences.into_iter().map(|difference| format!("{}: {difference}", case.name)));
            }
            Err(error) => found.push(format!("{}: {error}", case.name)),
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A row gives the same in a batch of its own: other kernels of the forests run then.
#[test]
fn rows_alone_give_the_same() {
    for case in cases() {
        let model = onnx::load_bytes(&case.model).unwrap();
        let together = score(&*model, &batch(&*model, &case.rows)).unwrap();
        for (row, cells) in case.rows.iter().enumerate() {
            let alone = score(&*model, &batch(&*model, std::slice::from_ref(cells))).unwrap();
            common::assert_same_row(&case.name, &together, row, &alone);
        }
    }
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let cases = cases();
    let names: HashSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len());
}
