//! Rows as columns of one C type each, as ODBC binds them.
//!
//! A column's form is chosen by what the table's column is and by the cells that are there: numbers as numbers where all of
//! them are, dates and times as ODBC's structures where these can hold them, the rest as text, which every database reads.
//! Buffers are as long as the longest cell, so nothing is ever cut; how many rows go together is bounded in bytes.

use std::borrow::Cow;
use std::num::NonZeroUsize;

use lavka_api::java::civil_from_days;
use odbc_api::buffers::BufferDesc;
use odbc_api::sys::{Date, Time, Timestamp};
use odbc_api::{BindParamDesc, Bit, DataType};

use crate::data::{Cell, DAY_MICROS, WallClock, date_text, datetime_text, decimal_text, time_text};
use crate::dialect::Dialect;
use crate::driver::mysql;
use crate::table::ColumnKind;

/// Rows that go together at most.
const MAX_ROWS: usize = 4096;
/// Bytes that the buffers of rows that go together take at most, unless one row alone takes more.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// The longest text that is bound as `VARCHAR`, and not as a long one.
const MAX_VARCHAR: usize = 4000;
/// Digits of a number that databases take as one.
const MAX_DIGITS: usize = 38;

/// How the values of a column are bound.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Bit(Vec<Option<Bit>>),
    Int(Vec<Option<i64>>),
    Float32(Vec<Option<f32>>),
    Float64(Vec<Option<f64>>),
    Date(Vec<Option<Date>>),
    Time(Vec<Option<Time>>),
    Timestamp(Vec<Option<Timestamp>>),
    Text(Pieces<u16>, TextType),
    Bytes(Pieces<u8>),
}

/// What the texts of a column stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextType {
    Text,
    /// Numbers with so many digits and so many of them behind the point.
    Decimal(usize, usize),
}

/// Values of different lengths behind one another.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces<T> {
    units: Vec<T>,
    /// Where each begins and ends.
    places: Vec<Option<(usize, usize)>>,
    pub(super) longest: usize,
}

impl<T> Pieces<T> {
    fn push(&mut self, piece: Option<impl Iterator<Item = T>>) {
        let place = piece.map(|piece| {
            let start = self.units.len();
            self.units.extend(piece);
            self.longest = self.longest.max(self.units.len() - start);
            (start, self.units.len())
        });
        self.places.push(place);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Option<&[T]>> {
        self.places.iter().map(|place| place.and_then(|(start, end)| self.units.get(start..end)))
    }
}

/// What a column is, for the form of its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form<'a> {
    pub(super) dialect: Dialect,
    pub(super) kind: &'a ColumnKind,
    pub(super) clock: &'a WallClock,
}

/// How many of the rows of `width` cells in `cells` go together, at least one.
pub(super) fn fitting(cells: &[Cell<'_>], width: usize) -> usize {
    let width = width.max(1);
    let mut longest = vec![0_usize; width];
    let mut count = 0;
    for row in cells.chunks(width).take(MAX_ROWS) {
        for (longest, cell) in longest.iter_mut().zip(row) {
            // UTF-16 takes at most two bytes for each of UTF-8.
            *longest = cell.size().saturating_mul(2).max(*longest);
        }
        let bytes = longest.iter().fold(0_usize, |sum, longest| sum.saturating_add(*longest));
        if count > 0 && bytes.saturating_mul(count + 1) > MAX_BYTES {
            break;
        }
        count += 1;
    }
    count.max(1)
}

/// The values of a column.
///
/// # Errors
/// The row whose cell cannot be held, and what it is.
pub(super) fn column<'c, 'a: 'c>(
    form: Form<'_>,
    cells: impl Iterator<Item = &'c Cell<'a>> + Clone,
) -> Result<Values, (usize, String)> {
    for (row, cell) in cells.clone().enumerate() {
        form.check(cell).map_err(|why| (row, why))?;
    }
    if cells.clone().all(Cell::is_null) {
        return Ok(Values::nulls(form.kind, cells.count()));
    }
    let all = |fits: &dyn Fn(&Cell<'_>) -> bool| cells.clone().all(|cell| cell.is_null() || fits(cell));
    if form.kind == &ColumnKind::Boolean && all(&|cell| matches!(cell, Cell::Bool(_))) {
        let bit = |cell: &Cell<'_>| match cell {
            Cell::Bool(value) => Some(Bit::from_bool(*value)),
            _ => None,
        };
        return Ok(Values::Bit(cells.map(bit).collect()));
    }
    if form.takes_numbers() && all(&|cell| form.int(cell).is_some()) {
        return Ok(Values::Int(cells.map(|cell| form.int(cell)).collect()));
    }
    if form.takes_numbers() && form.takes_floats() {
        if all(&|cell| matches!(cell, Cell::Float32(_))) {
            let float = |cell: &Cell<'_>| if let Cell::Float32(value) = cell { Some(*value) } else { None };
            return Ok(Values::Float32(cells.map(float).collect()));
        }
        if all(&|cell| matches!(cell, Cell::Float64(_))) {
            let float = |cell: &Cell<'_>| if let Cell::Float64(value) = cell { Some(*value) } else { None };
            return Ok(Values::Float64(cells.map(float).collect()));
        }
    }
    if all(&|cell| form.date(cell).is_some()) {
        return Ok(Values::Date(cells.map(|cell| form.date(cell)).collect()));
    }
    if all(&|cell| form.time(cell).is_some()) {
        return Ok(Values::Time(cells.map(|cell| form.time(cell)).collect()));
    }
    if all(&|cell| form.timestamp(cell).is_some()) {
        return Ok(Values::Timestamp(cells.map(|cell| form.timestamp(cell)).collect()));
    }
    if all(&|cell| form.bytes(cell).is_some()) {
        let mut pieces = Pieces::default();
        for cell in cells {
            let bytes = form.bytes(cell);
            pieces.push(bytes.as_deref().map(|bytes| bytes.iter().copied()));
        }
        return Ok(Values::Bytes(pieces));
    }
    texts(form, cells)
}

fn texts<'c, 'a: 'c>(
    form: Form<'_>,
    cells: impl Iterator<Item = &'c Cell<'a>>,
) -> Result<Values, (usize, String)> {
    let mut pieces = Pieces::default();
    let (mut whole, mut scale, mut numbers) = (1, 0, true);
    for (row, cell) in cells.enumerate() {
        let text = form.text(cell).map_err(|why| (row, why))?;
        if let Some(text) = &text {
            numbers &= matches!(cell, Cell::Decimal(_) | Cell::Int(_) | Cell::UInt(_));
            let digits = text.trim_start_matches('-');
            let (before, behind) = digits.split_once('.').unwrap_or((digits, ""));
            whole = whole.max(before.len());
            scale = scale.max(behind.len());
        }
        pieces.push(text.as_deref().map(str::encode_utf16));
    }
    let decimals = numbers && pieces.longest > 0 && whole + scale <= MAX_DIGITS && form.takes_numbers();
    let ty = if decimals { TextType::Decimal(whole + scale, scale) } else { TextType::Text };
    Ok(Values::Text(pieces, ty))
}

impl Form<'_> {
    /// What a database would take and make something else of.
    fn check(self, cell: &Cell<'_>) -> Result<(), String> {
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
    fn takes_numbers(self) -> bool {
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
    fn takes_floats(self) -> bool {
        !self.dialect.is_postgres()
    }

    fn int(self, cell: &Cell<'_>) -> Option<i64> {
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
    fn bytes<'c>(self, cell: &'c Cell<'_>) -> Option<Cow<'c, [u8]>> {
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

    fn date(self, cell: &Cell<'_>) -> Option<Date> {
        match cell {
            Cell::Date(days) if matches!(self.kind, ColumnKind::Date | ColumnKind::Other) => {
                let (year, month, day) = parts((*days).into())?;
                Some(Date { year, month, day })
            }
            _ => None,
        }
    }

    fn time(self, cell: &Cell<'_>) -> Option<Time> {
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

    fn timestamp(self, cell: &Cell<'_>) -> Option<Timestamp> {
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

    fn text<'c>(self, cell: &'c Cell<'_>) -> Result<Option<Cow<'c, str>>, String> {
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

impl Values {
    /// One text.
    pub(super) fn text(text: &str) -> Self {
        let mut pieces = Pieces::default();
        pieces.push(Some(text.encode_utf16()));
        Values::Text(pieces, TextType::Text)
    }

    /// Nothing but nulls, of the column's own type.
    fn nulls(kind: &ColumnKind, count: usize) -> Self {
        let pieces = || (0..count).map(|_| None);
        match kind {
            ColumnKind::Boolean => Values::Bit(vec![None; count]),
            ColumnKind::Int8
            | ColumnKind::Int16
            | ColumnKind::Int32
            | ColumnKind::Float64
            | ColumnKind::Float32 => Values::Float64(vec![None; count]),
            ColumnKind::Date => Values::Date(vec![None; count]),
            ColumnKind::Time => Values::Time(vec![None; count]),
            ColumnKind::Timestamp | ColumnKind::TimestampTz => Values::Timestamp(vec![None; count]),
            ColumnKind::Bytes | ColumnKind::Geometry | ColumnKind::Bits => {
                Values::Bytes(Pieces { places: pieces().collect(), ..Pieces::default() })
            }
            _ => Values::Text(Pieces { places: pieces().collect(), ..Pieces::default() }, TextType::Text),
        }
    }

    /// How the buffer is made and bound.
    pub(super) fn description(&self) -> BindParamDesc {
        let nullable = true;
        let bound = |buffer_desc, data_type| BindParamDesc { buffer_desc, data_type };
        match self {
            Values::Bit(_) => bound(BufferDesc::Bit { nullable }, DataType::Bit),
            Values::Int(_) => bound(BufferDesc::I64 { nullable }, DataType::BigInt),
            Values::Float32(_) => bound(BufferDesc::F32 { nullable }, DataType::Real),
            Values::Float64(_) => bound(BufferDesc::F64 { nullable }, DataType::Double),
            Values::Date(_) => bound(BufferDesc::Date { nullable }, DataType::Date),
            Values::Time(_) => bound(BufferDesc::Time { nullable }, DataType::Time { precision: 0 }),
            Values::Timestamp(_) => {
                bound(BufferDesc::Timestamp { nullable }, DataType::Timestamp { precision: 6 })
            }
            Values::Text(pieces, ty) => {
                let max_str_len = pieces.longest.max(1);
                let length = NonZeroUsize::new(max_str_len);
                let data_type = match *ty {
                    TextType::Decimal(precision, scale) => {
                        DataType::Numeric { precision, scale: i16::try_from(scale).unwrap_or(0) }
                    }
                    TextType::Text if max_str_len <= MAX_VARCHAR => DataType::WVarchar { length },
                    TextType::Text => DataType::WLongVarchar { length },
                };
                bound(BufferDesc::WText { max_str_len }, data_type)
            }
            Values::Bytes(pieces) => {
                let max_bytes = pieces.longest.max(1);
                let length = NonZeroUsize::new(max_bytes);
                let data_type = if max_bytes <= MAX_VARCHAR {
                    DataType::Varbinary { length }
                } else {
                    DataType::LongVarbinary { length }
                };
                bound(BufferDesc::Binary { max_bytes }, data_type)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(dialect: Dialect, kind: &ColumnKind, cells: &[Cell<'_>]) -> String {
        let clock = WallClock::utc();
        match column(Form { dialect, kind, clock: &clock }, cells.iter()) {
            Ok(Values::Text(pieces, ty)) => {
                let texts: Vec<Option<String>> =
                    pieces.iter().map(|piece| piece.map(String::from_utf16_lossy)).collect();
                format!("{ty:?} {texts:?}")
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn cells_choose_the_form_of_their_column() {
        let decimal = |text: &str| Cell::Decimal(Cow::Owned(lavka_api::data::Decimal::parse(text).unwrap()));
        let (numeric, text) = (ColumnKind::Numeric, ColumnKind::Text);
        for (dialect, kind, cells, expected) in [
            (Dialect::SqlServer, &numeric, vec![Cell::Int(1), Cell::Null], "Ok(Int([Some(1), None]))"),
            (Dialect::Oracle, &numeric, vec![Cell::Int(-17)], "Decimal(2, 0) [Some(\"-17\")]"),
            (
                Dialect::Db2,
                &numeric,
                vec![decimal("-12.50"), decimal("3")],
                "Decimal(4, 2) [Some(\"-12.50\"), Some(\"3\")]",
            ),
            (Dialect::Db2, &text, vec![Cell::Int(7)], "Text [Some(\"7\")]"),
            (Dialect::Db2, &text, vec![Cell::Null], "Text [None]"),
            (Dialect::Db2, &ColumnKind::Date, vec![Cell::Null], "Ok(Date([None]))"),
            (Dialect::Postgres, &ColumnKind::Float64, vec![Cell::Float64(0.1)], "Text [Some(\"0.1\")]"),
            (Dialect::Oracle, &ColumnKind::Float64, vec![Cell::Float64(0.5)], "Ok(Float64([Some(0.5)]))"),
            (
                Dialect::Sqlite,
                &numeric,
                vec![Cell::Date(1), Cell::Instant(1_500)],
                "Ok(Int([Some(86400000), Some(1)]))",
            ),
            (
                Dialect::Postgres,
                &ColumnKind::Array(Box::new(ColumnKind::Text), 0),
                vec![Cell::Array(vec![Cell::Null, Cell::Text("a\"\\".into())])],
                r#"Text [Some("{NULL,\"a\\\"\\\\\"}")]"#,
            ),
            (Dialect::Sqlite, &numeric, vec![Cell::Float64(f64::NAN)], "Err((0, \"NaN"),
            (Dialect::Oracle, &ColumnKind::Timestamp, vec![Cell::Instant(i64::MIN)], "Err((0, "),
            (
                Dialect::Oracle,
                &text,
                vec![Cell::Bytes([255][..].into()), Cell::Bool(true)],
                "Err((0, \"bytes",
            ),
        ] {
            let shown = shown(dialect, kind, &cells);
            assert!(shown.starts_with(expected), "{shown} is not {expected}");
        }
    }

    #[test]
    fn moments_become_structures() {
        let clock = WallClock::utc();
        let form = |kind| Form { dialect: Dialect::SqlServer, kind, clock: &clock };
        let at = form(&ColumnKind::Timestamp).timestamp(&Cell::Instant(1_709_209_800_500_001)).unwrap();
        assert_eq!((at.year, at.month, at.day, at.hour, at.minute), (2024, 2, 29, 12, 30));
        assert_eq!((at.second, at.fraction), (0, 500_001_000));
        assert_eq!(form(&ColumnKind::Date).date(&Cell::Date(-719_163)), None);
        assert_eq!(form(&ColumnKind::Time).time(&Cell::Time(86_400_000_000)), None);
        assert_eq!(form(&ColumnKind::Time).time(&Cell::Time(1)), None);
        assert!(form(&ColumnKind::Time).time(&Cell::Time(86_399_000_000)).is_some());
    }

    #[test]
    fn long_rows_go_in_small_numbers() {
        let long = "x".repeat(1024 * 1024);
        let cells: Vec<Cell<'_>> =
            (0..100).map(|row| Cell::Text(if row == 50 { &long } else { "x" }.into())).collect();
        assert_eq!(fitting(&cells, 1), 50);
        assert!(fitting(&cells[50..], 1) < 10);
        assert_eq!(fitting(&[], 0), 1);
        assert_eq!(fitting(&vec![Cell::Null; 10_000], 1), MAX_ROWS);
    }
}
