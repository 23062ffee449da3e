//! `path.format`: Joda-Time's pattern letters, which differ from `java.time`'s (`YYYY` is the year of era).

use std::fmt::Write as _;

use jiff::civil::DateTime;

use crate::zone::LocalTime;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(String),
    /// A number of at least so many digits.
    Number(Number, usize),
    /// The last two digits of a year.
    TwoDigits(Number),
    /// So many digits of the fraction of a second.
    Fraction(usize),
    Text(Text),
    /// `+01:00`, or `+0100`.
    Offset {
        colon: bool,
    },
    ZoneId,
    ZoneAbbreviation,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Number {
    CenturyOfEra,
    YearOfEra,
    Year,
    WeekYear,
    Week,
    DayOfWeek,
    DayOfYear,
    Month,
    DayOfMonth,
    HourOfHalfday,
    ClockHourOfHalfday,
    HourOfDay,
    ClockHourOfDay,
    Minute,
    Second,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Text {
    Era,
    Halfday,
    Month { full: bool },
    DayOfWeek { full: bool },
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// More letters in a row than this have no meaning in any pattern.
const MAX_RUN: usize = 32;

impl Pattern {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let mut parts: Vec<Part> = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                quoted(&mut chars, &mut parts);
            } else if c.is_ascii_alphabetic() {
                let mut run = 1;
                while chars.next_if_eq(&c).is_some() {
                    run += 1;
                }
                if run > MAX_RUN {
                    return Err(format!("More than {MAX_RUN} pattern letters {c} in a row"));
                }
                parts.push(part(c, run)?);
            } else {
                literal(&mut parts, c);
            }
        }
        Ok(Self { parts })
    }

    /// Whether it writes words (names of months, days, eras, halves of a day), which depend on a language.
    pub(crate) fn has_words(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Text(_)))
    }

    /// Appends `time` in this pattern.
    pub(crate) fn format(&self, time: &LocalTime, out: &mut String) {
        for part in &self.parts {
            // Writing to a String cannot fail.
            let _ = match part {
                Part::Literal(text) => out.write_str(text),
                Part::Number(field, digits) => {
                    let number = field.of(time.civil);
                    let sign = if number < 0 { "-" } else { "" };
                    write!(out, "{sign}{:0digits$}", number.unsigned_abs())
                }
                Part::TwoDigits(field) => write!(out, "{:02}", field.of(time.civil).rem_euclid(100)),
                Part::Fraction(digits) => {
                    let mut text = format!("{:09}", time.civil.subsec_nanosecond());
                    text.extend(std::iter::repeat_n('0', digits.saturating_sub(9)));
                    out.write_str(text.get(..*digits).unwrap_or_default())
                }
                Part::Text(text) => out.write_str(text.of(time.civil)),
                Part::Offset { colon } => {
                    let (sign, seconds) = (if time.offset_s < 0 { '-' } else { '+' }, time.offset_s.abs());
                    let colon = if *colon { ":" } else { "" };
                    write!(out, "{sign}{:02}{colon}{:02}", seconds / 3600, seconds / 60 % 60)
                }
                Part::ZoneId => out.write_str(&time.zone_id),
                Part::ZoneAbbreviation => out.write_str(&time.abbreviation),
            };
        }
    }
}

/// The rest of a quoted text; two quotes are a quote.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, parts: &mut Vec<Part>) {
    if chars.next_if_eq(&'\'').is_some() {
        literal(parts, '\'');
        return;
    }
    while let Some(c) = chars.next() {
        if c == '\'' && chars.next_if_eq(&'\'').is_none() {
            return;
        }
        literal(parts, c);
    }
}

fn literal(parts: &mut Vec<Part>, c: char) {
    if let Some(Part::Literal(text)) = parts.last_mut() {
        text.push(c);
    } else {
        parts.push(Part::Literal(c.to_string()));
    }
}

fn part(letter: char, run: usize) -> Result<Part, String> {
    let year = |field| if run == 2 { Part::TwoDigits(field) } else { Part::Number(field, run) };
    Ok(match letter {
        'G' => Part::Text(Text::Era),
        'C' => Part::Number(Number::CenturyOfEra, run),
        'Y' => year(Number::YearOfEra),
        'y' => year(Number::Year),
        'x' => year(Number::WeekYear),
        'w' => Part::Number(Number::Week, run),
        'e' => Part::Number(Number::DayOfWeek, run),
        'E' => Part::Text(Text::DayOfWeek { full: run >= 4 }),
        'D' => Part::Number(Number::DayOfYear, run),
        'M' if run >= 3 => Part::Text(Text::Month { full: run >= 4 }),
        'M' => Part::Number(Number::Month, run),
        'd' => Part::Number(Number::DayOfMonth, run),
        'a' => Part::Text(Text::Halfday),
        'K' => Part::Number(Number::HourOfHalfday, run),
        'h' => Part::Number(Number::ClockHourOfHalfday, run),
        'H' => Part::Number(Number::HourOfDay, run),
        'k' => Part::Number(Number::ClockHourOfDay, run),
        'm' => Part::Number(Number::Minute, run),
        's' => Part::Number(Number::Second, run),
        'S' => Part::Fraction(run),
        'z' if run < 4 => Part::ZoneAbbreviation,
        'z' => return Err("Full names of time zones (zzzz) are not in this build; use z or ZZZ".into()),
        'Z' if run >= 3 => Part::ZoneId,
        'Z' => Part::Offset { colon: run == 2 },
        other => return Err(format!("Illegal pattern component: {other}")),
    })
}

impl Number {
    fn of(self, time: DateTime) -> i32 {
        let date = time.date();
        let year_of_era = |year: i16| if year <= 0 { 1 - i32::from(year) } else { i32::from(year) };
        let hour = i32::from(time.hour());
        match self {
            Number::CenturyOfEra => year_of_era(date.year()) / 100,
            Number::YearOfEra => year_of_era(date.year()),
            Number::Year => date.year().into(),
            Number::WeekYear => date.iso_week_date().year().into(),
            Number::Week => date.iso_week_date().week().into(),
            Number::DayOfWeek => date.weekday().to_monday_one_offset().into(),
            Number::DayOfYear => date.day_of_year().into(),
            Number::Month => date.month().into(),
            Number::DayOfMonth => date.day().into(),
            Number::HourOfHalfday => hour % 12,
            Number::ClockHourOfHalfday => (hour + 11) % 12 + 1,
            Number::HourOfDay => hour,
            Number::ClockHourOfDay => (hour + 23) % 24 + 1,
            Number::Minute => time.minute().into(),
            Number::Second => time.second().into(),
        }
    }
}

impl Text {
    fn of(self, time: DateTime) -> &'static str {
        let name = |names: &[&'static str], at: i8, full: bool| {
            let name = usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default();
            if full { name } else { name.get(..3).unwrap_or(name) }
        };
        match self {
            Text::Era => {
                if time.year() > 0 {
                    "AD"
                } else {
                    "BC"
                }
            }
            Text::Halfday => {
                if time.hour() < 12 {
                    "AM"
                } else {
                    "PM"
                }
            }
            Text::Month { full } => name(&MONTHS, time.month() - 1, full),
            Text::DayOfWeek { full } => name(&DAYS, time.date().weekday().to_monday_zero_offset(), full),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    fn text(pattern: &str, zone: &str, utc: &str) -> String {
        let ms = utc.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let mut out = String::new();
        let time = Zone::parse(zone).unwrap().local_time(ms).unwrap();
        Pattern::parse(pattern).unwrap().format(&time, &mut out);
        out
    }

    #[test]
    fn letters_are_jodas() {
        let at = |pattern| text(pattern, "Europe/Prague", "2024-12-30T23:05:07.089Z");
        for (pattern, want) in [
            ("'year'=YYYY/'month'=MM/'day'=dd", "year=2024/month=12/day=31"),
            ("'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", "year=2024/month=12/day=31/hour=00"),
            ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2024-12-31T00:05:07.089+01:00"),
            ("xxxx-'W'ww-e", "2025-W01-2"),
            ("YY yy xx y", "24 24 25 2024"),
            ("CC G D DDDD", "20 AD 366 0366"),
            ("E EEEE M MMM MMMM d", "Tue Tuesday 12 Dec December 31"),
            ("a K h k H", "AM 0 12 24 0"),
            ("S SS SSSSS SSSSSSSSSSSS", "0 08 08900 089000000000"),
            ("z Z ZZ ZZZ", "CET +0100 +01:00 Europe/Prague"),
            ("''''yyyy''", "''2024'"),
            ("'it''s' yyyyyy", "it's 002024"),
            ("dt='x", ""),
        ] {
            if want.is_empty() {
                assert_eq!(Pattern::parse(pattern).unwrap_err(), "Illegal pattern component: t");
            } else {
                assert_eq!(at(pattern), want, "{pattern}");
            }
        }
    }

    #[test]
    fn years_before_christ() {
        assert_eq!(text("y YYYY G yyyy YY", "UTC", "-000001-01-01T00:00:00Z"), "-1 0002 BC -0001 02");
    }

    #[test]
    fn before_1970() {
        assert_eq!(
            text("yyyy-MM-dd HH:mm:ss.SSS", "UTC", "1969-12-31T23:59:59.999Z"),
            "1969-12-31 23:59:59.999"
        );
    }

    #[test]
    fn unknown_letters_are_named() {
        assert_eq!(Pattern::parse("yyyy-qq").unwrap_err(), "Illegal pattern component: q");
        assert!(Pattern::parse(&"y".repeat(1000)).is_err());
        assert!(Pattern::parse("zzzz").unwrap_err().contains("zzzz"));
        assert!(Pattern::parse("MMM").unwrap().has_words());
        assert!(!Pattern::parse("'MMM'yyyy").unwrap().has_words());
    }
}
