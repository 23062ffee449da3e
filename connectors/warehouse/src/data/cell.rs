//! A value on its way into (or out of) a column.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use lavka_api::data::Decimal;

use super::geometry::Geometry;
use crate::table::ColumnKind;

/// A value of a column. Where it can it borrows from the record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// What an unsigned column can hold beyond an [`Int`](Self::Int).
    UInt(u64),
    Float32(f32),
    Float64(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Decimal(Cow<'a, Decimal>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// A wall clock's reading: microseconds since 1970-01-01T00:00.
    Local(i64),
    /// An instant: microseconds since 1970-01-01T00:00Z.
    Instant(i64),
    /// A length of time, in microseconds.
    Duration(i64),
    /// Later than every other date or timestamp, or, where it is negative, earlier.
    Forever {
        negative: bool,
    },
    Geometry(Box<Geometry<'a>>),
    Array(Vec<Cell<'a>>),
}

impl Cell<'_> {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Cell::Null)
    }

    /// Refuses a number for a length of time: PostgreSQL would take it for seconds, whatever was meant.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check_unit(&self, kind: &ColumnKind) -> Result<(), String> {
        if *kind == ColumnKind::Interval && matches!(self, Cell::Int(_) | Cell::UInt(_) | Cell::Float64(_)) {
            return Err("a number, which is no length of time without a unit".to_owned());
        }
        Ok(())
    }

    /// Bytes that it takes on the wire, roughly.
    pub(crate) fn size(&self) -> usize {
        match self {
            Cell::Text(text) => text.len() + 5,
            Cell::Bytes(bytes) => bytes.len() + 5,
            Cell::Decimal(decimal) => {
                usize::try_from(decimal.unscaled().bits() / 3).unwrap_or(usize::MAX / 2) + 16
            }
            Cell::Geometry(geometry) => geometry.wkb().len() * 2 + 24,
            Cell::Array(items) => items.iter().map(Cell::size).sum::<usize>() + 24,
            _ => 12,
        }
    }
}

/// The key of a row: cells that are equal where the database would say so of values of one type. Floats go by their bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowKey<'b, 'a>(pub(crate) &'b [Cell<'a>]);

impl PartialEq for RowKey<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(other.0).all(|(one, two)| same(one, two))
    }
}

impl Eq for RowKey<'_, '_> {}

impl Hash for RowKey<'_, '_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|cell| hash(cell, state));
    }
}

fn same(one: &Cell<'_>, two: &Cell<'_>) -> bool {
    match (one, two) {
        (Cell::Float32(one), Cell::Float32(two)) => one.to_bits() == two.to_bits(),
        (Cell::Float64(one), Cell::Float64(two)) => one.to_bits() == two.to_bits(),
        (Cell::Array(one), Cell::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
        }
        _ => one == two,
    }
}

fn hash(cell: &Cell<'_>, state: &mut impl Hasher) {
    std::mem::discriminant(cell).hash(state);
    match cell {
        Cell::Null => {}
        Cell::Bool(v) => v.hash(state),
        Cell::Int(v) | Cell::Time(v) | Cell::Local(v) | Cell::Instant(v) | Cell::Duration(v) => v.hash(state),
        Cell::Forever { negative } => negative.hash(state),
        Cell::Geometry(geometry) => geometry.wkb().hash(state),
        Cell::UInt(v) => v.hash(state),
        Cell::Float32(v) => v.to_bits().hash(state),
        Cell::Float64(v) => v.to_bits().hash(state),
        Cell::Text(v) => v.hash(state),
        Cell::Bytes(v) => v.hash(state),
        Cell::Decimal(v) => v.hash(state),
        Cell::Date(v) => v.hash(state),
        Cell::Array(items) => items.iter().for_each(|item| hash(item, state)),
    }
}

/// The most digits that a decimal is written out with; more is an attack, not a number.
const MAX_DIGITS: usize = 200_000;

/// A decimal in plain notation, without an exponent; `None` where that would be out of proportion.
pub(crate) fn decimal_text(decimal: &Decimal) -> Option<String> {
    let digits = decimal.unscaled().magnitude().to_str_radix(10);
    let sign = if decimal.unscaled().sign() == num_bigint::Sign::Minus { "-" } else { "" };
    let scale = usize::try_from(decimal.scale().unsigned_abs()).ok()?;
    if scale > MAX_DIGITS || digits.len() > MAX_DIGITS {
        return None;
    }
    if decimal.scale() <= 0 {
        let zeros = if digits == "0" { String::new() } else { "0".repeat(scale) };
        return Some(format!("{sign}{digits}{zeros}"));
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    Some(format!("{sign}{whole}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_without_an_exponent() {
        for (unscaled, scale, text) in [
            (156, 2, "1.56"),
            (-5, 3, "-0.005"),
            (5, -3, "5000"),
            (0, -9, "0"),
            (0, 2, "0.00"),
            (1, 10, "0.0000000001"),
        ] {
            assert_eq!(decimal_text(&Decimal::new(unscaled, scale)).as_deref(), Some(text));
        }
        assert_eq!(decimal_text(&Decimal::new(1, i32::MAX)), None);
    }

    #[test]
    fn keys_tell_rows_apart_by_bits() {
        let nan = [Cell::Float64(f64::NAN)];
        assert_eq!(RowKey(&nan), RowKey(&nan));
        assert_ne!(RowKey(&[Cell::Int(1)]), RowKey(&[Cell::Text("1".into())]));
    }
}
