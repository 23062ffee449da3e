//! Linear models.

use std::sync::Arc;

use super::dense::with_coefficients;
use crate::block::lanes::AnyReg;
use crate::block::post::{Decision, Linear, PostTransform};
use crate::error::ModelError;
use crate::onnx::graph::{Compiler, Rows, Value};
use crate::onnx::node::Node;
use crate::onnx::shape::Shape;
use crate::signature::ElementType;

pub(super) fn post_transform(node: &Node<'_>) -> Result<PostTransform, ModelError> {
    match node.text("post_transform", "NONE")? {
        "NONE" => Ok(PostTransform::None),
        "LOGISTIC" => Ok(PostTransform::Logistic),
        "PROBIT" => Ok(PostTransform::Probit),
        "SOFTMAX" => Ok(PostTransform::Softmax),
        "SOFTMAX_ZERO" => Ok(PostTransform::SoftmaxZero),
        other => Err(node.invalid(
            format!("attribute post_transform is '{other}'"),
            "NONE, LOGISTIC, PROBIT, SOFTMAX or SOFTMAX_ZERO",
        )),
    }
}

/// The classes of a classifier: labels by number, their type and their names.
pub(super) struct Classes {
    pub(super) labels: Box<[i64]>,
    pub(super) element: ElementType,
    pub(super) names: Arc<[String]>,
}

/// Reads the classes from attributes with text or with integers, of which there is one.
pub(super) fn classes(
    compiler: &mut Compiler<'_>,
    at: usize,
    texts: &str,
    integers: &str,
) -> Result<Classes, ModelError> {
    let node = compiler.node(at);
    let text_labels = node.texts(texts)?;
    let labels = node.integers(integers)?.unwrap_or_default();
    if !text_labels.is_empty() && !labels.is_empty() {
        return Err(node.invalid(format!("it has both {texts} and {integers}"), "one of them"));
    }
    Ok(if text_labels.is_empty() {
        let names = labels.iter().map(ToString::to_string).collect();
        Classes { labels: labels.into(), element: ElementType::Int64, names }
    } else {
        let names = text_labels.iter().map(|text| (*text).to_owned()).collect();
        Classes { labels: compiler.intern(&text_labels), element: ElementType::String, names }
    })
}

/// `LinearRegressor`.
pub(super) fn regressor(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    compiler.matrix(at, &rows)?;
    let node = compiler.node(at);
    let targets = node.integer("targets")?.unwrap_or(1);
    let targets = usize::try_from(targets)
        .ok()
        .filter(|&targets| targets > 0)
        .ok_or_else(|| node.invalid(format!("attribute targets is {targets}"), "at least 1"))?;
    let (coefficients, intercepts) = (node.floats("coefficients")?, node.floats("intercepts")?);
    let post = post_transform(node)?;
    if !intercepts.is_empty() && intercepts.len() != targets {
        return Err(node.invalid(
            format!("it has {} intercepts", intercepts.len()),
            format!("{targets}, one per target"),
        ));
    }
    let input = compiler.floats(at, &rows)?;
    let scores = with_coefficients(compiler, at, input, &coefficients, &intercepts, targets)?;
    let output = if post == PostTransform::None {
        scores
    } else {
        let output = compiler.register(at, targets)?;
        let kernel = Linear { input: scores, output, post, decision: None };
        let writes = kernel.writes();
        compiler.emit(at, kernel, [AnyReg::Floats(scores)], writes);
        output
    };
    compiler.make(at, 0, AnyReg::Floats(output), ElementType::Float32, Shape::matrix(targets))
}

/// `LinearClassifier`. A single score stands for two classes: the second one's, and the first one's from it.
pub(super) fn classifier(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    compiler.matrix(at, &rows)?;
    let classes = classes(compiler, at, "classlabels_strings", "classlabels_ints")?;
    let node = compiler.node(at);
    let (coefficients, intercepts) = (node.floats("coefficients")?, node.floats("intercepts")?);
    let post = post_transform(node)?;
    let input = compiler.floats(at, &rows)?;
    // Without intercepts the number of scores follows from the coefficients.
    let count = match intercepts.len() {
        0 => coefficients.len() / input.width.max(1),
        count => count,
    };
    let named = classes.labels.len();
    let (labels, width) = match (count, named) {
        (1, 2) => (classes.labels, 2),
        // Nameless classes are 0 and 1.
        (1, 0) => ([0, 1].into(), 1),
        (count, named) if count == named && count > 1 => (classes.labels, count),
        _ => {
            let what = format!("it has {count} scores and {named} classes");
            return Err(compiler.node(at).invalid(what, "a score per class, or one score for two classes"));
        }
    };
    let scores = with_coefficients(compiler, at, input, &coefficients, &intercepts, count)?;
    let output = compiler.register(at, width)?;
    let label = compiler.register(at, 1)?;
    let decision = Some(Decision { output: label, labels });
    let kernel = Linear { input: scores, output, post, decision };
    let writes = kernel.writes();
    compiler.emit(at, kernel, [AnyReg::Floats(scores)], writes);
    hand_out(compiler, at, classes.element, classes.names, AnyReg::Integers(label), AnyReg::Floats(output))
}

/// Defines the two outputs of a classifier: labels and scores.
pub(super) fn hand_out(
    compiler: &mut Compiler<'_>,
    at: usize,
    element: ElementType,
    names: Arc<[String]>,
    label: AnyReg,
    scores: AnyReg,
) -> Result<(), ModelError> {
    let names = Some(names);
    let value = |reg, element, shape| {
        Value::Rows(Rows { reg, element, shape, classes: names.clone(), from_records: false })
    };
    compiler.define(at, 0, value(label, element, Shape::vector()))?;
    compiler.define(at, 1, value(scores, ElementType::Float32, Shape::matrix(scores.width())))
}
