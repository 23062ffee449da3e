//! Reads ONNX graphs and compiles them to plans.
//!
//! What is supported is what the converters of scikit-learn, LightGBM and XGBoost and small exported networks use; the
//! table is `OPERATORS` in `lower`. Everything else is an error at load that names the operator. Where the specification
//! is silent or loose, results are those of ONNX Runtime on a CPU.
//!
//! - `wire`, `proto`, `tensor`: the file format, read by hand and bounded everywhere.
//! - `node`: attributes with their types checked.
//! - `shape`: shapes with a batch in them.
//! - `graph`: values by name, and the walk over the nodes.
//! - `lower`: one function per operator, which checks a node and emits kernels.

mod graph;
mod lower;
mod node;
mod proto;
mod shape;
mod tensor;
mod wire;

use std::sync::Arc;

use crate::block::plan::{BlockScorer, Plan};
use crate::error::ModelError;
use crate::model::{Model, Scorer};
use crate::signature::Signature;

/// What messages and [`Model::format`] call the format.
const FORMAT: &str = "ONNX";
/// The domain of the operators that leave it empty.
const CORE: &str = "ai.onnx";
/// The domain of the operators of classical machine learning.
const ML: &str = "ai.onnx.ml";

/// Reads an ONNX model from the bytes of its file and compiles it.
///
/// # Errors
/// [`ModelErrorKind::Malformed`](crate::ModelErrorKind::Malformed) when the bytes are not an ONNX file,
/// [`Unsupported`](crate::ModelErrorKind::Unsupported) for an operator that is not implemented,
/// [`Invalid`](crate::ModelErrorKind::Invalid) and [`Limit`](crate::ModelErrorKind::Limit) for everything else that is
/// wrong with the graph, each naming the node.
pub fn load_bytes(bytes: &[u8]) -> Result<Arc<dyn Model>, ModelError> {
    let model = proto::model(bytes)?;
    let plan = graph::compile(&model)?;
    Ok(Arc::new(OnnxModel { plan: Arc::new(plan) }))
}

/// Whether a file that starts with these bytes may be an ONNX model: it begins with the version of its format, a small
/// number in field 1, or with another of the model's first fields.
pub(crate) fn recognises(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1..=0x40, ..] | [0x12 | 0x1a | 0x3a | 0x42, ..]) && proto::model(bytes).is_ok()
}

#[derive(Debug)]
struct OnnxModel {
    plan: Arc<Plan>,
}

impl Model for OnnxModel {
    fn format(&self) -> &'static str {
        FORMAT
    }

    fn signature(&self) -> &Arc<Signature> {
        self.plan.signature()
    }

    fn scorer(&self) -> Box<dyn Scorer> {
        Box::new(BlockScorer::new(&self.plan))
    }
}
