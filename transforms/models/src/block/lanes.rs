//! Registers of a plan and the frame that holds their values for the block being scored.

use std::fmt;
use std::marker::PhantomData;

use super::{GROUPS, LANES, approx};

/// One column of one group of rows.
pub(crate) type Lanes<T> = [T; LANES];

/// A value of a plan: `width` columns of type `T`.
pub(crate) struct Reg<T> {
    pub(super) index: u32,
    pub(crate) width: usize,
    element: PhantomData<T>,
}

impl<T> Clone for Reg<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Reg<T> {}

impl<T> fmt::Debug for Reg<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}[{}]", self.index, self.width)
    }
}

impl<T> Reg<T> {
    pub(super) fn new(index: u32, width: usize) -> Self {
        Self { index, width, element: PhantomData }
    }
}

/// A register of any storage type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyReg {
    Floats(Reg<f32>),
    Doubles(Reg<f64>),
    Integers(Reg<i64>),
}

impl AnyReg {
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Floats(reg) => reg.width,
            Self::Doubles(reg) => reg.width,
            Self::Integers(reg) => reg.width,
        }
    }
}

/// A storage type: `f32`, `f64`, or `i64` for integers, booleans and texts by number.
pub(crate) trait Element: Copy + Default + PartialOrd + fmt::Debug + Send + Sync + 'static {
    /// Position of the type's pool, for tables with one entry per pool.
    const POOL: usize;

    fn pool(frame: &Frame) -> &Pool<Self>;
    fn pool_mut(frame: &mut Frame) -> &mut Pool<Self>;
    fn any(reg: Reg<Self>) -> AnyReg;
}

macro_rules! element {
    ($type:ty, $pool:literal, $field:ident, $variant:ident) => {
        impl Element for $type {
            const POOL: usize = $pool;

            fn pool(frame: &Frame) -> &Pool<Self> {
                &frame.$field
            }

            fn pool_mut(frame: &mut Frame) -> &mut Pool<Self> {
                &mut frame.$field
            }

            fn any(reg: Reg<Self>) -> AnyReg {
                AnyReg::$variant(reg)
            }
        }
    };
}

element!(f32, 0, floats, Floats);
element!(f64, 1, doubles, Doubles);
element!(i64, 2, integers, Integers);

/// Arithmetic that all three storage types have. Integers wrap around.
pub(crate) trait Number: Element {
    const ZERO: Self;
    const ONE: Self;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// Quotient; for integers truncated, and 0 where the divisor is 0 (plans are built with constant divisors only).
    fn over(self, other: Self) -> Self;
    fn negated(self) -> Self;
    fn magnitude(self) -> Self;
    fn to_f64(self) -> f64;
    /// The nearest value of this type; integers saturate.
    fn from_f64(value: f64) -> Self;
    fn from_i64(value: i64) -> Self;
}

/// A floating point storage type.
pub(crate) trait Real: Number {
    const INFINITY: Self;
    fn not_a_number(self) -> bool;
    fn exp(self) -> Self;
    fn tanh(self) -> Self;
    fn logistic(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn sqrt(self) -> Self;
    fn power(self, exponent: Self) -> Self;
    fn floor(self) -> Self;
    fn ceil(self) -> Self;
    /// Nearest integer, halves to even.
    fn round(self) -> Self;
}

macro_rules! real {
    ($type:ty, $exp:expr, $tanh:expr, $logistic:expr) => {
        impl Number for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self - other
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }
            #[inline(always)]
            fn over(self, other: Self) -> Self {
                self / other
            }
            #[inline(always)]
            fn negated(self) -> Self {
                -self
            }
            #[inline(always)]
            fn magnitude(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as Self
            }
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                value as Self
            }
        }

        impl Real for $type {
            const INFINITY: Self = <$type>::INFINITY;

            #[inline(always)]
            fn not_a_number(self) -> bool {
                self.is_nan()
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }
            #[inline(always)]
            fn logistic(self) -> Self {
                $logistic(self)
            }
            fn ln(self) -> Self {
                self.ln()
            }
            fn ln_1p(self) -> Self {
                self.ln_1p()
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn power(self, exponent: Self) -> Self {
                self.powf(exponent)
            }
            fn floor(self) -> Self {
                self.floor()
            }
            fn ceil(self) -> Self {
                self.ceil()
            }
            fn round(self) -> Self {
                self.round_ties_even()
            }
        }
    };
}

real!(f32, approx::exp, approx::tanh, approx::logistic);
real!(f64, f64::exp, f64::tanh, |x: f64| 1.0 / (1.0 + f64::exp(-x)));

impl Number for i64 {
    const ZERO: Self = 0;
    const ONE: Self = 1;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.wrapping_mul(other)
    }
    #[inline(always)]
    fn over(self, other: Self) -> Self {
        if other == 0 { 0 } else { self.wrapping_div(other) }
    }
    #[inline(always)]
    fn negated(self) -> Self {
        self.wrapping_neg()
    }
    #[inline(always)]
    fn magnitude(self) -> Self {
        self.wrapping_abs()
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self as f64
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn from_i64(value: i64) -> Self {
        value
    }
}

/// The values of one storage type: slots of `[group][column][lane]`, shared by registers that are never alive together.
#[derive(Debug, Default)]
pub(crate) struct Pool<T> {
    slots: Vec<Vec<Lanes<T>>>,
    /// Slot of each register.
    slot_of: Box<[u32]>,
}

impl<T: Element> Pool<T> {
    /// `widths` are the columns of each slot.
    pub(super) fn new(widths: &[usize], slot_of: &[u32]) -> Self {
        let slots = widths.iter().map(|width| vec![[T::default(); LANES]; width * GROUPS]).collect();
        Self { slots, slot_of: slot_of.into() }
    }
}

/// All values of the block being scored.
#[derive(Debug)]
pub(crate) struct Frame {
    rows: usize,
    pub(super) floats: Pool<f32>,
    pub(super) doubles: Pool<f64>,
    pub(super) integers: Pool<i64>,
    /// Scratch memory of kernels, which nothing survives in.
    pub(crate) short_keys: Vec<Lanes<i32>>,
    pub(crate) long_keys: Vec<Lanes<i64>>,
}

impl Frame {
    pub(super) fn new(floats: Pool<f32>, doubles: Pool<f64>, integers: Pool<i64>) -> Self {
        Self { rows: 0, floats, doubles, integers, short_keys: Vec::new(), long_keys: Vec::new() }
    }

    pub(super) fn set_rows(&mut self, rows: usize) {
        self.rows = rows.min(super::BLOCK_ROWS);
    }

    /// Groups with at least one row.
    pub(crate) fn groups(&self) -> usize {
        self.rows.div_ceil(LANES)
    }

    /// Number of rows in a group: [`LANES`] but for the last one.
    pub(crate) fn lanes_of(&self, group: usize) -> usize {
        self.rows.saturating_sub(group * LANES).min(LANES)
    }

    /// The value of a register: `groups() * width` lanes.
    pub(crate) fn read<T: Element>(&self, reg: Reg<T>) -> &[Lanes<T>] {
        let pool = T::pool(self);
        &pool.slots[pool.slot_of[reg.index as usize] as usize][..self.groups() * reg.width]
    }

    /// Lets `fill` write a register while it reads others. `fill` gets what was in the slot before.
    pub(crate) fn write<T: Element, R>(
        &mut self,
        reg: Reg<T>,
        fill: impl FnOnce(&Self, &mut [Lanes<T>]) -> R,
    ) -> R {
        self.write_also(Some(reg), |frame, lanes| fill(frame, lanes))
    }

    /// The same for a register that need not be there, with a frame in which further registers can be written.
    pub(crate) fn write_also<T: Element, R>(
        &mut self,
        reg: Option<Reg<T>>,
        fill: impl FnOnce(&mut Self, &mut [Lanes<T>]) -> R,
    ) -> R {
        let Some(reg) = reg else { return fill(self, &mut []) };
        let used = self.groups() * reg.width;
        let pool = T::pool_mut(self);
        let slot = pool.slot_of[reg.index as usize] as usize;
        let mut lanes = std::mem::take(&mut pool.slots[slot]);
        let result = fill(self, &mut lanes[..used]);
        T::pool_mut(self).slots[slot] = lanes;
        result
    }
}

/// Why a kernel refuses a row.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Row within the block.
    pub(crate) row: usize,
    pub(crate) what: String,
}

/// One step of a plan. Kernels hold their registers and constants; all that changes is in the frame.
pub(crate) trait Kernel: Send + Sync + fmt::Debug {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal>;
}
