//! The forms that a cell can take in a column of the table.

use std::borrow::Cow;

use lavka_api::java::civil_from_days;
use odbc_api::sys::{Date, Time, Timestamp};

use crate::data::{Cell, DAY_MICROS, WallClock, date_text, datetime_text, decimal_text, time_text};
use crate::dialect::Dialect;
use crate::driver::mysql;
use crate::table::ColumnKind;

/// What a column is, for the form of its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form<'a> {
    pub(super) dialect: Dialect,
    pub(super) kind: &'a ColumnKind,
    pub(super) clock: &'a WallClock,
}

impl Form<'_> {
    /// What a database would take and make something else of.
    pub(super) fn check(self, cell: &Cell<'_>) -> Result<(), String> {
        let (finite, nan) = match cell {
            Cell::Float32(value) => (value.is_finite(), value.is_nan()),
            Cell::Float64(value) => (value.is_finite(), value.is_nan()),
            _ => (true, false),
        };
        // Drivers of PostgreSQL and its kin end a text at a NUL without a word.
        let ended = matches!(cell, Cell::Text(text) if text.contains('\0'));
        if ended && (self.dialect.is_postgres() || self.dialect == Dialect::Vertica) {
            return Err("a text with a NUL".to_owned());
        }
        cell.check_unit(self.kind)?;
        if !finite && self.dialect.is_mysql() {
            return Err("NaN or an infinity, which MySQL has not".to_owned());
        }
        if nan && self.dialect == Dialect::Sqlite {
            return Err("NaN, which SQLite has not".to_owned());
        }
        Ok(())
    }

    /// Whether numbers are bound as numbers.
    pub(super) fn takes_numbers(self) -> bool {
        !matches!(
            self.kind,
            ColumnKind::Text
                | ColumnKind::Json
                | ColumnKind::JsonBinary
                | ColumnKind::Uuid
                | ColumnKind::Bytes
                | ColumnKind::Interval
                | ColumnKind::Point
                | ColumnKind::Geometry
                | ColumnKind::Array(..)
        )
    }

    /// PostgreSQL's driver writes floats with 15 digits: a text has all of them.
    pub(super) fn takes_floats(self) -> bool {
        !self.dialect.is_postgres()
    }

    pub(super) fn int(self, cell: &Cell<'_>) -> Option<i64> {
        if self.dialect == Dialect::Oracle {
            // Its driver knows no integers of 64 bits.
            return None;
        }
        let millis = self.dialect == Dialect::Sqlite && !self.is_temporal();
        match cell {
            Cell::Bool(value) if self.kind != &ColumnKind::Boolean => Some(i64::from(*value)),
            Cell::Int(value) => Some(*value),
            Cell::Duration(micros) => Some(*micros),
            Cell::UInt(value) => i64::try_from(*value).ok(),
            // As sqlite-jdbc writes them.
            Cell::Date(days) if millis => Some(i64::from(*days).saturating_mul(86_400_000)),
            Cell::Time(micros) if millis => Some(micros.div_euclid(1000)),
            Cell::Local(at) | Cell::Instant(at) if millis => Some(at.div_euclid(1000)),
            _ => None,
        }
    }

    /// What is bound as bytes.
    pub(super) fn bytes<'c>(self, cell: &'c Cell<'_>) -> Option<Cow<'c, [u8]>> {
        match (cell, self.kind) {
            (Cell::Bytes(bytes), _) => Some(Cow::Borrowed(bytes)),
            (Cell::Geometry(geometry), ColumnKind::Geometry) => Some(Cow::Owned(geometry.of_mysql())),
            (Cell::Geometry(geometry), ColumnKind::Bytes) => Some(Cow::Borrowed(geometry.wkb())),
            (Cell::Text(text), ColumnKind::Bits) => mysql::bits(text).map(Cow::Owned),
            _ => None,
        }
    }

    fn is_temporal(self) -> bool {
        matches!(
            self.kind,
            ColumnKind::Date | ColumnKind::Time | ColumnKind::Timestamp | ColumnKind::TimestampTz
        )
    }

    pub(super) fn date(self, cell: &Cell<'_>) -> Option<Date> {
        match cell {
            Cell::Date(days) if matches!(self.kind, ColumnKind::Date | ColumnKind::Other) => {
                let (year, month, day) = parts((*days).into())?;
                Some(Date { year, month, day })
            }
            _ => None,
        }
    }

    pub(super) fn time(self, cell: &Cell<'_>) -> Option<Time> {
        match cell {
            // ODBC's structure has no fractions.
            Cell::Time(micros) if self.kind == &ColumnKind::Time && micros % 1_000_000 == 0 => {
                let seconds = u16::try_from(micros / 1_000_000 % 60).ok()?;
                let minutes = u16::try_from(micros / 60_000_000 % 60).ok()?;
                let hour = u16::try_from(micros / 3_600_000_000).ok().filter(|hour| *hour < 24)?;
                Some(Time { hour, minute: minutes, second: seconds })
            }
            _ => None,
        }
    }

    pub(super) fn timestamp(self, cell: &Cell<'_>) -> Option<Timestamp> {
        if !matches!(self.kind, ColumnKind::Timestamp | ColumnKind::TimestampTz | ColumnKind::Other) {
            return None;
        }
        let local = match cell {
            Cell::Date(days) if self.kind != &ColumnKind::Other => {
                i64::from(*days).checked_mul(DAY_MICROS)?
            }
            // A DATE of Oracle's that holds a time of day.
            Cell::Time(micros) if self.kind == &ColumnKind::Timestamp => *micros,
            _ => self.reading(cell)?,
        };
        let (year, month, day) = parts(local.div_euclid(DAY_MICROS))?;
        let of_day = local.rem_euclid(DAY_MICROS);
        let part = |unit: i64, of: i64| u16::try_from(of_day / unit % of).ok();
        Some(Timestamp {
            year,
            month,
            day,
            hour: part(3_600_000_000, 24)?,
            minute: part(60_000_000, 60)?,
            second: part(1_000_000, 60)?,
            fraction: u32::try_from(of_day % 1_000_000 * 1000).ok()?,
        })
    }

    /// What a clock shows: that of UTC for columns that have a zone (the session's is UTC), else the configured one.
    fn reading(self, cell: &Cell<'_>) -> Option<i64> {
        let zoned = self.kind == &ColumnKind::TimestampTz;
        match cell {
            Cell::Local(local) if zoned => Some(self.clock.instant(*local)),
            Cell::Local(local) => Some(*local),
            Cell::Instant(instant) if zoned => Some(*instant),
            Cell::Instant(instant) => Some(self.clock.local(*instant)),
            _ => None,
        }
    }

    pub(super) fn text<'c>(self, cell: &'c Cell<'_>) -> Result<Option<Cow<'c, str>>, String> {
        let dates = |text: String| {
            // Where the year needs more than four digits, or is before Christ, PostgreSQL alone reads it.
            if self.dialect.is_postgres() || text.as_bytes().get(4) == Some(&b'-') && !text.ends_with("BC") {
                Ok(Some(Cow::Owned(text)))
            } else {
                Err(format!("{text}, which is out of the range of dates"))
            }
        };
        let float = |finite: String, value: f64| {
            if value.is_finite() {
                finite
            } else if value.is_nan() {
                "NaN".to_owned()
            } else if value > 0.0 {
                "Infinity".to_owned()
            } else {
                "-Infinity".to_owned()
            }
        };
        Ok(Some(match cell {
            Cell::Null => return Ok(None),
            Cell::Bool(value) if self.takes_numbers() => Cow::Borrowed(if *value { "1" } else { "0" }),
            Cell::Bool(value) => Cow::Borrowed(if *value { "true" } else { "false" }),
            Cell::Int(value) => Cow::Owned(value.to_string()),
            Cell::UInt(value) => Cow::Owned(value.to_string()),
            Cell::Float32(value) => Cow::Owned(float(value.to_string(), (*value).into())),
            Cell::Float64(value) => Cow::Owned(float(value.to_string(), *value)),
            Cell::Text(text) if self.dialect.is_mysql() && self.kind == &ColumnKind::Time => {
                mysql::wall_time(text, self.clock)
            }
            Cell::Text(text) => Cow::Borrowed(text),
            Cell::Bytes(bytes) => {
                let text = std::str::from_utf8(bytes);
                Cow::Borrowed(text.map_err(|_| "bytes that are no text".to_owned())?)
            }
            Cell::Decimal(value) => Cow::Owned(decimal_text(value).ok_or("a number with too many digits")?),
            Cell::Date(days) => return dates(date_text((*days).into())),
            Cell::Time(micros) => Cow::Owned(time_text(*micros)),
            Cell::Local(_) | Cell::Instant(_) => {
                let mut text = datetime_text(self.reading(cell).unwrap_or_default());
                if self.kind == &ColumnKind::TimestampTz
                    && self.dialect.is_postgres()
                    && !text.ends_with("BC")
                {
                    text.push_str("+00");
                }
                return dates(text);
            }
            Cell::Duration(micros) if self.kind == &ColumnKind::Interval => {
                Cow::Owned(format!("{micros} microseconds"))
            }
            Cell::Duration(micros) => Cow::Owned(micros.to_string()),
            Cell::Forever { negative } if self.dialect.is_postgres() => {
                Cow::Borrowed(if *negative { "-infinity" } else { "infinity" })
            }
            Cell::Forever { negative }
                if self.dialect.is_mysql() && self.kind == &ColumnKind::TimestampTz =>
            {
                Cow::Borrowed(mysql::end_of_time(*negative))
            }
            Cell::Forever { .. } => return Err("an infinity, which this database has not".to_owned()),
            Cell::Geometry(geometry) if self.kind == &ColumnKind::Point => match geometry.point() {
                Some((x, y)) => Cow::Owned(format!("({x},{y})")),
                None => return Err("a geometry that did not come as a point".to_owned()),
            },
            Cell::Geometry(geometry) if self.dialect.is_postgres() => Cow::Owned(geometry.ewkb()),
            Cell::Geometry(_) => return Err("a geometry".to_owned()),
            Cell::Array(items) if self.dialect.is_postgres() => Cow::Owned(self.array(items)?),
            Cell::Array(_) => return Err("an array".to_owned()),
        }))
    }

    /// PostgreSQL's text of an array.
    fn array(self, items: &[Cell<'_>]) -> Result<String, String> {
        let mut out = String::from("{");
        for (at, item) in items.iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            if let Cell::Bytes(bytes) = item {
                out.push_str("\"\\\\x");
                bytes.iter().for_each(|byte| out.push_str(&format!("{byte:02x}")));
                out.push('"');
                continue;
            }
            match self.text(item)? {
                None => out.push_str("NULL"),
                Some(text) => {
                    out.push('"');
                    for c in text.chars() {
                        if c == '"' || c == '\\' {
                            out.push('\\');
                        }
                        out.push(c);
                    }
                    out.push('"');
                }
            }
        }
        out.push('}');
        Ok(out)
    }
}

/// Year, month and day, where the year is one that every database has.
fn parts(days: i64) -> Option<(i16, u16, u16)> {
    let (year, month, day) = civil_from_days(days);
    let year = i16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
    Some((year, u16::try_from(month).ok()?, u16::try_from(day).ok()?))
}
