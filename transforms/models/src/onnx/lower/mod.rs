//! One function per operator: it checks a node, decides the shape of what it makes and emits the kernels.
//!
//! - [`math`]: functions of cells.
//! - [`dense`]: matrix products and what can be compiled together with them.
//! - [`fold`]: reductions, softmax, the position of an extreme.
//! - [`layout`], [`columns`]: other shapes, types and names; columns taken apart and put together.
//! - [`sizes`]: shapes as values.
//! - [`encode`]: categories, labels, scaling.
//! - [`linear`], [`trees`]: models.

mod columns;
mod dense;
mod encode;
mod fold;
mod layout;
mod linear;
mod math;
mod sizes;
mod trees;

use std::rc::Rc;

use super::graph::{Compiler, Rows, Value};
use super::node::Node;
use super::shape::Shape;
use super::tensor::Tensor;
use super::{CORE, ML};
use crate::block::elementwise::{Conversion, Convert};
use crate::block::lanes::{AnyReg, Element, Number, Reg};
use crate::error::ModelError;
use crate::signature::ElementType;

type Lower = fn(&mut Compiler<'_>, usize) -> Result<(), ModelError>;

/// The operators that are supported, by domain and name, each domain in alphabetical order.
pub(super) const OPERATORS: &[(&str, &str, Lower)] = &[
    (CORE, "Abs", math::unary),
    (CORE, "Add", math::arithmetic),
    (CORE, "And", math::logic),
    (CORE, "ArgMax", fold::arg),
    (CORE, "ArgMin", fold::arg),
    (CORE, "BatchNormalization", dense::batch_normalization),
    (CORE, "Cast", layout::cast),
    (CORE, "Ceil", math::unary),
    (CORE, "Clip", math::clip),
    (CORE, "Concat", columns::concat),
    (CORE, "Constant", layout::constant),
    (CORE, "ConstantOfShape", sizes::constant_of_shape),
    (CORE, "Div", math::arithmetic),
    (CORE, "Dropout", layout::identity),
    (CORE, "Elu", math::unary),
    (CORE, "Equal", math::compare),
    (CORE, "Exp", math::unary),
    (CORE, "Flatten", layout::flatten),
    (CORE, "Floor", math::unary),
    (CORE, "Gather", columns::gather),
    (CORE, "Gemm", dense::gemm),
    (CORE, "Greater", math::compare),
    (CORE, "GreaterOrEqual", math::compare),
    (CORE, "HardSigmoid", math::unary),
    (CORE, "Identity", layout::identity),
    (CORE, "IsNaN", math::is_nan),
    (CORE, "LeakyRelu", math::unary),
    (CORE, "Less", math::compare),
    (CORE, "LessOrEqual", math::compare),
    (CORE, "Log", math::unary),
    (CORE, "LogSoftmax", fold::softmax),
    (CORE, "LpNormalization", fold::lp_normalization),
    (CORE, "MatMul", dense::matmul),
    (CORE, "Max", math::arithmetic),
    (CORE, "Mean", math::arithmetic),
    (CORE, "Min", math::arithmetic),
    (CORE, "Mul", math::arithmetic),
    (CORE, "Neg", math::unary),
    (CORE, "Not", math::not),
    (CORE, "Or", math::logic),
    (CORE, "Pow", math::power),
    (CORE, "Reciprocal", math::unary),
    (CORE, "ReduceL1", fold::reduce),
    (CORE, "ReduceL2", fold::reduce),
    (CORE, "ReduceLogSum", fold::reduce),
    (CORE, "ReduceLogSumExp", fold::reduce),
    (CORE, "ReduceMax", fold::reduce),
    (CORE, "ReduceMean", fold::reduce),
    (CORE, "ReduceMin", fold::reduce),
    (CORE, "ReduceProd", fold::reduce),
    (CORE, "ReduceSum", fold::reduce),
    (CORE, "ReduceSumSquare", fold::reduce),
    (CORE, "Relu", math::unary),
    (CORE, "Reshape", layout::reshape),
    (CORE, "Round", math::unary),
    (CORE, "Selu", math::unary),
    (CORE, "Shape", sizes::shape),
    (CORE, "Sigmoid", math::unary),
    (CORE, "Sign", math::unary),
    (CORE, "Slice", columns::slice),
    (CORE, "Softmax", fold::softmax),
    (CORE, "Softplus", math::unary),
    (CORE, "Softsign", math::unary),
    (CORE, "Split", columns::split),
    (CORE, "Sqrt", math::unary),
    (CORE, "Squeeze", layout::squeeze),
    (CORE, "Sub", math::arithmetic),
    (CORE, "Sum", math::arithmetic),
    (CORE, "Tanh", math::unary),
    (CORE, "ThresholdedRelu", math::unary),
    (CORE, "Transpose", layout::transpose),
    (CORE, "Unsqueeze", layout::unsqueeze),
    (CORE, "Where", math::choose),
    (CORE, "Xor", math::logic),
    (ML, "ArrayFeatureExtractor", columns::extract),
    (ML, "Binarizer", encode::binarizer),
    (ML, "FeatureVectorizer", columns::vectorize),
    (ML, "Imputer", encode::imputer),
    (ML, "LabelEncoder", encode::label_encoder),
    (ML, "LinearClassifier", linear::classifier),
    (ML, "LinearRegressor", linear::regressor),
    (ML, "Normalizer", fold::normalizer),
    (ML, "OneHotEncoder", encode::one_hot),
    (ML, "Scaler", encode::scaler),
    (ML, "TreeEnsembleClassifier", trees::classifier),
    (ML, "TreeEnsembleRegressor", trees::regressor),
    (ML, "ZipMap", layout::zip_map),
];

/// Compiles the node at this position.
pub(super) fn node(compiler: &mut Compiler<'_>, position: usize) -> Result<(), ModelError> {
    let node = compiler.node(position);
    let (domain, operator) = (node.domain(), node.proto.operator);
    let found = OPERATORS.iter().find(|(in_domain, name, _)| *in_domain == domain && *name == operator);
    match found {
        Some((_, _, lower)) => lower(compiler, position),
        None => {
            let of_domain = OPERATORS.iter().filter(|(found, _, _)| *found == domain);
            let supported: Vec<&str> = of_domain.map(|(_, name, _)| *name).collect();
            Err(compiler.unsupported(position, &supported))
        }
    }
}

/// Runs the same code for a register of any type.
macro_rules! any_type {
    ($reg:expr, $typed:ident => $body:expr) => {
        match $reg {
            AnyReg::Floats($typed) => $body,
            AnyReg::Doubles($typed) => $body,
            AnyReg::Integers($typed) => $body,
        }
    };
}
use any_type;

/// Runs the same code for a register of floating point numbers; other types are an error of the node.
macro_rules! real_type {
    ($compiler:expr, $at:expr, $rows:expr, $typed:ident => $body:expr) => {
        match $rows.reg {
            AnyReg::Floats($typed) => $body,
            AnyReg::Doubles($typed) => $body,
            AnyReg::Integers(_) => {
                let what = format!("its input is of type {}", $rows.element);
                Err($compiler.node($at).invalid(what, "float32 or float64"))
            }
        }
    };
}
use real_type;

/// What all operators do with their inputs and outputs.
impl<'a> Compiler<'a> {
    /// A value that must be there.
    fn wanted(&mut self, at: usize, input: usize) -> Result<Value, ModelError> {
        match self.optional(at, input)? {
            Some(value) => Ok(value),
            None => {
                let node = self.node(at);
                Err(node.invalid(
                    format!("it has {} inputs", node.proto.inputs.len()),
                    format!("at least {}", input + 1),
                ))
            }
        }
    }

    fn optional(&mut self, at: usize, input: usize) -> Result<Option<Value>, ModelError> {
        let node = self.node(at);
        let Some(name) = node.input(input) else { return Ok(None) };
        let place = node.place.clone();
        self.value(name, &place).map(Some)
    }

    /// A value that must depend on the records.
    fn rows(&mut self, at: usize, input: usize) -> Result<Rows, ModelError> {
        match self.wanted(at, input)? {
            Value::Rows(rows) => Ok(rows),
            Value::Constant(_) => {
                let node = self.node(at);
                let name = node.input(input).unwrap_or_default();
                Err(node.invalid(
                    format!("its input '{name}' is a constant"),
                    "a value that depends on the model's inputs",
                ))
            }
        }
    }

    /// A value that must be known now, if it is there at all.
    fn known(&mut self, at: usize, input: usize) -> Result<Option<Rc<Tensor>>, ModelError> {
        match self.optional(at, input)? {
            None => Ok(None),
            Some(Value::Constant(tensor)) => Ok(Some(tensor)),
            Some(Value::Rows(_)) => {
                let node = self.node(at);
                let name = node.input(input).unwrap_or_default();
                Err(node.invalid(format!("its input '{name}' depends on the model's inputs"), "a constant"))
            }
        }
    }

    fn known_integers(&mut self, at: usize, input: usize) -> Result<Option<Vec<i64>>, ModelError> {
        let Some(tensor) = self.known(at, input)? else { return Ok(None) };
        match &tensor.data {
            super::tensor::Data::Integers(values) => Ok(Some(values.clone())),
            _ => {
                Err(self.node(at).invalid(format!("input {input} is of type {}", tensor.element), "integers"))
            }
        }
    }

    fn register<T: Element>(&mut self, at: usize, width: usize) -> Result<Reg<T>, ModelError> {
        // The name is only wanted for an error, but errors are rare and nodes are few.
        let place = self.node(at).place.clone();
        self.plan.register(&place, width)
    }

    fn charge(&mut self, at: usize, numbers: usize) -> Result<(), ModelError> {
        let place = self.node(at).place.clone();
        self.plan.charge(&place, numbers)
    }

    fn emit(
        &mut self,
        at: usize,
        kernel: impl crate::block::lanes::Kernel + 'static,
        reads: impl IntoIterator<Item = AnyReg>,
        writes: impl IntoIterator<Item = AnyReg>,
    ) {
        let place = self.node(at).place.clone();
        self.plan.emit(&place, kernel, reads, writes);
    }

    /// Defines an output that is new.
    fn make(
        &mut self,
        at: usize,
        output: usize,
        reg: AnyReg,
        element: ElementType,
        shape: Shape,
    ) -> Result<(), ModelError> {
        self.define(at, output, Value::Rows(Rows { reg, element, shape, classes: None, from_records: false }))
    }

    /// The columns of a value that is `[n]` or `[n, k]`, as operators of classical machine learning take them.
    fn matrix(&self, at: usize, rows: &Rows) -> Result<usize, ModelError> {
        rows.shape.as_matrix().ok_or_else(|| {
            self.node(at)
                .invalid(format!("its input has shape {}", rows.shape), "a matrix of rows and columns")
        })
    }

    /// A numeric value as 32-bit floating point numbers.
    fn floats(&mut self, at: usize, rows: &Rows) -> Result<Reg<f32>, ModelError> {
        match rows.reg {
            AnyReg::Floats(reg) => Ok(reg),
            AnyReg::Doubles(reg) => self.converted(at, reg, Conversion::Plain),
            AnyReg::Integers(reg) => {
                self.numeric(at, rows)?;
                self.converted(at, reg, Conversion::Plain)
            }
        }
    }

    fn numeric(&self, at: usize, rows: &Rows) -> Result<(), ModelError> {
        match rows.element {
            ElementType::String => Err(self.node(at).invalid("its input is text", "numbers")),
            _ => Ok(()),
        }
    }

    fn converted<T: Number, U: Number>(
        &mut self,
        at: usize,
        input: Reg<T>,
        to: Conversion,
    ) -> Result<Reg<U>, ModelError> {
        let output = self.register(at, input.width)?;
        self.emit(at, Convert { input, output, to }, [T::any(input)], [U::any(output)]);
        Ok(output)
    }

    /// Texts by number.
    fn intern(&mut self, texts: &[impl AsRef<str>]) -> Box<[i64]> {
        texts.iter().map(|text| self.plan.vocabulary.intern(text.as_ref())).collect()
    }
}

/// One number per column from an attribute that has as many, or one for all columns.
fn per_column<T: Copy>(
    node: &Node<'_>,
    name: &str,
    values: &[T],
    columns: usize,
) -> Result<Box<[T]>, ModelError> {
    match values {
        [value] => Ok(vec![*value; columns].into()),
        _ if values.len() == columns => Ok(values.into()),
        _ => Err(node.invalid(
            format!("attribute {name} has {} values", values.len()),
            format!("1 or {columns}, one for each column of the input"),
        )),
    }
}
