//! Kernels that work on every cell by itself.

use super::LANES;
use super::lanes::{Element, Frame, Kernel, Lanes, Number, Real, Refusal, Reg};

/// A function of one number. Parameters are in the order of the ONNX attributes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Unary<T> {
    Abs,
    Ceil,
    Clip(T, T),
    Elu(T),
    Exp,
    Floor,
    HardSigmoid(T, T),
    LeakyRelu(T),
    Log,
    Neg,
    Reciprocal,
    Relu,
    Round,
    Selu(T, T),
    Sigmoid,
    Sign,
    Softplus,
    Softsign,
    Sqrt,
    Square,
    Tanh,
    ThresholdedRelu(T),
}

impl<T: Real> Unary<T> {
    /// Applies the function to all cells in place.
    pub(crate) fn apply(self, cells: &mut [Lanes<T>]) {
        let zero = T::ZERO;
        let one = T::ONE;
        match self {
            Self::Abs => each(cells, T::magnitude),
            Self::Ceil => each(cells, T::ceil),
            Self::Clip(low, high) => each(cells, |x| {
                let x = if x < low { low } else { x };
                if x > high { high } else { x }
            }),
            Self::Elu(alpha) => each(cells, |x| if x < zero { alpha.times(x.exp().minus(one)) } else { x }),
            Self::Exp => each(cells, T::exp),
            Self::Floor => each(cells, T::floor),
            Self::HardSigmoid(alpha, beta) => each(cells, |x| {
                let y = alpha.times(x).plus(beta);
                let y = if y > one { one } else { y };
                if y < zero { zero } else { y }
            }),
            Self::LeakyRelu(alpha) => each(cells, |x| if x < zero { alpha.times(x) } else { x }),
            Self::Log => each(cells, T::ln),
            Self::Neg => each(cells, T::negated),
            Self::Reciprocal => each(cells, |x| one.over(x)),
            Self::Relu => each(cells, |x| if x < zero { zero } else { x }),
            Self::Round => each(cells, T::round),
            Self::Selu(alpha, gamma) => each(cells, |x| {
                if x > zero { gamma.times(x) } else { gamma.times(alpha.times(x.exp()).minus(alpha)) }
            }),
            Self::Sigmoid => each(cells, T::logistic),
            Self::Sign => each(cells, |x| {
                let positive = if x > zero { one } else { zero };
                if x < zero { one.negated() } else { positive }
            }),
            // ln(1 + e^x) without overflow.
            Self::Softplus => each(cells, |x| {
                let positive = if x > zero { x } else { zero };
                positive.plus(x.magnitude().negated().exp().ln_1p())
            }),
            Self::Softsign => each(cells, |x| x.over(one.plus(x.magnitude()))),
            Self::Sqrt => each(cells, T::sqrt),
            Self::Square => each(cells, |x| x.times(x)),
            Self::Tanh => each(cells, T::tanh),
            Self::ThresholdedRelu(alpha) => each(cells, |x| if x > alpha { x } else { zero }),
        }
    }
}

#[inline(always)]
fn each<T: Element>(cells: &mut [Lanes<T>], function: impl Fn(T) -> T) {
    for lanes in cells {
        for cell in lanes {
            *cell = function(*cell);
        }
    }
}

/// `output = function(input)`.
#[derive(Debug)]
pub(crate) struct Map<T> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<T>,
    pub(crate) function: Unary<T>,
}

impl<T: Real> Kernel for Map<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        frame.write(self.output, |frame, out| {
            out.copy_from_slice(frame.read(self.input));
            self.function.apply(out);
        });
        Ok(())
    }
}

/// Where the columns of an operand come from, for each column of the result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand<T> {
    /// The same columns.
    Same(Reg<T>),
    /// Column `map[c]` for column `c`.
    Mapped(Reg<T>, Box<[u32]>),
    /// A constant per column.
    Constant(Box<[T]>),
}

impl<T> PartialEq for Reg<T> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<T: Element> Operand<T> {
    #[inline(always)]
    fn group<'a>(&'a self, frame: &'a Frame, group: usize, width: usize) -> Group<'a, T> {
        match self {
            Self::Same(reg) => Group::Same(&frame.read(*reg)[group * width..][..width]),
            Self::Mapped(reg, map) => Group::Mapped(&frame.read(*reg)[group * reg.width..][..reg.width], map),
            Self::Constant(values) => Group::Constant(values),
        }
    }

    /// The register, if it is not a constant.
    pub(crate) fn reg(&self) -> Option<Reg<T>> {
        match self {
            Self::Same(reg) | Self::Mapped(reg, _) => Some(*reg),
            Self::Constant(_) => None,
        }
    }
}

/// The columns of an operand for one group of rows.
enum Group<'a, T> {
    Same(&'a [Lanes<T>]),
    Mapped(&'a [Lanes<T>], &'a [u32]),
    Constant(&'a [T]),
}

impl<T: Element> Group<'_, T> {
    #[inline(always)]
    fn column(&self, column: usize) -> Lanes<T> {
        match self {
            Self::Same(lanes) => lanes[column],
            Self::Mapped(lanes, map) => lanes[map[column] as usize],
            Self::Constant(values) => [values[column]; LANES],
        }
    }
}

/// A function of two numbers with a number as result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
}

/// `output = left op right`.
#[derive(Debug)]
pub(crate) struct Combine<T> {
    pub(crate) left: Operand<T>,
    pub(crate) right: Operand<T>,
    pub(crate) output: Reg<T>,
    pub(crate) operation: Arithmetic,
}

impl<T: Number> Kernel for Combine<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let Self { left, right, output, operation } = self;
        match operation {
            Arithmetic::Add => zip(frame, left, right, *output, T::plus),
            Arithmetic::Sub => zip(frame, left, right, *output, T::minus),
            Arithmetic::Mul => zip(frame, left, right, *output, T::times),
            Arithmetic::Div => zip(frame, left, right, *output, T::over),
            // A NaN on either side is the result.
            Arithmetic::Max => {
                zip(frame, left, right, *output, |a, b| if a > b || is_nan(a) { a } else { b });
            }
            Arithmetic::Min => {
                zip(frame, left, right, *output, |a, b| if a < b || is_nan(a) { a } else { b });
            }
        }
        Ok(())
    }
}

/// `output = left ^ right`.
#[derive(Debug)]
pub(crate) struct Power<T> {
    pub(crate) left: Operand<T>,
    pub(crate) right: Operand<T>,
    pub(crate) output: Reg<T>,
}

impl<T: Real> Kernel for Power<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        zip(frame, &self.left, &self.right, self.output, T::power);
        Ok(())
    }
}

/// A question about two values; the answer is 1 or 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// `output = left op right`.
#[derive(Debug)]
pub(crate) struct Compare<T> {
    pub(crate) left: Operand<T>,
    pub(crate) right: Operand<T>,
    pub(crate) output: Reg<i64>,
    pub(crate) comparison: Comparison,
}

impl<T: Element> Kernel for Compare<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let Self { left, right, output, comparison } = self;
        match comparison {
            Comparison::Equal => zip(frame, left, right, *output, |a, b| i64::from(a == b)),
            Comparison::Less => zip(frame, left, right, *output, |a, b| i64::from(a < b)),
            Comparison::LessOrEqual => zip(frame, left, right, *output, |a, b| i64::from(a <= b)),
            Comparison::Greater => zip(frame, left, right, *output, |a, b| i64::from(a > b)),
            Comparison::GreaterOrEqual => zip(frame, left, right, *output, |a, b| i64::from(a >= b)),
        }
        Ok(())
    }
}

/// A function of two booleans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logic {
    And,
    Or,
    Xor,
}

/// `output = left op right`, all of them 0 or 1.
#[derive(Debug)]
pub(crate) struct Decide {
    pub(crate) left: Operand<i64>,
    pub(crate) right: Operand<i64>,
    pub(crate) output: Reg<i64>,
    pub(crate) logic: Logic,
}

impl Kernel for Decide {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let Self { left, right, output, logic } = self;
        match logic {
            Logic::And => zip(frame, left, right, *output, |a, b| a & b),
            Logic::Or => zip(frame, left, right, *output, |a, b| a | b),
            Logic::Xor => zip(frame, left, right, *output, |a, b| a ^ b),
        }
        Ok(())
    }
}

/// `output = if condition then yes else no`.
#[derive(Debug)]
pub(crate) struct Choose<T> {
    pub(crate) condition: Operand<i64>,
    pub(crate) yes: Operand<T>,
    pub(crate) no: Operand<T>,
    pub(crate) output: Reg<T>,
}

impl<T: Element> Kernel for Choose<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let width = self.output.width;
        frame.write(self.output, |frame, out| {
            for (group, columns) in out.chunks_exact_mut(width.max(1)).enumerate() {
                let condition = self.condition.group(frame, group, width);
                let yes = self.yes.group(frame, group, width);
                let no = self.no.group(frame, group, width);
                for (column, cells) in columns.iter_mut().enumerate() {
                    let (condition, yes, no) =
                        (condition.column(column), yes.column(column), no.column(column));
                    for lane in 0..LANES {
                        cells[lane] = if condition[lane] != 0 { yes[lane] } else { no[lane] };
                    }
                }
            }
        });
        Ok(())
    }
}

/// `output = 1 if input is NaN, else 0`.
#[derive(Debug)]
pub(crate) struct Missing<T> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<i64>,
}

impl<T: Element> Kernel for Missing<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        convert(frame, self.input, self.output, |x| i64::from(is_nan(x)));
        Ok(())
    }
}

/// `output = input` in another storage type.
#[derive(Debug)]
pub(crate) struct Convert<T, U> {
    pub(crate) input: Reg<T>,
    pub(crate) output: Reg<U>,
    pub(crate) to: Conversion,
}

/// What a conversion does beyond changing the storage type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// The nearest value; towards integers the fraction is cut off and the range is the type's own.
    Plain,
    /// Towards 32-bit integers.
    Int32,
    /// 1 for everything but zero.
    Bool,
}

impl<T: Number, U: Number> Kernel for Convert<T, U> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        match self.to {
            Conversion::Plain => convert(frame, self.input, self.output, |x: T| U::from_f64(x.to_f64())),
            Conversion::Int32 => convert(frame, self.input, self.output, |x: T| {
                let bounded = x.to_f64().clamp(f64::from(i32::MIN), f64::from(i32::MAX));
                U::from_i64(bounded as i64)
            }),
            Conversion::Bool => {
                convert(frame, self.input, self.output, |x: T| U::from_i64(i64::from(x != T::ZERO)));
            }
        }
        Ok(())
    }
}

#[inline(always)]
#[expect(clippy::eq_op, reason = "only NaN differs from itself, and this works for every storage type")]
pub(super) fn is_nan<T: Element>(x: T) -> bool {
    x != x
}

#[inline(always)]
pub(crate) fn convert<T: Element, U: Element>(
    frame: &mut Frame,
    input: Reg<T>,
    output: Reg<U>,
    function: impl Fn(T) -> U,
) {
    frame.write(output, |frame, out| {
        for (out, lanes) in out.iter_mut().zip(frame.read(input)) {
            for (cell, &value) in out.iter_mut().zip(lanes) {
                *cell = function(value);
            }
        }
    });
}

#[inline(always)]
fn zip<T: Element, U: Element>(
    frame: &mut Frame,
    left: &Operand<T>,
    right: &Operand<T>,
    output: Reg<U>,
    function: impl Fn(T, T) -> U,
) {
    let width = output.width;
    frame.write(output, |frame, out| {
        // The common cases run over all groups at once.
        match (left, right) {
            (Operand::Same(a), Operand::Same(b)) => {
                for ((out, a), b) in out.iter_mut().zip(frame.read(*a)).zip(frame.read(*b)) {
                    for lane in 0..LANES {
                        out[lane] = function(a[lane], b[lane]);
                    }
                }
            }
            (Operand::Same(a), Operand::Constant(constants)) => {
                for ((out, a), &constant) in out.iter_mut().zip(frame.read(*a)).zip(constants.iter().cycle())
                {
                    for lane in 0..LANES {
                        out[lane] = function(a[lane], constant);
                    }
                }
            }
            _ => {
                for (group, columns) in out.chunks_exact_mut(width.max(1)).enumerate() {
                    let a = left.group(frame, group, width);
                    let b = right.group(frame, group, width);
                    for (column, out) in columns.iter_mut().enumerate() {
                        let (a, b) = (a.column(column), b.column(column));
                        for lane in 0..LANES {
                            out[lane] = function(a[lane], b[lane]);
                        }
                    }
                }
            }
        }
    });
}
