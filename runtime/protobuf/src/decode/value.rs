//! Messages that stand for values: decimals and instants.

use lavka_api::data::{Decimal, Value};
use lavka_api::{Error, Result};
use num_bigint::BigInt;

use crate::calendar;
use crate::encode::SECONDS;
use crate::wire::{Reader, WireType};

/// Calls `found` with each varint field and each field of bytes; whichever does not apply is empty.
fn each<'a>(bytes: &'a [u8], mut found: impl FnMut(u32, i64, &'a [u8])) -> Result<()> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match reader.field()? {
            (number, WireType::Varint) => found(number, reader.varint()?.cast_signed(), &[]),
            (number, WireType::Bytes) => found(number, 0, reader.bytes()?),
            (number, wire) => reader.skip(number, wire)?,
        }
    }
    Ok(())
}

/// `confluent.type.Decimal`.
pub(super) fn decimal(bytes: &[u8]) -> Result<Value> {
    let (mut unscaled, mut precision, mut scale) = (&[][..], 0_u32, 0_i32);
    each(bytes, |field, number, bytes| match field {
        1 => unscaled = bytes,
        2 => precision = number as u32,
        3 => scale = number as i32,
        _ => {}
    })?;
    if unscaled.is_empty() {
        return Err(Error::data("Zero length BigInteger"));
    }
    rounded(Decimal::from_be_bytes(unscaled, scale), precision).map(Value::from)
}

/// Bits of an unscaled value whose digits are counted; counting those of larger ones takes too long.
const MAX_BITS: u64 = 1 << 19;

/// The decimal with at most `precision` digits, halves away from zero (`MathContext`); 0 means all of them.
fn rounded(decimal: Decimal, precision: u32) -> Result<Decimal> {
    // 3 bits are less than a digit: so many digits there cannot be more of.
    if precision == 0 || decimal.unscaled().bits() <= 3 * u64::from(precision) {
        return Ok(decimal);
    }
    let digits = match u64::try_from(decimal.unscaled().magnitude()) {
        Ok(small) => small.checked_ilog10().unwrap_or(0) as usize + 1,
        Err(_) if decimal.unscaled().bits() > MAX_BITS => {
            return Err(Error::data(format!("A decimal of more than {MAX_BITS} bits cannot be rounded")));
        }
        Err(_) => decimal.unscaled().magnitude().to_str_radix(10).len(),
    };
    let surplus = u32::try_from(digits).unwrap_or(u32::MAX).saturating_sub(precision);
    if surplus == 0 {
        return Ok(decimal);
    }
    let unit = BigInt::from(10).pow(surplus);
    let half = BigInt::from(5) * BigInt::from(10).pow(surplus - 1);
    let half = if decimal.unscaled().sign() == num_bigint::Sign::Minus { -half } else { half };
    let unscaled: BigInt = (decimal.unscaled() + half) / unit;
    let scale = i64::from(decimal.scale()) - i64::from(surplus);
    let scale = i32::try_from(scale).map_err(|_| Error::data("A decimal's scale is out of range"))?;
    // Rounding up may have made one digit more.
    rounded(Decimal::new(unscaled, scale), precision)
}

/// `google.type.Date`.
pub(super) fn date(bytes: &[u8]) -> Result<Value> {
    let (mut year, mut month, mut day) = (0, 0, 0);
    each(bytes, |field, number, _| match field {
        1 => year = number as i32,
        2 => month = number as i32,
        3 => day = number as i32,
        _ => {}
    })?;
    calendar::to_days(year.into(), month.into(), day.into())
        .and_then(|days| i32::try_from(days).ok())
        .map(Value::Date)
        .ok_or_else(|| {
            Error::data(format!("Invalid google.type.Date: year {year}, month {month}, day {day}"))
        })
}

/// `google.type.TimeOfDay`.
pub(super) fn time(bytes: &[u8]) -> Result<Value> {
    let (mut hours, mut minutes, mut seconds, mut nanos) = (0, 0, 0, 0);
    each(bytes, |field, number, _| match field {
        1 => hours = number as i32,
        2 => minutes = number as i32,
        3 => seconds = number as i32,
        4 => nanos = number as i32,
        _ => {}
    })?;
    let valid = (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..60).contains(&seconds)
        && (0..1_000_000_000).contains(&nanos);
    if !valid {
        return Err(Error::data(format!(
            "Invalid google.type.TimeOfDay: {hours} hours, {minutes} minutes, {seconds} seconds, {nanos} nanos"
        )));
    }
    Ok(Value::Time(((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos / 1_000_000))
}

/// `google.protobuf.Timestamp`; of nanoseconds what is below a millisecond is dropped.
pub(super) fn timestamp(bytes: &[u8]) -> Result<Value> {
    let (mut seconds, mut nanos) = (0_i64, 0_i32);
    each(bytes, |field, number, _| match field {
        1 => seconds = number,
        2 => nanos = number as i32,
        _ => {}
    })?;
    if !(SECONDS.contains(&seconds) && (0..1_000_000_000).contains(&nanos)) {
        return Err(Error::data(format!(
            "Timestamp is not valid. See proto definition for valid values. Seconds ({seconds}) must be in range \
             [-62,135,596,800, +253,402,300,799]. Nanos ({nanos}) must be in range [0, +999,999,999]."
        )));
    }
    Ok(Value::Timestamp(seconds * 1000 + i64::from(nanos / 1_000_000)))
}
