//! Operators that work on every cell by itself.

use super::{any_type, real_type};
use crate::block::elementwise::{
    Arithmetic, Choose, Combine, Compare, Comparison, Decide, Logic, Map, Missing, Operand, Power, Unary,
};
use crate::block::lanes::{AnyReg, Element, Number, Real, Reg};
use crate::error::ModelError;
use crate::onnx::graph::{Compiler, Rows, Value};
use crate::onnx::node::Node;
use crate::onnx::shape::{Extent, Shape, broadcast, spread};
use crate::onnx::tensor::{Data, Tensor};
use crate::signature::ElementType;

/// The function of one number that a node stands for, with its attributes; `None` for other operators.
pub(super) fn function<T: Real>(node: &Node<'_>) -> Result<Option<Unary<T>>, ModelError> {
    let parameter = |name: &str, default: f32| -> Result<T, ModelError> {
        Ok(T::from_f64(f64::from(node.float(name, default)?)))
    };
    Ok(Some(match node.proto.operator {
        "Abs" => Unary::Abs,
        "Ceil" => Unary::Ceil,
        "Elu" => Unary::Elu(parameter("alpha", 1.0)?),
        "Exp" => Unary::Exp,
        "Floor" => Unary::Floor,
        "HardSigmoid" => Unary::HardSigmoid(parameter("alpha", 0.2)?, parameter("beta", 0.5)?),
        "LeakyRelu" => Unary::LeakyRelu(parameter("alpha", 0.01)?),
        "Log" => Unary::Log,
        "Neg" => Unary::Neg,
        "Reciprocal" => Unary::Reciprocal,
        "Relu" => Unary::Relu,
        "Round" => Unary::Round,
        // The defaults of the operator's definition, as 32-bit numbers.
        "Selu" => Unary::Selu(parameter("alpha", 1.673_263_2)?, parameter("gamma", 1.050_701)?),
        "Sigmoid" => Unary::Sigmoid,
        "Sign" => Unary::Sign,
        "Softplus" => Unary::Softplus,
        "Softsign" => Unary::Softsign,
        "Sqrt" => Unary::Sqrt,
        "Tanh" => Unary::Tanh,
        "ThresholdedRelu" => Unary::ThresholdedRelu(parameter("alpha", 1.0)?),
        _ => return Ok(None),
    }))
}

pub(super) fn unary(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    // Negation is the one function here that integers have as well.
    if let (AnyReg::Integers(reg), "Neg") = (rows.reg, compiler.node(at).proto.operator) {
        compiler.numeric(at, &rows)?;
        let output = compiler.register(at, reg.width)?;
        let zeros = Operand::Constant(vec![0; reg.width].into());
        let kernel = Combine { left: zeros, right: Operand::Same(reg), output, operation: Arithmetic::Sub };
        compiler.emit(at, kernel, [rows.reg], [AnyReg::Integers(output)]);
        return compiler.make(at, 0, AnyReg::Integers(output), rows.element, rows.shape);
    }
    real_type!(compiler, at, rows, reg => {
        let found = function(compiler.node(at))?;
        let Some(function) = found else { return Err(compiler.unsupported(at, &[])) };
        map(compiler, at, &rows, reg, function)
    })
}

pub(super) fn clip(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let low = bound(compiler, at, 1, "min", f32::MIN)?;
    let high = bound(compiler, at, 2, "max", f32::MAX)?;
    real_type!(compiler, at, rows, reg => {
        map(compiler, at, &rows, reg, Unary::Clip(Number::from_f64(low), Number::from_f64(high)))
    })
}

/// A bound of `Clip`: an input since version 11, an attribute before.
fn bound(
    compiler: &mut Compiler<'_>,
    at: usize,
    input: usize,
    name: &str,
    default: f32,
) -> Result<f64, ModelError> {
    let Some(tensor) = compiler.known(at, input)? else {
        return Ok(f64::from(compiler.node(at).float(name, default)?));
    };
    let value = match &tensor.data {
        Data::Floats(values) => values.first().map(|&value| f64::from(value)),
        Data::Doubles(values) => values.first().copied(),
        _ => None,
    };
    value.ok_or_else(|| {
        compiler.node(at).invalid(format!("its {name} is no number"), "a floating point number")
    })
}

fn map<T: Real>(
    compiler: &mut Compiler<'_>,
    at: usize,
    rows: &Rows,
    input: Reg<T>,
    function: Unary<T>,
) -> Result<(), ModelError> {
    let output = compiler.register(at, input.width)?;
    compiler.emit(at, Map { input, output, function }, [T::any(input)], [T::any(output)]);
    compiler.make(at, 0, T::any(output), rows.element, rows.shape.clone())
}

/// `Add`, `Sub`, `Mul`, `Div`, and `Sum`, `Mean`, `Max` and `Min` of any number of operands.
pub(super) fn arithmetic(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let node = compiler.node(at);
    let (operator, count) = (node.proto.operator, node.proto.inputs.len());
    let operation = match operator {
        "Add" | "Sum" | "Mean" => Arithmetic::Add,
        "Sub" => Arithmetic::Sub,
        "Mul" => Arithmetic::Mul,
        "Div" => Arithmetic::Div,
        "Max" => Arithmetic::Max,
        _ => Arithmetic::Min,
    };
    let any_number = matches!(operator, "Sum" | "Mean" | "Max" | "Min");
    if !any_number && count != 2 || count == 0 {
        return Err(
            node.invalid(format!("it has {count} inputs"), if any_number { "at least 1" } else { "2" })
        );
    }
    // Constants come last, so that the first of two operands is a value where one is.
    let mut operands = (0..count).map(|input| compiler.wanted(at, input)).collect::<Result<Vec<_>, _>>()?;
    if any_number {
        operands.sort_by_key(|operand| matches!(operand, Value::Constant(_)));
    }
    let mut operands = operands.into_iter();
    let Some(mut sum) = operands.next() else { return Ok(()) };
    for operand in operands {
        sum = Value::Rows(combine(compiler, at, &sum, &operand, operation)?);
    }
    if operator == "Mean" {
        let scale = Tensor { element: element(&sum), dims: Vec::new(), data: one_over(&sum, count) };
        sum = Value::Rows(combine(compiler, at, &sum, &Value::Constant(scale.into()), Arithmetic::Mul)?);
    }
    compiler.define(at, 0, sum)
}

fn element(value: &Value) -> ElementType {
    match value {
        Value::Rows(rows) => rows.element,
        Value::Constant(tensor) => tensor.element,
    }
}

fn one_over(value: &Value, count: usize) -> Data {
    match element(value) {
        ElementType::Float64 => Data::Doubles(vec![1.0 / count as f64]),
        _ => Data::Floats(vec![1.0 / count as f32]),
    }
}

/// Whether combining with this constant changes nothing: LightGBM's converter multiplies by one.
fn is_neutral(constant: &Tensor, operation: Arithmetic) -> bool {
    matches!(operation, Arithmetic::Mul | Arithmetic::Div)
        && match &constant.data {
            Data::Floats(values) => values.iter().all(|&value| value == 1.0),
            Data::Doubles(values) => values.iter().all(|&value| value == 1.0),
            Data::Integers(_) | Data::Texts(_) | Data::Sizes(_) => false,
        }
}

/// One value from two, which must be of one type.
pub(super) fn combine(
    compiler: &mut Compiler<'_>,
    at: usize,
    left: &Value,
    right: &Value,
    operation: Arithmetic,
) -> Result<Rows, ModelError> {
    let shape = common_shape(compiler, at, &[left, right])?;
    if let (Value::Rows(rows), Value::Constant(constant)) = (left, right)
        && rows.shape == shape
        && rows.element == constant.element
        && is_neutral(constant, operation)
    {
        return Ok(rows.clone());
    }
    let element = common_element(compiler, at, &[left, right])?;
    if matches!(element, ElementType::String | ElementType::Bool) {
        return Err(compiler.node(at).invalid(format!("its inputs are of type {element}"), "numbers"));
    }
    if element != ElementType::Float32 && element != ElementType::Float64 && operation == Arithmetic::Div {
        let divides = matches!(right, Value::Constant(tensor)
            if matches!(&tensor.data, Data::Integers(values) if !values.contains(&0)));
        if !divides {
            return Err(compiler
                .node(at)
                .invalid("it divides integers by what may be zero", "a constant that is not 0"));
        }
    }
    fn typed<T: Number + Constants>(
        compiler: &mut Compiler<'_>,
        at: usize,
        (left, right): (&Value, &Value),
        shape: &Shape,
        operation: Arithmetic,
    ) -> Result<AnyReg, ModelError> {
        let output = compiler.register(at, shape.width())?;
        let (left, right) = (operand::<T>(compiler, at, left, shape)?, operand(compiler, at, right, shape)?);
        let reads = reads(&[&left, &right]);
        compiler.emit(at, Combine { left, right, output, operation }, reads, [T::any(output)]);
        Ok(T::any(output))
    }
    let reg = match element {
        ElementType::Float32 => typed::<f32>(compiler, at, (left, right), &shape, operation)?,
        ElementType::Float64 => typed::<f64>(compiler, at, (left, right), &shape, operation)?,
        _ => typed::<i64>(compiler, at, (left, right), &shape, operation)?,
    };
    let classes = match left {
        Value::Rows(rows) if rows.shape == shape => rows.classes.clone(),
        _ => None,
    };
    Ok(Rows { reg, element, shape, classes, from_records: false })
}

pub(super) fn power(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let (left, right) = (compiler.wanted(at, 0)?, compiler.wanted(at, 1)?);
    let shape = common_shape(compiler, at, &[&left, &right])?;
    fn typed<T: Real + Constants>(
        compiler: &mut Compiler<'_>,
        at: usize,
        (left, right): (&Value, &Value),
        shape: Shape,
        element: ElementType,
    ) -> Result<(), ModelError> {
        // A square is so frequent that it is worth being exact and fast.
        let squared = match right {
            Value::Constant(tensor) => T::constants(&tensor.data)
                .is_some_and(|exponents| exponents.iter().all(|&exponent| exponent == T::from_f64(2.0))),
            Value::Rows(_) => false,
        };
        let output = compiler.register(at, shape.width())?;
        let left = operand::<T>(compiler, at, left, &shape)?;
        if let (true, Operand::Same(input)) = (squared, &left) {
            let kernel = Map { input: *input, output, function: Unary::Square };
            compiler.emit(at, kernel, [T::any(*input)], [T::any(output)]);
        } else {
            let right = operand(compiler, at, right, &shape)?;
            let reads = reads(&[&left, &right]);
            compiler.emit(at, Power { left, right, output }, reads, [T::any(output)]);
        }
        compiler.make(at, 0, T::any(output), element, shape)
    }
    match common_element(compiler, at, &[&left, &right])? {
        element @ ElementType::Float32 => typed::<f32>(compiler, at, (&left, &right), shape, element),
        element @ ElementType::Float64 => typed::<f64>(compiler, at, (&left, &right), shape, element),
        element => Err(compiler
            .node(at)
            .invalid(format!("its inputs are of type {element}"), "float32 or float64, both the same")),
    }
}

pub(super) fn compare(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let (left, right) = (compiler.wanted(at, 0)?, compiler.wanted(at, 1)?);
    let comparison = match compiler.node(at).proto.operator {
        "Equal" => Comparison::Equal,
        "Less" => Comparison::Less,
        "LessOrEqual" => Comparison::LessOrEqual,
        "Greater" => Comparison::Greater,
        _ => Comparison::GreaterOrEqual,
    };
    let shape = common_shape(compiler, at, &[&left, &right])?;
    let element = common_element(compiler, at, &[&left, &right])?;
    let unknown = |value: &Value| matches!(value, Value::Rows(rows) if rows.from_records);
    if element == ElementType::String
        && (comparison != Comparison::Equal || (unknown(&left) && unknown(&right)))
    {
        return Err(compiler
            .node(at)
            .invalid("it compares texts of the input", "Equal with a text of the model"));
    }
    fn typed<T: Element + Constants>(
        compiler: &mut Compiler<'_>,
        at: usize,
        (left, right): (&Value, &Value),
        shape: Shape,
        comparison: Comparison,
    ) -> Result<(), ModelError> {
        let output = compiler.register(at, shape.width())?;
        let (left, right) =
            (operand::<T>(compiler, at, left, &shape)?, operand(compiler, at, right, &shape)?);
        let reads = reads(&[&left, &right]);
        compiler.emit(at, Compare { left, right, output, comparison }, reads, [AnyReg::Integers(output)]);
        compiler.make(at, 0, AnyReg::Integers(output), ElementType::Bool, shape)
    }
    match element {
        ElementType::Float32 => typed::<f32>(compiler, at, (&left, &right), shape, comparison),
        ElementType::Float64 => typed::<f64>(compiler, at, (&left, &right), shape, comparison),
        _ => typed::<i64>(compiler, at, (&left, &right), shape, comparison),
    }
}

pub(super) fn logic(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let logic = match compiler.node(at).proto.operator {
        "And" => Logic::And,
        "Or" => Logic::Or,
        _ => Logic::Xor,
    };
    let (left, right) = (compiler.wanted(at, 0)?, compiler.wanted(at, 1)?);
    decide(compiler, at, &left, &right, logic)
}

pub(super) fn not(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let input = compiler.wanted(at, 0)?;
    let truth = Tensor { element: ElementType::Bool, dims: Vec::new(), data: Data::Integers(vec![1]) };
    decide(compiler, at, &input, &Value::Constant(truth.into()), Logic::Xor)
}

fn decide(
    compiler: &mut Compiler<'_>,
    at: usize,
    left: &Value,
    right: &Value,
    logic: Logic,
) -> Result<(), ModelError> {
    let shape = common_shape(compiler, at, &[left, right])?;
    let element = common_element(compiler, at, &[left, right])?;
    if element != ElementType::Bool {
        return Err(compiler.node(at).invalid(format!("its inputs are of type {element}"), "booleans"));
    }
    let output = compiler.register(at, shape.width())?;
    let (left, right) = (operand(compiler, at, left, &shape)?, operand(compiler, at, right, &shape)?);
    let reads = reads(&[&left, &right]);
    compiler.emit(at, Decide { left, right, output, logic }, reads, [AnyReg::Integers(output)]);
    compiler.make(at, 0, AnyReg::Integers(output), element, shape)
}

pub(super) fn choose(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let condition = compiler.wanted(at, 0)?;
    let (yes, no) = (compiler.wanted(at, 1)?, compiler.wanted(at, 2)?);
    let shape = common_shape(compiler, at, &[&condition, &yes, &no])?;
    let asked = common_element(compiler, at, &[&condition])?;
    if asked != ElementType::Bool {
        return Err(compiler.node(at).invalid(format!("its condition is of type {asked}"), "booleans"));
    }
    let element = common_element(compiler, at, &[&yes, &no])?;
    fn typed<T: Element + Constants>(
        compiler: &mut Compiler<'_>,
        at: usize,
        [condition, yes, no]: [&Value; 3],
        shape: &Shape,
    ) -> Result<AnyReg, ModelError> {
        let output = compiler.register(at, shape.width())?;
        let condition = operand(compiler, at, condition, shape)?;
        let (yes, no) = (operand::<T>(compiler, at, yes, shape)?, operand(compiler, at, no, shape)?);
        let mut read = reads(&[&yes, &no]);
        read.extend(reads(&[&condition]));
        compiler.emit(at, Choose { condition, yes, no, output }, read, [T::any(output)]);
        Ok(T::any(output))
    }
    let values = [&condition, &yes, &no];
    let reg = match element {
        ElementType::Float32 => typed::<f32>(compiler, at, values, &shape)?,
        ElementType::Float64 => typed::<f64>(compiler, at, values, &shape)?,
        _ => typed::<i64>(compiler, at, values, &shape)?,
    };
    let from_records =
        [&yes, &no].iter().any(|value| matches!(value, Value::Rows(rows) if rows.from_records));
    compiler.define(at, 0, Value::Rows(Rows { reg, element, shape, classes: None, from_records }))
}

pub(super) fn is_nan(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let output = compiler.register(at, rows.reg.width())?;
    any_type!(rows.reg, input => compiler.emit(at, Missing { input, output }, [rows.reg], [AnyReg::Integers(output)]));
    compiler.make(at, 0, AnyReg::Integers(output), ElementType::Bool, rows.shape)
}

/// A storage type as constants have it.
pub(super) trait Constants: Element {
    fn constants(data: &Data) -> Option<&[Self]>;
    /// The register of a value of this type.
    fn reg(reg: AnyReg) -> Option<Reg<Self>>;
}

macro_rules! constants {
    ($type:ty, $data:ident, $reg:ident) => {
        impl Constants for $type {
            fn constants(data: &Data) -> Option<&[Self]> {
                match data {
                    Data::$data(values) => Some(values),
                    _ => None,
                }
            }

            fn reg(reg: AnyReg) -> Option<Reg<Self>> {
                match reg {
                    AnyReg::$reg(reg) => Some(reg),
                    _ => None,
                }
            }
        }
    };
}

constants!(f32, Floats, Floats);
constants!(f64, Doubles, Doubles);
constants!(i64, Integers, Integers);

fn extent(value: &Value) -> Extent<'_> {
    match value {
        Value::Rows(rows) => Extent::Value(&rows.shape),
        Value::Constant(tensor) => Extent::Constant(&tensor.dims),
    }
}

fn common_shape(compiler: &Compiler<'_>, at: usize, values: &[&Value]) -> Result<Shape, ModelError> {
    let node = compiler.node(at);
    if values.iter().all(|value| matches!(value, Value::Constant(_))) {
        return Err(
            node.invalid("all its inputs are constants", "a value that depends on the model's inputs")
        );
    }
    let extents: Vec<Extent<'_>> = values.iter().map(|value| extent(value)).collect();
    node.blame(broadcast(&extents))
}

fn common_element(compiler: &Compiler<'_>, at: usize, values: &[&Value]) -> Result<ElementType, ModelError> {
    let mut common = None;
    for value in values {
        let element = element(value);
        match common {
            Some(common) if common != element => {
                let what = format!("its inputs are of types {common} and {element}");
                return Err(compiler.node(at).invalid(what, "inputs of one type"));
            }
            _ => common = Some(element),
        }
    }
    common.ok_or_else(|| compiler.node(at).invalid("it has no inputs", "inputs"))
}

/// The operand of a kernel whose result has this shape. The result's register is there already, so the width is known
/// to be within bounds.
fn operand<T: Constants>(
    compiler: &mut Compiler<'_>,
    at: usize,
    value: &Value,
    shape: &Shape,
) -> Result<Operand<T>, ModelError> {
    let other_type = |compiler: &Compiler<'_>| {
        compiler.node(at).invalid("its inputs differ in type", "inputs of one type")
    };
    compiler.charge(at, shape.width())?;
    let columns = spread(shape, extent(value));
    match value {
        Value::Rows(rows) => {
            let reg = T::reg(rows.reg).ok_or_else(|| other_type(compiler))?;
            let same =
                reg.width == columns.len() && columns.iter().zip(0..).all(|(&column, own)| column == own);
            Ok(if same { Operand::Same(reg) } else { Operand::Mapped(reg, columns.into()) })
        }
        Value::Constant(tensor) => {
            let texts = match &tensor.data {
                Data::Texts(texts) => Some(Data::Integers(compiler.intern(texts).into_vec())),
                _ => None,
            };
            let values =
                T::constants(texts.as_ref().unwrap_or(&tensor.data)).ok_or_else(|| other_type(compiler))?;
            let constants: Option<Box<[T]>> =
                columns.iter().map(|&column| values.get(column as usize).copied()).collect();
            Ok(Operand::Constant(constants.ok_or_else(|| other_type(compiler))?))
        }
    }
}

fn reads<T: Element>(operands: &[&Operand<T>]) -> Vec<AnyReg> {
    operands.iter().filter_map(|operand| operand.reg()).map(T::any).collect()
}
