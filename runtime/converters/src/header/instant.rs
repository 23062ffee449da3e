//! Dates, times and timestamps in header texts, as leniently as `SimpleDateFormat` reads them: fields have any number
//! of digits and run over (month 13 is next January), and text behind the pattern is not looked at. The zone is UTC.

use lavka_api::data::{Datum, Logical, Schema, Value};

use super::number::digit;

const MS_PER_DAY: i64 = 86_400_000;

/// The day on which Java's calendar passes from the Julian to the Gregorian one: 1582-10-15.
const CUTOVER: i64 = -141_427;
const CUTOVER_YEAR: i64 = 1582;

/// The instant that `token` is, judged first of all by its length in UTF-16 units.
pub(super) fn infer(token: &str) -> Option<Datum> {
    let text = token.replace("\\:", ":");
    let mut fields = Fields { rest: &text };
    let (logical, value) = match text.encode_utf16().count() {
        13 => (Logical::Time, Value::Time(i32::try_from(fields.time()?).ok()?)),
        24 => {
            let days = fields.date()?;
            fields.literal('T')?;
            let ms = days.checked_mul(MS_PER_DAY)?.checked_add(fields.time()?)?;
            (Logical::Timestamp, Value::Timestamp(ms))
        }
        10 => (Logical::Date, Value::Date(i32::try_from(fields.date()?).ok()?)),
        _ => return None,
    };
    Some(Datum::new(Schema::logical_of(logical), value))
}

struct Fields<'a> {
    rest: &'a str,
}

impl Fields<'_> {
    /// `yyyy-MM-dd`, in days since the epoch.
    fn date(&mut self) -> Option<i64> {
        let year = self.number()?;
        self.literal('-')?;
        let month = self.number()?;
        self.literal('-')?;
        let day = self.number()?;
        Some(days(year, month, day))
    }

    /// `HH:mm:ss.SSS'Z'`, in milliseconds.
    fn time(&mut self) -> Option<i64> {
        let hours = self.number()?;
        self.literal(':')?;
        let minutes = self.number()?;
        self.literal(':')?;
        let seconds = self.number()?;
        self.literal('.')?;
        let ms = self.number()?;
        self.literal('Z')?;
        Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
    }

    fn literal(&mut self, c: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(c)?;
        Some(())
    }

    /// An integer after spaces and tabs, cut to 32 bits as Java does.
    fn number(&mut self) -> Option<i64> {
        let text = self.rest.trim_start_matches([' ', '\t']);
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text),
        };
        let mut value = 0i64;
        let mut digits = unsigned.char_indices();
        let mut end = unsigned.len();
        for (at, c) in digits.by_ref() {
            let Some(digit) = digit(c) else {
                end = at;
                break;
            };
            // Texts are at most 24 digits long, and only what does not matter overflows.
            value = value.wrapping_mul(10).wrapping_add(digit.into());
        }
        self.rest = unsigned.get(end..)?;
        if end == 0 {
            return None;
        }
        Some(i64::from(if negative { -value } else { value } as i32))
    }
}

/// Days since the epoch, by Java's calendar of two parts.
fn days(year: i64, month: i64, day: i64) -> i64 {
    if year >= CUTOVER_YEAR {
        let gregorian = gregorian_days(year, month) + day - 1;
        if gregorian >= CUTOVER {
            return gregorian;
        }
    }
    julian_days(year, month) + day - 1
}

/// Year and month with the month brought to 0 (March) to 11 (February), so that the leap day comes last.
fn from_march(year: i64, month: i64) -> (i64, i64) {
    let months = year * 12 + month - 3;
    (months.div_euclid(12), months.rem_euclid(12))
}

/// The first day of a month of the Gregorian calendar.
fn gregorian_days(year: i64, month: i64) -> i64 {
    let (year, month) = from_march(year, month);
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + days_before(month) - 719_468
}

/// The first day of a month of the Julian calendar.
fn julian_days(year: i64, month: i64) -> i64 {
    let (year, month) = from_march(year, month);
    year * 365 + year.div_euclid(4) + days_before(month) - 719_470
}

/// Days from the first of March to the first of a month, counted from March: 31, 61, 92 …
fn days_before(month: i64) -> i64 {
    (153 * month + 2) / 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<Value> {
        infer(text).map(|datum| datum.value)
    }

    #[test]
    fn dates_run_over_and_are_julian_before_the_cutover() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("2023-01-02", 1_672_617_600_000),
            ("2020-13-45", 1_613_260_800_000),
            ("2023-00-00", 1_669_766_400_000),
            ("2023--1-02", 1_667_347_200_000),
            ("2023- 1-02", 1_672_617_600_000),
            ("2023-01-0x", 1_672_444_800_000),
            ("1582-10-15", -12_219_292_800_000),
            ("1582-10-04", -12_219_379_200_000),
            ("1582-10-10", -12_218_860_800_000),
            ("1500-02-29", -14_825_894_400_000),
            ("1900-02-29", -2_203_891_200_000),
            ("0000-01-01", -62_167_392_000_000),
            ("0000-00-00", -62_170_156_800_000),
            ("1-1-100000", -53_495_856_000_000),
            ("9999-99-99", 253_636_790_400_000),
            ("99999-1-01", 3_093_496_444_800_000),
            ("٢٠٢٣-٠١-٠٢", 1_672_617_600_000),
        ] {
            let days = i32::try_from(ms / MS_PER_DAY).unwrap();
            assert_eq!(value(text), Some(Value::Date(days)), "{text}");
        }
    }

    #[test]
    fn times_and_timestamps() {
        for (text, ms) in [
            ("03:04:05.006Z", 11_045_006),
            ("99:99:99.999Z", 362_439_999),
            ("1:1:1.000001Z", 3_661_001),
            ("10:10:10.1Zxx", 36_610_001),
            (r"03\:04\:05.006Z", 11_045_006),
        ] {
            assert_eq!(value(text), Some(Value::Time(ms)), "{text}");
        }
        for (text, ms) in [
            ("2023-01-02T03:04:05.006Z", 1_672_628_645_006),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2023-13-40T30:70:70.999Z", 1_707_549_070_999),
            ("0000-01-02T03:04:05.006Z", -62_167_294_554_994),
        ] {
            assert_eq!(value(text), Some(Value::Timestamp(ms)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "2023-1-2",
            "2023-01-xx",
            "2023x01-02",
            "2023-+1-02",
            "12345-1-2",
            "12:34:56.789X",
            "10:10:10,123Z",
            "2023-01-02t03:04:05.006Z",
            "2023-01-02T03:04:05.006z",
            "123456789-",
            "",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
        // No year is so long ago that it overflows.
        value("999999999999-1-1T1:1:1.1Z");
        value("2147483647-01-01T1:1:1.1Z");
    }
}
