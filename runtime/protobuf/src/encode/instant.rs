//! Dates, times and timestamps as Google's messages.

use lavka_api::data::Value;
use lavka_api::{Error, Result};

use crate::calendar;
use crate::wire::write_varint;

const MS_PER_DAY: i64 = 86_400_000;

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds: what `google.protobuf.Timestamp` may hold.
pub(crate) const SECONDS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// The instant of a `java.util.Date`, which any of the three may stand for.
pub(super) fn epoch_ms(value: &Value) -> Option<i64> {
    match *value {
        Value::Timestamp(ms) => Some(ms),
        Value::Date(days) => Some(i64::from(days) * MS_PER_DAY),
        Value::Time(ms) => Some(ms.into()),
        _ => None,
    }
}

pub(super) fn write_timestamp(ms: i64, out: &mut Vec<u8>) -> Result<()> {
    let (seconds, nanos) = (ms.div_euclid(1000), ms.rem_euclid(1000) * 1_000_000);
    if !SECONDS.contains(&seconds) {
        return Err(Error::data(format!(
            "Timestamp is not valid. See proto definition for valid values. Seconds ({seconds}) must be in range \
             [-62,135,596,800, +253,402,300,799]. Nanos ({nanos}) must be in range [0, +999,999,999]."
        )));
    }
    write_number(1, seconds, out);
    write_number(2, nanos, out);
    Ok(())
}

pub(super) fn write_date(ms: i64, out: &mut Vec<u8>) -> Result<()> {
    if ms % MS_PER_DAY != 0 {
        return Err(Error::data(
            "Kafka Connect Date type should not have any time fields set to non-zero values.",
        ));
    }
    let Some((year, month, day)) = calendar::from_days(ms / MS_PER_DAY) else {
        return Err(Error::data(format!(
            "The date {} days from 1970-01-01 is not between the years 1 and {}, which google.type.Date can hold",
            ms / MS_PER_DAY,
            i32::MAX
        )));
    };
    write_number(1, year, out);
    write_number(2, month, out);
    write_number(3, day, out);
    Ok(())
}

pub(super) fn write_time(ms: i64, out: &mut Vec<u8>) -> Result<()> {
    if !(0..=MS_PER_DAY).contains(&ms) {
        return Err(Error::data(
            "Time values must use number of millis greater than 0 and less than 86400000",
        ));
    }
    // The end of the day is the beginning of the next.
    let ms = ms % MS_PER_DAY;
    write_number(1, ms / 3_600_000, out);
    write_number(2, ms / 60_000 % 60, out);
    write_number(3, ms / 1000 % 60, out);
    write_number(4, ms % 1000 * 1_000_000, out);
    Ok(())
}

/// A varint field of a number below 16, unless it is zero.
fn write_number(number: u8, value: i64, out: &mut Vec<u8>) {
    if value != 0 {
        out.push(number << 3);
        write_varint(out, value.cast_unsigned());
    }
}
