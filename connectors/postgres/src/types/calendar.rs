//! Days: civil dates of the proleptic Gregorian calendar and their distance from 1970-01-01.

use lavka_api::java::civil_from_days;

/// A number of decimal digits at the front of `text`, and what is behind them. At most nine digits are taken, which no field
/// of a date or time exceeds.
pub(super) fn digits(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(count)?;
    if count == 0 || count > 9 {
        return None;
    }
    Some((digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')), rest))
}

/// A date as `DateStyle ISO` writes it, without the era: year as written, month, day, and the rest.
pub(super) fn date_fields(text: &[u8]) -> Option<(i64, i64, i64, &[u8])> {
    let (year, rest) = digits(text)?;
    let (month, rest) = digits(rest.strip_prefix(b"-")?)?;
    let (day, rest) = digits(rest.strip_prefix(b"-")?)?;
    let known = (1..=12).contains(&month) && (1..=31).contains(&day) && year > 0;
    known.then_some((year, month, day, rest))
}

/// The astronomical year of a year as written, where `rest` is nothing or ` BC`.
pub(super) fn astronomical(year: i64, rest: &[u8]) -> Option<i64> {
    match rest {
        b"" => Some(year),
        b" BC" => Some(1 - year),
        _ => None,
    }
}

/// Appends a year as ISO 8601 and Java write it: four digits at least, a sign before longer ones and before negative ones.
pub(super) fn write_year(out: &mut Vec<u8>, year: i64) {
    let magnitude = year.unsigned_abs();
    if year < 0 {
        out.push(b'-');
    } else if magnitude > 9999 {
        out.push(b'+');
    }
    let mut buffer = [b'0'; 20];
    let mut left = magnitude;
    let mut length = 0;
    for slot in buffer.iter_mut().rev() {
        if left == 0 && length >= 4 {
            break;
        }
        *slot = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
        length += 1;
    }
    out.extend_from_slice(buffer.get(buffer.len() - length..).unwrap_or_default());
}

/// Appends two digits.
pub(super) fn write_two(out: &mut Vec<u8>, value: i64) {
    let value = u8::try_from(value.rem_euclid(100)).unwrap_or(0);
    out.extend_from_slice(&[b'0' + value / 10, b'0' + value % 10]);
}

/// Appends `yyyy-MM-dd`.
pub(super) fn write_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_from_days(days);
    write_year(out, year);
    out.push(b'-');
    write_two(out, month);
    out.push(b'-');
    write_two(out, day);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_are_written_as_java_writes_them() {
        for (year, text) in [(2026, "2026"), (1, "0001"), (0, "0000"), (-43, "-0043"), (294_247, "+294247")] {
            let mut out = Vec::new();
            write_year(&mut out, year);
            assert_eq!(out, text.as_bytes());
        }
    }
}
