//! Bytes that are not what they should be: no panic, no endless loop, no memory out of proportion, and an error that
//! says what is wrong.

#![expect(clippy::expect_used, reason = "a test may fail where it stands")]

mod common;

use common::build::{Attribute, Message, floats, model, node, single, tree, value};
use common::{GOLDEN, Numbers, golden_bytes};
use lavka_models::{ElementType, Feature, FeatureBatch, ModelErrorKind, Predictions, onnx};

/// Loads the bytes and, where that works, scores rows with them: three with numbers in them and one of missing values.
fn exercise(bytes: &[u8]) {
    let Ok(model) = onnx::load_bytes(bytes) else { return };
    let mut batch = FeatureBatch::new(model.signature());
    for row in 0..4 {
        let at = batch.push_row();
        for (column, input) in model.inputs().iter().enumerate().take(64) {
            let feature = match input.element {
                _ if row == 3 => Feature::Missing,
                ElementType::String => Feature::Text("month"),
                ElementType::Bool => Feature::Bool(true),
                _ => Feature::Integer(row * 7 - 3),
            };
            let _ = batch.set(at, column, feature);
        }
    }
    let mut predictions = Predictions::new(model.signature());
    let _ = model.scorer().score(&batch, &mut predictions);
}

#[test]
fn truncated_models() {
    for name in GOLDEN {
        let bytes = golden_bytes(name);
        let step = (bytes.len() / 150).max(1);
        for length in (0..bytes.len()).step_by(step) {
            exercise(&bytes[..length]);
        }
        assert!(onnx::load_bytes(&bytes[..bytes.len() - 1]).is_err(), "{name}");
    }
}

#[test]
fn models_with_flipped_bits() {
    let mut numbers = Numbers(1);
    for name in GOLDEN {
        let original = golden_bytes(name);
        for _ in 0..120 {
            let mut bytes = original.clone();
            for _ in 0..=numbers.below(4) {
                // The structure is mostly at the beginning and at the end of the file.
                let near = numbers.below(400);
                let at = match numbers.below(3) {
                    0 => near.min(bytes.len() - 1),
                    1 => bytes.len() - 1 - near.min(bytes.len() - 1),
                    _ => numbers.below(bytes.len()),
                };
                bytes[at] ^= 1 << numbers.below(8);
            }
            exercise(&bytes);
        }
    }
}

/// The small graphs of the operator tests, so that every operator sees broken attributes.
#[test]
fn operators_with_overwritten_bytes() {
    let cases: serde_json::Value = serde_json::from_str(include_str!("../testdata/operators.json")).unwrap();
    let mut numbers = Numbers(2);
    for case in cases.as_array().unwrap() {
        let hex = case["model"].as_str().unwrap();
        let original: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        for _ in 0..40 {
            let mut bytes = original.clone();
            let at = numbers.below(bytes.len());
            match numbers.below(4) {
                0 => bytes[at] = numbers.next() as u8,
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, numbers.next() as u8),
            }
            exercise(&bytes);
        }
    }
}

#[test]
fn random_bytes() {
    let mut numbers = Numbers(3);
    for length in 0..300 {
        let mut bytes: Vec<u8> = (0..length).map(|_| numbers.next() as u8).collect();
        exercise(&bytes);
        // With the beginning of a graph in front.
        bytes.splice(0..0, [0x08, 0x08, 0x3a]);
        exercise(&bytes);
    }
}

fn error_of(bytes: &[u8]) -> String {
    onnx::load_bytes(bytes).expect_err("the model is broken").to_string()
}

#[track_caller]
fn assert_mentions(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "'{word}' is not in: {error}");
    }
}

#[test]
fn trees_with_cycles_are_refused() {
    let branch = |yes, no| ("BRANCH_LEQ", 0, yes, no);
    let leaf = ("LEAF", 0, 0, 0);
    let to_itself = error_of(&tree(2, &[branch(0, 1), leaf]));
    assert_mentions(&to_itself, &["TreeEnsembleRegressor", "node 0 leads back to node 0", "cycles"]);
    let in_a_circle = error_of(&tree(2, &[branch(1, 4), branch(2, 4), branch(3, 4), branch(0, 4), leaf]));
    assert_mentions(&in_a_circle, &["node 3 leads back to node 0"]);
    let crossed = error_of(&tree(2, &[branch(1, 2), branch(2, 3), branch(1, 3), leaf]));
    assert_mentions(&crossed, &["leads back"]);
}

#[test]
fn trees_with_links_or_features_out_of_range_are_refused() {
    let leaf = ("LEAF", 0, 0, 0);
    assert_mentions(
        &error_of(&tree(2, &[("BRANCH_LEQ", 0, 1, 7), leaf, leaf])),
        &["leads to node 7", "same tree"],
    );
    assert_mentions(&error_of(&tree(2, &[("BRANCH_LEQ", 0, 1, -1), leaf, leaf])), &["leads to node -1"]);
    assert_mentions(&error_of(&tree(2, &[("BRANCH_LEQ", 2, 1, 2), leaf, leaf])), &["feature 2", "2 columns"]);
    assert_mentions(&error_of(&tree(2, &[("BRANCH_LEQ", -1, 1, 2), leaf, leaf])), &["feature -1"]);
    let far = i64::MAX / 2;
    assert_mentions(&error_of(&tree(2, &[("BRANCH_LEQ", far, 1, 2), leaf, leaf])), &["columns"]);
    assert_mentions(
        &error_of(&tree(2, &[("BRANCH_SIDEWAYS", 0, 1, 2), leaf, leaf])),
        &["'BRANCH_SIDEWAYS'", "BRANCH_LEQ"],
    );
}

/// Converters of categorical tests let several nodes lead to the same one. Thirty levels that share all they have are
/// a billion paths, but only thirty nodes.
#[test]
fn trees_that_share_branches_are_walked() {
    let levels = 30;
    let nodes: Vec<_> = (0..levels)
        .map(|level| (if level % 2 == 0 { "BRANCH_LEQ" } else { "BRANCH_EQ" }, 0, level + 1, level + 1))
        .chain([("LEAF", 0, 0, 0)])
        .collect();
    let model = onnx::load_bytes(&tree(1, &nodes)).unwrap();
    let mut batch = FeatureBatch::new(model.signature());
    batch.push_floats(&[-1.0, 0.0, 1.0, f32::NAN]).unwrap();
    let mut predictions = Predictions::new(model.signature());
    model.scorer().score(&batch, &mut predictions).unwrap();
    assert_eq!(predictions.floats(0), Some(&[levels as f32; 4][..]));
}

#[test]
fn a_long_chain_of_tests_is_fine() {
    let count = 30_000;
    let nodes: Vec<_> = (0..count)
        .flat_map(|step| [("BRANCH_LEQ", 0, 2 * step + 1, 2 * step + 2), ("LEAF", 0, 0, 0)])
        .chain([("LEAF", 0, 0, 0)])
        .collect();
    let model = onnx::load_bytes(&tree(1, &nodes)).unwrap();
    let mut batch = FeatureBatch::new(model.signature());
    batch.push_floats(&[1.0, -1.0]).unwrap();
    let mut predictions = Predictions::new(model.signature());
    model.scorer().score(&batch, &mut predictions).unwrap();
    assert_eq!(predictions.floats(0), Some(&[2.0 * count as f32, 1.0][..]));
}

#[test]
fn huge_shapes_are_refused() {
    let relu = node("", "Relu", &["x"], &["y"], &[]);
    for columns in [1 << 20, 1 << 40, i64::MAX, 0] {
        assert!(onnx::load_bytes(&single(columns, &relu)).is_err(), "{columns}");
    }
    let wide = model(&[relu], &[value("x", 1, &[-1, 1 << 31, 1 << 31, 1 << 31])], &[value("y", 1, &[])], &[]);
    assert!(onnx::load_bytes(&wide).is_err());

    let claims = floats("w", &[1 << 40, 1 << 20], &[1.0]);
    let gemm = node("", "Gemm", &["x", "w"], &["y"], &[]);
    let claims = model(&[gemm], &[value("x", 1, &[-1, 2])], &[value("y", 1, &[-1, 2])], &[claims]);
    assert_mentions(&error_of(&claims), &["tensor 'w'", "1 elements"]);

    let targets = [("n_targets", Attribute::Int(i64::MAX))];
    let targets = single(2, &node("ai.onnx.ml", "TreeEnsembleRegressor", &["x"], &["y"], &targets));
    assert!(matches!(onnx::load_bytes(&targets).unwrap_err().kind(), ModelErrorKind::Limit { .. }));
}

/// Sixty nodes that each double the number of columns would need 2^60 of them.
#[test]
fn growth_from_node_to_node_is_bounded() {
    let names: Vec<String> =
        (0..=60).map(|step| if step == 0 { "x".to_owned() } else { format!("v{step}") }).collect();
    let nodes: Vec<Message> = names
        .windows(2)
        .map(|pair| node("", "Concat", &[&pair[0], &pair[0]], &[&pair[1]], &[("axis", Attribute::Int(1))]))
        .collect();
    let bytes = model(&nodes, &[value("x", 1, &[-1, 2])], &[value("v60", 1, &[-1, 2])], &[]);
    let error = onnx::load_bytes(&bytes).unwrap_err();
    assert!(matches!(error.kind(), ModelErrorKind::Limit { .. }), "{error}");
    assert_mentions(&error.to_string(), &["Concat", "columns more"]);
}

/// One constant, used by many nodes, is copied into each of them.
#[test]
fn copies_of_constants_are_bounded() {
    let table = floats("table", &[1 << 20], &vec![1.0; 1 << 20]);
    let outputs: Vec<String> = (0..100).map(|copy| format!("y{copy}")).collect();
    let nodes: Vec<Message> =
        outputs.iter().map(|output| node("", "Gather", &["table", "x"], &[output], &[])).collect();
    let bytes = model(&nodes, &[value("x", 7, &[-1, 1])], &[value("y0", 1, &[-1, 1])], &[table]);
    assert_mentions(&error_of(&bytes), &["Gather", "numbers more in constants"]);
}

#[test]
fn messages_in_messages_do_not_recurse() {
    // Attributes that hold graphs that hold graphs, a thousand deep.
    let mut inner = Vec::new();
    for _ in 0..1000 {
        inner = Message::new().bytes(6, &inner).0;
    }
    let attribute = Message::new().text(1, "body").bytes(6, &inner);
    let node = Message::new().text(1, "x").text(2, "y").text(4, "Relu").message(5, &attribute);
    assert!(onnx::load_bytes(&single(2, &node)).is_ok(), "an attribute that nobody asks for is no harm");
}

#[test]
fn too_many_parts_are_refused() {
    let node = Message::new().bytes(1, &[]);
    let graph = Message(std::iter::repeat_n(node.0, 1_100_000).flatten().collect());
    let bytes = Message::new().integer(1, 8).message(7, &graph).0;
    assert_mentions(&error_of(&bytes), &["more than 1000000 parts"]);
}

#[test]
fn values_must_be_made_before_they_are_used_and_only_once() {
    let x = [value("x", 1, &[-1, 2])];
    let y = [value("y", 1, &[-1, 2])];
    let relu = |from, to| node("", "Relu", &[from], &[to], &[]);
    assert_mentions(
        &error_of(&model(&[relu("a", "y"), relu("x", "a")], &x, &y, &[])),
        &["no value 'a' before it"],
    );
    assert_mentions(&error_of(&model(&[relu("y", "y")], &x, &y, &[])), &["no value 'y'"]);
    assert_mentions(
        &error_of(&model(&[relu("x", "y"), relu("x", "y")], &x, &y, &[])),
        &["'y' is made twice"],
    );
    assert_mentions(&error_of(&model(&[relu("x", "x")], &x, &y, &[])), &["'x' is made twice"]);
    assert_mentions(&error_of(&model(&[], &x, &y, &[])), &["output 'y'", "no value 'y'"]);
    assert_mentions(&error_of(&model(&[relu("x", "y")], &x, &[], &[])), &["at least one output"]);
}

#[test]
fn rows_that_would_be_mixed_are_refused() {
    let reduce = node("", "ReduceMean", &["x"], &["y"], &[("axes", Attribute::Ints(&[0]))]);
    assert_mentions(&error_of(&single(3, &reduce)), &["ReduceMean", "axis 0", "is the batch"]);
    let softmax = node("", "Softmax", &["x"], &["y"], &[("axis", Attribute::Int(0))]);
    assert_mentions(&error_of(&single(3, &softmax)), &["is the batch"]);
    let turned = node("", "Transpose", &["x"], &["y"], &[]);
    assert_mentions(&error_of(&single(3, &turned)), &["output 'y'", "[3, n]"]);
}
