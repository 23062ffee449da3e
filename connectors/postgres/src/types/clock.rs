//! Times of the day and instants, in microseconds, from the server's text and to Java's.

use lavka_api::java::days_from_civil;

use super::calendar::{astronomical, date_fields, digits, write_date, write_two};

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;
/// Microseconds of a second.
pub(super) const SECOND: i64 = 1_000_000;
/// `infinity` as the JDBC driver counts it.
pub(super) const POSITIVE_INFINITY: Stamp = Stamp::of_micros(9_223_372_036_825_200_000);
/// `-infinity` as the JDBC driver counts it.
pub(super) const NEGATIVE_INFINITY: Stamp = Stamp::of_micros(-9_223_372_036_832_400_000);

/// A point on the time line. In two parts, since the server's years go on where 64 bits of microseconds end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Days since 1970-01-01.
    days: i64,
    /// Microseconds of the day, less than a day.
    micros: i64,
}

impl Stamp {
    /// 1970-01-01T00:00:00Z.
    pub(super) const EPOCH: Self = Self { days: 0, micros: 0 };

    const fn of_micros(micros: i64) -> Self {
        Self { days: micros.div_euclid(DAY), micros: micros.rem_euclid(DAY) }
    }

    /// Milliseconds since 1970, rounded down.
    pub(super) fn millis(self) -> i64 {
        self.days.saturating_mul(DAY / 1000).saturating_add(self.micros / 1000)
    }

    /// Microseconds since 1970; the largest or smallest number where they are too many, as in Java.
    pub(super) fn micros(self) -> i64 {
        let total = i128::from(self.days) * i128::from(DAY) + i128::from(self.micros);
        i64::try_from(total).unwrap_or(if total < 0 { i64::MIN } else { i64::MAX })
    }

    /// Nanoseconds since 1970; `None` where they are too many.
    pub(super) fn nanos(self) -> Option<i64> {
        let total = (i128::from(self.days) * i128::from(DAY) + i128::from(self.micros)) * 1000;
        i64::try_from(total).ok()
    }
}

/// A time of the day at the front of `text`, in microseconds up to 24:00:00, and the rest.
pub(super) fn time_fields(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = digits(text)?;
    let (minute, rest) = digits(rest.strip_prefix(b":")?)?;
    let (second, rest) = match rest.strip_prefix(b":") {
        Some(rest) => digits(rest)?,
        None => (0, rest),
    };
    let (micros, rest) = match rest.strip_prefix(b".") {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    if minute > 59 || second > 60 {
        return None;
    }
    let total = (hour.checked_mul(3600)?.checked_add(minute * 60 + second)?).checked_mul(SECOND)? + micros;
    (hour <= 24 && total <= DAY).then_some((total, rest))
}

/// Digits behind a decimal point as microseconds.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at_checked(count)?;
    if count == 0 || count > 6 {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    Some(((count..6).fold(value, |value, _| value * 10), rest))
}

/// An offset from UTC at the front of `text` (`+02`, `-03:30`, `+00:19:32`), in microseconds, and the rest.
pub(super) fn offset_fields(text: &[u8]) -> Option<(i64, &[u8])> {
    let (&sign, rest) = text.split_first()?;
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, mut rest) = digits(rest)?;
    let mut seconds = hours.checked_mul(3600)?;
    for unit in [60, 1] {
        let Some(more) = rest.strip_prefix(b":") else { break };
        let (value, behind) = digits(more)?;
        if value > 59 {
            return None;
        }
        seconds += value * unit;
        rest = behind;
    }
    (seconds <= 18 * 3600).then_some((sign * seconds * SECOND, rest))
}

/// A date in days, or infinity.
pub(super) fn parse_date(text: &[u8]) -> Option<Instant<i64>> {
    if let Some(infinity) = infinity(text) {
        return Some(infinity);
    }
    let (year, month, day, rest) = date_fields(text)?;
    Some(Instant::At(days_from_civil(astronomical(year, rest)?, month, day)))
}

/// A time of the day, in microseconds.
pub(super) fn parse_time(text: &[u8]) -> Option<i64> {
    match time_fields(text)? {
        (micros, b"") => Some(micros),
        _ => None,
    }
}

/// A value on the time line, or one of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instant<T> {
    /// `-infinity`.
    NegativeInfinity,
    /// Anything in between.
    At(T),
    /// `infinity`.
    PositiveInfinity,
}

fn infinity<T>(text: &[u8]) -> Option<Instant<T>> {
    match text {
        b"infinity" => Some(Instant::PositiveInfinity),
        b"-infinity" => Some(Instant::NegativeInfinity),
        _ => None,
    }
}

/// A timestamp, with an offset if `zoned` is set.
pub(super) fn parse_timestamp(text: &[u8], zoned: bool) -> Option<Instant<Stamp>> {
    if let Some(infinity) = infinity(text) {
        return Some(infinity);
    }
    let (year, month, day, rest) = date_fields(text)?;
    // A default may be a date alone.
    let (micros, rest) = match rest.strip_prefix(b" ") {
        Some(time) if time.first().is_some_and(u8::is_ascii_digit) => time_fields(time)?,
        _ => (0, rest),
    };
    let (offset, rest) = if zoned && !rest.is_empty() { offset_fields(rest)? } else { (0, rest) };
    let days = days_from_civil(astronomical(year, rest)?, month, day);
    let micros = micros - offset;
    Some(Instant::At(Stamp { days: days + micros.div_euclid(DAY), micros: micros.rem_euclid(DAY) }))
}

/// Appends `HH:mm:ss` of microseconds of a day.
fn write_seconds(out: &mut Vec<u8>, micros_of_day: i64) {
    let seconds = micros_of_day.rem_euclid(DAY) / SECOND;
    write_two(out, seconds / 3600);
    out.push(b':');
    write_two(out, seconds / 60 % 60);
    out.push(b':');
    write_two(out, seconds % 60);
}

/// Six digits of the microseconds of a second.
fn fraction_digits(micros: i64) -> [u8; 6] {
    let mut digits = [b'0'; 6];
    let mut left = micros.rem_euclid(SECOND);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(left % 10).unwrap_or(0);
        left /= 10;
    }
    digits
}

/// Appends `HH:mm:ss[.fraction]` of microseconds of a day. With a `width` the fraction has just so many digits, else as many
/// as it needs.
pub(super) fn write_time(out: &mut Vec<u8>, micros_of_day: i64, width: Option<usize>) {
    write_seconds(out, micros_of_day);
    let digits = fraction_digits(micros_of_day);
    let length = match width {
        Some(width) => width,
        None => digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1),
    };
    if length > 0 {
        out.push(b'.');
        out.extend_from_slice(digits.get(..length.min(6)).unwrap_or_default());
        out.extend(std::iter::repeat_n(b'0', length.saturating_sub(6)));
    }
}

/// Appends `yyyy-MM-ddTHH:mm:ss[.fraction]Z`.
pub(super) fn write_timestamp(out: &mut Vec<u8>, stamp: Stamp, width: Option<usize>) {
    write_date(out, stamp.days);
    out.push(b'T');
    write_time(out, stamp.micros, width);
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(text: &str, zoned: bool) -> Option<String> {
        let Instant::At(stamp) = parse_timestamp(text.as_bytes(), zoned)? else { return None };
        let mut out = Vec::new();
        write_timestamp(&mut out, stamp, None);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn timestamps_are_read_with_era_and_offset() {
        for (text, zoned, iso) in [
            ("2026-03-04 13:14:15.123456", false, "2026-03-04T13:14:15.123456Z"),
            ("0044-03-15 12:00:00 BC", false, "-0043-03-15T12:00:00Z"),
            ("2026-03-04 13:14:15.5+02", true, "2026-03-04T11:14:15.5Z"),
            ("2026-03-04 13:14:15-03:30", true, "2026-03-04T16:44:15Z"),
            ("1890-01-01 00:00:00+00:19:32", true, "1889-12-31T23:40:28Z"),
            ("294276-12-31 23:59:59.999999+00", true, "+294276-12-31T23:59:59.999999Z"),
            ("2026-01-01", false, "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(text, zoned).as_deref(), Some(iso), "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01 00:00:00",
            "2026-01-01 25:00:00",
            "2026-01-01 00:00:00 AC",
            "0000-01-01 00:00:00",
            "2026-01-01 00:00:00.1234567",
            "9999999999-01-01 00:00:00",
            "2026-01-01 00:60:00",
            "2026-01-01 24:00:01",
        ] {
            assert_eq!(parse_timestamp(text.as_bytes(), false), None, "{text}");
        }
        assert_eq!(parse_timestamp(b"2026-01-01 00:00:00+99", true), None);
    }

    #[test]
    fn numbers_beyond_64_bits_are_the_last_ones() {
        let Some(Instant::At(stamp)) = parse_timestamp(b"294276-12-31 23:59:59.999999", false) else {
            panic!()
        };
        assert_eq!((stamp.micros(), stamp.nanos()), (i64::MAX, None));
        assert_eq!(stamp.millis(), 9_224_318_015_999_999);
        assert_eq!(
            (POSITIVE_INFINITY.micros(), NEGATIVE_INFINITY.millis()),
            (9_223_372_036_825_200_000, -9_223_372_036_832_400)
        );
    }

    #[test]
    fn a_day_has_24_hours_inclusive() {
        assert_eq!(parse_time(b"24:00:00"), Some(DAY));
        assert_eq!(parse_time(b"24:00:00.000001"), None);
        assert_eq!(parse_time(b"13:14:15.123456"), Some(47_655_123_456));
        assert_eq!(parse_time(b"00:00"), Some(0));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[0-9:. BC+-]{0,40}") {
            let _ = (parse_time(text.as_bytes()), parse_date(text.as_bytes()));
            let _ = (parse_timestamp(text.as_bytes(), true), parse_timestamp(text.as_bytes(), false));
        }
    }
}
