//! Cells in PostgreSQL's binary and text forms.
//!
//! The binary forms are those of the types' receive functions, which `COPY ... (FORMAT binary)` and bound parameters share;
//! each value has its length before it.

use std::fmt::Write as _;

use lavka_api::data::Decimal;
use num_bigint::{BigUint, Sign};
use num_traits::{ToPrimitive as _, Zero as _};

use crate::data::{Cell, DAY_MICROS, WallClock, date_text, datetime_text, decimal_text, time_text};
use crate::table::ColumnKind;

/// 2000-01-01 in days since 1970-01-01.
pub(super) const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Why a cell has no binary form in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoBinary {
    /// The server has to read its text.
    Text,
    /// No form at all: the row is at fault.
    Reject(String),
}

/// Appends a cell with its length.
///
/// # Errors
/// Where it has no such form; `out` may hold a part of it then.
pub(super) fn binary(
    kind: &ColumnKind,
    cell: &Cell<'_>,
    clock: &WallClock,
    out: &mut Vec<u8>,
) -> Result<(), NoBinary> {
    macro_rules! fixed {
        ($bytes:expr) => {{
            let bytes = $bytes;
            out.extend_from_slice(&length(bytes.len())?);
            out.extend_from_slice(&bytes);
            Ok(())
        }};
    }
    if cell.is_null() {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
        return Ok(());
    }
    match (kind, cell) {
        (ColumnKind::Interval, Cell::Duration(micros)) => {
            out.extend_from_slice(&length(16)?);
            out.extend_from_slice(&micros.to_be_bytes());
            // Neither days nor months: how long these are is a matter of the calendar.
            out.extend_from_slice(&[0; 8]);
            Ok(())
        }
        // A table made for the number.
        (kind, Cell::Duration(micros)) => binary(kind, &Cell::Int(*micros), clock, out),
        (ColumnKind::Timestamp | ColumnKind::TimestampTz, Cell::Forever { negative }) => {
            fixed!(if *negative { i64::MIN } else { i64::MAX }.to_be_bytes())
        }
        (ColumnKind::Date, Cell::Forever { negative }) => {
            fixed!(if *negative { i32::MIN } else { i32::MAX }.to_be_bytes())
        }
        (ColumnKind::Bytes, Cell::Geometry(geometry)) => bytes(geometry.wkb(), out),
        (ColumnKind::Int64, Cell::Int(v)) => fixed!(v.to_be_bytes()),
        (ColumnKind::Int32, Cell::Int(v)) => {
            fixed!(i32::try_from(*v).map_err(|_| beyond(*v, "integer"))?.to_be_bytes())
        }
        (ColumnKind::Int16, Cell::Int(v)) => {
            fixed!(i16::try_from(*v).map_err(|_| beyond(*v, "smallint"))?.to_be_bytes())
        }
        (ColumnKind::Int64, Cell::Bool(v)) => fixed!(i64::from(*v).to_be_bytes()),
        (ColumnKind::Int32, Cell::Bool(v)) => fixed!(i32::from(*v).to_be_bytes()),
        (ColumnKind::Int16, Cell::Bool(v)) => fixed!(i16::from(*v).to_be_bytes()),
        (ColumnKind::Boolean, Cell::Bool(v)) => fixed!([u8::from(*v)]),
        (ColumnKind::Float64, Cell::Float64(v)) => fixed!(v.to_be_bytes()),
        (ColumnKind::Float64, Cell::Float32(v)) => fixed!(f64::from(*v).to_be_bytes()),
        (ColumnKind::Float32, Cell::Float32(v)) => fixed!(v.to_be_bytes()),
        (ColumnKind::Numeric, Cell::Int(v)) => {
            numeric(v.is_negative(), &BigUint::from(v.unsigned_abs()), 0, out)
        }
        (ColumnKind::Numeric, Cell::Decimal(v)) => decimal(v, out),
        (ColumnKind::Text | ColumnKind::Json, Cell::Text(text)) => bytes(text.as_bytes(), out),
        (ColumnKind::JsonBinary, Cell::Text(text)) => {
            out.extend_from_slice(&length(text.len() + 1)?);
            out.push(1);
            out.extend_from_slice(text.as_bytes());
            Ok(())
        }
        (ColumnKind::Bytes, Cell::Bytes(value)) => bytes(value, out),
        (ColumnKind::Uuid, Cell::Text(text)) => fixed!(uuid(text).ok_or(NoBinary::Text)?),
        (ColumnKind::Uuid, Cell::Bytes(value)) if value.len() == 16 => bytes(value, out),
        (ColumnKind::Date, Cell::Date(days)) => {
            // The extreme means infinity.
            let days = days.checked_sub(EPOCH_DAYS).filter(|days| *days != i32::MIN);
            fixed!(days.ok_or(NoBinary::Text)?.to_be_bytes())
        }
        (ColumnKind::Time, Cell::Time(micros)) => fixed!(micros.to_be_bytes()),
        (ColumnKind::Timestamp, cell) => {
            let local = local(cell, clock).ok_or(NoBinary::Text)?;
            fixed!(since_2000(local)?.to_be_bytes())
        }
        (ColumnKind::TimestampTz, Cell::Instant(instant)) => fixed!(since_2000(*instant)?.to_be_bytes()),
        (ColumnKind::TimestampTz, Cell::Local(local)) => {
            fixed!(since_2000(clock.instant(*local))?.to_be_bytes())
        }
        (ColumnKind::Array(item, oid), Cell::Array(items)) => array(item, *oid, items, clock, out),
        // Any value has a text.
        (ColumnKind::Text, cell) if !matches!(cell, Cell::Bytes(_) | Cell::Array(_)) => {
            let mut form = String::new();
            text(kind, cell, clock, &mut form).map_err(NoBinary::Reject)?;
            bytes(form.as_bytes(), out)
        }
        _ => Err(NoBinary::Text),
    }
}

fn length(length: usize) -> Result<[u8; 4], NoBinary> {
    i32::try_from(length)
        .map(i32::to_be_bytes)
        .map_err(|_| NoBinary::Reject("a value of more than 2 GiB".to_owned()))
}

fn bytes(value: &[u8], out: &mut Vec<u8>) -> Result<(), NoBinary> {
    out.extend_from_slice(&length(value.len())?);
    out.extend_from_slice(value);
    Ok(())
}

fn beyond(value: i64, ty: &str) -> NoBinary {
    NoBinary::Reject(format!("{value}, which is out of range of {ty}"))
}

fn since_2000(micros: i64) -> Result<i64, NoBinary> {
    let shifted = micros.checked_sub(EPOCH_MICROS);
    // The extremes mean infinity.
    shifted
        .filter(|micros| !matches!(*micros, i64::MIN | i64::MAX))
        .ok_or_else(|| NoBinary::Reject("a point in time out of range".to_owned()))
}

/// What a cell shows on the wall clock, if it is a date with or without a time.
fn local(cell: &Cell<'_>, clock: &WallClock) -> Option<i64> {
    match cell {
        Cell::Local(local) => Some(*local),
        Cell::Instant(instant) => Some(clock.local(*instant)),
        Cell::Date(days) => i64::from(*days).checked_mul(DAY_MICROS),
        _ => None,
    }
}

/// `numeric_recv`: digits to the base of 10000, the weight of the first, sign, digits after the point.
fn decimal(value: &Decimal, out: &mut Vec<u8>) -> Result<(), NoBinary> {
    let negative = value.unscaled().sign() == Sign::Minus;
    let magnitude = value.unscaled().magnitude();
    match u16::try_from(value.scale()) {
        Ok(scale) if scale <= 16_383 => numeric(negative, magnitude, scale, out),
        // A negative scale, or one that no column has.
        _ => Err(NoBinary::Text),
    }
}

fn numeric(negative: bool, magnitude: &BigUint, scale: u16, out: &mut Vec<u8>) -> Result<(), NoBinary> {
    // Filled up so that the point falls between two digits of the base.
    let pad = (4 - scale % 4) % 4;
    let mut groups: Vec<u16> =
        match magnitude.to_u64().and_then(|small| small.checked_mul(10_u64.pow(pad.into()))) {
            Some(mut rest) => {
                let mut groups = Vec::with_capacity(5);
                while rest > 0 {
                    groups.push(u16::try_from(rest % 10_000).unwrap_or(0));
                    rest /= 10_000;
                }
                groups
            }
            None => {
                // The digits in base 10000 come from the decimal text: cheaper than dividing over and over.
                let text = (magnitude * BigUint::from(10_u32.pow(pad.into()))).to_str_radix(10);
                let digits = text.as_bytes();
                digits
                    .rchunks(4)
                    .map(|group| group.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0')))
                    .collect()
            }
        };
    let after_point = usize::from((scale + pad) / 4);
    let weight =
        i64::try_from(groups.len()).unwrap_or(i64::MAX) - i64::try_from(after_point).unwrap_or(0) - 1;
    groups.reverse();
    while groups.last().is_some_and(|last| *last == 0) {
        groups.pop();
    }
    if magnitude.is_zero() {
        groups.clear();
    }
    let (Ok(count), Ok(weight)) =
        (u16::try_from(groups.len()), i16::try_from(if groups.is_empty() { 0 } else { weight }))
    else {
        return Err(NoBinary::Reject("a number with too many digits".to_owned()));
    };
    out.extend_from_slice(&length(8 + groups.len() * 2)?);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    let sign: u16 = if negative && !groups.is_empty() { 0x4000 } else { 0 };
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&scale.to_be_bytes());
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
    Ok(())
}

/// `array_recv`: dimensions, flags, the items' type, length and lower bound, items.
fn array(
    kind: &ColumnKind,
    oid: u32,
    items: &[Cell<'_>],
    clock: &WallClock,
    out: &mut Vec<u8>,
) -> Result<(), NoBinary> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let dimensions = i32::from(!items.is_empty());
    out.extend_from_slice(&dimensions.to_be_bytes());
    out.extend_from_slice(&i32::from(items.iter().any(Cell::is_null)).to_be_bytes());
    out.extend_from_slice(&oid.to_be_bytes());
    if dimensions > 0 {
        out.extend_from_slice(&length(items.len())?);
        out.extend_from_slice(&1_i32.to_be_bytes());
    }
    for item in items {
        binary(kind, item, clock, out)?;
    }
    let size = length(out.len() - start - 4)?;
    if let Some(slot) = out.get_mut(start..start + 4) {
        slot.copy_from_slice(&size);
    }
    Ok(())
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let mut out = [0_u8; 16];
    let mut digits = text.bytes().filter(|byte| *byte != b'-');
    for slot in &mut out {
        let mut digit = || char::from(digits.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        *slot = u8::try_from(high * 16 + low).ok()?;
    }
    digits.next().is_none().then_some(out)
}

/// Appends the text that the column's input function reads. Null has none: the caller says it in its own way.
///
/// # Errors
/// Where there is none.
pub(super) fn text(
    kind: &ColumnKind,
    cell: &Cell<'_>,
    clock: &WallClock,
    out: &mut String,
) -> Result<(), String> {
    cell.check_unit(kind)?;
    match cell {
        Cell::Null => {}
        Cell::Duration(micros) if *kind == ColumnKind::Interval => {
            let sign = if *micros < 0 { "-" } else { "" };
            let micros = micros.unsigned_abs();
            let _ = write!(out, "{sign}{}.{:06} seconds", micros / 1_000_000, micros % 1_000_000);
        }
        Cell::Duration(micros) => {
            let _ = write!(out, "{micros}");
        }
        Cell::Forever { negative } => out.push_str(if *negative { "-infinity" } else { "infinity" }),
        Cell::Geometry(geometry) => match (kind, geometry.point()) {
            (ColumnKind::Point, Some((x, y))) => {
                let _ = write!(out, "({x},{y})");
            }
            (ColumnKind::Point, None) => return Err("a geometry that did not come as a point".to_owned()),
            (ColumnKind::Bytes, _) => return text(kind, &Cell::Bytes(geometry.wkb().into()), clock, out),
            _ => out.push_str(&geometry.ewkb()),
        },
        Cell::Bool(value) => out.push_str(match (kind, value) {
            (ColumnKind::Boolean | ColumnKind::Text, true) => "true",
            (ColumnKind::Boolean | ColumnKind::Text, false) => "false",
            (_, true) => "1",
            (_, false) => "0",
        }),
        Cell::Int(value) => {
            let _ = write!(out, "{value}");
        }
        Cell::UInt(value) => {
            let _ = write!(out, "{value}");
        }
        Cell::Float32(value) => float(out, f64::from(*value), &value.to_string()),
        Cell::Float64(value) => float(out, *value, &value.to_string()),
        Cell::Text(value) => out.push_str(value),
        Cell::Bytes(value) => {
            out.push_str("\\x");
            for byte in value.iter() {
                let _ = write!(out, "{byte:02x}");
            }
        }
        Cell::Decimal(value) => out.push_str(&decimal_text(value).ok_or("a number with too many digits")?),
        Cell::Date(days) => out.push_str(&date_text((*days).into())),
        Cell::Time(micros) => out.push_str(&time_text(*micros)),
        Cell::Local(local) => out.push_str(&datetime_text(*local)),
        Cell::Instant(instant) if *kind == ColumnKind::TimestampTz => {
            // Before an era the offset would come behind it.
            let text = datetime_text(*instant);
            match text.strip_suffix(" BC") {
                Some(text) => {
                    let _ = write!(out, "{text}+00 BC");
                }
                None => {
                    let _ = write!(out, "{text}+00");
                }
            }
        }
        Cell::Instant(instant) => out.push_str(&datetime_text(clock.local(*instant))),
        Cell::Array(items) => {
            let item_kind = if let ColumnKind::Array(kind, _) = kind { kind } else { kind };
            out.push('{');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                if item.is_null() {
                    out.push_str("NULL");
                    continue;
                }
                let mut form = String::new();
                text(item_kind, item, clock, &mut form)?;
                out.push('"');
                for c in form.chars() {
                    if matches!(c, '"' | '\\') {
                        out.push('\\');
                    }
                    out.push(c);
                }
                out.push('"');
            }
            out.push('}');
        }
    }
    Ok(())
}

fn float(out: &mut String, value: f64, text: &str) {
    out.push_str(match value {
        value if value.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => text,
    });
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn encoded(kind: &ColumnKind, cell: &Cell<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        binary(kind, cell, &WallClock::utc(), &mut out).unwrap();
        assert_eq!(out.get(..4).unwrap(), i32::try_from(out.len() - 4).unwrap().to_be_bytes());
        out.split_off(4)
    }

    fn number(unscaled: i64, scale: i32) -> Cell<'static> {
        Cell::Decimal(Cow::Owned(Decimal::new(unscaled, scale)))
    }

    /// Against what `SELECT numeric_send(...)` of PostgreSQL 15 answers.
    #[test]
    fn decimals_are_in_base_10000() {
        for (cell, groups, weight, sign, scale) in [
            (number(156, 2), vec![1_u16, 5600], 0_i16, 0_u16, 2_u16),
            (number(-1, 4), vec![1], -1, 0x4000, 4),
            (number(1, 5), vec![1000], -2, 0, 5),
            (number(123_456_789, 0), vec![1, 2345, 6789], 2, 0, 0),
            (number(10_000, 0), vec![1], 1, 0, 0),
            (number(0, 2), vec![], 0, 0, 2),
            (Cell::Int(i64::MIN), vec![922, 3372, 368, 5477, 5808], 4, 0x4000, 0),
        ] {
            let mut expected = u16::try_from(groups.len()).unwrap().to_be_bytes().to_vec();
            expected.extend(weight.to_be_bytes());
            expected.extend(sign.to_be_bytes());
            expected.extend(scale.to_be_bytes());
            expected.extend(groups.iter().flat_map(|group| group.to_be_bytes()));
            assert_eq!(encoded(&ColumnKind::Numeric, &cell), expected, "{cell:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_sent() {
        let mut out = Vec::new();
        let refused = binary(&ColumnKind::Int32, &Cell::Int(1 << 40), &WallClock::utc(), &mut out);
        assert!(matches!(refused, Err(NoBinary::Reject(text)) if text.contains("1099511627776")));
        let asked = binary(&ColumnKind::Other, &Cell::Int(1), &WallClock::utc(), &mut out);
        assert_eq!(asked, Err(NoBinary::Text));
        let extreme = Cell::Instant(i64::MIN);
        assert!(binary(&ColumnKind::TimestampTz, &extreme, &WallClock::utc(), &mut out).is_err());
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        let interval = encoded(&ColumnKind::Interval, &Cell::Duration(-1));
        assert_eq!(interval, [[0xff; 8], [0; 8]].concat());
        assert_eq!(encoded(&ColumnKind::Int64, &Cell::Duration(5)), 5_i64.to_be_bytes());
        let mut form = String::new();
        text(&ColumnKind::Interval, &Cell::Duration(-1_500_000), &WallClock::utc(), &mut form).unwrap();
        assert_eq!(form, "-1.500000 seconds");
        assert!(text(&ColumnKind::Interval, &Cell::Int(5), &WallClock::utc(), &mut form).is_err());
    }

    #[test]
    fn arrays_and_texts_have_their_forms() {
        let items = Cell::Array(vec![Cell::Text("a\"\\b".into()), Cell::Null]);
        let mut form = String::new();
        let kind = ColumnKind::Array(Box::new(ColumnKind::Text), 25);
        text(&kind, &items, &WallClock::utc(), &mut form).unwrap();
        assert_eq!(form, r#"{"a\"\\b",NULL}"#);
        assert_eq!(encoded(&kind, &Cell::Array(Vec::new())).len(), 12);
        assert_eq!(uuid("00112233-4455-6677-8899-aabbccddeeff").map(|id| id[15]), Some(0xff));
        assert_eq!(uuid("0011"), None);
    }
}
