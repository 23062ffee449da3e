//! Numbers in header texts.

use std::borrow::Cow;

use lavka_api::data::{Datum, Decimal, Logical, Schema, Type, Value};
use num_bigint::BigInt;
use num_traits::{ToPrimitive, Zero};

/// The zeros of the decimal digits of Unicode's basic plane, which Java takes for digits; nine more follow each.
const ZEROS: [u32; 37] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// The value of a decimal digit of any script.
pub(super) fn digit(c: char) -> Option<u8> {
    let code = u32::from(c);
    let zero = ZEROS.iter().rev().find(|&&zero| zero <= code)?;
    u8::try_from(code - zero).ok().filter(|&value| value <= 9)
}

/// `text` with digits of other scripts replaced by plain ones.
pub(super) fn plain_digits(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| digit(c).map_or(c, |value| char::from(b'0' + value))).collect())
}

/// The decimal that Java's `new BigDecimal(text)` makes. Java has no exponent beyond `i32::MAX`.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    Decimal::parse(&plain_digits(text)).filter(|decimal| decimal.scale() > i32::MIN)
}

/// The number that `token` is, in the smallest type that holds it: an integral one (`1.0` and `1e3` are) as an
/// integer; a fraction, or what has an exponent beyond 64 bits, as a float or double that it is not too large for;
/// else a decimal.
pub(super) fn infer(token: &str) -> Option<Datum> {
    let decimal = decimal(token)?;
    if let Some(integer) = exact_integer(&decimal) {
        return Some(smallest_integer(integer));
    }
    if decimal.scale() != 0 {
        let text = plain_digits(token);
        let float: f32 = text.parse().ok()?;
        if float.is_finite() {
            return Some(Datum::new(Schema::of(Type::Float32), float));
        }
        let double: f64 = text.parse().ok()?;
        if double.is_finite() {
            return Some(Datum::new(Schema::of(Type::Float64), double));
        }
    }
    Some(Datum::new(Schema::logical_of(Logical::Decimal(decimal.scale())), decimal))
}

fn smallest_integer(value: i64) -> Datum {
    if let Ok(value) = i8::try_from(value) {
        Datum::new(Schema::of(Type::Int8), Value::Int8(value))
    } else if let Ok(value) = i16::try_from(value) {
        Datum::new(Schema::of(Type::Int16), Value::Int16(value))
    } else if let Ok(value) = i32::try_from(value) {
        Datum::new(Schema::of(Type::Int32), Value::Int32(value))
    } else {
        Datum::new(Schema::of(Type::Int64), Value::Int64(value))
    }
}

/// The value, if it is an integer of 64 bits.
fn exact_integer(decimal: &Decimal) -> Option<i64> {
    let (unscaled, scale) = (decimal.unscaled(), decimal.scale());
    if unscaled.is_zero() {
        return Some(0);
    }
    if scale == 0 {
        return unscaled.to_i64();
    }
    if scale < 0 {
        // Any more zeros do not fit 64 bits.
        let power = u32::try_from(-i64::from(scale)).ok().filter(|&power| power < 19)?;
        return (unscaled * BigInt::from(10).pow(power)).to_i64();
    }
    // With fewer digits than places there is a fraction; their number is bounded by the length of the text.
    let power = scale.unsigned_abs();
    if u64::from(power) > unscaled.bits() {
        return None;
    }
    let divisor = BigInt::from(10).pow(power);
    if (unscaled % &divisor).is_zero() { (unscaled / divisor).to_i64() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_all_scripts() {
        assert_eq!((digit('7'), digit('٣'), digit('９'), digit('५')), (Some(7), Some(3), Some(9), Some(5)));
        assert_eq!(
            (digit('/'), digit(':'), digit('a'), digit('𝟏'), digit('½')),
            (None, None, None, None, None)
        );
        assert_eq!(plain_digits("١-x２"), "1-x2");
    }

    #[test]
    fn huge_exponents_cost_nothing() {
        for text in ["1e2147483647", "1e-2147483647", "0e2147483647"] {
            assert!(infer(text).is_some(), "{text}");
        }
        assert_eq!(infer("1e2147483648"), None);
        let ones = "1".repeat(4000);
        assert_eq!(infer(&format!("{ones}e-4000")).and_then(|d| d.schema), Some(Schema::of(Type::Float32)));
        assert_eq!(infer(&format!("1{}e-4000", "0".repeat(4000))), Some(smallest_integer(1)));
    }
}
