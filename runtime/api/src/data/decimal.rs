//! Arbitrary-precision decimals with Java's `BigDecimal` text.

use std::fmt;

use num_bigint::{BigInt, Sign};
use num_traits::{Signed, ToPrimitive, Zero};

/// A decimal: `unscaled × 10^-scale`. Two decimals are equal only if their scales are, as in Java: 1.0 is not 1.00.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

/// The longest text that is parsed as a decimal; more digits than this are an attack, not a number.
const MAX_TEXT: usize = 4096;

/// A scale is changed by no more than this: PostgreSQL's widest numbers have 16,383 digits behind the point.
const MAX_SHIFT: u32 = 20_000;

impl Decimal {
    /// A decimal from its parts.
    #[must_use]
    pub fn new(unscaled: impl Into<BigInt>, scale: i32) -> Self {
        Self { unscaled: unscaled.into(), scale }
    }

    /// Reads the two's complement big-endian form that the wire uses; no bytes read as zero.
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8], scale: i32) -> Self {
        Self { unscaled: BigInt::from_signed_bytes_be(bytes), scale }
    }

    /// The shortest two's complement big-endian form of the unscaled value (`BigInteger.toByteArray`).
    #[must_use]
    pub fn to_be_bytes(&self) -> Vec<u8> {
        self.unscaled.to_signed_bytes_be()
    }

    /// The unscaled value.
    #[must_use]
    pub fn unscaled(&self) -> &BigInt {
        &self.unscaled
    }

    /// Digits after the decimal point; negative for trailing zeros before it.
    #[must_use]
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// The same number at another scale; `None` where a digit would be lost, or more than 20,000 zeros would be written.
    ///
    /// ```
    /// use lavka_api::data::Decimal;
    ///
    /// assert_eq!(Decimal::new(15, 1).with_scale(2), Some(Decimal::new(150, 2)));
    /// assert_eq!(Decimal::new(155, 2).with_scale(1), None);
    /// ```
    #[must_use]
    pub fn with_scale(self, scale: i32) -> Option<Self> {
        let shift = scale.checked_sub(self.scale)?;
        if shift == 0 {
            return Some(self);
        }
        if shift.unsigned_abs() > MAX_SHIFT {
            return None;
        }
        let power = BigInt::from(10).pow(shift.unsigned_abs());
        if shift > 0 {
            return Some(Self { unscaled: self.unscaled * power, scale });
        }
        let unscaled = &self.unscaled / &power;
        (&unscaled * power == self.unscaled).then_some(Self { unscaled, scale })
    }

    /// Parses what Java's `new BigDecimal(text)` accepts: sign, digits, fraction, exponent; no white space.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => {
                let digits = text.get(at + 1..)?;
                let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(digits);
                if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                (text.get(..at)?, digits.strip_prefix('+').unwrap_or(digits).parse::<i64>().ok()?)
            }
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.as_bytes().first()? {
            b'-' => (true, mantissa.get(1..)?),
            b'+' => (false, mantissa.get(1..)?),
            _ => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut all = String::with_capacity(whole.len() + fraction.len());
        all.push_str(whole);
        all.push_str(fraction);
        if !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let magnitude = BigInt::parse_bytes(all.as_bytes(), 10)?;
        let scale = i32::try_from(i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?).ok()?;
        Some(Self { unscaled: if negative { -magnitude } else { magnitude }, scale })
    }

    /// The nearest double; infinite beyond its range.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The integer part, towards zero; `None` where it would have more than `MAX_TEXT` digits.
    #[must_use]
    pub fn to_integer(&self) -> Option<BigInt> {
        let digits = usize::try_from(self.scale.unsigned_abs()).ok()?;
        if self.unscaled.is_zero() {
            return Some(BigInt::ZERO);
        }
        if self.scale > 0 {
            if digits > self.unscaled.magnitude().to_str_radix(10).len() {
                return Some(BigInt::ZERO);
            }
            return Some(&self.unscaled / BigInt::from(10).pow(self.scale.unsigned_abs()));
        }
        (digits <= MAX_TEXT).then(|| &self.unscaled * BigInt::from(10).pow(self.scale.unsigned_abs()))
    }

    /// Java's `longValue()`: the low 64 bits of the integer part.
    #[must_use]
    pub fn to_i64_wrapping(&self) -> i64 {
        let Some(integer) = self.to_integer() else { return 0 };
        let low = (integer.abs() & BigInt::from(u64::MAX)).to_u64().unwrap_or(0);
        let low = if integer.is_negative() { low.wrapping_neg() } else { low };
        low.cast_signed()
    }

    pub(crate) fn heap_size(&self) -> usize {
        size_of::<Self>() + usize::try_from(self.unscaled.bits() / 8).unwrap_or(usize::MAX / 2)
    }
}

impl fmt::Display for Decimal {
    /// `BigDecimal.toString()`: plain where the scale is not negative and the exponent at least -6, else scientific.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.magnitude().to_str_radix(10);
        let sign = if self.unscaled.sign() == Sign::Minus { "-" } else { "" };
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let adjusted = -i64::from(self.scale) + (length - 1);
        if self.scale > 0 && adjusted >= -6 {
            let pad = i64::from(self.scale) - length;
            if pad >= 0 {
                let zeros = usize::try_from(pad).unwrap_or(0);
                return write!(f, "{sign}0.{}{digits}", "0".repeat(zeros));
            }
            let (whole, fraction) = digits.split_at(usize::try_from(-pad).unwrap_or(0));
            return write!(f, "{sign}{whole}.{fraction}");
        }
        let (first, rest) = digits.split_at(1);
        write!(f, "{sign}{first}")?;
        if !rest.is_empty() {
            write!(f, ".{rest}")?;
        }
        if adjusted != 0 {
            write!(f, "E{adjusted:+}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_javas() {
        for (unscaled, scale, text) in [
            (156, 2, "1.56"),
            (-156, 2, "-1.56"),
            (15600, 4, "1.5600"),
            (5, -3, "5E+3"),
            (1, -3, "1E+3"),
            (1, 10, "1E-10"),
            (1, 6, "0.000001"),
            (1, 7, "1E-7"),
            (0, 0, "0"),
            (0, 3, "0.000"),
            (12345, -2, "1.2345E+6"),
        ] {
            let decimal = Decimal::new(unscaled, scale);
            assert_eq!(decimal.to_string(), text);
            assert_eq!(Decimal::parse(text), Some(decimal), "{text}");
        }
    }

    #[test]
    fn bytes_are_two_s_complement() {
        assert_eq!(Decimal::new(156, 2).to_be_bytes(), [0x00, 0x9c]);
        assert_eq!(Decimal::new(-156, 2).to_be_bytes(), [0xff, 0x64]);
        assert_eq!(Decimal::from_be_bytes(&[], 2), Decimal::new(0, 2));
    }

    #[test]
    fn hostile_text_is_refused_cheaply() {
        for text in
            ["", "+", ".", "1e", "1e+", "e5", "1.2.3", "0x1", "1e99999999999999999999", &"9".repeat(5000)]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("1e2000000000").map(|d| d.to_i64_wrapping()), Some(0));
        assert_eq!(Decimal::new(1, i32::MAX).to_i64_wrapping(), 0);
    }

    #[test]
    fn scales_change_without_loss_and_within_bounds() {
        for (unscaled, scale, wanted, expected) in [
            (15, 1, 1, Some(15)),
            (-15, 1, 3, Some(-1500)),
            (1500, 3, 1, Some(15)),
            (1501, 3, 1, None),
            (0, 5, -5, Some(0)),
            (7, 0, i32::MAX, None),
            (7, i32::MIN, i32::MAX, None),
        ] {
            let decimal = Decimal::new(unscaled, scale).with_scale(wanted);
            assert_eq!(decimal, expected.map(|unscaled: i32| Decimal::new(unscaled, wanted)));
        }
    }

    #[test]
    fn long_value_wraps() {
        assert_eq!(Decimal::parse("9223372036854775808").unwrap().to_i64_wrapping(), i64::MIN);
        assert_eq!(Decimal::new(-15, 1).to_i64_wrapping(), -1);
        assert_eq!(Decimal::parse("18446744073709551617").unwrap().to_i64_wrapping(), 1);
    }
}
