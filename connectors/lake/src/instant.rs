//! The time of a record (`timestamp.extractor`), and instants written as text.

use jiff::civil::{Date, ISOWeekDate, Weekday};
use lavka_api::data::{SinkRecord, Value};
use lavka_api::{Error, Result};

use crate::field_path::FieldPath;
use crate::zone::offset_seconds;

const DAY_MS: i64 = 86_400_000;

/// `timestamp.extractor`.
#[derive(Debug, Clone)]
pub(crate) enum TimestampExtractor {
    /// The time of processing.
    Wallclock,
    /// The record's timestamp in Kafka.
    Record,
    /// A field of the value.
    Field(FieldPath),
}

impl TimestampExtractor {
    /// The time of `record` in epoch milliseconds, processed at `now`.
    ///
    /// # Errors
    /// A data error where the record does not tell.
    pub(crate) fn extract(&self, record: &SinkRecord, now: i64) -> Result<i64> {
        match self {
            TimestampExtractor::Wallclock => Ok(now),
            TimestampExtractor::Record => record.record.timestamp.ok_or_else(|| {
                Error::data("the record has no timestamp, which timestamp.extractor=Record needs")
            }),
            TimestampExtractor::Field(path) => {
                let place = || format!("field \"{}\" (timestamp.field)", path.text());
                let value = path
                    .get(&record.record.value.value)
                    .filter(|value| !value.is_null())
                    .ok_or_else(|| Error::data(format!("{} is missing or null", place())))?;
                of_value(value).ok_or_else(|| {
                    Error::data(match value {
                        Value::String(text) => {
                            let shown: String = text.chars().take(64).collect();
                            format!("{}: \"{shown}\" is no time", place())
                        }
                        other => format!("{}: a value of class {} is no time", place(), other.java_class()),
                    })
                })
            }
        }
    }
}

fn of_value(value: &Value) -> Option<i64> {
    match value {
        Value::Timestamp(ms) => Some(*ms),
        Value::Date(days) => Some(i64::from(*days) * DAY_MS),
        Value::String(text) => of_text(text),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "Java's Number.longValue, which saturates as this does"
        )]
        Value::Float64(ms) => ms.is_finite().then_some(*ms as i64),
        other => other.as_i64(),
    }
}

/// Milliseconds as digits, or an ISO 8601 text with as much of date, time and zone as there is (Joda-Time's
/// `dateTimeParser`): `2024-05-06`, `2024-W19-1`, `2024-127`, `2024-05-06T07:08:09,5+02`, `T12:30Z`. Without a zone the
/// time is UTC.
fn of_text(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if (1..=19).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && let Ok(ms) = text.parse()
    {
        return Some(ms);
    }
    let (date, rest) = match text.split_once('T') {
        Some((date, rest)) => (date, Some(rest)),
        None => (text, None),
    };
    let days = match (date, rest) {
        ("", Some(_)) => 0,
        (date, _) => days_of(date)?,
    };
    let (time_ms, offset_s) = match rest {
        None => (0, 0),
        Some(rest) => {
            let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
            let (time, zone) = rest.split_at_checked(zone_at)?;
            let offset = match zone {
                "" | "Z" => 0,
                other => offset_seconds(other)?,
            };
            (if time.is_empty() { 0 } else { time_of(time)? }, offset)
        }
    };
    days.checked_mul(DAY_MS)?.checked_add(time_ms)?.checked_sub(i64::from(offset_s) * 1000)
}

fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

/// Days since 1970 of a calendar, ordinal or week date.
fn days_of(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = unsigned.split('-');
    let year = i16::try_from(number(parts.next()?)?).ok()?;
    let year = if negative { -year } else { year };
    let small = |text: &str| i8::try_from(number(text)?).ok();
    let date = match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => Date::new(year, 1, 1).ok()?,
        (Some(week), day, None) if week.starts_with('W') => {
            let day = Weekday::from_monday_one_offset(day.map_or(Some(1), small)?).ok()?;
            ISOWeekDate::new(year, small(week.strip_prefix('W')?)?, day).ok()?.date()
        }
        (Some(ordinal), None, None) if ordinal.len() == 3 => {
            let first = Date::new(year, 1, 1).ok()?;
            let day = number(ordinal).filter(|day| (1..=i64::from(first.days_in_year())).contains(day))?;
            first.checked_add(jiff::Span::new().days(day - 1)).ok()?
        }
        (Some(month), day, None) => Date::new(year, small(month)?, day.map_or(Some(1), small)?).ok()?,
        _ => return None,
    };
    let midnight = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(midnight.div_euclid(DAY_MS))
}

/// Milliseconds of the day: hours, minutes and seconds, the last of them with a fraction if there is one.
fn time_of(text: &str) -> Option<i64> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, "0"),
    };
    if fraction.is_empty() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut unit = 3_600_000;
    let mut limit = 24;
    let mut total = 0;
    let mut parts = whole.split(':').peekable();
    for _ in 0..3 {
        let Some(part) = parts.next() else { break };
        let value = number(part).filter(|value| *value < limit)?;
        total += value * unit;
        if parts.peek().is_some() {
            unit /= 60;
            limit = 60;
        }
    }
    if parts.next().is_some() {
        return None;
    }
    // Nine digits are finer than a millisecond of an hour.
    let digits = fraction.get(..fraction.len().min(9))?;
    let scale = 10i64.pow(u32::try_from(digits.len()).ok()?);
    Some(total + number(digits)? * unit / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn texts_are_milliseconds_or_iso_8601() {
        for (text, want) in [
            ("0", 0),
            ("-1", -1),
            ("1700000000123", 1_700_000_000_123),
            ("9223372036854775807", i64::MAX),
            ("2024-05-06", iso("2024-05-06T00:00:00Z")),
            ("2024-05", iso("2024-05-01T00:00:00Z")),
            ("2024-127", iso("2024-05-06T00:00:00Z")),
            ("2024-W19-1", iso("2024-05-06T00:00:00Z")),
            ("2024-W19", iso("2024-05-06T00:00:00Z")),
            ("2024-05-06T07", iso("2024-05-06T07:00:00Z")),
            ("2024-05-06T07:08", iso("2024-05-06T07:08:00Z")),
            ("2024-05-06T07:08:09Z", iso("2024-05-06T07:08:09Z")),
            ("2024-05-06T07:08:09.123456+02:00", iso("2024-05-06T05:08:09.123Z")),
            ("2024-05-06T07:08:09,5-0330", iso("2024-05-06T10:38:09.5Z")),
            ("2024-05-06T07.5", iso("2024-05-06T07:30:00Z")),
            ("2024-05-06TZ", iso("2024-05-06T00:00:00Z")),
            ("T12:30Z", 45_000_000),
            ("-0001-01-01", iso("-000001-01-01T00:00:00Z")),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(of_text(text), Some(want), "{text}");
        }
        for text in [
            "",
            "-",
            "x",
            "2024-13-01",
            "2024-02-30",
            "2024-366",
            "2023-366",
            "2024-W60",
            "2024-05-06T25",
            "2024-05-06T07:60",
            "2024-05-06T07:08:09:10",
            "2024-05-06T07:08:09.",
            "2024-05-06 07:08",
            "2024-05-06T07:08:09+99:00",
            "2024-05-06T07:08:é",
            "99999999999999999999999",
        ] {
            let leap_day_of_2024 = text == "2024-366";
            assert_eq!(of_text(text).is_some(), leap_day_of_2024, "{text}");
        }
    }

    #[test]
    fn values_that_are_times() {
        assert_eq!(of_value(&Value::Timestamp(-5)), Some(-5));
        assert_eq!(of_value(&Value::Int32(5)), Some(5));
        assert_eq!(of_value(&Value::Date(-1)), Some(-DAY_MS));
        assert_eq!(of_value(&Value::Float64(1.9)), Some(1));
        assert_eq!(of_value(&Value::Float64(f64::NAN)), None);
        assert_eq!(of_value(&Value::Boolean(true)), None);
    }
}
