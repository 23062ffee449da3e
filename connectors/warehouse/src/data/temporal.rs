//! Dates and times: zones, calendars, texts.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use lavka_api::java::{civil_from_days, days_from_civil};

const SECOND: i64 = 1_000_000;
pub(crate) const DAY_MICROS: i64 = 86_400 * SECOND;

/// The first day of the Gregorian calendar, 1582-10-15, in days since 1970-01-01.
const GREGORIAN_START: i64 = -141_427;

/// What a wall clock in the configured zone shows at an instant.
#[derive(Clone, Debug)]
pub(crate) struct WallClock {
    zone: TimeZone,
    /// The zone's offset in microseconds, where it is always the same.
    fixed: Option<i64>,
    /// Whether days before 1582-10-15 have their Julian names, as in `java.util.GregorianCalendar`.
    legacy: bool,
}

impl WallClock {
    /// The clock of a zone's name or offset, as `ZoneId.of` takes them.
    pub(crate) fn parse(name: &str, legacy: bool) -> Option<Self> {
        let zone = zone(name.trim())?;
        let fixed = zone.to_fixed_offset().ok().map(|offset| i64::from(offset.seconds()) * SECOND);
        Some(Self { zone, fixed, legacy })
    }

    /// UTC, with today's calendar.
    pub(crate) fn utc() -> Self {
        Self { zone: TimeZone::UTC, fixed: Some(0), legacy: false }
    }

    /// What the clock shows at `instant`, in microseconds.
    pub(crate) fn local(&self, instant: i64) -> i64 {
        let local = instant.saturating_add(self.offset(instant));
        if !self.legacy {
            return local;
        }
        let (day, time) = (local.div_euclid(DAY_MICROS), local.rem_euclid(DAY_MICROS));
        self.named_day(day).saturating_mul(DAY_MICROS).saturating_add(time)
    }

    /// The instant at which the clock shows `local`; the earlier one where there are two.
    pub(crate) fn instant(&self, local: i64) -> i64 {
        if let Some(fixed) = self.fixed {
            return local.saturating_sub(fixed);
        }
        let before = self.offset(local.saturating_sub(DAY_MICROS));
        let candidate = local.saturating_sub(before);
        let offset = self.offset(candidate);
        if offset == before { candidate } else { local.saturating_sub(offset) }
    }

    /// The day that `days` (since 1970-01-01, UTC) has on this clock.
    pub(crate) fn day(&self, days: i32) -> i32 {
        // Days of 32 bits are more than microseconds of 64 can count; the offset of a midnight is the same in days.
        let offset = self.offset(i64::from(days).saturating_mul(DAY_MICROS));
        let local = i64::from(days) + offset.div_euclid(DAY_MICROS);
        i32::try_from(self.named_day(local)).unwrap_or(days)
    }

    /// The time of day that `micros` (since midnight of 1970-01-01, UTC) has on this clock.
    pub(crate) fn time(&self, micros: i64) -> i64 {
        micros.saturating_add(self.offset(micros)).rem_euclid(DAY_MICROS)
    }

    fn named_day(&self, day: i64) -> i64 {
        if self.legacy && day < GREGORIAN_START { julian_name(day) } else { day }
    }

    fn offset(&self, instant: i64) -> i64 {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let at = Timestamp::from_microsecond(instant).unwrap_or(if instant < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        });
        i64::from(self.zone.to_offset(at).seconds()) * SECOND
    }
}

fn zone(name: &str) -> Option<TimeZone> {
    if matches!(name, "Z" | "UTC" | "GMT" | "UT") {
        return Some(TimeZone::UTC);
    }
    let offset = ["UTC", "GMT", "UT", ""].iter().find_map(|prefix| {
        name.strip_prefix(prefix).filter(|rest| rest.starts_with(['+', '-'])).and_then(offset)
    });
    match offset {
        Some(offset) => Some(TimeZone::fixed(offset)),
        None => TimeZone::get(name).ok().filter(|_| !name.is_empty()),
    }
}

/// `+2`, `+02`, `+02:00`, `+0200`, `+02:00:30`.
fn offset(text: &str) -> Option<Offset> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'+' => (false, text.get(1..)?),
        b'-' => (true, text.get(1..)?),
        _ => return None,
    };
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else {
        match digits.len() {
            1 | 2 => vec![digits],
            4 => vec![digits.get(..2)?, digits.get(2..)?],
            6 => vec![digits.get(..2)?, digits.get(2..4)?, digits.get(4..)?],
            _ => return None,
        }
    };
    let mut seconds = 0_i32;
    for (at, part) in parts.iter().enumerate() {
        let number: i32 = part.parse().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()))?;
        seconds += match at {
            0 if number <= 18 => number * 3600,
            1 if number < 60 => number * 60,
            2 if number < 60 => number,
            _ => return None,
        };
    }
    Offset::from_seconds(if negative { -seconds } else { seconds }).ok()
}

/// The day with the year, month and day that the Julian calendar gives `day`.
fn julian_name(day: i64) -> i64 {
    // By the count of days in the Julian calendar from year 0, March 1st.
    let shifted = day + 719_470;
    let year = (4 * shifted + 3).div_euclid(1461);
    let of_year = shifted - (1461 * year).div_euclid(4);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    days_from_civil(year, month, of_month)
}

/// `2024-02-29`; years before 1 end in ` BC`.
pub(crate) fn date_text(days: i64) -> String {
    let (year, month, day) = civil_from_days(days);
    if year < 1 {
        return format!("{:04}-{month:02}-{day:02} BC", 1 - year);
    }
    format!("{year:04}-{month:02}-{day:02}")
}

/// `12:30:00.000001`, with as many digits as are needed, in groups of three.
pub(crate) fn time_text(micros: i64) -> String {
    // MySQL has times before midnight, too.
    let (sign, micros) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let whole = format!("{sign}{hours:02}:{minutes:02}:{seconds:02}");
    match fraction {
        0 => whole,
        fraction if fraction % 1000 == 0 => format!("{whole}.{:03}", fraction / 1000),
        fraction => format!("{whole}.{fraction:06}"),
    }
}

/// `2024-02-29 12:30:00.000001`; years before 1 end in ` BC`.
pub(crate) fn datetime_text(local: i64) -> String {
    let date = date_text(local.div_euclid(DAY_MICROS));
    let time = time_text(local.rem_euclid(DAY_MICROS));
    match date.strip_suffix(" BC") {
        Some(date) => format!("{date} {time} BC"),
        None => format!("{date} {time}"),
    }
}

/// Reads `2024-02-29`, `2024-02-29 12:30:00.5` or, with a zone's offset behind it, an instant. The answer is in
/// microseconds, and says whether there was an offset.
pub(crate) fn parse_datetime(text: &str) -> Option<(i64, bool)> {
    let text = text.trim();
    let (text, sign) = match text.strip_suffix(" BC") {
        Some(text) => (text, -1),
        None => (text, 1),
    };
    let (date, rest) = match text.find(['T', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, ""),
    };
    let mut parts = date.rsplitn(3, '-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| (0..=999_999).contains(number));
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if sign < 0 { 1 - year } else { year };
    let days = days_from_civil(year, month, day);
    if rest.is_empty() {
        return Some((days.checked_mul(DAY_MICROS)?, false));
    }
    let (time, zone) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => (rest.get(..at)?, Some(rest.get(at..)?)),
        None => (rest, None),
    };
    let local = days.checked_mul(DAY_MICROS)?.checked_add(parse_time(time.trim())?)?;
    match zone {
        None => Some((local, false)),
        Some("Z" | "z") => Some((local, true)),
        Some(zone) => {
            // An offset may be followed by a zone's name in brackets.
            let zone = zone.split('[').next()?;
            Some((local.checked_sub(i64::from(offset(zone)?.seconds()) * SECOND)?, true))
        }
    }
}

/// Microseconds since midnight of `12:30`, `12:30:00` or `12:30:00.5`.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut micros = 0;
    for (at, part) in clock.split(':').enumerate() {
        let number: i64 = part.parse().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()))?;
        micros += match at {
            0 if number <= 24 => number * 3600 * SECOND,
            1 if number < 60 => number * 60 * SECOND,
            2 if number <= 60 => number * SECOND,
            _ => return None,
        };
    }
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(micros + digits.parse::<i64>().ok()?)
}

/// Microseconds since midnight in UTC of a time with an offset, as `12:30:00.5+02:00`; `None` for one without.
pub(crate) fn parse_zoned_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (clock, zone) = text.split_at_checked(text.find(['Z', 'z', '+', '-'])?)?;
    let seconds = if zone.eq_ignore_ascii_case("z") { 0 } else { offset(zone)?.seconds() };
    Some((parse_time(clock)? - i64::from(seconds) * SECOND).rem_euclid(DAY_MICROS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_microseconds_cannot_count_stay_days() {
        let zone = |name: &str| WallClock::parse(name, false).unwrap();
        for clock in [WallClock::utc(), zone("Europe/Prague"), zone("America/New_York")] {
            for days in [i32::MIN, i32::MAX] {
                assert!(clock.day(days).abs_diff(days) <= 1, "{days}");
            }
        }
        assert_eq!((zone("America/New_York").day(0), zone("Europe/Prague").day(0)), (-1, 0));
    }

    #[test]
    fn texts_and_numbers_go_both_ways() {
        for (local, text) in [
            (0, "1970-01-01 00:00:00"),
            (1_709_209_800_000_001, "2024-02-29 12:30:00.000001"),
            (-1, "1969-12-31 23:59:59.999999"),
            (1_709_209_800_500_000, "2024-02-29 12:30:00.500"),
            (-62_135_596_800_000_000 - DAY_MICROS, "0001-12-31 00:00:00 BC"),
        ] {
            assert_eq!(datetime_text(local), text);
            assert_eq!(parse_datetime(text), Some((local, false)), "{text}");
        }
        assert_eq!(parse_datetime("1970-01-01T02:00:00+02:00"), Some((0, true)));
        assert_eq!(parse_datetime("1970-01-01T00:00:00Z"), Some((0, true)));
        for text in [
            "",
            "x",
            "1970-13-01",
            "1970-01-01T25:00",
            "1970-01-01T00:00+99",
            "9999999-01-01",
            "1970-01-01T00:00:00.é",
        ] {
            assert_eq!(parse_datetime(text), None, "{text}");
        }
    }

    #[test]
    fn times_have_signs_and_offsets() {
        assert_eq!(time_text(-5_400_000_000), "-01:30:00");
        assert_eq!(time_text(-500_000), "-00:00:00.500");
        assert_eq!(time_text(838 * 3600 * SECOND), "838:00:00");
        for (text, micros) in [
            ("01:30:00+02:00", Some(84_600 * SECOND)),
            ("01:30:00.5Z", Some(5_400_500_000)),
            ("23:00-0200", Some(3600 * SECOND)),
            ("01:30:00", None),
            ("x+02", None),
            ("+02", None),
        ] {
            assert_eq!(parse_zoned_time(text), micros, "{text}");
        }
    }

    #[test]
    fn a_clock_shows_its_zones_time() {
        let prague = WallClock::parse("Europe/Prague", false).unwrap();
        assert_eq!(prague.local(0), 3600 * SECOND);
        assert_eq!(prague.instant(3600 * SECOND), 0);
        assert_eq!(WallClock::parse("America/New_York", false).unwrap().day(0), -1);
        assert_eq!(WallClock::parse("+02:30", false).unwrap().time(0), 9000 * SECOND);
        for bad in ["", "Nowhere", "+99:00", "+1:2:3:4"] {
            assert!(WallClock::parse(bad, false).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_legacy_calendar_names_early_days_as_julius_did() {
        let legacy = WallClock::parse("UTC", true).unwrap();
        let first = i32::try_from(GREGORIAN_START).unwrap();
        assert_eq!(date_text(legacy.day(first).into()), "1582-10-15");
        assert_eq!(date_text(legacy.day(first - 1).into()), "1582-10-04");
        // java.util: new Date(-62135769600000) is 1 January of year 1 in the Julian calendar.
        assert_eq!(date_text(legacy.day(-719_164).into()), "0001-01-01");
    }
}
