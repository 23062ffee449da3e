//! Rows of an answer, value by value and each one whole: what does not fit a buffer is asked for again.

use std::borrow::Cow;

use lavka_api::data::Decimal;
use lavka_api::java::days_from_civil;
use odbc_api::handles::{ColumnDescription, Nullability};
use odbc_api::sys::{Date, SqlDataType, Timestamp};
use odbc_api::{Bit, CursorRow, DataType, Error, Nullable};

use crate::data::{Cell, parse_datetime, parse_time};
use crate::dialect::Dialect;
use crate::driver::{Failure, FailureKind, Head};
use crate::table::{ColumnKind, ColumnType};

/// SQL Server's `datetimeoffset` (`SQL_SS_TIMESTAMPOFFSET`) and `time` with fractions (`SQL_SS_TIME2`), PostgreSQL's and
/// SQL Server's UUIDs (`SQL_GUID`).
const TIMESTAMP_OFFSET: i16 = -155;
const TIME2: i16 = -154;
const GUID: i16 = -11;
/// PostgreSQL's name of its type.
const UUID: &str = "uuid";
/// `SQL_DATE`, `SQL_TIME` and `SQL_TIMESTAMP` of ODBC 2.
const OLD_DATE: i16 = 9;
const OLD_TIME: i16 = 10;
const OLD_TIMESTAMP: i16 = 11;

/// What a column of a type holds.
pub(super) fn kind(ty: DataType) -> ColumnKind {
    match ty {
        DataType::Bit => ColumnKind::Boolean,
        DataType::TinyInt => ColumnKind::Int8,
        DataType::SmallInt => ColumnKind::Int16,
        DataType::Integer => ColumnKind::Int32,
        DataType::BigInt => ColumnKind::Int64,
        DataType::Real => ColumnKind::Float32,
        DataType::Float { .. } | DataType::Double => ColumnKind::Float64,
        DataType::Numeric { .. } | DataType::Decimal { .. } => ColumnKind::Numeric,
        DataType::Binary { .. } | DataType::Varbinary { .. } | DataType::LongVarbinary { .. } => {
            ColumnKind::Bytes
        }
        DataType::Date => ColumnKind::Date,
        DataType::Time { .. } => ColumnKind::Time,
        DataType::Timestamp { .. } => ColumnKind::Timestamp,
        DataType::Char { .. }
        | DataType::WChar { .. }
        | DataType::Varchar { .. }
        | DataType::WVarchar { .. }
        | DataType::LongVarchar { .. }
        | DataType::WLongVarchar { .. } => ColumnKind::Text,
        DataType::Other { data_type: SqlDataType(TIMESTAMP_OFFSET), .. } => ColumnKind::TimestampTz,
        DataType::Other { data_type: SqlDataType(TIME2 | OLD_TIME), .. } => ColumnKind::Time,
        DataType::Other { data_type: SqlDataType(OLD_DATE), .. } => ColumnKind::Date,
        DataType::Other { data_type: SqlDataType(OLD_TIMESTAMP), .. } => ColumnKind::Timestamp,
        DataType::Other { data_type: SqlDataType(GUID), .. } => ColumnKind::Uuid,
        DataType::Unknown | DataType::Other { .. } => ColumnKind::Other,
    }
}

/// Digits, and those behind the point, of a number whose column declares them.
pub(super) fn digits(dialect: Dialect, ty: DataType) -> Option<(i32, i32)> {
    match ty {
        // What PostgreSQL's driver says of numbers whose column declares nothing.
        DataType::Numeric { precision: 28, scale: 6 } if dialect.is_postgres() => None,
        DataType::Numeric { precision, scale } | DataType::Decimal { precision, scale } => {
            Some((i32::try_from(precision).ok()?, scale.into())).filter(|(precision, _)| *precision > 0)
        }
        _ => None,
    }
}

/// A column of an answer. `unsigned` is what the driver says of a number.
pub(super) fn head(dialect: Dialect, name: String, column: &ColumnDescription, unsigned: bool) -> Head {
    let kind = match kind(column.data_type) {
        ColumnKind::Int64 if unsigned => ColumnKind::UInt64,
        // The next larger one holds it.
        ColumnKind::Int32 if unsigned => ColumnKind::Int64,
        ColumnKind::Int16 if unsigned => ColumnKind::Int32,
        ColumnKind::Int8 if unsigned => ColumnKind::Int16,
        kind => kind,
    };
    let name_of_type = if dialect.is_postgres() && kind == ColumnKind::Uuid { UUID } else { "" };
    let digits = digits(dialect, column.data_type);
    let ty = ColumnType { name: name_of_type.to_owned(), kind, oid: 0, digits };
    let nullable = match column.nullability {
        Nullability::Nullable => Some(true),
        Nullability::NoNulls => Some(false),
        Nullability::Unknown => None,
    };
    Head { name, ty, nullable }
}

/// Space that the values of a row are read into.
#[derive(Default)]
pub(super) struct Space {
    text: Vec<u16>,
    bytes: Vec<u8>,
}

/// Why a value could not be read.
pub(super) enum Unread {
    Odbc(Error),
    Value(Failure),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Odbc(error)
    }
}

/// The value in the column at `at`, counted from 1.
pub(super) fn cell(
    row: &mut CursorRow<'_>,
    at: u16,
    head: &Head,
    space: &mut Space,
) -> Result<Cell<'static>, Unread> {
    Ok(match head.ty.kind {
        ColumnKind::Boolean => {
            let mut value = Nullable::<Bit>::null();
            row.get_data(at, &mut value)?;
            value.into_opt().map_or(Cell::Null, |value| Cell::Bool(value.as_bool()))
        }
        ColumnKind::Int8 | ColumnKind::Int16 | ColumnKind::Int32 | ColumnKind::Int64 => {
            let mut value = Nullable::<i64>::null();
            row.get_data(at, &mut value)?;
            value.into_opt().map_or(Cell::Null, Cell::Int)
        }
        ColumnKind::Float32 => {
            let mut value = Nullable::<f32>::null();
            row.get_data(at, &mut value)?;
            value.into_opt().map_or(Cell::Null, Cell::Float32)
        }
        ColumnKind::Float64 => {
            let mut value = Nullable::<f64>::null();
            row.get_data(at, &mut value)?;
            value.into_opt().map_or(Cell::Null, Cell::Float64)
        }
        ColumnKind::Date => {
            let mut value = Nullable::<Date>::null();
            row.get_data(at, &mut value)?;
            match value.into_opt() {
                None => Cell::Null,
                Some(date) => match day(head, date.year, date.month, date.day)? {
                    Some(days) => Cell::Date(i32::try_from(days).map_err(|_| bad(head, "no date"))?),
                    None => Cell::Null,
                },
            }
        }
        ColumnKind::Timestamp => {
            let mut value = Nullable::<Timestamp>::null();
            row.get_data(at, &mut value)?;
            match value.into_opt() {
                None => Cell::Null,
                Some(at) => match day(head, at.year, at.month, at.day)? {
                    Some(days) => Cell::Local(reading(days, at)),
                    None => Cell::Null,
                },
            }
        }
        ColumnKind::Bytes => {
            if !row.get_binary(at, &mut space.bytes)? {
                return Ok(Cell::Null);
            }
            Cell::Bytes(Cow::Owned(space.bytes.clone()))
        }
        _ => {
            if !row.get_wide_text(at, &mut space.text)? {
                return Ok(Cell::Null);
            }
            let text = String::from_utf16(&space.text).map_err(|_| bad(head, "no UTF-16"))?;
            textual(head, text)?
        }
    })
}

fn bad(head: &Head, what: &str) -> Unread {
    Unread::Value(Failure::new(
        FailureKind::Other,
        format!("column {} has a value that is {what}", head.name),
    ))
}

/// The value of a text by what its column holds.
fn textual(head: &Head, text: String) -> Result<Cell<'static>, Unread> {
    Ok(match head.ty.kind {
        ColumnKind::Numeric => {
            let value = Decimal::parse(text.trim()).ok_or_else(|| bad(head, "no number"))?;
            Cell::Decimal(Cow::Owned(value))
        }
        ColumnKind::UInt64 => {
            let value: u64 = text.trim().parse().map_err(|_| bad(head, "no number"))?;
            Cell::UInt(value)
        }
        // As the server and Java write it; its driver has capital letters.
        ColumnKind::Uuid if head.ty.name == UUID => Cell::Text(Cow::Owned(text.to_ascii_lowercase())),
        ColumnKind::Time => Cell::Time(parse_time(text.trim()).ok_or_else(|| bad(head, "no time"))?),
        ColumnKind::TimestampTz => {
            let (micros, zoned) = parse_datetime(text.trim()).ok_or_else(|| bad(head, "no timestamp"))?;
            if zoned { Cell::Instant(micros) } else { Cell::Local(micros) }
        }
        _ => Cell::Text(Cow::Owned(text)),
    })
}

/// Days since 1970. MySQL's date that is all zeros is no value, as its JDBC driver can be told to see it.
fn day(head: &Head, year: i16, month: u16, day: u16) -> Result<Option<i64>, Unread> {
    match (month, day) {
        (0, 0) if year == 0 => Ok(None),
        (1..=12, 1..=31) => Ok(Some(days_from_civil(year.into(), month.into(), day.into()))),
        _ => Err(bad(head, "no date")),
    }
}

/// Microseconds since 1970 of what a clock shows on a day.
fn reading(days: i64, at: Timestamp) -> i64 {
    let seconds = i64::from(at.hour) * 3600 + i64::from(at.minute) * 60 + i64::from(at.second);
    (days * 86_400 + seconds) * 1_000_000 + i64::from(at.fraction / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_read_back() {
        let at = Timestamp {
            year: 2024,
            month: 2,
            day: 29,
            hour: 12,
            minute: 30,
            second: 0,
            fraction: 500_001_999,
        };
        assert_eq!(reading(19_782, at), 1_709_209_800_500_001);
        let ty = ColumnType { name: String::new(), kind: ColumnKind::Date, oid: 0, digits: None };
        let head = Head { name: "d".to_owned(), ty, nullable: None };
        assert!(matches!(day(&head, 0, 0, 0), Ok(None)));
        for (year, month, of_month) in
            [(2024, 0, 10), (2024, 13, 1), (i16::MIN, u16::MAX, u16::MAX), (1, 1, 0)]
        {
            assert!(matches!(day(&head, year, month, of_month), Err(Unread::Value(_))), "{year} {month}");
        }
        assert_eq!(kind(DataType::new(SqlDataType(TIMESTAMP_OFFSET), 0, 0)), ColumnKind::TimestampTz);
    }
}
