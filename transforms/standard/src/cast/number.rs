//! Texts as numbers, by the grammar of `Integer.parseInt` and `Double.parseDouble`.

use std::fmt::Display;
use std::str::FromStr;

/// Hexadecimal digits that can matter: beyond these only whether one of them is set does.
const MANTISSA_DIGITS: u32 = 15;

/// Reads what `Byte.parseByte` to `Long.parseLong` read: an optional sign and digits, nothing around them.
///
/// # Errors
/// The message of Java's `NumberFormatException`.
pub(super) fn parse_int<T: FromStr + Narrow>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| {
        // Bytes and shorts are read as an int first, and only then found too big.
        if T::BY_INT && text.parse::<i32>().is_ok() {
            format!("Value out of range. Value:\"{text}\" Radix:10")
        } else {
            for_input(text)
        }
    })
}

/// Whether Java reads an integer of this width by way of `int`.
pub(super) trait Narrow {
    const BY_INT: bool;
}

impl Narrow for i8 {
    const BY_INT: bool = true;
}
impl Narrow for i16 {
    const BY_INT: bool = true;
}
impl Narrow for i32 {
    const BY_INT: bool = false;
}
impl Narrow for i64 {
    const BY_INT: bool = false;
}

/// Reads what `Float.parseFloat` reads, rounding once.
///
/// # Errors
/// The message of Java's `NumberFormatException`.
#[expect(clippy::cast_possible_truncation, reason = "the value was rounded to 24 bits before")]
pub(super) fn parse_f32(text: &str) -> Result<f32, String> {
    match float(text)? {
        Float::Decimal(digits) => digits.parse().map_err(|_| for_input(trim(text))),
        Float::Hexadecimal(value) => Ok(value.round(24, -149) as f32),
        Float::Special(value) => Ok(value as f32),
    }
}

/// Reads what `Double.parseDouble` reads.
///
/// # Errors
/// The message of Java's `NumberFormatException`.
pub(super) fn parse_f64(text: &str) -> Result<f64, String> {
    match float(text)? {
        Float::Decimal(digits) => digits.parse().map_err(|_| for_input(trim(text))),
        Float::Hexadecimal(value) => Ok(value.round(53, -1074)),
        Float::Special(value) => Ok(value),
    }
}

/// Java's `String.trim`.
fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

fn for_input(text: impl Display) -> String {
    format!("For input string: \"{text}\"")
}

enum Float<'a> {
    /// Sign, digits, point and exponent, in Rust's grammar too.
    Decimal(&'a str),
    Hexadecimal(Hexadecimal),
    Special(f64),
}

/// Sorts out the forms: white space around, `NaN`, `Infinity`, hexadecimal ones, a suffix `f` or `d`.
fn float(text: &str) -> Result<Float<'_>, String> {
    let trimmed = trim(text);
    if trimmed.is_empty() {
        return Err("empty String".into());
    }
    let negative = trimmed.starts_with('-');
    let unsigned = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    match unsigned {
        "NaN" => return Ok(Float::Special(f64::NAN)),
        "Infinity" => {
            return Ok(Float::Special(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        _ => {}
    }
    let hexadecimal = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    if let Some(digits) = hexadecimal {
        return Hexadecimal::parse(digits, negative)
            .map(Float::Hexadecimal)
            .ok_or_else(|| for_input(trimmed));
    }
    let digits = trimmed.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(trimmed);
    // Keeps out `inf` and `nan`, which Rust reads and Java does not.
    if digits.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'.' | b'+' | b'-' | b'e' | b'E')) {
        return Err(for_input(trimmed));
    }
    Ok(Float::Decimal(digits))
}

/// `mantissa × 2^exponent`, and a bit more if `sticky`.
struct Hexadecimal {
    negative: bool,
    mantissa: u64,
    sticky: bool,
    exponent: i64,
}

impl Hexadecimal {
    /// Reads `h.hp±d`, behind the `0x`.
    fn parse(text: &str, negative: bool) -> Option<Self> {
        let (digits, exponent) = text.split_once(['p', 'P'])?;
        let exponent = exponent.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(exponent);
        let magnitude = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        if magnitude.is_empty() || !magnitude.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // Beyond the range of i64 any other big number does as well.
        let magnitude = magnitude.parse::<i64>().unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        let mut value = Self {
            negative,
            mantissa: 0,
            sticky: false,
            exponent: if exponent.starts_with('-') { -magnitude } else { magnitude },
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut taken = 0;
        for (digit, after_point) in
            whole.chars().map(|c| (c, false)).chain(fraction.chars().map(|c| (c, true)))
        {
            let digit = u64::from(digit.to_digit(16)?);
            let fits = taken < MANTISSA_DIGITS;
            if fits {
                value.mantissa = value.mantissa << 4 | digit;
                taken += u32::from(value.mantissa != 0);
            } else {
                value.sticky |= digit != 0;
            }
            value.exponent += match (fits, after_point) {
                (true, true) => -4,
                (false, false) => 4,
                _ => 0,
            };
        }
        Some(value)
    }

    /// The nearest number of `precision` bits whose last bit is not below 2^`lowest`; half-way cases to even.
    #[expect(clippy::cast_precision_loss, reason = "at most 53 bits are left by then")]
    fn round(&self, precision: i64, lowest: i64) -> f64 {
        let sign = if self.negative { -1.0 } else { 1.0 };
        if self.mantissa == 0 {
            return 0.0 * sign;
        }
        let bits = i64::from(u64::BITS - self.mantissa.leading_zeros());
        let last_bit = (self.exponent + bits - precision).max(lowest);
        let surplus = last_bit - self.exponent;
        let (kept, scale) = match u32::try_from(surplus) {
            Err(_) | Ok(0) => (self.mantissa, self.exponent),
            Ok(surplus) => {
                let kept = self.mantissa.checked_shr(surplus).unwrap_or(0);
                let rest = self.mantissa - kept.checked_shl(surplus).unwrap_or(0);
                let half = 1u64.checked_shl(surplus - 1).unwrap_or(u64::MAX);
                let up = rest > half || (rest == half && (self.sticky || kept & 1 == 1));
                (kept + u64::from(up), last_bit)
            }
        };
        // Two steps, because the last bit of the biggest numbers and of the smallest ones is out of reach of one.
        let scale = i32::try_from(scale.clamp(-4000, 4000)).unwrap_or(0);
        sign * kept as f64 * power_of_two(scale / 2) * power_of_two(scale - scale / 2)
    }
}

/// 2^`exponent`, exactly; zero or infinity beyond the range.
fn power_of_two(exponent: i32) -> f64 {
    match exponent {
        ..-1074 => 0.0,
        -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
        -1022..1024 => f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52),
        1024.. => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(parse_int::<i32>("+42"), Ok(42));
        assert_eq!(parse_int::<i64>("-9223372036854775808"), Ok(i64::MIN));
        for text in [" 42", "42 ", "4.2", "", "-", "1_000", "0x10", "42L"] {
            assert_eq!(parse_int::<i32>(text), Err(format!("For input string: \"{text}\"")));
        }
        assert_eq!(parse_int::<i8>("300"), Err("Value out of range. Value:\"300\" Radix:10".into()));
        assert_eq!(parse_int::<i16>("99999999999"), Err("For input string: \"99999999999\"".into()));
    }

    #[test]
    fn doubles() {
        for (text, value) in [
            ("1e3", 1000.0),
            ("\t 1.5d \n", 1.5),
            ("2F", 2.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e400", f64::INFINITY),
            ("1e-400", 0.0),
            ("0x1.8p1", 3.0),
            ("-0X.8P+2d", -2.0),
            ("0x1p-1074", 5e-324),
            ("0x0.8p-1074", 0.0),
            ("0x0.80000000000000000001p-1074", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1.fffffffffffff7p1023", f64::MAX),
            ("0x1.fffffffffffff8p1023", f64::INFINITY),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000001p0", 1.0 + f64::EPSILON),
            ("0x1p99999999999999999999", f64::INFINITY),
            ("0x1p-99999999999999999999", 0.0),
            ("0x00000000000000000000000001p0", 1.0),
            ("0x10000000000000000000000000p-100", 1.0),
            ("0x0p5", 0.0),
        ] {
            assert_eq!(parse_f64(text), Ok(value), "{text}");
        }
        assert!(parse_f64(" NaN ").is_ok_and(f64::is_nan));
    }

    #[test]
    fn singles_round_once() {
        assert_eq!(parse_f32("16777217"), Ok(16_777_216.0));
        // Just above the middle between two floats, and on it after rounding to a double.
        assert_eq!(parse_f32("1.00000017881393432617187499"), Ok(1.000_000_1));
        assert_eq!(parse_f32("0x1.000001000000001p0"), Ok(1.0 + f32::EPSILON));
        assert_eq!(parse_f32("0x1.000001p0"), Ok(1.0));
        assert_eq!(parse_f32("0x1p128"), Ok(f32::INFINITY));
        assert_eq!(parse_f32("0x1p-149"), Ok(f32::from_bits(1)));
    }

    #[test]
    fn no_numbers() {
        for text in
            ["inf", "nan", "NaNf", "1f2", "0x1", "0xp1", "0x.p1", "0x1p", "1 0", "1e", "--1", "0x1g.p1", "é"]
        {
            assert_eq!(parse_f64(text), Err(format!("For input string: \"{text}\"")), "{text}");
            assert!(parse_f32(text).is_err(), "{text}");
        }
        assert_eq!(parse_f64("  "), Err("empty String".into()));
    }
}
