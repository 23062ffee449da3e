//! Reading a text by a pattern.

use super::fields::{Fields, Slot};
use super::number;
use super::pattern::{DAYS, Field, MONTHS, Part};
use super::zone;
use super::zone::strip_ignoring_case;

/// The instant that `text` begins with.
pub(super) fn parse(parts: &[Part], text: &str, century_start: i64) -> Option<i64> {
    let mut reader = Reader { text, at: 0, fields: Fields::new(), century_start, ambiguous_year: false };
    for (i, part) in parts.iter().enumerate() {
        match part {
            Part::Literal(literal) => {
                reader.text.get(reader.at..)?.strip_prefix(literal.as_str())?;
                reader.at += literal.len();
            }
            Part::Field { field, letters } => {
                // Numbers that touch, as in `yyyyMMdd`, end after as many characters as there are letters.
                let touches = matches!(parts.get(i + 1), Some(Part::Field { field, letters }) if field.is_number(*letters));
                reader.field(*field, *letters, touches)?;
            }
        }
    }
    // Java tells failure by the place where reading ended, so to have read nothing is one.
    if reader.at == 0 {
        return None;
    }
    let Reader { mut fields, ambiguous_year, .. } = reader;
    let ms = fields.instant();
    if ambiguous_year && ms < century_start {
        fields.add_century();
        return Some(fields.instant());
    }
    Some(ms)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    fields: Fields,
    century_start: i64,
    /// The two digits of a year were those that the century begins with, so that the day decides between its ends.
    ambiguous_year: bool,
}

impl<'a> Reader<'a> {
    /// Reads one field at the current place.
    fn field(&mut self, field: Field, letters: usize, touches: bool) -> Option<()> {
        let start = self.at;
        let rest = self.text.get(start..)?;
        let unspaced = rest.trim_start_matches([' ', '\t']);
        if unspaced.is_empty() {
            return None;
        }
        let begin = self.text.len() - unspaced.len();
        // Names have to begin where the last field ended; numbers and zones may have blanks before them.
        let length = match field {
            Field::Era => {
                self.name(rest, Slot::Era, &[("BC", 0), ("AD", 1), ("Before Christ", 0), ("Anno Domini", 1)])?
            }
            Field::AmPm => self.name(rest, Slot::AmPm, &[("AM", 0), ("PM", 1)])?,
            Field::Month if letters >= 3 => self.listed(rest, Slot::Month, &MONTHS, 0)?,
            Field::DayOfWeek => self.listed(rest, Slot::DayOfWeek, &DAYS, 1)?,
            Field::ZoneName | Field::ZoneOffset | Field::IsoZone => {
                let zone = if field == Field::IsoZone {
                    zone::iso(unspaced, letters)?
                } else {
                    zone::general(unspaced)?
                };
                self.fields.set_zone(zone.minutes, zone.yields);
                begin - start + zone.length
            }
            _ => {
                let text = if touches { self.first_units(start, letters)?.get(begin..)? } else { unspaced };
                let number = number::read(text)?;
                self.number(field, letters, number.value, text.get(..number.length)?);
                begin - start + number.length
            }
        };
        self.at = start + length;
        Some(())
    }

    /// The text up to `count` UTF-16 units behind `start`; `None` where it ends before.
    fn first_units(&self, start: usize, count: usize) -> Option<&'a str> {
        let mut left = count;
        for (at, c) in self.text.get(start..)?.char_indices() {
            if left == 0 {
                return self.text.get(..start + at);
            }
            left = left.checked_sub(c.len_utf16())?;
        }
        (left == 0).then_some(self.text)
    }

    fn number(&mut self, field: Field, letters: usize, value: i32, read: &str) {
        let (slot, value) = match field {
            Field::Year => (Slot::Year, self.year(letters, value, read)),
            Field::WeekYear => (Slot::WeekYear, self.year(letters, value, read)),
            Field::Month => (Slot::Month, value.wrapping_sub(1)),
            Field::HourOfDayFrom1 => (Slot::HourOfDay, if value == 24 { 0 } else { value }),
            Field::HourFrom1 => (Slot::Hour, if value == 12 { 0 } else { value }),
            // Java's weeks begin with Sunday = 1.
            Field::IsoDayOfWeek => (
                Slot::DayOfWeek,
                match value {
                    7 => 1,
                    1..7 => value + 1,
                    other => other,
                },
            ),
            Field::WeekOfYear => (Slot::WeekOfYear, value),
            Field::WeekOfMonth => (Slot::WeekOfMonth, value),
            Field::DayOfYear => (Slot::DayOfYear, value),
            Field::DayOfMonth => (Slot::DayOfMonth, value),
            Field::DayOfWeekInMonth => (Slot::DayOfWeekInMonth, value),
            Field::HourOfDay => (Slot::HourOfDay, value),
            Field::Hour => (Slot::Hour, value),
            Field::Minute => (Slot::Minute, value),
            Field::Second => (Slot::Second, value),
            _ => (Slot::Millisecond, value),
        };
        self.fields.set(slot, value);
    }

    /// A year as it was meant: up to two letters and exactly two digits leave out the century.
    fn year(&mut self, letters: usize, value: i32, read: &str) -> i32 {
        let two_digits = read.chars().count() == 2 && read.chars().all(|c| number::digit(c).is_some());
        if letters > 2 || !two_digits {
            return value;
        }
        let first = super::calendar::Date::of(self.century_start.div_euclid(super::calendar::DAY_MS)).year;
        let first = i32::try_from(first).unwrap_or(0);
        self.ambiguous_year = value == first % 100;
        value + first / 100 * 100 + if value < first % 100 { 100 } else { 0 }
    }

    /// Sets `slot` to the longest of `names` that `text` begins with, whatever its case.
    fn name(&mut self, text: &str, slot: Slot, names: &[(&str, i32)]) -> Option<usize> {
        let matching = names.iter().filter(|(name, _)| strip_ignoring_case(text, name).is_some());
        let (name, value) = matching.max_by_key(|(name, _)| name.len())?;
        self.fields.set(slot, *value);
        Some(name.len())
    }

    /// As [`name`](Self::name) for full names and their first three letters, counted from `first`.
    fn listed(&mut self, text: &str, slot: Slot, names: &[&str], first: i32) -> Option<usize> {
        for (name, value) in names.iter().zip(first..) {
            let short = name.get(..3)?;
            if strip_ignoring_case(text, short).is_some() {
                self.fields.set(slot, value);
                let full = strip_ignoring_case(text, name).is_some();
                return Some(if full { name.len() } else { short.len() });
            }
        }
        None
    }
}
