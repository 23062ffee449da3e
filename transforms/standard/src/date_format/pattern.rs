//! Patterns: what their letters mean, and instants written in them.

use super::calendar::{DAY_MS, Date};

/// Months by their full names; the short ones are their first three letters.
pub(super) const MONTHS: [&str; 12] = [
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
/// Days by their full names, Sunday first; the short ones are their first three letters.
pub(super) const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Letters of Java's number format; more digits than this it does not pad to.
const MOST_DIGITS: usize = 309;

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Field { field: Field, letters: usize },
}

/// What a letter stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `G`
    Era,
    /// `y`
    Year,
    /// `Y`
    WeekYear,
    /// `M` and `L`
    Month,
    /// `w`
    WeekOfYear,
    /// `W`
    WeekOfMonth,
    /// `D`
    DayOfYear,
    /// `d`
    DayOfMonth,
    /// `F`
    DayOfWeekInMonth,
    /// `E`
    DayOfWeek,
    /// `u`: Monday is 1.
    IsoDayOfWeek,
    /// `a`
    AmPm,
    /// `H`: 0 to 23.
    HourOfDay,
    /// `k`: 1 to 24.
    HourOfDayFrom1,
    /// `K`: 0 to 11.
    Hour,
    /// `h`: 1 to 12.
    HourFrom1,
    /// `m`
    Minute,
    /// `s`
    Second,
    /// `S`
    Millisecond,
    /// `z`
    ZoneName,
    /// `Z`
    ZoneOffset,
    /// `X`
    IsoZone,
}

impl Field {
    fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'G' => Field::Era,
            'y' => Field::Year,
            'Y' => Field::WeekYear,
            'M' | 'L' => Field::Month,
            'w' => Field::WeekOfYear,
            'W' => Field::WeekOfMonth,
            'D' => Field::DayOfYear,
            'd' => Field::DayOfMonth,
            'F' => Field::DayOfWeekInMonth,
            'E' => Field::DayOfWeek,
            'u' => Field::IsoDayOfWeek,
            'a' => Field::AmPm,
            'H' => Field::HourOfDay,
            'k' => Field::HourOfDayFrom1,
            'K' => Field::Hour,
            'h' => Field::HourFrom1,
            'm' => Field::Minute,
            's' => Field::Second,
            'S' => Field::Millisecond,
            'z' => Field::ZoneName,
            'Z' => Field::ZoneOffset,
            'X' => Field::IsoZone,
            _ => return None,
        })
    }

    /// Whether `letters` of it are a number in a text, so that a number right before it has to end in time.
    pub(super) fn is_number(self, letters: usize) -> bool {
        match self {
            Field::Month => letters <= 2,
            Field::Era
            | Field::DayOfWeek
            | Field::AmPm
            | Field::ZoneName
            | Field::ZoneOffset
            | Field::IsoZone => false,
            _ => true,
        }
    }
}

/// Splits a pattern into its parts.
pub(super) fn compile(pattern: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut quoted = false;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            if chars.next_if_eq(&'\'').is_some() {
                literal(&mut parts, '\'');
            } else {
                quoted = !quoted;
            }
        } else if quoted || !c.is_ascii_alphabetic() {
            literal(&mut parts, c);
        } else {
            let mut letters = 1;
            while chars.next_if_eq(&c).is_some() {
                letters += 1;
            }
            let field = Field::of(c).ok_or_else(|| format!("Illegal pattern character '{c}'"))?;
            if field == Field::IsoZone && letters > 3 {
                return Err(format!("invalid ISO 8601 format: length={letters}"));
            }
            parts.push(Part::Field { field, letters });
        }
    }
    if quoted { Err("Unterminated quote".into()) } else { Ok(parts) }
}

fn literal(parts: &mut Vec<Part>, c: char) {
    match parts.last_mut() {
        Some(Part::Literal(text)) => text.push(c),
        _ => parts.push(Part::Literal(c.to_string())),
    }
}

/// Appends `ms` in the pattern of `parts`.
pub(super) fn format(parts: &[Part], ms: i64, out: &mut String) {
    let date = Date::of(ms.div_euclid(DAY_MS));
    let time = ms.rem_euclid(DAY_MS);
    for part in parts {
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Field { field, letters } => write(*field, *letters, &date, time, out),
        }
    }
}

fn write(field: Field, letters: usize, date: &Date, time: i64, out: &mut String) {
    let hour = time / 3_600_000;
    let number = match field {
        Field::Era => return out.push_str(if date.year > 0 { "AD" } else { "BC" }),
        Field::Year => {
            return write_year(if date.year > 0 { date.year } else { 1 - date.year }, letters, out);
        }
        Field::WeekYear => return write_year(date.week_year(), letters, out),
        Field::Month if letters >= 3 => return write_name(&MONTHS, date.month - 1, letters, out),
        Field::DayOfWeek => return write_name(&DAYS, date.day_of_week() - 1, letters, out),
        Field::AmPm => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
        Field::ZoneName => {
            return out.push_str(if letters >= 4 { "Coordinated Universal Time" } else { "UTC" });
        }
        Field::ZoneOffset => return out.push_str("+0000"),
        Field::IsoZone => return out.push('Z'),
        Field::Month => date.month,
        Field::WeekOfYear => date.week_of_year(),
        Field::WeekOfMonth => date.week_of_month(),
        Field::DayOfYear => date.day_of_year(),
        Field::DayOfMonth => date.day_of_month,
        Field::DayOfWeekInMonth => (date.day_of_month - 1) / 7 + 1,
        Field::IsoDayOfWeek => (date.day_of_week() + 5) % 7 + 1,
        Field::HourOfDay => hour,
        Field::HourOfDayFrom1 => (hour + 23) % 24 + 1,
        Field::Hour => hour % 12,
        Field::HourFrom1 => (hour + 11) % 12 + 1,
        Field::Minute => time / 60_000 % 60,
        Field::Second => time / 1000 % 60,
        Field::Millisecond => time % 1000,
    };
    write_number(number, letters, out);
}

/// Two letters show the last two digits.
fn write_year(year: i64, letters: usize, out: &mut String) {
    if letters == 2 {
        if year < 0 {
            out.push('-');
        }
        write_number(year.abs() % 100, 2, out);
    } else {
        write_number(year, letters, out);
    }
}

fn write_name(names: &[&'static str], at: i64, letters: usize, out: &mut String) {
    let name = usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default();
    out.push_str(if letters >= 4 { name } else { name.get(..3).unwrap_or(name) });
}

fn write_number(number: i64, letters: usize, out: &mut String) {
    // Most numbers of a date have two digits.
    if letters == 2
        && let Ok(small @ 0..100) = u8::try_from(number)
    {
        out.push(char::from(b'0' + small / 10));
        out.push(char::from(b'0' + small % 10));
        return;
    }
    if number < 0 {
        out.push('-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number.unsigned_abs());
    out.extend(std::iter::repeat_n('0', letters.min(MOST_DIGITS).saturating_sub(digits.len())));
    out.push_str(digits);
}
