//! Operators that take columns apart and put them together.

use std::sync::Arc;

use super::any_type;
use super::math::Constants;
use crate::block::columns::{Join, Piece, Select};
use crate::block::lanes::{AnyReg, Element, Reg};
use crate::block::lookup::Pick;
use crate::error::ModelError;
use crate::onnx::graph::{Compiler, Rows, Value};
use crate::onnx::shape::{Around, Dim, Shape};
use crate::onnx::tensor::{Data, Tensor};
use crate::signature::ElementType;

/// A register with these columns of another; the same one if they are all its columns in order.
pub(super) fn select(
    compiler: &mut Compiler<'_>,
    at: usize,
    reg: AnyReg,
    columns: Vec<u32>,
) -> Result<AnyReg, ModelError> {
    if columns.len() == reg.width() && columns.iter().zip(0..).all(|(&column, own)| column == own) {
        return Ok(reg);
    }
    fn typed<T: Element>(
        compiler: &mut Compiler<'_>,
        at: usize,
        input: Reg<T>,
        columns: Vec<u32>,
    ) -> Result<AnyReg, ModelError> {
        let output = compiler.register(at, columns.len())?;
        let kernel = Select { input, output, columns: columns.into() };
        compiler.emit(at, kernel, [T::any(input)], [T::any(output)]);
        Ok(T::any(output))
    }
    any_type!(reg, input => typed(compiler, at, input, columns))
}

/// `Concat` along an axis within the row. Constants are repeated for every row.
pub(super) fn concat(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let count = compiler.node(at).proto.inputs.len();
    let values = (0..count).map(|input| compiler.wanted(at, input)).collect::<Result<Vec<_>, _>>()?;
    let node = compiler.node(at);
    let Some(first) = values.iter().find_map(|value| match value {
        Value::Rows(rows) => Some(rows.clone()),
        Value::Constant(_) => None,
    }) else {
        return super::sizes::concat(compiler, at, &values);
    };
    let axis = node.blame(first.shape.axis(node.integer("axis")?.unwrap_or(1)))?;
    let mut along = 0usize;
    for value in &values {
        let (shape, element) = match value {
            Value::Rows(rows) => (rows.shape.clone(), rows.element),
            // A constant of one row joins every row.
            Value::Constant(tensor) => {
                let dims = tensor.dims.iter().zip(first.shape.dims());
                let dims = dims.map(|(&size, dim)| match dim {
                    Dim::Batch if size == 1 => Dim::Batch,
                    _ => Dim::Fixed(size),
                });
                (node.blame(Shape::new(dims.collect()))?, tensor.element)
            }
        };
        let size = shape.rank().checked_sub(1).filter(|&last| axis <= last).map(|_| shape.around(axis).along);
        let fits = size.is_some_and(|size| first.shape.with(axis, size) == Ok(shape.clone()));
        if !fits || element != first.element {
            let what = format!("it joins {} {} and {element} {shape}", first.element, first.shape);
            return Err(node.invalid(what, "values of one type that differ along the axis only"));
        }
        along = along.saturating_add(size.unwrap_or(0));
    }
    let shape = node.blame(first.shape.with(axis, along))?;
    let before = shape.around(axis).before;
    let reg = any_type!(first.reg, reg => join(compiler, at, reg, &values, before, shape.width())?);
    let from_records = values.iter().any(|value| matches!(value, Value::Rows(rows) if rows.from_records));
    compiler.define(
        at,
        0,
        Value::Rows(Rows { reg, element: first.element, shape, classes: None, from_records }),
    )
}

/// The pieces of `values` in turn, `before` times over; `_of` gives the type.
fn join<T: Constants>(
    compiler: &mut Compiler<'_>,
    at: usize,
    _of: Reg<T>,
    values: &[Value],
    before: usize,
    width: usize,
) -> Result<AnyReg, ModelError> {
    let output = compiler.register(at, width)?;
    compiler.charge(at, width.saturating_add(before.saturating_mul(values.len())))?;
    let mut pieces = Vec::new();
    for set in 0..before {
        for value in values {
            match value {
                Value::Rows(rows) => {
                    if let Some(reg) = T::reg(rows.reg) {
                        let count = reg.width / before.max(1);
                        pieces.push(Piece::Columns { reg, from: set * count, count });
                    }
                }
                Value::Constant(tensor) => {
                    let numbers = match &tensor.data {
                        Data::Texts(texts) => Some(Data::Integers(compiler.intern(texts).into_vec())),
                        _ => None,
                    };
                    let values = T::constants(numbers.as_ref().unwrap_or(&tensor.data)).unwrap_or_default();
                    let count = values.len() / before.max(1);
                    pieces.extend(
                        values.iter().skip(set * count).take(count).map(|&value| Piece::Constant(value)),
                    );
                }
            }
        }
    }
    let kernel = Join { pieces: pieces.into(), output };
    let reads = kernel.reads();
    compiler.emit(at, kernel, reads, [T::any(output)]);
    Ok(T::any(output))
}

/// `FeatureVectorizer`: all inputs side by side as 32-bit numbers.
pub(super) fn vectorize(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let count = compiler.node(at).proto.inputs.len();
    let mut pieces = Vec::with_capacity(count.min(1024));
    let mut width = 0usize;
    for input in 0..count {
        let rows = compiler.rows(at, input)?;
        let columns = compiler.matrix(at, &rows)?;
        let reg = compiler.floats(at, &rows)?;
        pieces.push(Piece::Columns { reg, from: 0, count: columns });
        width = width.saturating_add(columns);
    }
    let output = compiler.register(at, width)?;
    let kernel = Join { pieces: pieces.into(), output };
    let reads = kernel.reads();
    compiler.emit(at, kernel, reads, [AnyReg::Floats(output)]);
    compiler.make(at, 0, AnyReg::Floats(output), ElementType::Float32, Shape::matrix(width))
}

/// `Gather` of columns by constant positions, or of constants by the positions that rows hold.
pub(super) fn gather(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let axis = compiler.node(at).integer("axis")?.unwrap_or(0);
    match (compiler.wanted(at, 0)?, compiler.wanted(at, 1)?) {
        (Value::Rows(rows), Value::Constant(positions)) => {
            let Data::Integers(list) = &positions.data else {
                return Err(compiler.node(at).invalid("its positions are no integers", "integers"));
            };
            let list = list.clone();
            let axis = compiler.node(at).blame(rows.shape.axis(axis))?;
            let flat = positions.dims.len() <= 1;
            let mut dims = rows.shape.dims().to_vec();
            dims.splice(axis..=axis, positions.dims.iter().map(|&dim| Dim::Fixed(dim)));
            let shape = compiler.node(at).blame(Shape::new(dims))?;
            let classes = rows.classes.clone().filter(|_| flat);
            let classes =
                classes.map(|classes| chosen(&classes, &list)).filter(|chosen| chosen.len() == shape.width());
            columns(compiler, at, rows, axis, &list, shape, classes)
        }
        (Value::Constant(table), Value::Rows(rows)) if axis == 0 && table.dims.len() == 1 => {
            let shape = rows.shape.clone();
            pick(compiler, at, &table, &rows, shape)
        }
        (Value::Constant(list), Value::Constant(positions)) if axis == 0 => {
            super::sizes::gather(compiler, at, &list, &positions, positions.dims.clone())
        }
        _ => Err(compiler
            .node(at)
            .invalid("it gathers neither columns nor constants", "constant positions, or a constant list")),
    }
}

fn chosen(classes: &[String], positions: &[i64]) -> Arc<[String]> {
    let count = classes.len() as i64;
    let place = |position: i64| if position < 0 { position.wrapping_add(count) } else { position };
    let found = positions.iter().filter_map(|&position| classes.get(usize::try_from(place(position)).ok()?));
    found.cloned().collect()
}

/// The columns at constant positions along an axis; negative ones count from the end.
fn columns(
    compiler: &mut Compiler<'_>,
    at: usize,
    rows: Rows,
    axis: usize,
    positions: &[i64],
    shape: Shape,
    classes: Option<Arc<[String]>>,
) -> Result<(), ModelError> {
    let Around { before, along, after } = rows.shape.around(axis);
    compiler.charge(at, shape.width())?;
    let node = compiler.node(at);
    let mut places = Vec::with_capacity(positions.len());
    for &position in positions {
        let place = if position < 0 { position.checked_add(along as i64) } else { Some(position) };
        let place = place.and_then(|place| usize::try_from(place).ok()).filter(|&place| place < along);
        places.push(place.ok_or_else(|| {
            node.invalid(format!("it takes position {position} of {along}"), "positions of its input")
        })?);
    }
    let columns: Vec<u32> = (0..before)
        .flat_map(|set| places.iter().map(move |place| (set * along + place) * after))
        .flat_map(|first| (0..after).map(move |rest| (first + rest) as u32))
        .collect();
    let reg = select(compiler, at, rows.reg, columns)?;
    compiler.define(at, 0, Value::Rows(Rows { reg, shape, classes, ..rows }))
}

/// A constant by the position that a row holds.
fn pick(
    compiler: &mut Compiler<'_>,
    at: usize,
    table: &Tensor,
    rows: &Rows,
    shape: Shape,
) -> Result<(), ModelError> {
    let AnyReg::Integers(input) = rows.reg else {
        return Err(compiler
            .node(at)
            .invalid(format!("its positions are of type {}", rows.element), "integers"));
    };
    compiler.numeric(at, rows)?;
    compiler.charge(at, table.len())?;
    fn typed<T: Element>(
        compiler: &mut Compiler<'_>,
        at: usize,
        input: Reg<i64>,
        values: &[T],
    ) -> Result<AnyReg, ModelError> {
        let output = compiler.register(at, input.width)?;
        let kernel = Pick { input, output, values: values.into() };
        compiler.emit(at, kernel, [AnyReg::Integers(input)], [T::any(output)]);
        Ok(T::any(output))
    }
    let (reg, classes): (AnyReg, Option<Arc<[String]>>) = match &table.data {
        Data::Floats(values) => (typed(compiler, at, input, values)?, None),
        Data::Doubles(values) => (typed(compiler, at, input, values)?, None),
        Data::Integers(values) => {
            (typed(compiler, at, input, values)?, Some(values.iter().map(ToString::to_string).collect()))
        }
        Data::Texts(texts) => {
            let numbers = compiler.intern(texts);
            (typed(compiler, at, input, &numbers)?, Some(texts.as_slice().into()))
        }
        Data::Sizes(_) => {
            return Err(compiler.node(at).invalid("it picks sizes by position", "constants"));
        }
    };
    let value = Rows { reg, element: table.element, shape, classes, from_records: false };
    compiler.define(at, 0, Value::Rows(value))
}

/// `ArrayFeatureExtractor`: columns of rows by constant positions, or of a constant list by the rows' own.
pub(super) fn extract(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    match (compiler.wanted(at, 0)?, compiler.wanted(at, 1)?) {
        (Value::Rows(rows), Value::Constant(positions)) => {
            let Data::Integers(list) = &positions.data else {
                return Err(compiler.node(at).invalid("its positions are no integers", "integers"));
            };
            let axis = compiler.node(at).blame(rows.shape.axis(-1))?;
            let shape = compiler.node(at).blame(rows.shape.with(axis, list.len()))?;
            let classes = rows.classes.as_deref().map(|classes| chosen(classes, list));
            let classes = classes.filter(|chosen| chosen.len() == shape.width());
            columns(compiler, at, rows, axis, list, shape, classes)
        }
        (Value::Constant(table), Value::Rows(rows)) => {
            if table.dims.last().copied().unwrap_or(1) != table.len() || rows.shape.width() != 1 {
                let what = format!("it takes positions of shape {} from {:?}", rows.shape, table.dims);
                return Err(compiler.node(at).invalid(what, "one position for each row, and a list"));
            }
            // The result has one row with a column for every position.
            let shape = compiler.node(at).blame(Shape::new(vec![Dim::Fixed(1), Dim::Batch]))?;
            pick(compiler, at, &table, &rows, shape)
        }
        (Value::Constant(list), Value::Constant(positions)) => {
            super::sizes::gather(compiler, at, &list, &positions, vec![1, positions.len()])
        }
        _ => Err(compiler
            .node(at)
            .invalid("both its inputs are of one kind", "constant positions, or a constant list")),
    }
}

/// `Slice` of columns with constant bounds: inputs since version 10, attributes before.
pub(super) fn slice(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let value = compiler.wanted(at, 0)?;
    let mut bounds = Vec::with_capacity(4);
    for (input, name) in [(1, "starts"), (2, "ends"), (3, "axes"), (4, "steps")] {
        let given = match compiler.known_integers(at, input)? {
            Some(given) => Some(given),
            None => compiler.node(at).integers(name)?,
        };
        bounds.push(given);
    }
    let (starts, ends) = (bounds[0].take().unwrap_or_default(), bounds[1].take().unwrap_or_default());
    let count = starts.len();
    let axes = bounds[2].take().unwrap_or_else(|| (0..count as i64).collect());
    let steps = bounds[3].take().unwrap_or_else(|| vec![1; count]);
    let node = compiler.node(at);
    let &[start, end, axis, step] =
        &[&starts, &ends, &axes, &steps].map(|list| list.first().copied().unwrap_or(0));
    if [starts.len(), ends.len(), axes.len(), steps.len()] != [1; 4] || step < 1 {
        return Err(node.invalid(
            format!("it slices axes {axes:?} with steps {steps:?}"),
            "one axis and a step of 1 or more",
        ));
    }
    let positions = |along: usize| -> Vec<i64> {
        let along = along as i64;
        let place =
            |bound: i64| if bound < 0 { bound.saturating_add(along).max(0) } else { bound.min(along) };
        (place(start)..place(end)).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect()
    };
    match value {
        Value::Rows(rows) => {
            let axis = node.blame(rows.shape.axis(axis))?;
            let positions = positions(rows.shape.around(axis).along);
            let shape = node.blame(rows.shape.with(axis, positions.len()))?;
            columns(compiler, at, rows, axis, &positions, shape, None)
        }
        Value::Constant(list) => {
            let positions = positions(list.len());
            super::sizes::take(compiler, at, &list, &positions, vec![positions.len()])
        }
    }
}

/// `Split` along an axis within the row, into equal parts or parts of given sizes.
pub(super) fn split(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let given = match compiler.known_integers(at, 1)? {
        Some(given) => Some(given),
        None => compiler.node(at).integers("split")?,
    };
    let node = compiler.node(at);
    let parts = node.proto.outputs.len();
    let axis = node.blame(rows.shape.axis(node.integer("axis")?.unwrap_or(0)))?;
    let along = rows.shape.around(axis).along;
    let sizes: Vec<usize> = match given {
        Some(sizes) => sizes.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX)).collect(),
        None => {
            let size = along.div_ceil(parts.max(1));
            (0..parts).map(|part| size.min(along.saturating_sub(part * size))).collect()
        }
    };
    let total = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
    if total != Some(along) || sizes.len() != parts {
        return Err(node.invalid(
            format!("it splits {along} columns into {parts} parts of {sizes:?}"),
            "parts that add up",
        ));
    }
    let Around { before, after, .. } = rows.shape.around(axis);
    let mut from = 0;
    for (output, &size) in sizes.iter().enumerate() {
        let shape = compiler.node(at).blame(rows.shape.with(axis, size))?;
        compiler.charge(at, shape.width())?;
        let places =
            (0..before).flat_map(|set| (from..from + size).map(move |place| (set * along + place) * after));
        let columns = places.flat_map(|first| (0..after).map(move |rest| (first + rest) as u32)).collect();
        let reg = select(compiler, at, rows.reg, columns)?;
        compiler.define(at, output, Value::Rows(Rows { reg, shape, classes: None, ..rows.clone() }))?;
        from += size;
    }
    Ok(())
}
