//! What callers rely on: signatures, errors, batches of any size, files.

mod common;

use common::build::{model, node, value};
use common::{
    GOLDEN, Numbers, assert_agrees, assert_same_row, batch_of, golden_bytes, golden_model, golden_outputs,
    golden_rows, score,
};
use lavka_models::{
    ElementType, Feature, FeatureBatch, ModelErrorKind, OutputKind, Prediction, Predictions, load, onnx,
};

#[test]
fn inputs_of_a_matrix_are_flattened() {
    let model = golden_model("autoencoder");
    assert_eq!(model.format(), "ONNX");
    assert_eq!(model.inputs().len(), 20);
    let third = &model.inputs()[2];
    assert_eq!((third.name.as_str(), &*third.tensor, third.index, third.width), ("x2", "x", 2, 20));
    assert_eq!(third.element, ElementType::Float32);
    assert_eq!(model.signature().input("x19"), Some(19));
    assert_eq!(model.signature().describe_inputs(), "x[20]: float32");
}

#[test]
fn inputs_of_one_column_keep_their_names_and_types() {
    let model = golden_model("sk_pipeline_forest");
    let inputs: Vec<_> = model.inputs().iter().map(|input| (input.name.as_str(), input.element)).collect();
    use ElementType::{Float32, Int64, String};
    let wanted = [
        ("tenure", Float32),
        ("monthly", Float32),
        ("total", Float32),
        ("contract", String),
        ("payment", String),
        ("calls", Int64),
    ];
    assert_eq!(inputs, wanted);
}

#[test]
fn outputs_say_what_they_are() {
    let model = golden_model("sk_pipeline_strings_zipmap");
    let [label, probabilities] = model.outputs() else { panic!("two outputs") };
    assert_eq!((label.kind, label.element, label.width), (OutputKind::Label, ElementType::String, 1));
    assert_eq!((probabilities.kind, probabilities.width), (OutputKind::Numbers, 2));
    assert_eq!(probabilities.classes.as_deref(), Some(&["churn".to_owned(), "stay".to_owned()][..]));
    let model = golden_model("lgbm_multiclass");
    let [label, probabilities] = model.outputs() else { panic!("two outputs") };
    assert_eq!((label.kind, label.element), (OutputKind::Label, ElementType::Int64));
    assert_eq!(
        probabilities.classes.as_deref().map(<[String]>::len),
        Some(3),
        "the classes survive what follows the trees"
    );
    let model = golden_model("autoencoder");
    let [reconstruction, error] = model.outputs() else { panic!("two outputs") };
    assert_eq!((reconstruction.kind, reconstruction.width), (OutputKind::Numbers, 20));
    assert_eq!((error.name.as_str(), error.kind, error.width), ("mse", OutputKind::Numbers, 1));
}

#[test]
fn predictions_are_picked_by_name_and_class() {
    let name = "sk_pipeline_strings";
    let model = golden_model(name);
    let signature = model.signature();
    let predictions = score(&*model, &batch_of(signature, &golden_rows(name))).unwrap();
    let value = |text: &str| predictions.value(signature.select(text).unwrap(), 2).unwrap();
    assert_eq!(value("label"), Prediction::Text("stay"));
    assert_eq!(value("probabilities[stay]"), value("probabilities[1]"));
    let Prediction::Float(churn) = value("probabilities[churn]") else { panic!("a number") };
    assert!((churn - 0.364_646).abs() < 1e-5);
    assert_eq!(predictions.value(signature.select("label").unwrap(), 60), None);
    assert_eq!(predictions.floats(1).map(<[f32]>::len), Some(120));
}

#[test]
fn an_empty_batch_gives_no_predictions() {
    for name in GOLDEN {
        let model = golden_model(name);
        let predictions = score(&*model, &FeatureBatch::new(model.signature())).unwrap();
        assert_eq!(predictions.rows(), 0);
        assert!(predictions.column(0).is_some());
    }
}

#[test]
fn a_row_alone_gives_what_it_gives_among_others() {
    for name in GOLDEN {
        let model = golden_model(name);
        let rows = golden_rows(name);
        let together = score(&*model, &batch_of(model.signature(), &rows)).unwrap();
        for (row, cells) in rows.iter().enumerate() {
            let alone = score(&*model, &batch_of(model.signature(), std::slice::from_ref(cells))).unwrap();
            assert_same_row(name, &together, row, &alone);
        }
    }
}

#[test]
fn batches_of_every_size_agree() {
    for name in ["lgbm_multiclass", "autoencoder", "sk_pipeline_strings"] {
        let model = golden_model(name);
        let rows = golden_rows(name);
        let expected = golden_outputs(name);
        let whole = score(&*model, &batch_of(model.signature(), &rows)).unwrap();
        assert_agrees(name, &whole, &expected);
        // One scorer and one set of predictions for all sizes, larger and smaller in turn.
        let mut scorer = model.scorer();
        let mut predictions = Predictions::new(model.signature());
        for size in [7, 129, 1, 64, 8, 65, 9, 200, 63] {
            let repeated: Vec<_> = rows.iter().cycle().take(size).cloned().collect();
            scorer.score(&batch_of(model.signature(), &repeated), &mut predictions).unwrap();
            assert_eq!(predictions.rows(), size);
            for row in [0, size / 2, size - 1] {
                let alone =
                    score(&*model, &batch_of(model.signature(), &rows[row % rows.len()..][..1])).unwrap();
                assert_same_row(name, &predictions, row, &alone);
            }
        }
    }
}

#[test]
fn rows_of_missing_values_are_scored() {
    for name in ["lgbm_binary", "xgb_binary", "sk_gbr", "lgbm_multiclass", "sk_isolation_forest"] {
        let model = golden_model(name);
        let mut batch = FeatureBatch::new(model.signature());
        batch.push_row();
        let predictions = score(&*model, &batch).unwrap();
        let last = model.outputs().len() - 1;
        assert!(predictions.floats(last).unwrap().iter().all(|score| score.is_finite()), "{name}");
    }
    // Arithmetic carries missing values on.
    let model = golden_model("autoencoder");
    let mut batch = FeatureBatch::new(model.signature());
    batch.push_row();
    let predictions = score(&*model, &batch).unwrap();
    assert!(predictions.floats(1).unwrap()[0].is_nan());
}

#[test]
fn a_text_that_is_missing_is_an_unknown_level() {
    let name = "sk_pipeline_strings";
    let model = golden_model(name);
    let mut batch = batch_of(model.signature(), &golden_rows(name)[3..4]);
    let unknown = score(&*model, &batch).unwrap();
    batch.set(0, 3, Feature::Missing).unwrap();
    let missing = score(&*model, &batch).unwrap();
    assert_same_row(name, &unknown, 0, &missing);
}

#[test]
fn batches_for_other_models_are_refused() {
    let trees = golden_model("sk_gbr");
    let network = golden_model("autoencoder");
    let batch = FeatureBatch::new(network.signature());
    let mut predictions = Predictions::new(trees.signature());
    let error = trees.scorer().score(&batch, &mut predictions).unwrap_err();
    assert!(matches!(error.kind(), ModelErrorKind::Arity { expected: 10, found: 20, .. }));
    assert_eq!(error.to_string(), "model: got 20 feature columns; expected 10: x[10]: float32");
    // The same columns under another model are fine, and so are predictions made for another model.
    let other = golden_model("sk_mlp");
    let mut batch = FeatureBatch::new(other.signature());
    batch.push_floats(&[0.5; 10]).unwrap();
    let mut predictions = Predictions::new(network.signature());
    trees.scorer().score(&batch, &mut predictions).unwrap();
    assert_eq!((predictions.rows(), predictions.signature().outputs()[0].name.as_str()), (1, "variable"));
}

#[test]
fn a_refused_row_leaves_no_predictions() {
    use common::build::Attribute::{Int, Texts};
    let attributes = [("cats_strings", Texts(&["a", "b"])), ("zeros", Int(0))];
    let encoder = node("ai.onnx.ml", "OneHotEncoder", &["x"], &["y"], &attributes);
    let bytes = model(&[encoder], &[value("x", 8, &[-1, 1])], &[value("y", 1, &[-1, 1, 2])], &[]);
    let model = onnx::load_bytes(&bytes).unwrap();
    let mut batch = FeatureBatch::new(model.signature());
    let mut predictions = Predictions::new(model.signature());
    let mut scorer = model.scorer();
    for row in 0..100 {
        let at = batch.push_row();
        batch.set(at, 0, Feature::Text(if row == 70 { "c" } else { "b" })).unwrap();
    }
    let error = scorer.score(&batch, &mut predictions).unwrap_err();
    assert!(matches!(error.kind(), ModelErrorKind::Scoring { row: 70, .. }), "{error}");
    assert!(
        error.to_string().contains("OneHotEncoder") && error.to_string().contains("unknown category"),
        "{error}"
    );
    assert_eq!(predictions.rows(), 0);
    batch.set(70, 0, Feature::Text("a")).unwrap();
    scorer.score(&batch, &mut predictions).unwrap();
    assert_eq!(predictions.rows(), 100);
    assert_eq!(predictions.floats(0).unwrap()[140..142], [1.0, 0.0]);
}

#[test]
fn unsupported_operators_are_named() {
    let conv = node("", "Conv", &["x", "w"], &["y"], &[]);
    let bytes = model(&[conv], &[value("x", 1, &[-1, 2])], &[value("y", 1, &[-1, 2])], &[]);
    let error = onnx::load_bytes(&bytes).unwrap_err();
    let ModelErrorKind::Unsupported { operator, domain, supported, .. } = error.kind() else {
        panic!("{error}")
    };
    assert_eq!((operator.as_str(), domain.as_str()), ("Conv", "ai.onnx"));
    assert!(supported.contains("Gemm") && !supported.contains("Scaler"), "{supported}");
    assert!(
        error
            .to_string()
            .starts_with("model: node 0 (Conv): operator Conv of domain ai.onnx is not supported")
    );
    let custom = node("com.example", "Magic", &["x"], &["y"], &[]);
    let bytes = model(&[custom], &[value("x", 1, &[-1, 2])], &[value("y", 1, &[-1, 2])], &[]);
    let error = onnx::load_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("domain com.example") && error.ends_with("none"), "{error}");
}

#[test]
fn inputs_without_a_width_are_refused() {
    let relu = || node("", "Relu", &["x"], &["y"], &[]);
    for (dims, words) in
        [(&[-1, -1][..], "[?, ?]"), (&[5, 2], "number of rows is fixed"), (&[], "single number")]
    {
        let bytes = model(&[relu()], &[value("x", 1, dims)], &[value("y", 1, &[-1, 2])], &[]);
        let error = onnx::load_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("input 'x'") && error.contains(words), "{error}");
    }
    let bytes = model(&[relu()], &[value("x", 10, &[-1, 2])], &[value("y", 1, &[-1, 2])], &[]);
    let error = onnx::load_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("element type 10") && error.contains("float, double"), "{error}");
    // A model exported for one row at a time takes batches as well.
    let bytes = model(&[relu()], &[value("x", 1, &[1, 2])], &[value("y", 1, &[1, 2])], &[]);
    assert_eq!(onnx::load_bytes(&bytes).unwrap().inputs().len(), 2);
}

#[test]
fn names_that_collide_are_spelt_out() {
    let concat = node("", "Concat", &["x", "x1"], &["y"], &[("axis", common::build::Attribute::Int(1))]);
    let inputs = [value("x", 1, &[-1, 2]), value("x1", 1, &[-1, 1])];
    let model = onnx::load_bytes(&model(&[concat], &inputs, &[value("y", 1, &[-1, 3])], &[])).unwrap();
    let names: Vec<&str> = model.inputs().iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["x0", "x[1]", "x1"]);
}

#[test]
fn files_are_recognised_by_name_or_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let bytes = golden_bytes("sk_mlp");
    assert!(load(&file("model.ONNX", &bytes)).is_ok());
    assert!(load(&file("model", &bytes)).is_ok());
    assert!(load(&file("model.bin", &golden_bytes("xgb_binary"))).is_ok());

    let missing = load(&folder.path().join("gone.onnx")).unwrap_err();
    assert!(matches!(missing.kind(), ModelErrorKind::Unreadable(_)));
    assert!(missing.to_string().contains("gone.onnx"), "{missing}");
    let unknown = load(&file("model.txt", b"a model, honestly")).unwrap_err();
    assert!(matches!(unknown.kind(), ModelErrorKind::UnknownFormat { .. }));
    assert!(
        unknown.to_string().contains("model.txt") && unknown.to_string().contains("ONNX (.onnx)"),
        "{unknown}"
    );
    let broken = load(&file("broken.onnx", &bytes[..700])).unwrap_err();
    assert!(matches!(broken.kind(), ModelErrorKind::Malformed { .. }), "{broken}");
    assert!(broken.to_string().contains("broken.onnx") && broken.to_string().contains("at byte"), "{broken}");
    assert!(load(&file("empty.onnx", b"")).is_err());
    assert!(load(folder.path()).is_err());
}

#[test]
fn scorers_work_side_by_side() {
    let name = "lgbm_binary";
    let model = golden_model(name);
    let expected = golden_outputs(name);
    let rows = golden_rows(name);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let predictions = score(&*model, &batch_of(model.signature(), &rows)).unwrap();
                assert_agrees(name, &predictions, &expected);
            });
        }
    });
}

/// Scoring the rows of one model with random numbers in place of theirs does not trip it up.
#[test]
fn extreme_numbers_are_scored() {
    let mut numbers = Numbers(9);
    for name in GOLDEN {
        let model = golden_model(name);
        let mut batch = FeatureBatch::new(model.signature());
        for _ in 0..70 {
            let row = batch.push_row();
            for (column, input) in model.inputs().iter().enumerate() {
                let bits = numbers.next();
                let feature = match input.element {
                    ElementType::String => Feature::Text("\u{0}é"),
                    ElementType::Int64 => Feature::Integer(bits as i64),
                    _ => Feature::Number(f64::from(f32::from_bits(bits as u32))),
                };
                batch.set(row, column, feature).unwrap();
            }
        }
        assert_eq!(score(&*model, &batch).unwrap().rows(), 70, "{name}");
    }
}
