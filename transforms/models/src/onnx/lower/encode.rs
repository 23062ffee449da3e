//! Operators that prepare features and name results: categories, labels, replacements, scaling.

use super::math::Constants;
use super::{per_column, real_type};
use crate::block::elementwise::{Arithmetic, Combine, Compare, Comparison, Conversion, Convert, Operand};
use crate::block::lanes::{AnyReg, Element, Number, Real, Reg};
use crate::block::lookup::{Category, Key, OneHot, Replace, Table, Translate};
use crate::error::ModelError;
use crate::onnx::graph::{Compiler, Rows, Value};
use crate::onnx::shape::Dim;
use crate::onnx::shape::Shape;
use crate::onnx::tensor::{Data, Tensor};
use crate::signature::ElementType;

/// `Imputer`: one value, usually NaN, replaced by a value per column.
pub(super) fn imputer(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let columns = compiler.matrix(at, &rows)?;
    compiler.numeric(at, &rows)?;
    let node = compiler.node(at);
    let floats = node.floats("imputed_value_floats")?;
    let integers = node.integers("imputed_value_int64s")?.unwrap_or_default();
    let replaced = f64::from(node.float("replaced_value_float", 0.0)?);
    let replaced_integer = node.integer("replaced_value_int64")?.unwrap_or(0);
    if floats.is_empty() == integers.is_empty() {
        return Err(
            node.invalid("it has no single list of values", "imputed_value_floats or imputed_value_int64s")
        );
    }
    let reg = match rows.reg {
        AnyReg::Integers(input) => {
            let by = per_column(node, "imputed_value_int64s", &integers, columns)?;
            replace(compiler, at, input, replaced_integer, by)?
        }
        AnyReg::Floats(input) => {
            let by = per_column(node, "imputed_value_floats", &floats, columns)?;
            replace(compiler, at, input, f32::from_f64(replaced), by)?
        }
        AnyReg::Doubles(input) => {
            let by = per_column(node, "imputed_value_floats", &floats, columns)?;
            replace(compiler, at, input, replaced, by.iter().map(|&value| f64::from(value)).collect())?
        }
    };
    compiler.make(at, 0, reg, rows.element, rows.shape)
}

fn replace<T: Element>(
    compiler: &mut Compiler<'_>,
    at: usize,
    input: Reg<T>,
    replaced: T,
    by: Box<[T]>,
) -> Result<AnyReg, ModelError> {
    let output = compiler.register(at, input.width)?;
    compiler.emit(at, Replace { input, output, replaced, by }, [T::any(input)], [T::any(output)]);
    Ok(T::any(output))
}

/// `Scaler`: (x - offset) × scale, as 32-bit numbers.
pub(super) fn scaler(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let columns = compiler.matrix(at, &rows)?;
    let node = compiler.node(at);
    let offset = per_column(node, "offset", &node.floats("offset")?, columns)?;
    let scale = per_column(node, "scale", &node.floats("scale")?, columns)?;
    let reg = match rows.reg {
        AnyReg::Doubles(input) => {
            let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
            let scaled = scale_columns(compiler, at, input, wide(&offset), wide(&scale))?;
            compiler.converted::<f64, f32>(at, scaled, Conversion::Plain)?
        }
        AnyReg::Floats(_) | AnyReg::Integers(_) => {
            let input = compiler.floats(at, &rows)?;
            scale_columns(compiler, at, input, offset, scale)?
        }
    };
    compiler.make(at, 0, AnyReg::Floats(reg), ElementType::Float32, rows.shape)
}

fn scale_columns<T: Number>(
    compiler: &mut Compiler<'_>,
    at: usize,
    input: Reg<T>,
    offset: Box<[T]>,
    scale: Box<[T]>,
) -> Result<Reg<T>, ModelError> {
    let mut value = input;
    for (constants, operation) in [(offset, Arithmetic::Sub), (scale, Arithmetic::Mul)] {
        let output = compiler.register(at, value.width)?;
        let kernel =
            Combine { left: Operand::Same(value), right: Operand::Constant(constants), output, operation };
        compiler.emit(at, kernel, [T::any(value)], [T::any(output)]);
        value = output;
    }
    Ok(value)
}

/// `Binarizer`: 1 above a threshold, 0 otherwise.
pub(super) fn binarizer(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    compiler.numeric(at, &rows)?;
    let threshold = f64::from(compiler.node(at).float("threshold", 0.0)?);
    fn typed<T: Real>(
        compiler: &mut Compiler<'_>,
        at: usize,
        input: Reg<T>,
        threshold: f64,
    ) -> Result<AnyReg, ModelError> {
        let above = compiler.register::<i64>(at, input.width)?;
        let right = Operand::Constant(vec![T::from_f64(threshold); input.width].into());
        let left = Operand::Same(input);
        let kernel = Compare { left, right, output: above, comparison: Comparison::Greater };
        compiler.emit(at, kernel, [T::any(input)], [AnyReg::Integers(above)]);
        let output = compiler.register::<T>(at, input.width)?;
        let kernel = Convert { input: above, output, to: Conversion::Plain };
        compiler.emit(at, kernel, [AnyReg::Integers(above)], [T::any(output)]);
        Ok(T::any(output))
    }
    real_type!(compiler, at, rows, input => {
        let reg = typed(compiler, at, input, threshold)?;
        compiler.make(at, 0, reg, rows.element, rows.shape)
    })
}

/// `OneHotEncoder`: a column per category, for every column of the input.
pub(super) fn one_hot(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let columns = compiler.matrix(at, &rows)?;
    let node = compiler.node(at);
    let texts = node.texts("cats_strings")?;
    let integers = node.integers("cats_int64s")?.unwrap_or_default();
    let strict = !node.flag("zeros", true)?;
    if texts.is_empty() == integers.is_empty() {
        return Err(node.invalid("it has no single list of categories", "cats_strings or cats_int64s"));
    }
    if (rows.element == ElementType::String) == texts.is_empty() {
        let what = format!("its input is of type {}", rows.element);
        return Err(node.invalid(
            what,
            if texts.is_empty() { "numbers, as its categories" } else { "text, as its categories" },
        ));
    }
    let keys: Box<[i64]> = if texts.is_empty() { integers.into() } else { compiler.intern(&texts) };
    let count = keys.len();
    let width = columns.saturating_mul(count);
    let output = compiler.register(at, width)?;
    // Of a category that is listed twice the last counts.
    let categories = Table::new(keys.iter().copied().zip(0..), true);
    fn emit<K: Category>(compiler: &mut Compiler<'_>, at: usize, kernel: OneHot<K>) {
        let (reads, writes) = ([K::any(kernel.input)], [AnyReg::Floats(kernel.output)]);
        compiler.emit(at, kernel, reads, writes);
    }
    match rows.reg {
        AnyReg::Floats(input) => emit(compiler, at, OneHot { input, output, categories, count, strict }),
        AnyReg::Doubles(input) => emit(compiler, at, OneHot { input, output, categories, count, strict }),
        AnyReg::Integers(input) => emit(compiler, at, OneHot { input, output, categories, count, strict }),
    }
    let mut dims = rows.shape.dims().to_vec();
    dims.push(Dim::Fixed(count));
    let shape = compiler.node(at).blame(Shape::new(dims))?;
    compiler.make(at, 0, AnyReg::Floats(output), ElementType::Float32, shape)
}

/// `LabelEncoder`: keys to values, each of them text, integers or numbers.
pub(super) fn label_encoder(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let node = compiler.node(at);
    let (keys, values, default) = if node.has("classes_strings") {
        let texts = Data::Texts(node.texts("classes_strings")?.into_iter().map(str::to_owned).collect());
        let positions = Data::Integers((0..texts.len() as i64).collect());
        // The first version maps texts to positions and back, as its input has it.
        match rows.element {
            ElementType::String => {
                (texts, positions, Data::Integers(vec![node.integer("default_int64")?.unwrap_or(-1)]))
            }
            _ => (positions, texts, Data::Texts(vec![node.text("default_string", "_Unused")?.to_owned()])),
        }
    } else {
        let keys = list(node, "keys")?;
        let values = list(node, "values")?;
        let default = default_of(node, &values)?;
        (keys, values, default)
    };
    if keys.len() != values.len() {
        return Err(node
            .invalid(format!("it has {} keys and {} values", keys.len(), values.len()), "as many of both"));
    }
    let keys: Option<Vec<i64>> = match (&keys, rows.reg) {
        (Data::Integers(keys), AnyReg::Integers(_)) if rows.element != ElementType::String => {
            Some(keys.clone())
        }
        (Data::Texts(texts), AnyReg::Integers(_)) if rows.element == ElementType::String => {
            Some(compiler.intern(texts).into_vec())
        }
        (Data::Floats(keys), AnyReg::Floats(_)) => Some(keys.iter().map(|key| key.key()).collect()),
        (Data::Doubles(keys), AnyReg::Doubles(_)) => Some(keys.iter().map(|key| key.key()).collect()),
        _ => None,
    };
    let Some(keys) = keys else {
        let what = format!("its input is of type {}", rows.element);
        return Err(compiler.node(at).invalid(what, "the type of its keys"));
    };
    match values {
        Data::Floats(values) => {
            translate(compiler, at, &rows, &keys, &values, &default, ElementType::Float32)
        }
        Data::Doubles(values) => {
            translate(compiler, at, &rows, &keys, &values, &default, ElementType::Float64)
        }
        Data::Integers(values) => {
            translate(compiler, at, &rows, &keys, &values, &default, ElementType::Int64)
        }
        Data::Sizes(_) => Err(compiler.node(at).invalid("its values are sizes", "text, integers or numbers")),
        Data::Texts(values) => {
            let numbers = compiler.intern(&values);
            let default = match &default {
                Data::Texts(texts) => Data::Integers(compiler.intern(texts).into_vec()),
                _ => Data::Integers(vec![crate::block::plan::UNKNOWN_TEXT]),
            };
            translate(compiler, at, &rows, &keys, &numbers, &default, ElementType::String)
        }
    }
}

/// `keys_int64s`, `keys_floats`, `keys_strings` or `keys_tensor`; values likewise.
fn list(node: &crate::onnx::node::Node<'_>, name: &str) -> Result<Data, ModelError> {
    if let Some(Tensor { data, .. }) = node.tensor(&format!("{name}_tensor"))? {
        return Ok(data);
    }
    let texts = node.texts(&format!("{name}_strings"))?;
    if !texts.is_empty() {
        return Ok(Data::Texts(texts.into_iter().map(str::to_owned).collect()));
    }
    let integers = node.integers(&format!("{name}_int64s"))?.unwrap_or_default();
    if !integers.is_empty() {
        return Ok(Data::Integers(integers));
    }
    Ok(Data::Floats(node.floats(&format!("{name}_floats"))?))
}

/// The value for keys that are not there, by the type of the values.
fn default_of(node: &crate::onnx::node::Node<'_>, values: &Data) -> Result<Data, ModelError> {
    if let Some(Tensor { data, .. }) = node.tensor("default_tensor")? {
        return Ok(data);
    }
    Ok(match values {
        Data::Floats(_) => Data::Floats(vec![node.float("default_float", -0.0)?]),
        Data::Doubles(_) => Data::Doubles(vec![f64::from(node.float("default_float", -0.0)?)]),
        Data::Integers(_) | Data::Sizes(_) => {
            Data::Integers(vec![node.integer("default_int64")?.unwrap_or(-1)])
        }
        Data::Texts(_) => Data::Texts(vec![node.text("default_string", "_Unused")?.to_owned()]),
    })
}

fn translate<V: Constants>(
    compiler: &mut Compiler<'_>,
    at: usize,
    rows: &Rows,
    keys: &[i64],
    values: &[V],
    default: &Data,
    element: ElementType,
) -> Result<(), ModelError> {
    let default = V::constants(default).and_then(|default| default.first().copied()).ok_or_else(|| {
        compiler
            .node(at)
            .invalid("its default is of another type than its values", "one default of their type")
    })?;
    let output = compiler.register::<V>(at, rows.reg.width())?;
    // Of a key that is listed twice the first counts.
    let table = Table::new(keys.iter().copied().zip(values.iter().copied()), false);
    fn emit<K: Key, V: Element>(compiler: &mut Compiler<'_>, at: usize, kernel: Translate<K, V>) {
        let (reads, writes) = ([K::any(kernel.input)], [V::any(kernel.output)]);
        compiler.emit(at, kernel, reads, writes);
    }
    match rows.reg {
        AnyReg::Floats(input) => emit(compiler, at, Translate { input, output, table, default }),
        AnyReg::Doubles(input) => emit(compiler, at, Translate { input, output, table, default }),
        AnyReg::Integers(input) => emit(compiler, at, Translate { input, output, table, default }),
    }
    let reg = V::any(output);
    let shape = rows.shape.clone();
    compiler.define(at, 0, Value::Rows(Rows { reg, element, shape, classes: None, from_records: false }))
}
