//! From the server's text to a value.

use std::fmt;

use lavka_api::data::{Decimal, Schema, Str, Value};

use super::array::Elements;
use super::clock::Stamp;
use super::temporal::{Unit, zoned_time, zoned_time_value, zoned_timestamp, zoned_timestamp_value};
use super::{
    BinaryMode, HstoreMode, IntervalMode, binary, bits, geometry, hstore, interval, numeric, vector,
};

/// Why a text is no value of its column's type. It does not hold the text, which may be somebody's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unconvertible(pub(crate) &'static str);

impl fmt::Display for Unconvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// How the texts of one column become values. Made by [`ColumnType`](super::ColumnType).
#[derive(Clone, Debug)]
pub struct Codec(pub(super) Kind);

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Boolean,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Text,
    Bit,
    Bits,
    /// No value is converted.
    BitArray,
    Bytea(BinaryMode),
    /// A type that is not known: its text as bytes.
    Opaque(BinaryMode),
    /// Likewise, with the numbers as the JDBC driver prints them.
    OpaqueGeometric(BinaryMode),
    Date(Unit),
    Time(Unit),
    Timestamp(Unit),
    /// With the number of fractional digits, if they are fixed.
    ZonedTimestamp(Option<usize>),
    ZonedTime,
    Interval(IntervalMode),
    Decimal {
        scale: i32,
    },
    VariableDecimal(Schema),
    DecimalText {
        scale: Option<i32>,
    },
    DecimalDouble,
    Money {
        digits: i32,
    },
    MoneyText {
        digits: i32,
    },
    MoneyDouble {
        digits: i32,
    },
    Hstore(HstoreMode),
    Point(Schema),
    Geometry(Schema),
    Vector,
    HalfVector,
    SparseVector(Schema),
    Array(Box<Elements>),
}

impl Codec {
    /// Takes the schema of the field: values that are structs are made of it.
    pub(crate) fn bind(&mut self, field: &Schema) {
        match &mut self.0 {
            Kind::VariableDecimal(schema)
            | Kind::Point(schema)
            | Kind::Geometry(schema)
            | Kind::SparseVector(schema) => *schema = field.clone(),
            _ => {}
        }
    }

    /// The value of `text`.
    ///
    /// # Errors
    /// Where the text is none that the server prints for the type, or the value has no place in the type's schema.
    #[inline]
    pub fn value(&self, text: &[u8]) -> Result<Value, Unconvertible> {
        match &self.0 {
            Kind::Boolean => Ok(Value::Boolean(text == b"t" || text == b"T")),
            Kind::Int16 => Ok(Value::Int16(narrow(integer(text)?)?)),
            Kind::Int32 => Ok(Value::Int32(narrow(integer(text)?)?)),
            Kind::Int64 => Ok(Value::Int64(integer(text)?)),
            Kind::Float32 => Ok(Value::Float32(parsed(text, "no real")?)),
            Kind::Float64 => Ok(Value::Float64(parsed(text, "no double precision")?)),
            Kind::Text => Str::from_utf8(text).map(Value::String).map_err(|_| Unconvertible("no UTF-8")),
            Kind::Timestamp(unit) => unit.timestamp(text),
            Kind::ZonedTimestamp(width) => zoned_timestamp(text, *width),
            Kind::Date(unit) => unit.date(text),
            Kind::Time(unit) => unit.time(text),
            Kind::Decimal { scale } => numeric::decimal(text, *scale),
            Kind::Array(elements) => elements.value(text),
            rare => rare_value(rare, text),
        }
    }

    /// What stands for null where a column has neither null nor a default: in the old row of a table whose replica identity
    /// does not hold the column.
    #[must_use]
    pub fn zero(&self) -> Value {
        let empty = || Value::String(Str::default());
        match &self.0 {
            Kind::Boolean | Kind::Bit => Value::Boolean(false),
            Kind::Int16 => Value::Int16(0),
            Kind::Int32 => Value::Int32(0),
            Kind::Int64 => Value::Int64(0),
            Kind::Float32 => Value::Float32(0.0),
            Kind::Float64 | Kind::DecimalDouble | Kind::MoneyDouble { .. } => Value::Float64(0.0),
            Kind::Text => empty(),
            Kind::Bits | Kind::BitArray => Value::Bytes(lavka_api::data::Blob::default()),
            Kind::Bytea(mode) | Kind::Opaque(mode) | Kind::OpaqueGeometric(mode) => mode.value(&[]),
            Kind::Date(unit) => unit.date_value(0).unwrap_or_default(),
            Kind::Time(unit) => unit.time_value(0).unwrap_or_default(),
            Kind::Timestamp(unit) => unit.timestamp_value(Stamp::EPOCH).unwrap_or_default(),
            // Without a fraction, whatever the column's precision.
            Kind::ZonedTimestamp(_) => zoned_timestamp_value(Stamp::EPOCH, None),
            Kind::ZonedTime => zoned_time_value(0),
            Kind::Interval(mode) => interval::zero(*mode),
            Kind::Decimal { scale } => Value::from(Decimal::new(0, *scale)),
            Kind::VariableDecimal(schema) => numeric::variable_zero(schema),
            Kind::DecimalText { scale } => numeric::zero_text(scale.unwrap_or(0)),
            Kind::Money { digits } => Value::from(Decimal::new(0, *digits)),
            Kind::MoneyText { digits } => numeric::zero_text(*digits),
            Kind::Hstore(mode) => hstore::value(&[], *mode),
            Kind::Point(schema) => geometry::point_value(0.0, 0.0, schema).unwrap_or_default(),
            Kind::Geometry(schema) => geometry::empty_geometry(schema),
            Kind::SparseVector(schema) => vector::sparse(b"{}/0", schema).unwrap_or_default(),
            Kind::Vector | Kind::HalfVector | Kind::Array(_) => Value::Array([].into()),
        }
    }
}

/// The types that few tables have, out of the way of the others.
fn rare_value(kind: &Kind, text: &[u8]) -> Result<Value, Unconvertible> {
    match kind {
        Kind::Bit => bits::bit(text),
        Kind::Bits => bits::bits(text),
        Kind::BitArray => {
            Err(Unconvertible("an array of bits, which has no place in Debezium's schema for it"))
        }
        Kind::Bytea(mode) => binary::bytea(text, *mode),
        Kind::Opaque(mode) => Ok(mode.value(text)),
        Kind::OpaqueGeometric(mode) => Ok(mode.value(&geometry::driver_text(text)?)),
        Kind::ZonedTime => zoned_time(text),
        Kind::Interval(mode) => interval::interval(text, *mode),
        Kind::VariableDecimal(schema) => numeric::variable(text, schema),
        Kind::DecimalText { scale } => numeric::text(text, *scale),
        Kind::DecimalDouble => numeric::double(text),
        Kind::Money { digits } => numeric::money_decimal(text, *digits),
        Kind::MoneyText { digits } => numeric::money_text(text, *digits),
        Kind::MoneyDouble { digits } => numeric::money_double(text, *digits),
        Kind::Hstore(mode) => hstore::hstore(text, *mode),
        Kind::Point(schema) => geometry::point(text, schema),
        Kind::Geometry(schema) => geometry::geometry(text, schema),
        Kind::Vector => vector::dense(text, |number| number.parse().ok().map(Value::Float64)),
        Kind::HalfVector => vector::dense(text, |number| number.parse().ok().map(Value::Float32)),
        Kind::SparseVector(schema) => vector::sparse(text, schema),
        _ => Err(Unconvertible("no value")),
    }
}

/// A decimal integer of 64 bits.
#[inline]
fn integer(text: &[u8]) -> Result<i64, Unconvertible> {
    const NO_INTEGER: Unconvertible = Unconvertible("no integer of the column's size");
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        Some(_) => (false, text),
        None => return Err(NO_INTEGER),
    };
    if digits.is_empty() {
        return Err(NO_INTEGER);
    }
    // Counted down, since there is one negative number more.
    let mut value = 0_i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(NO_INTEGER);
        }
        value = value.checked_mul(10).and_then(|value| value.checked_sub(digit.into())).ok_or(NO_INTEGER)?;
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or(NO_INTEGER) }
}

fn narrow<T: TryFrom<i64>>(value: i64) -> Result<T, Unconvertible> {
    T::try_from(value).map_err(|_| Unconvertible("no integer of the column's size"))
}

fn parsed<T: std::str::FromStr>(text: &[u8], what: &'static str) -> Result<T, Unconvertible> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Unconvertible(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_to_their_size() {
        for (text, value) in
            [("0", 0), ("-9223372036854775808", i64::MIN), ("9223372036854775807", i64::MAX), ("+5", 5)]
        {
            assert_eq!(integer(text.as_bytes()), Ok(value));
        }
        for text in ["", "-", "9223372036854775808", "1.0", " 1", "1e3"] {
            assert!(integer(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Codec(Kind::Int16).value(b"32768").is_err());
        assert!(Codec(Kind::Int32).value(b"2147483648").is_err());
    }
}
