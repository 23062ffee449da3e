//! The golden models agree with ONNX Runtime: labels are equal, numbers differ by 1e-5 at most.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod common;

use common::{GOLDEN, assert_agrees, batch_of, golden_model, golden_outputs, golden_rows, score};

fn check(name: &str) {
    let model = golden_model(name);
    let batch = batch_of(model.signature(), &golden_rows(name));
    let predictions = score(&*model, &batch).unwrap();
    assert_eq!(predictions.rows(), batch.rows());
    assert_agrees(name, &predictions, &golden_outputs(name));
}

macro_rules! golden {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_golden_model_has_a_test() {
            assert_eq!([$(stringify!($name)),*], GOLDEN);
        }
    };
}

golden! {
    lgbm_binary
    lgbm_multiclass
    xgb_binary
    sk_gbr
    sk_mlp
    autoencoder
    sk_kmeans
    sk_isolation_forest
    sk_pipeline_forest
    sk_pipeline_strings
    sk_pipeline_strings_zipmap
}
