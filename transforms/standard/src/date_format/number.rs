//! Whole numbers as `NumberFormat.getIntegerInstance` reads them, with grouping off.

/// A number that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    /// `Number.intValue()`: the low 32 bits, or the nearest end of the range where 64 bits were not enough.
    pub(super) value: i32,
    /// Bytes read.
    pub(super) length: usize,
}

/// The number that `text` begins with; `None` where there is none.
#[expect(clippy::cast_possible_truncation, reason = "Java's Number.intValue")]
pub(super) fn read(text: &str) -> Option<Number> {
    if text.starts_with("NaN") {
        return Some(Number { value: 0, length: 3 });
    }
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let sign_length = text.len() - unsigned.len();
    if let Some(rest) = unsigned.strip_prefix('∞') {
        return Some(Number {
            value: if negative { i32::MIN } else { i32::MAX },
            length: text.len() - rest.len(),
        });
    }
    let digits = Digits::read(unsigned)?;
    let mut length = sign_length + digits.length;
    let mut exponent = 0;
    if let Some(behind) = unsigned.get(digits.length..).and_then(|rest| rest.strip_prefix('E'))
        && let Some((power, power_length)) = read_exponent(behind)
    {
        exponent = power;
        length += 1 + power_length;
    }
    let value = match digits.scaled(exponent) {
        Some(magnitude) => (if negative { -magnitude } else { magnitude }) as i32,
        None if negative => i32::MIN,
        None => i32::MAX,
    };
    Some(Number { value, length })
}

fn read_exponent(text: &str) -> Option<(i64, usize)> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = Digits::read(unsigned)?;
    let magnitude = digits.scaled(0)?;
    Some((if negative { -magnitude } else { magnitude }, text.len() - unsigned.len() + digits.length))
}

struct Digits {
    /// The number, as long as 64 bits hold it.
    value: Option<i64>,
    /// Bytes read.
    length: usize,
}

impl Digits {
    fn read(text: &str) -> Option<Self> {
        let mut value = Some(0i64);
        let mut length = 0;
        for (at, c) in text.char_indices() {
            let Some(digit) = digit(c) else { break };
            value = value.and_then(|v| v.checked_mul(10)?.checked_add(digit));
            length = at + c.len_utf8();
        }
        (length > 0).then_some(Self { value, length })
    }

    /// The whole part of the number times a power of ten; `None` beyond 64 bits.
    fn scaled(&self, exponent: i64) -> Option<i64> {
        let value = self.value?;
        let power = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
        match 10i64.checked_pow(power) {
            Some(scale) if exponent >= 0 => value.checked_mul(scale),
            Some(scale) => Some(value / scale),
            None if exponent < 0 || value == 0 => Some(0),
            None => None,
        }
    }
}

/// First digits of the decimal digits of Unicode's Basic Multilingual Plane; nine more follow each.
const ZEROS: &[u32] = &[
    0x0030, 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];

/// `Character.digit` of one UTF-16 unit.
pub(super) fn digit(c: char) -> Option<i64> {
    if c.is_ascii() {
        return c.to_digit(10).map(i64::from);
    }
    let code = u32::from(c);
    let zero = ZEROS.iter().rev().find(|&&zero| zero <= code)?;
    Some(code - zero).filter(|&digit| digit < 10).map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("2023-01", Some((2023, 4))),
            ("-5x", Some((-5, 2))),
            ("007", Some((7, 3))),
            ("4294967297", Some((1, 10))),
            ("99999999999999999999", Some((i32::MAX, 20))),
            ("-99999999999999999999", Some((i32::MIN, 21))),
            ("2E3", Some((2000, 3))),
            ("2E-1", Some((0, 4))),
            ("2E", Some((2, 1))),
            ("2e3", Some((2, 1))),
            ("٣", Some((3, 2))),
            ("NaN", Some((0, 3))),
            ("-∞", Some((i32::MIN, 4))),
            ("+5", None),
            ("-", None),
            ("", None),
            ("x", None),
        ] {
            let found = read(text).map(|number| (number.value, number.length));
            assert_eq!(found, expected, "{text}");
        }
    }
}
