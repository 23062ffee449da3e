//! Operators that fold the columns of a row: reductions, the position of an extreme, softmax, normalisation.

use super::real_type;
use crate::block::columns::{Extreme, Fold, Folding, Scale, Scaling};
use crate::block::lanes::{AnyReg, Element, Real, Reg};
use crate::error::ModelError;
use crate::onnx::CORE;
use crate::onnx::graph::Compiler;
use crate::onnx::shape::{Around, MAX_RANK};
use crate::signature::ElementType;

/// `ReduceMean` and its relatives. The axes are an attribute in older versions and an input in newer ones.
pub(super) fn reduce(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let from_input = compiler.known_integers(at, 1)?;
    let node = compiler.node(at);
    let axes = match from_input {
        Some(axes) => axes,
        None => node.integers("axes")?.unwrap_or_default(),
    };
    let keep = node.flag("keepdims", true)?;
    if axes.is_empty() {
        if node.flag("noop_with_empty_axes", false)? {
            return super::layout::identity(compiler, at);
        }
        return Err(node.invalid("it reduces all axes, the batch among them", "axes within the row"));
    }
    if axes.len() > MAX_RANK {
        return Err(node.invalid(format!("it reduces {} axes", axes.len()), "axes of its input"));
    }
    let axes = axes.iter().map(|&axis| node.blame(rows.shape.axis(axis))).collect::<Result<Vec<_>, _>>()?;
    let folding = match node.proto.operator {
        "ReduceL1" => Folding::L1,
        "ReduceL2" => Folding::L2,
        "ReduceLogSum" => Folding::LogSum,
        "ReduceLogSumExp" => Folding::LogSumExp,
        "ReduceMax" => Folding::Max,
        "ReduceMean" => Folding::Mean,
        "ReduceMin" => Folding::Min,
        "ReduceProd" => Folding::Product,
        "ReduceSum" => Folding::Sum,
        _ => Folding::SumSquare,
    };
    compiler.charge(at, rows.shape.width())?;
    let (shape, members, count) = compiler.node(at).blame(rows.shape.reduce(&axes, keep))?;
    let members = members.into_boxed_slice();
    real_type!(compiler, at, rows, input => {
        let output = compiler.register(at, shape.width())?;
        let kernel = Fold { input, output, members, count, folding };
        compiler.emit(at, kernel, [rows.reg], [Element::any(output)]);
        compiler.make(at, 0, Element::any(output), rows.element, shape)
    })
}

/// `ArgMax` and `ArgMin`.
pub(super) fn arg(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    compiler.numeric(at, &rows)?;
    let node = compiler.node(at);
    let axis = node.blame(rows.shape.axis(node.integer("axis")?.unwrap_or(0)))?;
    let keep = node.flag("keepdims", true)?;
    let last = node.flag("select_last_index", false)?;
    let largest = node.proto.operator == "ArgMax";
    if rows.shape.around(axis).along == 0 {
        return Err(node.invalid(format!("its input has shape {}", rows.shape), "at least one column"));
    }
    compiler.charge(at, rows.shape.width())?;
    let (shape, members, count) = compiler.node(at).blame(rows.shape.reduce(&[axis], keep))?;
    let members = members.into_boxed_slice();
    let output = compiler.register(at, shape.width())?;
    super::any_type!(rows.reg, input => {
        let kernel = Extreme { input, output, members, count, largest, last };
        compiler.emit(at, kernel, [rows.reg], [AnyReg::Integers(output)]);
    });
    compiler.make(at, 0, AnyReg::Integers(output), ElementType::Int64, shape)
}

/// `Softmax` and `LogSoftmax`. Until version 12 they work on all axes from the given one on, by default the second.
pub(super) fn softmax(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let node = compiler.node(at);
    let single_axis = compiler.opset(CORE) >= 13;
    let axis = node.integer("axis")?.unwrap_or(if single_axis { -1 } else { 1 });
    let axis = node.blame(rows.shape.axis(axis))?;
    if !single_axis && axis < rows.shape.batch_axis() {
        return Err(node.invalid(
            format!("it works on all axes of {} from {axis} on", rows.shape),
            "axes within the row",
        ));
    }
    let Around { before, along, after } = rows.shape.around(axis);
    let (count, stride) = if single_axis { (along, after) } else { (along * after, 1) };
    let rest = if single_axis { after } else { 1 };
    let scaling = match node.proto.operator {
        "Softmax" => Scaling::Softmax,
        _ => Scaling::LogSoftmax,
    };
    compiler.charge(at, rows.shape.width())?;
    let sets = (0..before).flat_map(|set| (0..rest).map(move |place| set * count * stride + place));
    let members = sets.flat_map(|first| (0..count).map(move |k| (first + k * stride) as u32)).collect();
    real_type!(compiler, at, rows, input => {
        let reg = scale(compiler, at, input, members, count, scaling)?;
        compiler.make(at, 0, reg, rows.element, rows.shape)
    })
}

/// `LpNormalization`: along an axis to a length of 1.
pub(super) fn lp_normalization(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let node = compiler.node(at);
    let axis = node.blame(rows.shape.axis(node.integer("axis")?.unwrap_or(-1)))?;
    let scaling = match node.integer("p")?.unwrap_or(2) {
        1 => Scaling::L1,
        2 => Scaling::L2,
        other => return Err(node.invalid(format!("attribute p is {other}"), "1 or 2")),
    };
    compiler.charge(at, rows.shape.width())?;
    let (_, members, count) = compiler.node(at).blame(rows.shape.reduce(&[axis], true))?;
    let members = members.into_boxed_slice();
    real_type!(compiler, at, rows, input => {
        let reg = scale(compiler, at, input, members, count, scaling)?;
        compiler.make(at, 0, reg, rows.element, rows.shape)
    })
}

/// `Normalizer`: every row to a common size.
pub(super) fn normalizer(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let columns = compiler.matrix(at, &rows)?;
    let node = compiler.node(at);
    let scaling = match node.text("norm", "MAX")? {
        "MAX" => Scaling::Max,
        "L1" => Scaling::L1,
        "L2" => Scaling::L2,
        other => return Err(node.invalid(format!("attribute norm is '{other}'"), "MAX, L1 or L2")),
    };
    compiler.charge(at, columns)?;
    let input = compiler.floats(at, &rows)?;
    let members = (0..columns as u32).collect();
    let reg = scale(compiler, at, input, members, columns, scaling)?;
    compiler.make(at, 0, reg, ElementType::Float32, rows.shape)
}

fn scale<T: Real>(
    compiler: &mut Compiler<'_>,
    at: usize,
    input: Reg<T>,
    members: Box<[u32]>,
    count: usize,
    scaling: Scaling,
) -> Result<AnyReg, ModelError> {
    let output = compiler.register(at, input.width)?;
    let kernel = Scale { input, output, members, count, scaling };
    compiler.emit(at, kernel, [T::any(input)], [T::any(output)]);
    Ok(T::any(output))
}
