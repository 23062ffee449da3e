//! Matrix products with constant weights, and what can be compiled together with them.

use super::math::{self, Constants};
use super::real_type;
use crate::block::dense::Dense;
use crate::block::elementwise::{Arithmetic, Combine, Operand, Unary};
use crate::block::lanes::{AnyReg, Element, Real, Reg};
use crate::error::ModelError;
use crate::onnx::graph::{Compiler, Rows, Value};
use crate::onnx::shape::{Dim, Shape};
use crate::onnx::tensor::Tensor;

/// `Gemm`: alpha × A × B + beta × C. A is the rows, B constant, C a constant bias or another value.
pub(super) fn gemm(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let weights = weights(compiler, at)?;
    let node = compiler.node(at);
    if node.flag("transA", false)? {
        return Err(node.invalid("it transposes the rows (transA)", "transA of 0"));
    }
    let transposed = node.flag("transB", false)?;
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let &[first, second] = &weights.dims[..] else {
        return Err(node.invalid(format!("its weights have shape {:?}", weights.dims), "a matrix"));
    };
    let (height, width) = if transposed { (second, first) } else { (first, second) };
    let addend = compiler.optional(at, 2)?;
    let bias = match &addend {
        Some(Value::Constant(tensor)) => Some(tensor.clone()),
        _ => None,
    };
    if let Some(bias) = &bias {
        check_bias(compiler, at, bias, width)?;
    }
    let step = if transposed { (1, height) } else { (width, 1) };
    let layer = Layer { at, height, width, weights: &weights, step, bias: bias.as_deref(), alpha, beta };
    match addend {
        Some(Value::Rows(addend)) => {
            let (reg, shape) = layer.build_plain(compiler, &rows)?;
            let product = Value::Rows(Rows { reg, shape, ..plain(&rows) });
            let addend = scaled(compiler, at, addend, beta)?;
            let sum = math::combine(compiler, at, &product, &Value::Rows(addend), Arithmetic::Add)?;
            compiler.define(at, 0, Value::Rows(sum))
        }
        _ => layer.build(compiler, &rows),
    }
}

/// `MatMul` with constant weights on the right.
pub(super) fn matmul(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let weights = weights(compiler, at)?;
    let (height, width) = match weights.dims[..] {
        [height, width] => (height, width),
        // A vector gives one number for each row.
        [height] => (height, 1),
        _ => {
            let what = format!("its weights have shape {:?}", weights.dims);
            return Err(compiler.node(at).invalid(what, "a matrix or a vector"));
        }
    };
    let step = (width, 1);
    Layer { at, height, width, weights: &weights, step, bias: None, alpha: 1.0, beta: 1.0 }
        .build(compiler, &rows)
}

/// `BatchNormalization` as it is when a model is used: every column moved and scaled.
pub(super) fn batch_normalization(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let mut parameters = Vec::with_capacity(4);
    for input in 1..5 {
        let tensor = compiler.known(at, input)?;
        let node = compiler.node(at);
        let tensor = tensor
            .ok_or_else(|| node.invalid("it has less than 5 inputs", "scale, bias, mean and variance"))?;
        match f32::constants(&tensor.data) {
            Some(values) => parameters.push(values.to_vec()),
            None => {
                return Err(node.invalid(format!("input {input} is of type {}", tensor.element), "float32"));
            }
        }
    }
    let node = compiler.node(at);
    let epsilon = node.float("epsilon", 1e-5)?;
    if node.flag("training_mode", false)? {
        return Err(node.invalid("it is in training mode", "training_mode of 0"));
    }
    let AnyReg::Floats(input) = rows.reg else {
        return Err(node.invalid(format!("its input is of type {}", rows.element), "float32"));
    };
    // The channels are the second dimension; everything after it shares their parameters.
    let channels = match rows.shape.dims() {
        [Dim::Batch, Dim::Fixed(channels), ..] => *channels,
        _ => return Err(node.invalid(format!("its input has shape {}", rows.shape), "[n, channels, ...]")),
    };
    if parameters.iter().any(|parameter| parameter.len() != channels) {
        return Err(node.invalid("its parameters are of another length", format!("{channels} numbers each")));
    }
    let (width, per_channel) = (rows.shape.width(), rows.shape.width() / channels.max(1));
    compiler.charge(at, 2 * width)?;
    let (mut factors, mut offsets) = (Vec::with_capacity(width), Vec::with_capacity(width));
    for column in 0..width {
        let channel = column / per_channel.max(1);
        let factor = parameters[0][channel] / (parameters[3][channel] + epsilon).sqrt();
        factors.push(factor);
        offsets.push(parameters[1][channel] - parameters[2][channel] * factor);
    }
    let scaled = compiler.register(at, width)?;
    let output = compiler.register(at, width)?;
    for (input, output, constants, operation) in
        [(input, scaled, factors, Arithmetic::Mul), (scaled, output, offsets, Arithmetic::Add)]
    {
        let right = Operand::Constant(constants.into());
        let kernel = Combine { left: Operand::Same(input), right, output, operation };
        compiler.emit(at, kernel, [AnyReg::Floats(input)], [AnyReg::Floats(output)]);
    }
    compiler.make(at, 0, AnyReg::Floats(output), rows.element, rows.shape)
}

fn weights(compiler: &mut Compiler<'_>, at: usize) -> Result<std::rc::Rc<Tensor>, ModelError> {
    let weights = compiler.known(at, 1)?;
    weights.ok_or_else(|| compiler.node(at).invalid("it has one input", "an input and constant weights"))
}

/// A bias is one number for all columns or one for each, whatever its number of dimensions.
fn is_bias(tensor: &Tensor, width: usize) -> bool {
    let columns = tensor.dims.last().copied().unwrap_or(1);
    tensor.len() == columns && (columns == 1 || columns == width)
}

fn check_bias(compiler: &Compiler<'_>, at: usize, bias: &Tensor, width: usize) -> Result<(), ModelError> {
    if is_bias(bias, width) {
        return Ok(());
    }
    let what = format!("its bias has shape {:?}", bias.dims);
    Err(compiler.node(at).invalid(what, format!("{width} numbers, one for each column of the result, or 1")))
}

/// What a value is apart from where it is kept.
fn plain(rows: &Rows) -> Rows {
    Rows { classes: None, from_records: false, ..rows.clone() }
}

fn scaled(compiler: &mut Compiler<'_>, at: usize, rows: Rows, by: f32) -> Result<Rows, ModelError> {
    if by == 1.0 {
        return Ok(rows);
    }
    let data = match rows.reg {
        AnyReg::Doubles(_) => crate::onnx::tensor::Data::Doubles(vec![f64::from(by)]),
        _ => crate::onnx::tensor::Data::Floats(vec![by]),
    };
    let factor = Value::Constant(Tensor { element: rows.element, dims: Vec::new(), data }.into());
    math::combine(compiler, at, &Value::Rows(rows), &factor, Arithmetic::Mul)
}

/// A matrix product on its way to becoming a kernel.
struct Layer<'t> {
    at: usize,
    height: usize,
    width: usize,
    weights: &'t Tensor,
    /// How far apart weights of neighbouring input and result columns are.
    step: (usize, usize),
    bias: Option<&'t Tensor>,
    alpha: f32,
    beta: f32,
}

impl Layer<'_> {
    /// Emits the layer, with a bias and an activation that follow it as nodes of their own, and defines what the last
    /// of these nodes makes.
    fn build(self, compiler: &mut Compiler<'_>, rows: &Rows) -> Result<(), ModelError> {
        real_type!(compiler, self.at, rows, input => {
            let mut last = self.at;
            let mut following = None;
            if self.bias.is_none()
                && let Some((next, bias)) = self.bias_after(compiler, last)?
            {
                last = next;
                following = Some(bias);
            }
            let layer = Layer { bias: self.bias.or(following.as_deref()), ..self };
            let mut activation = None;
            if let Some(next) = compiler.sole_reader(last)
                && let Some(function) = activation_of(compiler, next)?
            {
                last = next;
                activation = Some(function);
            }
            let (reg, shape) = layer.emit(compiler, rows, input, activation)?;
            compiler.make(last, 0, reg, rows.element, shape)
        })
    }

    /// Emits the layer alone.
    fn build_plain(self, compiler: &mut Compiler<'_>, rows: &Rows) -> Result<(AnyReg, Shape), ModelError> {
        real_type!(compiler, self.at, rows, input => self.emit(compiler, rows, input, None))
    }

    /// The constant that the only reader of the product adds to it, if there is such a node.
    fn bias_after(
        &self,
        compiler: &mut Compiler<'_>,
        at: usize,
    ) -> Result<Option<(usize, std::rc::Rc<Tensor>)>, ModelError> {
        let Some(next) = compiler.sole_reader(at) else { return Ok(None) };
        let node = compiler.node(next);
        if node.proto.operator != "Add" || node.domain() != crate::onnx::CORE || node.proto.inputs.len() != 2
        {
            return Ok(None);
        }
        let own = compiler.node(at).output(0);
        let other = if node.input(0) == own { 1 } else { 0 };
        // A value that is not there yet is no constant, and the node itself will say what is wrong with it.
        let Ok(Some(Value::Constant(bias))) = compiler.optional(next, other) else { return Ok(None) };
        // A bias may not add a dimension to the product.
        let fits = is_bias(&bias, self.width) && bias.dims.len() <= self.weights.dims.len();
        if !fits || bias.element != self.weights.element {
            return Ok(None);
        }
        compiler.mark_done(next);
        Ok(Some((next, bias)))
    }

    fn emit<T: Real + Constants>(
        &self,
        compiler: &mut Compiler<'_>,
        rows: &Rows,
        input: Reg<T>,
        activation: Option<Unary<T>>,
    ) -> Result<(AnyReg, Shape), ModelError> {
        let node = compiler.node(self.at);
        let shape = match rows.shape.dims() {
            [Dim::Batch, Dim::Fixed(columns)] if *columns == self.height => match self.weights.dims.len() {
                1 => Shape::vector(),
                _ => Shape::matrix(self.width),
            },
            _ => {
                let what =
                    format!("its input has shape {} and its weights have {} rows", rows.shape, self.height);
                return Err(node.invalid(what, format!("an input of shape [n, {}]", self.height)));
            }
        };
        let mismatch = || {
            node.invalid(format!("its weights are of type {}", self.weights.element), "the type of its input")
        };
        let weights = T::constants(&self.weights.data).ok_or_else(mismatch)?;
        let bias = match self.bias {
            Some(bias) => T::constants(&bias.data).ok_or_else(mismatch)?,
            None => &[],
        };
        compiler.charge(self.at, self.height.saturating_mul(self.width.next_multiple_of(4)))?;
        let output = compiler.register(self.at, self.width)?;
        let (alpha, beta) = (T::from_f64(f64::from(self.alpha)), T::from_f64(f64::from(self.beta)));
        let weight = |i: usize, j: usize| {
            alpha.times(weights.get(i * self.step.0 + j * self.step.1).copied().unwrap_or(T::ZERO))
        };
        let bias = |j: usize| match bias {
            [] => T::ZERO,
            [single] => beta.times(*single),
            _ => beta.times(bias.get(j).copied().unwrap_or(T::ZERO)),
        };
        let kernel = Dense::new(input, output, weight, bias, activation);
        compiler.emit(self.at, kernel, [T::any(input)], [T::any(output)]);
        Ok((T::any(output), shape))
    }
}

/// The activation that a node stands for, which is then compiled together with the layer before it.
fn activation_of<T: Real>(compiler: &mut Compiler<'_>, at: usize) -> Result<Option<Unary<T>>, ModelError> {
    let node = compiler.node(at);
    if node.domain() != crate::onnx::CORE || node.proto.inputs.len() != 1 {
        return Ok(None);
    }
    let function = math::function(node)?;
    if function.is_some() {
        compiler.mark_done(at);
    }
    Ok(function)
}

/// A layer for operators that come with their weights as attributes: `coefficients[j][i]` is what input column `i`
/// adds to result column `j`.
pub(super) fn with_coefficients(
    compiler: &mut Compiler<'_>,
    at: usize,
    input: Reg<f32>,
    coefficients: &[f32],
    intercepts: &[f32],
    width: usize,
) -> Result<Reg<f32>, ModelError> {
    let height = input.width;
    if height.checked_mul(width) != Some(coefficients.len()) {
        return Err(compiler.node(at).invalid(
            format!("it has {} coefficients for {width} results from {height} columns", coefficients.len()),
            "one for each pair of them",
        ));
    }
    let output = compiler.register(at, width)?;
    let weight = |i: usize, j: usize| coefficients.get(j * height + i).copied().unwrap_or(0.0);
    let bias = |j: usize| intercepts.get(j).copied().unwrap_or(0.0);
    let kernel = Dense::new(input, output, weight, bias, None);
    compiler.emit(at, kernel, [f32::any(input)], [f32::any(output)]);
    Ok(output)
}
