//! Single values to Arrow's native types.
//!
//! Each function gives `None` for a value that does not fit. The first arm of each is the value that the type is made
//! for; the others let numbers widen, and integers of schemaless JSON narrow where their value allows it. With
//! `lenient` (a declared schema), the wire forms of a JSON payload are taken too: Base64 text for bytes, plain numbers
//! for decimals and instants, as JsonConverter reads them. Inference is strict: there a column's type comes from the
//! values, and a number is never quietly a date.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lavka_api::data::{Decimal, Value};

/// Digits of an Arrow `Decimal128`.
pub(crate) const DECIMAL_DIGITS: u8 = 38;
/// The first number with 39 digits.
const DECIMAL_LIMIT: u128 = 10u128.pow(38);
/// Milliseconds of a day; Connect allows the value itself (24:00).
const DAY_MS: i32 = 86_400_000;

pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match *value {
        Value::Boolean(v) => Some(v),
        _ => None,
    }
}

pub(crate) fn int8(value: &Value) -> Option<i8> {
    match *value {
        Value::Int8(v) => Some(v),
        ref other => i8::try_from(other.as_i64()?).ok(),
    }
}

pub(crate) fn int16(value: &Value) -> Option<i16> {
    match *value {
        Value::Int16(v) => Some(v),
        ref other => i16::try_from(other.as_i64()?).ok(),
    }
}

pub(crate) fn int32(value: &Value) -> Option<i32> {
    match *value {
        Value::Int32(v) => Some(v),
        ref other => i32::try_from(other.as_i64()?).ok(),
    }
}

pub(crate) fn int64(value: &Value) -> Option<i64> {
    match *value {
        Value::Int64(v) => Some(v),
        ref other => other.as_i64(),
    }
}

/// A double that is beyond the range of a float does not fit; one with more digits is rounded.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "rounding is what FLOAT32 does"
)]
pub(crate) fn float32(value: &Value) -> Option<f32> {
    match *value {
        Value::Float32(v) => Some(v),
        Value::Float64(v) => {
            let narrow = v as f32;
            (narrow.is_finite() || !v.is_finite()).then_some(narrow)
        }
        ref other => other.as_i64().map(|v| v as f32),
    }
}

#[expect(clippy::cast_precision_loss, reason = "mixed integers and fractions become doubles")]
pub(crate) fn float64(value: &Value) -> Option<f64> {
    match *value {
        Value::Float64(v) => Some(v),
        Value::Float32(v) => Some(v.into()),
        ref other => other.as_i64().map(|v| v as f64),
    }
}

/// Appends the bytes of `value`; false where it has none.
pub(crate) fn bytes(value: &Value, lenient: bool, out: &mut Vec<u8>) -> bool {
    match value {
        Value::Bytes(v) => {
            out.extend_from_slice(v);
            true
        }
        Value::String(text) if lenient => {
            let before = out.len();
            let fits = BASE64.decode_vec(text.as_bytes(), out).is_ok();
            if !fits {
                out.truncate(before);
            }
            fits
        }
        _ => false,
    }
}

pub(crate) fn date(value: &Value, lenient: bool) -> Option<i32> {
    match *value {
        Value::Date(days) => Some(days),
        ref other if lenient => i32::try_from(other.as_i64()?).ok(),
        _ => None,
    }
}

pub(crate) fn time(value: &Value, lenient: bool) -> Option<i32> {
    let ms = match *value {
        Value::Time(ms) => ms,
        ref other if lenient => i32::try_from(other.as_i64()?).ok()?,
        _ => return None,
    };
    (0..=DAY_MS).contains(&ms).then_some(ms)
}

pub(crate) fn timestamp(value: &Value, lenient: bool) -> Option<i64> {
    match *value {
        Value::Timestamp(ms) => Some(ms),
        ref other if lenient => other.as_i64(),
        _ => None,
    }
}

/// The unscaled value of a decimal of `scale`. A JSON number has to have no more digits after the point than `scale`;
/// text is Base64 of the unscaled value, as on the wire.
pub(crate) fn decimal(value: &Value, scale: i32, lenient: bool) -> Option<i128> {
    match value {
        Value::Decimal(decimal) if decimal.scale() == scale => unscaled(decimal),
        Value::Int8(_) | Value::Int16(_) | Value::Int32(_) | Value::Int64(_) if lenient => {
            rescaled(&Decimal::new(value.as_i64()?, 0), scale)
        }
        Value::Float32(_) | Value::Float64(_) if lenient => {
            rescaled(&Decimal::parse(&lavka_api::java::plain_text(value))?, scale)
        }
        Value::String(text) if lenient => {
            let mut wire = Vec::new();
            BASE64.decode_vec(text.as_bytes(), &mut wire).ok()?;
            unscaled(&Decimal::from_be_bytes(&wire, scale))
        }
        _ => None,
    }
}

fn unscaled(decimal: &Decimal) -> Option<i128> {
    let number = i128::try_from(decimal.unscaled()).ok()?;
    (number.unsigned_abs() < DECIMAL_LIMIT).then_some(number)
}

fn rescaled(decimal: &Decimal, scale: i32) -> Option<i128> {
    let number = unscaled(decimal)?;
    let shift = scale.checked_sub(decimal.scale())?;
    let factor = 10i128.checked_pow(shift.unsigned_abs())?;
    let result = if shift >= 0 {
        number.checked_mul(factor)?
    } else {
        (number % factor == 0).then_some(number / factor)?
    };
    (result.unsigned_abs() < DECIMAL_LIMIT).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_fit_by_value() {
        assert_eq!(int8(&Value::Int64(127)), Some(127));
        assert_eq!(int8(&Value::Int64(128)), None);
        assert_eq!(int32(&Value::Float64(1.0)), None);
        assert_eq!(int64(&Value::Timestamp(1)), None);
    }

    #[test]
    fn floats_round_but_do_not_overflow() {
        assert_eq!(float32(&Value::Float64(0.1)), Some(0.1));
        assert_eq!(float32(&Value::Float64(1e300)), None);
        assert_eq!(float32(&Value::Float64(f64::INFINITY)), Some(f32::INFINITY));
        assert_eq!(float64(&Value::Int8(3)), Some(3.0));
    }

    #[test]
    fn decimals_keep_their_digits() {
        assert_eq!(decimal(&Decimal::new(150, 2).into(), 2, false), Some(150));
        assert_eq!(
            decimal(&Decimal::new(15, 1).into(), 2, true),
            None,
            "another scale is a mistake upstream"
        );
        assert_eq!(decimal(&Value::Float64(1.5), 2, true), Some(150));
        assert_eq!(decimal(&Value::Float64(1.555), 2, true), None);
        assert_eq!(decimal(&Value::Float64(1e30), 2, true), Some(10i128.pow(32)));
        assert_eq!(decimal(&Value::Float64(f64::NAN), 2, true), None);
        assert_eq!(decimal(&Value::Int64(7), 2, true), Some(700));
        assert_eq!(decimal(&Value::Int64(7), 2, false), None);
        assert_eq!(decimal(&"AJw=".into(), 2, true), Some(156));
        let most = Decimal::parse(&"9".repeat(38)).unwrap();
        assert!(decimal(&most.into(), 0, false).is_some());
        let more = Decimal::parse(&format!("1{}", "0".repeat(38))).unwrap();
        assert_eq!(decimal(&more.into(), 0, false), None);
    }

    #[test]
    fn wire_forms_need_a_declared_schema() {
        let mut out = vec![9];
        assert!(bytes(&"AQI=".into(), true, &mut out));
        assert!(!bytes(&"AQI=".into(), false, &mut out));
        assert!(!bytes(&"no base64!".into(), true, &mut out));
        assert_eq!(out, [9, 1, 2]);
        assert_eq!(date(&Value::Int64(5), true), Some(5));
        assert_eq!(date(&Value::Int64(5), false), None);
        assert_eq!(time(&Value::Time(-1), false), None);
        assert_eq!(time(&Value::Time(DAY_MS), false), Some(DAY_MS));
        assert_eq!(timestamp(&Value::Int32(5), true), Some(5));
    }
}
