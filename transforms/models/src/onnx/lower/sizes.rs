//! Shapes as values: converters ask for the shape of a value, take it apart, and make values of such a shape. The number
//! of rows is in them as a size without a number.

use super::math::Constants;
use crate::block::columns::{Join, Piece};
use crate::block::lanes::AnyReg;
use crate::error::ModelError;
use crate::onnx::graph::{Compiler, Value};
use crate::onnx::shape::{Dim, Shape};
use crate::onnx::tensor::{Data, Tensor};
use crate::signature::ElementType;

/// `Shape`, and a part of it where `start` and `end` say so.
pub(super) fn shape(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let sizes: Vec<Option<i64>> = match compiler.wanted(at, 0)? {
        Value::Rows(rows) => rows
            .shape
            .dims()
            .iter()
            .map(|dim| match dim {
                Dim::Batch => None,
                Dim::Fixed(size) => Some(*size as i64),
            })
            .collect(),
        Value::Constant(tensor) => tensor.dims.iter().map(|&size| Some(size as i64)).collect(),
    };
    let node = compiler.node(at);
    let count = sizes.len() as i64;
    let bound = |bound: i64| if bound < 0 { bound.saturating_add(count).max(0) } else { bound.min(count) };
    let start = bound(node.integer("start")?.unwrap_or(0));
    let end = bound(node.integer("end")?.unwrap_or(count));
    let sizes = sizes.into_iter().take(end as usize).skip(start as usize).collect();
    compiler.define(at, 0, Value::Constant(Tensor::sizes(sizes).into()))
}

/// `ConstantOfShape`: a value of the given shape with one number everywhere.
pub(super) fn constant_of_shape(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let given = compiler.known(at, 0)?;
    let node = compiler.node(at);
    let sizes = given.and_then(|given| given.as_sizes());
    let sizes = sizes.ok_or_else(|| node.invalid("its shape is not known", "a list of sizes"))?;
    let zero = || Tensor { element: ElementType::Float32, dims: vec![1], data: Data::Floats(vec![0.0]) };
    let value = node.tensor("value")?.unwrap_or_else(zero);
    let dims = sizes.iter().map(|size| match size {
        None => Some(Dim::Batch),
        Some(size) => usize::try_from(*size).ok().map(Dim::Fixed),
    });
    let dims: Option<Vec<Dim>> = dims.collect();
    let dims = dims.ok_or_else(|| node.invalid("its shape has a negative size", "sizes of 0 or more"))?;
    if sizes.iter().all(Option::is_some) {
        let what = format!("it makes a constant of shape {sizes:?}");
        return Err(node.invalid(what, "a shape with the number of rows in it"));
    }
    let shape = node.blame(Shape::new(dims))?;
    let reg = match value.element {
        ElementType::Float32 => fill::<f32>(compiler, at, &value.data, shape.width())?,
        ElementType::Float64 => fill::<f64>(compiler, at, &value.data, shape.width())?,
        _ => fill::<i64>(compiler, at, &value.data, shape.width())?,
    };
    compiler.make(at, 0, reg, value.element, shape)
}

fn fill<T: Constants>(
    compiler: &mut Compiler<'_>,
    at: usize,
    value: &Data,
    width: usize,
) -> Result<AnyReg, ModelError> {
    let value = T::constants(value).and_then(|values| values.first().copied());
    let value = value.ok_or_else(|| compiler.node(at).invalid("its value is no number", "one number"))?;
    let output = compiler.register::<T>(at, width)?;
    compiler.charge(at, width)?;
    let kernel = Join { pieces: vec![Piece::Constant(value); width].into(), output };
    compiler.emit(at, kernel, [], [T::any(output)]);
    Ok(T::any(output))
}

/// The sizes at constant positions; negative ones count from the end.
pub(super) fn gather(
    compiler: &mut Compiler<'_>,
    at: usize,
    list: &Tensor,
    positions: &Tensor,
    dims: Vec<usize>,
) -> Result<(), ModelError> {
    let Data::Integers(positions) = &positions.data else {
        return Err(compiler.node(at).invalid("its positions are no integers", "integers"));
    };
    take(compiler, at, list, positions, dims)
}

pub(super) fn take(
    compiler: &mut Compiler<'_>,
    at: usize,
    list: &Tensor,
    positions: &[i64],
    dims: Vec<usize>,
) -> Result<(), ModelError> {
    compiler.charge(at, positions.len())?;
    let node = compiler.node(at);
    let sizes = sizes_of(compiler, at, list)?;
    let count = sizes.len() as i64;
    let size = |&position: &i64| {
        let place = if position < 0 { position.checked_add(count) } else { Some(position) };
        let size = place.and_then(|place| sizes.get(usize::try_from(place).ok()?));
        size.copied().ok_or_else(|| {
            node.invalid(format!("it takes position {position} of {count}"), "positions of its input")
        })
    };
    let taken = positions.iter().map(size).collect::<Result<Vec<_>, _>>()?;
    define(compiler, at, taken, dims)
}

/// Lists of sizes one after the other.
pub(super) fn concat(compiler: &mut Compiler<'_>, at: usize, values: &[Value]) -> Result<(), ModelError> {
    let mut joined = Vec::new();
    for value in values {
        if let Value::Constant(list) = value {
            compiler.charge(at, list.len())?;
            joined.extend(sizes_of(compiler, at, list)?);
        }
    }
    let dims = vec![joined.len()];
    define(compiler, at, joined, dims)
}

fn sizes_of(compiler: &Compiler<'_>, at: usize, list: &Tensor) -> Result<Vec<Option<i64>>, ModelError> {
    let flat = list.dims.iter().filter(|&&dim| dim != 1).count() <= 1;
    list.as_sizes().filter(|_| flat).ok_or_else(|| {
        let what = format!("all its inputs are constants, one of them {} {:?}", list.element, list.dims);
        compiler.node(at).invalid(what, "a value that depends on the model's inputs, or lists of integers")
    })
}

/// Sizes that are all numbers are integers again, so that whoever wants integers can take them.
fn define(
    compiler: &mut Compiler<'_>,
    at: usize,
    sizes: Vec<Option<i64>>,
    dims: Vec<usize>,
) -> Result<(), ModelError> {
    let numbers: Option<Vec<i64>> = sizes.iter().copied().collect();
    let data = numbers.map_or(Data::Sizes(sizes), Data::Integers);
    compiler.define(at, 0, Value::Constant(Tensor { element: ElementType::Int64, dims, data }.into()))
}
