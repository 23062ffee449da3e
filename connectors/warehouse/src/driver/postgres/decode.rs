//! Values of an answer, from their binary forms.

use std::borrow::Cow;

use lavka_api::data::Decimal;
use num_bigint::BigInt;

use super::encode::{EPOCH_DAYS, EPOCH_MICROS};
use crate::data::Cell;
use crate::table::ColumnKind;

/// Most items that an array of an answer is read with.
const MAX_ITEMS: usize = 1 << 24;

/// The cell of a value that is not null.
///
/// # Errors
/// Where the bytes are not of that kind.
pub(super) fn cell(kind: &ColumnKind, bytes: &[u8]) -> Result<Cell<'static>, String> {
    let bad = || format!("{} bytes are no value of the column's type", bytes.len());
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec()).map(|text| Cell::Text(Cow::Owned(text))).map_err(|_| bad())
    };
    Ok(match kind {
        ColumnKind::Boolean => Cell::Bool(bytes.first().copied().ok_or_else(bad)? != 0),
        ColumnKind::Int8 | ColumnKind::Int16 => {
            Cell::Int(i16::from_be_bytes(bytes.try_into().map_err(|_| bad())?).into())
        }
        ColumnKind::Int32 => Cell::Int(i32::from_be_bytes(bytes.try_into().map_err(|_| bad())?).into()),
        ColumnKind::Int64 | ColumnKind::UInt64 => {
            Cell::Int(i64::from_be_bytes(bytes.try_into().map_err(|_| bad())?))
        }
        ColumnKind::Float32 => Cell::Float32(f32::from_be_bytes(bytes.try_into().map_err(|_| bad())?)),
        ColumnKind::Float64 => Cell::Float64(f64::from_be_bytes(bytes.try_into().map_err(|_| bad())?)),
        ColumnKind::Numeric => numeric(bytes).ok_or_else(bad)?,
        ColumnKind::Text | ColumnKind::Json => text(bytes)?,
        ColumnKind::JsonBinary => text(bytes.get(1..).ok_or_else(bad)?)?,
        ColumnKind::Bytes => Cell::Bytes(Cow::Owned(bytes.to_vec())),
        ColumnKind::Uuid => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let part = |from: usize, to: usize| hex.get(from..to).ok_or_else(bad);
            Cell::Text(Cow::Owned(format!(
                "{}-{}-{}-{}-{}",
                part(0, 8)?,
                part(8, 12)?,
                part(12, 16)?,
                part(16, 20)?,
                part(20, 32)?
            )))
        }
        ColumnKind::Date => {
            let days = i32::from_be_bytes(bytes.try_into().map_err(|_| bad())?);
            Cell::Date(days.saturating_add(EPOCH_DAYS))
        }
        ColumnKind::Time => Cell::Time(i64::from_be_bytes(bytes.try_into().map_err(|_| bad())?)),
        ColumnKind::Timestamp => Cell::Local(micros(bytes).ok_or_else(bad)?),
        ColumnKind::TimestampTz => Cell::Instant(micros(bytes).ok_or_else(bad)?),
        ColumnKind::Array(item, _) => Cell::Array(array(item, bytes)?),
        ColumnKind::Interval
        | ColumnKind::Point
        | ColumnKind::Geometry
        | ColumnKind::Bits
        | ColumnKind::Other => {
            return Err(
                "its type is read as a text alone: cast it in the query, as in CAST(c AS text)".to_owned()
            );
        }
    })
}

fn micros(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.try_into().ok()?).saturating_add(EPOCH_MICROS))
}

/// `numeric_send`, the other way around. NaN and the infinities are no decimals: they are null, as in the Java source.
fn numeric(bytes: &[u8]) -> Option<Cell<'static>> {
    let word = |at: usize| {
        let pair: [u8; 2] = bytes.get(at * 2..at * 2 + 2)?.try_into().ok()?;
        Some(u16::from_be_bytes(pair))
    };
    let (count, weight, sign, scale) = (word(0)?, word(1)?.cast_signed(), word(2)?, word(3)?);
    if sign & 0xc000 == 0xc000 {
        return Some(Cell::Null);
    }
    let mut digits = String::with_capacity(usize::from(count) * 4 + 1);
    for at in 0..usize::from(count) {
        let group = word(4 + at)?;
        digits.push_str(&format!("{group:04}"));
    }
    // Digits behind the point that the groups make, against those that the value has.
    let have = (i64::from(count) - 1 - i64::from(weight)) * 4;
    let want = i64::from(scale);
    if have < want {
        digits.extend(std::iter::repeat_n('0', usize::try_from(want - have).ok()?));
    } else {
        let keep = i64::try_from(digits.len()).ok()?.saturating_sub(have - want).max(0);
        digits.truncate(usize::try_from(keep).ok()?);
    }
    let magnitude =
        if digits.is_empty() { BigInt::ZERO } else { BigInt::parse_bytes(digits.as_bytes(), 10)? };
    let unscaled = if sign == 0x4000 { -magnitude } else { magnitude };
    Some(Cell::Decimal(Cow::Owned(Decimal::new(unscaled, i32::from(scale)))))
}

fn array(item: &ColumnKind, bytes: &[u8]) -> Result<Vec<Cell<'static>>, String> {
    let bad = || "no array".to_owned();
    let word = |at: usize| -> Result<i32, String> {
        let four: [u8; 4] = bytes.get(at..at + 4).ok_or_else(bad)?.try_into().map_err(|_| bad())?;
        Ok(i32::from_be_bytes(four))
    };
    match word(0)? {
        0 => return Ok(Vec::new()),
        1 => {}
        dimensions => return Err(format!("an array of {dimensions} dimensions has no schema")),
    }
    let count = usize::try_from(word(12)?).ok().filter(|count| *count <= MAX_ITEMS).ok_or_else(bad)?;
    let mut items = Vec::with_capacity(count.min(bytes.len() / 4));
    let mut at = 20;
    for _ in 0..count {
        let length = word(at)?;
        at += 4;
        match usize::try_from(length) {
            Ok(length) => {
                items.push(cell(item, bytes.get(at..at.saturating_add(length)).ok_or_else(bad)?)?);
                at += length;
            }
            Err(_) => items.push(Cell::Null),
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::super::encode::binary;
    use super::*;
    use crate::data::WallClock;

    #[test]
    fn what_is_encoded_is_decoded() {
        let decimal = |unscaled: i64, scale| Cell::Decimal(Cow::Owned(Decimal::new(unscaled, scale)));
        for (kind, value) in [
            (ColumnKind::Numeric, decimal(156, 2)),
            (ColumnKind::Numeric, decimal(-1, 7)),
            (ColumnKind::Numeric, decimal(0, 3)),
            (ColumnKind::Numeric, decimal(1_000_000_000_000, 0)),
            (ColumnKind::Timestamp, Cell::Local(-1)),
            (ColumnKind::TimestampTz, Cell::Instant(1_709_209_800_000_001)),
            (ColumnKind::Date, Cell::Date(-1)),
            (ColumnKind::Uuid, Cell::Text("00112233-4455-6677-8899-aabbccddeeff".into())),
            (ColumnKind::Array(Box::new(ColumnKind::Int32), 23), Cell::Array(vec![Cell::Int(1), Cell::Null])),
        ] {
            let mut form = Vec::new();
            binary(&kind, &value, &WallClock::utc(), &mut form).unwrap();
            assert_eq!(cell(&kind, &form[4..]), Ok(value));
        }
    }

    #[test]
    fn bytes_of_another_form_never_panic() {
        for kind in [
            ColumnKind::Numeric,
            ColumnKind::Int64,
            ColumnKind::Uuid,
            ColumnKind::Array(Box::new(ColumnKind::Text), 25),
        ] {
            for length in 0..40 {
                for fill in [0, 1, 0x7f, 0xff] {
                    let _ = cell(&kind, &vec![fill; length]);
                }
            }
        }
    }
}
