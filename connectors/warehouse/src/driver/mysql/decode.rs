//! Values of an answer, from their binary forms.

use std::borrow::Cow;

use lavka_api::data::Decimal;
use sqlx::mysql::MySqlRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::failed;
use crate::data::Cell;
use crate::driver::{Failure, FailureKind, Head, Heads};
use crate::table::{ColumnKind, ColumnType};

/// The kind of a type by its name.
pub(super) fn kind_of(data_type: &str, unsigned: bool) -> ColumnKind {
    match data_type {
        "tinyint" if !unsigned => ColumnKind::Int8,
        "tinyint" | "smallint" if data_type == "tinyint" || !unsigned => ColumnKind::Int16,
        "year" => ColumnKind::Int16,
        "smallint" | "mediumint" => ColumnKind::Int32,
        "int" | "integer" if !unsigned => ColumnKind::Int32,
        "int" | "integer" => ColumnKind::Int64,
        "bigint" if !unsigned => ColumnKind::Int64,
        "bigint" => ColumnKind::UInt64,
        "boolean" | "bool" => ColumnKind::Boolean,
        "float" => ColumnKind::Float32,
        "double" | "real" => ColumnKind::Float64,
        "decimal" | "numeric" => ColumnKind::Numeric,
        "date" => ColumnKind::Date,
        "time" => ColumnKind::Time,
        "datetime" => ColumnKind::Timestamp,
        "timestamp" => ColumnKind::TimestampTz,
        "json" => ColumnKind::Json,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ColumnKind::Bytes,
        "bit" => ColumnKind::Bits,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => ColumnKind::Geometry,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" | "set" => {
            ColumnKind::Text
        }
        _ => ColumnKind::Other,
    }
}

/// The kind of a column whose values are bytes to a driver.
pub(in super::super) fn kind_of_bytes(data_type: &str) -> ColumnKind {
    match kind_of(data_type, false) {
        kind @ (ColumnKind::Geometry | ColumnKind::Bits) => kind,
        _ => ColumnKind::Bytes,
    }
}

/// The columns of an answer.
pub(super) fn heads(row: &MySqlRow) -> Heads {
    row.columns()
        .iter()
        .map(|column| {
            let name = column.type_info().name().to_ascii_lowercase();
            let unsigned = name.contains("unsigned");
            let base = name.split(' ').next().unwrap_or_default();
            let kind = kind_of(base, unsigned);
            Head {
                name: column.name().to_owned(),
                ty: ColumnType { name, kind, oid: 0, digits: None },
                nullable: None,
            }
        })
        .collect()
}

/// The cells of a row.
///
/// # Errors
/// Where a value is of another form than its type.
pub(super) fn cells(row: &MySqlRow, heads: &[Head]) -> Result<Vec<Cell<'static>>, Failure> {
    heads
        .iter()
        .enumerate()
        .map(|(at, head)| {
            // Zero dates are null, as with zeroDateTimeBehavior=convertToNull.
            if row.try_get_raw(at).map_err(failed)?.is_null() {
                return Ok(Cell::Null);
            }
            cell(row, at, &head.ty.kind).map_err(|failure| failure.at(&format!("column {}", head.name)))
        })
        .collect()
}

fn cell(row: &MySqlRow, at: usize, kind: &ColumnKind) -> Result<Cell<'static>, Failure> {
    let int = || row.try_get_unchecked::<i64, _>(at).map(Cell::Int).map_err(failed);
    let text = || row.try_get_unchecked::<String, _>(at).map_err(failed);
    let bytes = || row.try_get_unchecked::<Vec<u8>, _>(at).map_err(failed);
    let bad = || Failure::new(FailureKind::Other, "a value of another form than its type");
    Ok(match kind {
        ColumnKind::Boolean
        | ColumnKind::Int8
        | ColumnKind::Int16
        | ColumnKind::Int32
        | ColumnKind::Int64 => int()?,
        ColumnKind::UInt64 => Cell::UInt(row.try_get_unchecked::<u64, _>(at).map_err(failed)?),
        ColumnKind::Float32 => Cell::Float32(row.try_get_unchecked::<f32, _>(at).map_err(failed)?),
        ColumnKind::Float64 => Cell::Float64(row.try_get_unchecked::<f64, _>(at).map_err(failed)?),
        ColumnKind::Numeric => Cell::Decimal(Cow::Owned(Decimal::parse(&text()?).ok_or_else(bad)?)),
        ColumnKind::Date => {
            let local = moment(&bytes()?).ok_or_else(bad)?;
            Cell::Date(i32::try_from(local.div_euclid(86_400_000_000)).map_err(|_| bad())?)
        }
        ColumnKind::Timestamp => Cell::Local(moment(&bytes()?).ok_or_else(bad)?),
        ColumnKind::TimestampTz => Cell::Instant(moment(&bytes()?).ok_or_else(bad)?),
        ColumnKind::Time => Cell::Time(duration(&bytes()?).ok_or_else(bad)?),
        ColumnKind::Bytes | ColumnKind::Bits | ColumnKind::Geometry => Cell::Bytes(Cow::Owned(bytes()?)),
        _ => Cell::Text(Cow::Owned(text()?)),
    })
}

/// The binary form of a date with or without a time: a length, year, month, day, hour, minute, second, microseconds.
fn moment(bytes: &[u8]) -> Option<i64> {
    let (length, fields) = bytes.split_first()?;
    let fields = fields.get(..usize::from(*length))?;
    if fields.len() < 4 {
        return None;
    }
    let year = u16::from_le_bytes([*fields.first()?, *fields.get(1)?]);
    let at = |at: usize| i64::from(fields.get(at).copied().unwrap_or(0));
    let micros = fields.get(7..11).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes);
    let text = format!("{year:04}-{:02}-{:02}", at(2), at(3));
    let (day, _) = crate::data::parse_datetime(&text)?;
    Some(day + (at(4) * 3600 + at(5) * 60 + at(6)) * 1_000_000 + i64::from(micros))
}

/// The binary form of a time: a length, the sign, days, hour, minute, second, microseconds.
fn duration(bytes: &[u8]) -> Option<i64> {
    let (length, fields) = bytes.split_first()?;
    let fields = fields.get(..usize::from(*length))?;
    if fields.is_empty() {
        return Some(0);
    }
    let negative = *fields.first()? != 0;
    let days = i64::from(u32::from_le_bytes(fields.get(1..5)?.try_into().ok()?));
    let at = |at: usize| i64::from(fields.get(at).copied().unwrap_or(0));
    let micros = fields.get(8..12).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes);
    // The server's longest is 838 hours.
    let hours = days.checked_mul(24).filter(|hours| *hours <= 24_000)? + at(5);
    let total = (hours * 3600 + at(6) * 60 + at(7)) * 1_000_000 + i64::from(micros);
    Some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_moments_are_read_and_never_panic() {
        assert_eq!(moment(&[4, 0xb2, 7, 1, 2]), Some(86_400_000_000));
        assert_eq!(moment(&[11, 0xb2, 7, 1, 1, 0, 0, 1, 5, 0, 0, 0]), Some(1_000_005));
        assert_eq!(duration(&[8, 1, 0, 0, 0, 0, 1, 0, 0]), Some(-3_600_000_000));
        for length in 0..16 {
            for fill in [0, 4, 12, 0xff] {
                let _ = (moment(&vec![fill; length]), duration(&vec![fill; length]));
            }
        }
    }
}
