//! `interval` in each `interval.handling.mode`.

use lavka_api::data::{SchemaBuilder, Type, Value};

use super::IntervalMode;
use super::clock::SECOND;
use super::codec::Unconvertible;
use super::temporal::named;

/// The parts of an interval, each with its own sign.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    /// Seconds with their fraction, in microseconds.
    micros: i64,
}

/// The schema.
pub(super) fn schema(mode: IntervalMode) -> SchemaBuilder {
    match mode {
        IntervalMode::Numeric => named(Type::Int64, "io.debezium.time.MicroDuration"),
        IntervalMode::String => named(Type::String, "io.debezium.time.Interval"),
    }
}

/// The value of what `IntervalStyle postgres` prints: `1 year 2 mons 3 days 04:05:06.789`, `-1 days -00:00:01`.
pub(super) fn interval(text: &[u8], mode: IntervalMode) -> Result<Value, Unconvertible> {
    let text = std::str::from_utf8(text).ok();
    let parts = text.and_then(parse).ok_or(Unconvertible("no interval in IntervalStyle postgres"))?;
    Ok(value(&parts, mode))
}

/// An interval of no length, which Debezium also takes for defaults that a function makes.
pub(super) fn zero(mode: IntervalMode) -> Value {
    value(&Parts::default(), mode)
}

fn parse(text: &str) -> Option<Parts> {
    let mut parts = Parts::default();
    let mut words = text.split_ascii_whitespace();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        if word.contains(':') {
            clock(word, &mut parts)?;
            continue;
        }
        let number: i64 = word.strip_prefix('+').unwrap_or(word).parse().ok()?;
        let unit = words.next()?;
        match unit.strip_suffix('s').unwrap_or(unit) {
            "year" => parts.years = number,
            "mon" | "month" => parts.months = number,
            "day" => parts.days = number,
            _ => return None,
        }
    }
    any.then_some(parts)
}

/// `[-]HH:mm:ss[.fraction]`; the sign is that of all parts.
fn clock(word: &str, parts: &mut Parts) -> Option<()> {
    let (sign, unsigned) = match word.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let mut fields = unsigned.split(':');
    let hours: i64 = fields.next()?.parse().ok()?;
    let minutes: i64 = fields.next()?.parse().ok()?;
    let (seconds, fraction) = match fields.next() {
        Some(field) => field.split_once('.').unwrap_or((field, "")),
        None => ("0", ""),
    };
    let seconds: i64 = seconds.parse().ok()?;
    if fields.next().is_some() || hours < 0 || !(0..60).contains(&minutes) || !(0..=60).contains(&seconds) {
        return None;
    }
    if fraction.len() > 6 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    parts.hours = sign * hours;
    parts.minutes = sign * minutes;
    parts.micros = sign * (seconds * SECOND + fraction);
    Some(())
}

fn value(parts: &Parts, mode: IntervalMode) -> Value {
    match mode {
        IntervalMode::Numeric => Value::Int64(micros(parts)),
        IntervalMode::String => {
            let Parts { years, months, days, hours, minutes, micros } = *parts;
            let seconds = seconds(micros);
            Value::from(format!("P{years}Y{months}M{days}DT{hours}H{minutes}M{seconds}S"))
        }
    }
}

/// In doubles, as Debezium computes it, so that the last digits agree.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "the result is defined by arithmetic in doubles, and Java's conversion saturates as Rust's does"
)]
fn micros(parts: &Parts) -> i64 {
    const DAYS_PER_MONTH: f64 = 365.25 / 12.0;
    let months = (parts.years.saturating_mul(12)).saturating_add(parts.months) as f64;
    let days = months * DAYS_PER_MONTH + parts.days as f64;
    let minutes = (days * 24.0 + parts.hours as f64) * 60.0 + parts.minutes as f64;
    let seconds = minutes * 60.0 + parts.micros as f64 / 1e6;
    (seconds * 1e6) as i64
}

/// Seconds with as many digits as needed.
fn seconds(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:06}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_in_both_modes() {
        for (text, micros, iso) in [
            ("1 year 2 mons 3 days 04:05:06.789", 37_091_106_789_000, "P1Y2M3DT4H5M6.789S"),
            ("-1 days -00:00:01", -86_401_000_000, "P0Y0M-1DT0H0M-1S"),
            ("00:00:00", 0, "P0Y0M0DT0H0M0S"),
            ("1 mon", 2_629_800_000_000, "P0Y1M0DT0H0M0S"),
            ("-1 years +1 day -01:02:03.5", -31_474_923_500_000, "P-1Y0M1DT-1H-2M-3.5S"),
            ("1 day", 86_400_000_000, "P0Y0M1DT0H0M0S"),
        ] {
            assert_eq!(interval(text.as_bytes(), IntervalMode::Numeric), Ok(Value::Int64(micros)), "{text}");
            assert_eq!(interval(text.as_bytes(), IntervalMode::String), Ok(iso.into()), "{text}");
        }
        for text in
            ["", "1", "1 eon", "x day", "1:2:3:4", "00:61:00", "00:00:00.1234567", "--1:00:00", "1:-2:00"]
        {
            assert!(interval(text.as_bytes(), IntervalMode::Numeric).is_err(), "{text}");
        }
    }
}
