//! Operators that keep the columns and give them another shape, type or name.

use std::sync::Arc;

use super::any_type;
use super::columns::select;
use crate::block::elementwise::Conversion;
use crate::block::lanes::{AnyReg, Number, Reg};
use crate::error::ModelError;
use crate::onnx::graph::{Compiler, Rows, Value};
use crate::onnx::shape::{MAX_RANK, Shape};
use crate::onnx::tensor::{Data, ELEMENT_TYPES, Tensor, element_type};
use crate::signature::ElementType;

/// `Identity`, and `Dropout` when a model is used.
pub(super) fn identity(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let value = compiler.wanted(at, 0)?;
    compiler.define(at, 0, value)
}

/// `Constant`, in all its forms but the sparse one.
pub(super) fn constant(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let node = compiler.node(at);
    let single = |element, data| Tensor { element, dims: Vec::new(), data };
    let list = |element, data: Data| Tensor { element, dims: vec![data.len()], data };
    let tensor = if let Some(tensor) = node.tensor("value")? {
        tensor
    } else if node.has("value_float") {
        single(ElementType::Float32, Data::Floats(vec![node.float("value_float", 0.0)?]))
    } else if let Some(value) = node.integer("value_int")? {
        single(ElementType::Int64, Data::Integers(vec![value]))
    } else if node.has("value_floats") {
        list(ElementType::Float32, Data::Floats(node.floats("value_floats")?))
    } else if let Some(values) = node.integers("value_ints")? {
        list(ElementType::Int64, Data::Integers(values))
    } else if node.has("value_string") {
        single(ElementType::String, Data::Texts(vec![node.text("value_string", "")?.to_owned()]))
    } else if node.has("value_strings") {
        let texts = node.texts("value_strings")?.into_iter().map(str::to_owned).collect();
        list(ElementType::String, Data::Texts(texts))
    } else {
        return Err(
            node.invalid("it has no value", "value, value_float, value_int or one of their relatives")
        );
    };
    compiler.define(at, 0, Value::Constant(tensor.into()))
}

/// `Cast` between numbers and booleans.
pub(super) fn cast(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let value = compiler.wanted(at, 0)?;
    let node = compiler.node(at);
    let number = node.integer("to")?.unwrap_or(0);
    let to = element_type(number)
        .ok_or_else(|| node.invalid(format!("it casts to element type {number}"), ELEMENT_TYPES))?;
    match value {
        Value::Rows(rows) if rows.element == to => compiler.define(at, 0, Value::Rows(rows)),
        Value::Constant(tensor) if tensor.element == to => compiler.define(at, 0, Value::Constant(tensor)),
        Value::Rows(rows) => {
            if rows.element == ElementType::String || to == ElementType::String {
                let what = format!("it casts {} to {to}", rows.element);
                return Err(node.invalid(what, "numbers and booleans on both sides"));
            }
            // All integers and booleans are kept alike, so only the way to a narrower type changes anything.
            let reg = match (rows.reg, to) {
                (AnyReg::Integers(_), ElementType::Int64) => rows.reg,
                _ => any_type!(rows.reg, reg => convert(compiler, at, reg, to)?),
            };
            compiler.define(at, 0, Value::Rows(Rows { reg, element: to, ..rows }))
        }
        Value::Constant(tensor) => {
            compiler.charge(at, tensor.len())?;
            let data = cast_constant(&tensor.data, to).ok_or_else(|| {
                compiler.node(at).invalid(format!("it casts {} to {to}", tensor.element), "numbers")
            })?;
            compiler.define(
                at,
                0,
                Value::Constant(Tensor { element: to, dims: tensor.dims.clone(), data }.into()),
            )
        }
    }
}

fn convert<T: Number>(
    compiler: &mut Compiler<'_>,
    at: usize,
    input: Reg<T>,
    to: ElementType,
) -> Result<AnyReg, ModelError> {
    let conversion = match to {
        ElementType::Bool => Conversion::Bool,
        ElementType::Int32 => Conversion::Int32,
        _ => Conversion::Plain,
    };
    Ok(match to {
        ElementType::Float32 => AnyReg::Floats(compiler.converted(at, input, conversion)?),
        ElementType::Float64 => AnyReg::Doubles(compiler.converted(at, input, conversion)?),
        _ => AnyReg::Integers(compiler.converted(at, input, conversion)?),
    })
}

fn cast_constant(data: &Data, to: ElementType) -> Option<Data> {
    fn numbers<T: Number>(values: &[T], to: ElementType) -> Option<Data> {
        let integers =
            |convert: &dyn Fn(T) -> i64| Data::Integers(values.iter().map(|&value| convert(value)).collect());
        Some(match to {
            ElementType::Float32 => Data::Floats(values.iter().map(|value| value.to_f64() as f32).collect()),
            ElementType::Float64 => Data::Doubles(values.iter().map(|value| value.to_f64()).collect()),
            ElementType::Int32 => integers(&|value| i64::from(value.to_f64() as i32)),
            ElementType::Int64 => integers(&|value| value.to_f64() as i64),
            ElementType::Bool => integers(&|value| i64::from(value != T::ZERO)),
            ElementType::String => return None,
        })
    }
    match (data, to) {
        (Data::Integers(values), ElementType::String) => {
            Some(Data::Texts(values.iter().map(ToString::to_string).collect()))
        }
        (Data::Integers(values), ElementType::Int64) => Some(Data::Integers(values.clone())),
        (Data::Integers(values), _) => numbers(values, to),
        (Data::Floats(values), _) => numbers(values, to),
        (Data::Doubles(values), _) => numbers(values, to),
        (Data::Texts(_) | Data::Sizes(_), _) => None,
    }
}

pub(super) fn reshape(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let value = compiler.wanted(at, 0)?;
    let given = compiler.known(at, 1)?;
    let node = compiler.node(at);
    let wanted = match given {
        Some(given) => given
            .as_sizes()
            .ok_or_else(|| node.invalid(format!("its shape is of type {}", given.element), "integers"))?,
        None => node.integers("shape")?.unwrap_or_default().into_iter().map(Some).collect(),
    };
    let zero_is_zero = node.flag("allowzero", false)?;
    match value {
        Value::Rows(rows) => {
            let shape = node.blame(rows.shape.reshape(&wanted, zero_is_zero))?;
            reshaped(compiler, at, rows, shape)
        }
        Value::Constant(tensor) => {
            let wanted: Option<Vec<i64>> = wanted.into_iter().collect();
            let dims =
                wanted.as_deref().and_then(|wanted| reshape_constant(&tensor, wanted)).ok_or_else(|| {
                    node.invalid(format!("it reshapes {:?} to {wanted:?}", tensor.dims), "as many elements")
                })?;
            reshaped_constant(compiler, at, &tensor, dims)
        }
    }
}

fn reshape_constant(tensor: &Tensor, wanted: &[i64]) -> Option<Vec<usize>> {
    let mut dims = Vec::with_capacity(wanted.len().min(MAX_RANK));
    let mut open = None;
    for (axis, &size) in wanted.iter().enumerate().take(MAX_RANK + 1) {
        dims.push(match size {
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            0 => *tensor.dims.get(axis)?,
            _ => usize::try_from(size).ok()?,
        });
    }
    let known = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
    if let Some(axis) = open {
        dims[axis] = tensor.len().checked_div(known)?;
    }
    let count = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
    (count == tensor.len() && dims.len() <= MAX_RANK).then_some(dims)
}

/// `Flatten`: everything from an axis on in one dimension, which must leave the rows alone.
pub(super) fn flatten(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let node = compiler.node(at);
    let axis = node.integer("axis")?.unwrap_or(1);
    let rank = rows.shape.rank() as i64;
    let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
    let batch = rows.shape.batch_axis() as i64;
    let keeps_rows = axis == batch + 1 || (axis > batch && rows.shape.width() == 1);
    if !keeps_rows || !rows.shape.rows_first() {
        return Err(
            node.invalid(format!("it flattens {} at axis {axis}", rows.shape), "the axis after the batch")
        );
    }
    let shape = Shape::matrix(rows.shape.width());
    reshaped(compiler, at, rows, shape)
}

/// The axes of `Squeeze` and `Unsqueeze`: an input since version 13, an attribute before.
fn axes(compiler: &mut Compiler<'_>, at: usize) -> Result<Option<Vec<i64>>, ModelError> {
    match compiler.known_integers(at, 1)? {
        Some(axes) => Ok(Some(axes)),
        None => compiler.node(at).integers("axes"),
    }
}

pub(super) fn squeeze(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let value = compiler.wanted(at, 0)?;
    let axes = axes(compiler, at)?;
    match value {
        Value::Rows(rows) => {
            let shape = compiler.node(at).blame(rows.shape.squeeze(axes.as_deref()))?;
            reshaped(compiler, at, rows, shape)
        }
        Value::Constant(tensor) => {
            let rank = tensor.dims.len() as i64;
            let named = |axis: usize| match &axes {
                Some(axes) => axes.iter().any(|&named| named == axis as i64 || named + rank == axis as i64),
                None => true,
            };
            let dims = tensor.dims.iter().enumerate().filter(|&(axis, &dim)| dim != 1 || !named(axis));
            let dims = dims.map(|(_, &dim)| dim).collect();
            reshaped_constant(compiler, at, &tensor, dims)
        }
    }
}

pub(super) fn unsqueeze(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let value = compiler.wanted(at, 0)?;
    let axes = axes(compiler, at)?.unwrap_or_default();
    match value {
        Value::Rows(rows) => {
            let shape = compiler.node(at).blame(rows.shape.unsqueeze(&axes))?;
            reshaped(compiler, at, rows, shape)
        }
        Value::Constant(tensor) => {
            let rank = tensor.dims.len() + axes.len();
            let new = |axis: usize| {
                axes.iter().any(|&named| named == axis as i64 || named + rank as i64 == axis as i64)
            };
            let mut rest = tensor.dims.iter().copied();
            let dims: Vec<usize> = (0..rank.min(MAX_RANK + 1))
                .filter_map(|axis| if new(axis) { Some(1) } else { rest.next() })
                .collect();
            if dims.len() != rank || rank > MAX_RANK {
                return Err(compiler
                    .node(at)
                    .invalid(format!("it puts in axes {axes:?}"), "different axes of the result"));
            }
            reshaped_constant(compiler, at, &tensor, dims)
        }
    }
}

/// The same columns under another shape; the classes stay, since the columns do.
fn reshaped(compiler: &mut Compiler<'_>, at: usize, rows: Rows, shape: Shape) -> Result<(), ModelError> {
    compiler.define(at, 0, Value::Rows(Rows { shape, ..rows }))
}

fn reshaped_constant(
    compiler: &mut Compiler<'_>,
    at: usize,
    tensor: &Tensor,
    dims: Vec<usize>,
) -> Result<(), ModelError> {
    compiler.charge(at, tensor.len())?;
    let tensor = Tensor { dims, ..tensor.clone() };
    compiler.define(at, 0, Value::Constant(tensor.into()))
}

pub(super) fn transpose(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let value = compiler.wanted(at, 0)?;
    let node = compiler.node(at);
    let order = node.integers("perm")?;
    match value {
        Value::Rows(rows) => {
            let order = match order {
                Some(order) => {
                    order.iter().map(|&axis| usize::try_from(axis).unwrap_or(usize::MAX)).collect()
                }
                None => (0..rows.shape.rank()).rev().collect::<Vec<_>>(),
            };
            compiler.charge(at, rows.shape.width())?;
            let (shape, columns) = compiler.node(at).blame(rows.shape.transpose(&order))?;
            let reg = select(compiler, at, rows.reg, columns)?;
            compiler.define(at, 0, Value::Rows(Rows { reg, shape, classes: None, ..rows }))
        }
        Value::Constant(tensor) => {
            let (&[height, width], None | Some(&[1, 0])) = (&tensor.dims[..], order.as_deref()) else {
                let what = format!("it transposes a constant of shape {:?} by {order:?}", tensor.dims);
                return Err(node.invalid(what, "a matrix turned over"));
            };
            compiler.charge(at, tensor.len())?;
            let at_place = move |place: usize| (place % height.max(1)) * width + place / height.max(1);
            let data = match &tensor.data {
                Data::Floats(values) => Data::Floats(permuted(values, at_place)),
                Data::Doubles(values) => Data::Doubles(permuted(values, at_place)),
                Data::Integers(values) => Data::Integers(permuted(values, at_place)),
                Data::Texts(values) => Data::Texts(permuted(values, at_place)),
                Data::Sizes(values) => Data::Sizes(permuted(values, at_place)),
            };
            let turned = Tensor { element: tensor.element, dims: vec![width, height], data };
            compiler.define(at, 0, Value::Constant(turned.into()))
        }
    }
}

fn permuted<T: Clone>(values: &[T], place: impl Fn(usize) -> usize) -> Vec<T> {
    (0..values.len()).filter_map(|position| values.get(place(position)).cloned()).collect()
}

/// `ZipMap`: names the columns by class. Predictions keep columns and names apart, so only the names change.
pub(super) fn zip_map(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let columns = compiler.matrix(at, &rows)?;
    let node = compiler.node(at);
    let texts = node.texts("classlabels_strings")?;
    let integers = node.integers("classlabels_int64s")?.unwrap_or_default();
    let classes: Arc<[String]> = if texts.is_empty() {
        integers.iter().map(ToString::to_string).collect()
    } else {
        texts.iter().map(|text| (*text).to_owned()).collect()
    };
    if classes.len() != columns {
        let what = format!("it names {} classes for {columns} columns", classes.len());
        return Err(node.invalid(what, "a name for each column"));
    }
    compiler.define(at, 0, Value::Rows(Rows { classes: Some(classes), ..rows }))
}
