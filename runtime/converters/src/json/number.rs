//! Numbers of a document.

use lavka_api::Result;
use lavka_api::data::Decimal;

use super::reader::Reader;

/// Longer numbers are refused, as Jackson does; the sign and leading zeros of an integer do not count.
const MAX_LENGTH: usize = 1000;

/// As many decimal digits always fit 64 bits.
const EXACT_DIGITS: usize = 19;

/// Powers of ten that a double holds exactly.
const TENS_F64: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Powers of ten that a float holds exactly.
const TENS_F32: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// A number as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    text: &'a str,
    negative: bool,
    /// Whether it is written without fraction and exponent.
    integral: bool,
    /// The digits as an integer, without point; modulo 2^64.
    digits: u64,
    /// Whether `digits` is all of them.
    exact: bool,
    /// The number is `digits × 10^-scale`.
    scale: i32,
}

impl<'a> Reader<'a> {
    /// The number at the position.
    #[inline]
    pub(super) fn number(&mut self) -> Result<Number<'a>> {
        let start = self.position();
        let negative = self.peek() == b'-';
        self.advance(usize::from(negative));
        let first = self.position();
        let mut digits = 0u64;
        loop {
            let digit = self.peek().wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            digits = digits.wrapping_mul(10).wrapping_add(digit.into());
            self.advance(1);
        }
        let count = self.position() - first;
        if count == 0 {
            return Err(self.unexpected(if negative { "a digit after the minus sign" } else { "a value" }));
        }
        if matches!(self.peek(), b'.' | b'e' | b'E') {
            return self.fraction(start, first, negative, digits);
        }
        let text = self.text_since(start);
        if count > EXACT_DIGITS {
            let significant = self.text_since(first).trim_start_matches('0').len();
            if significant > MAX_LENGTH {
                return Err(
                    self.error(format_args!("a number of {significant} digits; {MAX_LENGTH} are allowed"))
                );
            }
            return Ok(Number {
                text,
                negative,
                integral: true,
                digits,
                exact: significant <= EXACT_DIGITS,
                scale: 0,
            });
        }
        Ok(Number { text, negative, integral: true, digits, exact: true, scale: 0 })
    }

    /// The rest of a number behind its whole part, whose digits begin at `first`.
    fn fraction(&mut self, start: usize, first: usize, negative: bool, whole: u64) -> Result<Number<'a>> {
        let mut digits = whole;
        let mut places = 0usize;
        let end_of_whole = self.position();
        if self.peek() == b'.' {
            self.advance(1);
            let begin = self.position();
            loop {
                let digit = self.peek().wrapping_sub(b'0');
                if digit > 9 {
                    break;
                }
                digits = digits.wrapping_mul(10).wrapping_add(digit.into());
                self.advance(1);
            }
            places = self.position() - begin;
            if places == 0 {
                return Err(self.unexpected("a digit after the decimal point"));
            }
        }
        let mut exponent = 0i64;
        if matches!(self.peek(), b'e' | b'E') {
            self.advance(1);
            let below_one = self.peek() == b'-';
            if matches!(self.peek(), b'+' | b'-') {
                self.advance(1);
            }
            let begin = self.position();
            loop {
                let digit = self.peek().wrapping_sub(b'0');
                if digit > 9 {
                    break;
                }
                exponent = exponent.saturating_mul(10).saturating_add(digit.into());
                self.advance(1);
            }
            if self.position() == begin {
                return Err(self.unexpected("a digit of the exponent"));
            }
            if below_one {
                exponent = -exponent;
            }
        }
        let length = self.position() - first;
        if length > MAX_LENGTH {
            return Err(self.error(format_args!("a number of {length} characters; {MAX_LENGTH} are allowed")));
        }
        // In Java, too, exponent and scale are 32 bits wide. The limit above makes the cast exact.
        let scale = i32::try_from(exponent).ok().and_then(|exponent| (places as i32).checked_sub(exponent));
        let Some(scale) = scale else {
            return Err(self.error("a number whose exponent is out of range"));
        };
        let count = end_of_whole - first + places;
        let exact = count <= EXACT_DIGITS;
        Ok(Number { text: self.text_since(start), negative, integral: false, digits, exact, scale })
    }
}

impl Number<'_> {
    /// Whether it is written without fraction and exponent.
    pub(super) fn is_integral(&self) -> bool {
        self.integral
    }

    /// Java's `longValue()`: the low 64 bits of the integer part.
    #[inline]
    pub(super) fn to_i64(self) -> i64 {
        if !self.integral {
            return self.to_decimal().map_or(0, |decimal| decimal.to_i64_wrapping());
        }
        self.wrapped()
    }

    /// The integer itself, for one that is written as an integer and fits.
    pub(super) fn as_exact_i64(&self) -> Option<i64> {
        let value = self.wrapped();
        // A 19-digit number beyond the range shows in the sign.
        let fits = self.integral && self.exact && (value == 0 || (value < 0) == self.negative);
        fits.then_some(value)
    }

    /// The digits with their sign, modulo 2^64.
    fn wrapped(self) -> i64 {
        let digits = if self.negative { self.digits.wrapping_neg() } else { self.digits };
        digits.cast_signed()
    }

    /// The nearest double. There is no negative zero among Java's `BigDecimal`s, so there is none here.
    #[inline]
    pub(super) fn to_f64(self) -> f64 {
        if self.exact {
            if self.digits == 0 {
                return 0.0;
            }
            if let Some(value) = self.short_f64() {
                return if self.negative { -value } else { value };
            }
        }
        nonzero_or(self.text, self.text.parse().unwrap_or(0.0), 0.0)
    }

    /// Both digits and power of ten are doubles without rounding: then one operation rounds correctly (Clinger).
    #[expect(clippy::cast_precision_loss, reason = "digits are below 2^53, or rounded to nearest as wanted")]
    fn short_f64(self) -> Option<f64> {
        if self.scale == 0 {
            return Some(self.digits as f64);
        }
        if self.digits >= 1 << 53 {
            return None;
        }
        let power = *TENS_F64.get(self.scale.unsigned_abs() as usize)?;
        let digits = self.digits as f64;
        Some(if self.scale > 0 { digits / power } else { digits * power })
    }

    /// The nearest float.
    pub(super) fn to_f32(self) -> f32 {
        if self.exact {
            if self.digits == 0 {
                return 0.0;
            }
            if let Some(value) = self.short_f32() {
                return if self.negative { -value } else { value };
            }
        }
        nonzero_or(self.text, self.text.parse().unwrap_or(0.0), 0.0)
    }

    #[expect(clippy::cast_precision_loss, reason = "digits are below 2^24, or rounded to nearest as wanted")]
    fn short_f32(self) -> Option<f32> {
        if self.scale == 0 {
            return Some(self.digits as f32);
        }
        if self.digits >= 1 << 24 {
            return None;
        }
        let power = *TENS_F32.get(self.scale.unsigned_abs() as usize)?;
        let digits = self.digits as f32;
        Some(if self.scale > 0 { digits / power } else { digits * power })
    }

    /// The number with its scale as written.
    pub(super) fn to_decimal(self) -> Option<Decimal> {
        if self.exact {
            let digits = i128::from(self.digits);
            return Some(Decimal::new(if self.negative { -digits } else { digits }, self.scale));
        }
        Decimal::parse(self.text)
    }
}

/// `value`, unless all digits of `text` are zeros.
fn nonzero_or<T>(text: &str, value: T, zero: T) -> T {
    let mantissa = text.split(['e', 'E']).next().unwrap_or(text);
    if mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9')) { value } else { zero }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number<'_> {
        let mut reader = Reader::new(text.as_bytes());
        let number = reader.number().unwrap();
        assert!(reader.is_at_end(), "{text}");
        number
    }

    #[test]
    fn integers_wrap() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("007", 7),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775808", i64::MIN),
            ("-9223372036854775808", i64::MIN),
            ("18446744073709551616", 0),
            ("99999999999999999999999999999999999999", 687_399_551_400_673_279),
            ("-99999999999999999999999999999999999999", -687_399_551_400_673_279),
            ("1.9", 1),
            ("-1.9", -1),
            ("1e10", 10_000_000_000),
            ("1e30", 5_076_944_270_305_263_616),
            ("1e400", 0),
            ("1e-400", 0),
        ] {
            assert_eq!(number(text).to_i64(), value, "{text}");
        }
    }

    #[test]
    fn only_what_fits_is_an_exact_integer() {
        for (text, value) in [
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("18446744073709551616", None),
            ("9999999999999999999", None),
            ("0000000000000000000000012", Some(12)),
            ("1.0", None),
        ] {
            assert_eq!(number(text).as_exact_i64(), value, "{text}");
        }
    }

    #[test]
    fn doubles_have_no_negative_zero_but_for_underflow() {
        for (text, value) in [
            ("-0.0", 0.0),
            ("-0e0", 0.0),
            ("-0.00000000000000000000000000000", 0.0),
            ("-1e-400", -0.0),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("2.5e-324", 5e-324),
            ("000.5", 0.5),
            ("123456789012345678901234567890.5", 1.234_567_890_123_456_8e29),
        ] {
            assert_eq!(number(text).to_f64().to_bits(), value.to_bits(), "{text}");
        }
    }

    #[test]
    fn lengths_and_exponents_are_bounded() {
        for text in ["1e2147483648", "1e99999999999999999999", "0e99999999999", "1e-2147483648"] {
            assert!(Reader::new(text.as_bytes()).number().is_err(), "{text}");
        }
        number("1e2147483647");
        for (digits, fits) in [(1000, true), (1001, false), (10_000, false)] {
            let text = "9".repeat(digits);
            assert_eq!(Reader::new(text.as_bytes()).number().is_ok(), fits);
            let text = format!("0.{}", "1".repeat(digits - 2));
            assert_eq!(Reader::new(text.as_bytes()).number().is_ok(), fits);
        }
        assert_eq!(number(&format!("{}7", "0".repeat(5000))).to_i64(), 7);
    }

    proptest::proptest! {
        #[test]
        fn doubles_and_floats_are_the_nearest(bits: u64, digits in 0u64..1_000_000_000_000, scale in -30i32..30) {
            let mut texts = vec![format!("{digits}e{}", -scale), format!("{digits}.{digits}e{scale}")];
            if f64::from_bits(bits).is_finite() {
                texts.push(format!("{:?}", f64::from_bits(bits)));
            }
            for text in &texts {
                let number = number(text);
                proptest::prop_assert_eq!(number.to_f64(), text.parse::<f64>().unwrap());
                proptest::prop_assert_eq!(number.to_f32(), text.parse::<f32>().unwrap());
            }
        }

        #[test]
        fn decimals_keep_their_scale(digits: u64, scale in 0i32..400) {
            for text in [format!("{digits}e-{scale}"), format!("-{digits}.{digits}")] {
                proptest::prop_assert_eq!(number(&text).to_decimal(), Decimal::parse(&text));
            }
        }
    }
}
