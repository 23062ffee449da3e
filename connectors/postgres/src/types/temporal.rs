//! Dates, times and timestamps in each `time.precision.mode`.

use lavka_api::data::{Logical, Schema, SchemaBuilder, Str, Type, Value};

use super::TimePrecision;
use super::calendar::write_date;
use super::clock::{
    DAY, Instant, NEGATIVE_INFINITY, POSITIVE_INFINITY, Stamp, offset_fields, parse_date, parse_time,
    parse_timestamp, time_fields, write_time, write_timestamp,
};
use super::codec::Unconvertible;
use super::reprint::utc_timestamp;

/// `infinity` of a date as Debezium's stream counts it: the day -5877611-06-21.
const POSITIVE_INFINITY_DAYS: i64 = -2_147_472_692;
/// `-infinity` of a date: the day after.
const NEGATIVE_INFINITY_DAYS: i64 = -2_147_472_691;

/// What number or text a time or timestamp becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Milliseconds, under Debezium's names.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
    /// Connect's logical type.
    Connect,
    /// ISO 8601.
    Iso,
}

impl Unit {
    /// The unit of a time of `digits` fractional digits.
    pub(super) fn of_time(mode: TimePrecision, digits: i32) -> Self {
        match mode {
            TimePrecision::Adaptive if digits <= 3 => Self::Millis,
            TimePrecision::Adaptive
            | TimePrecision::AdaptiveTimeMicroseconds
            | TimePrecision::Microseconds => Self::Micros,
            TimePrecision::Connect => Self::Connect,
            TimePrecision::IsoString => Self::Iso,
            TimePrecision::Nanoseconds => Self::Nanos,
        }
    }

    /// The unit of a timestamp of `digits` fractional digits.
    pub(super) fn of_timestamp(mode: TimePrecision, digits: i32) -> Self {
        match mode {
            TimePrecision::AdaptiveTimeMicroseconds => Self::of_time(TimePrecision::Adaptive, digits),
            mode => Self::of_time(mode, digits),
        }
    }

    /// The unit of a date; milliseconds stand for Debezium's days.
    pub(super) fn of_date(mode: TimePrecision) -> Self {
        match mode {
            TimePrecision::Connect => Self::Connect,
            TimePrecision::IsoString => Self::Iso,
            _ => Self::Millis,
        }
    }

    pub(super) fn date_schema(self) -> SchemaBuilder {
        match self {
            Self::Connect => SchemaBuilder::logical(Logical::Date),
            Self::Iso => named(Type::String, "io.debezium.time.IsoDate"),
            _ => named(Type::Int32, "io.debezium.time.Date"),
        }
    }

    pub(super) fn time_schema(self) -> SchemaBuilder {
        match self {
            Self::Millis => named(Type::Int32, "io.debezium.time.Time"),
            Self::Micros => named(Type::Int64, "io.debezium.time.MicroTime"),
            Self::Nanos => named(Type::Int64, "io.debezium.time.NanoTime"),
            Self::Connect => SchemaBuilder::logical(Logical::Time),
            Self::Iso => named(Type::String, "io.debezium.time.IsoTime"),
        }
    }

    pub(super) fn timestamp_schema(self) -> SchemaBuilder {
        match self {
            Self::Millis => named(Type::Int64, "io.debezium.time.Timestamp"),
            Self::Micros => named(Type::Int64, "io.debezium.time.MicroTimestamp"),
            Self::Nanos => named(Type::Int64, "io.debezium.time.NanoTimestamp"),
            Self::Connect => SchemaBuilder::logical(Logical::Timestamp),
            Self::Iso => named(Type::String, "io.debezium.time.IsoTimestamp"),
        }
    }

    pub(super) fn date(self, text: &[u8]) -> Result<Value, Unconvertible> {
        let days = match parse_date(text).ok_or(Unconvertible("no date"))? {
            Instant::At(days) => days,
            Instant::PositiveInfinity => POSITIVE_INFINITY_DAYS,
            Instant::NegativeInfinity => NEGATIVE_INFINITY_DAYS,
        };
        self.date_value(days)
    }

    pub(super) fn date_value(self, days: i64) -> Result<Value, Unconvertible> {
        let in_range = || i32::try_from(days).map_err(|_| Unconvertible("a date beyond 32 bits"));
        Ok(match self {
            Self::Connect => Value::Date(in_range()?),
            Self::Iso => iso(|out| {
                write_date(out, days);
                out.push(b'Z');
            }),
            _ => Value::Int32(in_range()?),
        })
    }

    pub(super) fn time(self, text: &[u8]) -> Result<Value, Unconvertible> {
        self.time_value(parse_time(text).ok_or(Unconvertible("no time of the day"))?)
    }

    /// The value of microseconds of a day.
    pub(super) fn time_value(self, micros: i64) -> Result<Value, Unconvertible> {
        let millis = || i32::try_from(micros / 1000).map_err(|_| Unconvertible("no time of the day"));
        Ok(match self {
            Self::Millis => Value::Int32(millis()?),
            Self::Micros => Value::Int64(micros),
            Self::Nanos => Value::Int64(micros * 1000),
            Self::Connect => Value::Time(millis()?),
            Self::Iso => iso(|out| {
                write_time(out, micros, None);
                out.push(b'Z');
            }),
        })
    }

    pub(super) fn timestamp(self, text: &[u8]) -> Result<Value, Unconvertible> {
        match parse_timestamp(text, false).ok_or(Unconvertible("no timestamp"))? {
            Instant::At(stamp) => self.timestamp_value(stamp),
            Instant::PositiveInfinity if self == Self::Nanos => Ok(Value::Int64(i64::MAX)),
            Instant::NegativeInfinity if self == Self::Nanos => Ok(Value::Int64(i64::MIN)),
            Instant::PositiveInfinity => self.timestamp_value(POSITIVE_INFINITY),
            Instant::NegativeInfinity => self.timestamp_value(NEGATIVE_INFINITY),
        }
    }

    /// The value of a timestamp.
    pub(super) fn timestamp_value(self, stamp: Stamp) -> Result<Value, Unconvertible> {
        Ok(match self {
            Self::Millis => Value::Int64(stamp.millis()),
            Self::Micros => Value::Int64(stamp.micros()),
            Self::Nanos => {
                let nanos = stamp.nanos();
                Value::Int64(nanos.ok_or(Unconvertible("a timestamp beyond 64 bits of nanoseconds"))?)
            }
            Self::Connect => Value::Timestamp(stamp.millis()),
            Self::Iso => iso(|out| write_timestamp(out, stamp, None)),
        })
    }
}

/// `timestamptz`: UTC, with just as many fractional digits as the column has, or as needed where it has none.
pub(super) fn zoned_timestamp(text: &[u8], width: Option<usize>) -> Result<Value, Unconvertible> {
    if let Some(same_digits) = utc_timestamp(text, width) {
        return Ok(Value::String(same_digits));
    }
    read_zoned_timestamp(text, width)
}

/// As [`zoned_timestamp`], for any form of the text.
fn read_zoned_timestamp(text: &[u8], width: Option<usize>) -> Result<Value, Unconvertible> {
    Ok(match parse_timestamp(text, true).ok_or(Unconvertible("no timestamp with time zone"))? {
        Instant::At(stamp) => zoned_timestamp_value(stamp, width),
        Instant::PositiveInfinity => Value::String(Str::from_static("infinity")),
        Instant::NegativeInfinity => Value::String(Str::from_static("-infinity")),
    })
}

/// The text of a timestamp with time zone.
pub(super) fn zoned_timestamp_value(stamp: Stamp, width: Option<usize>) -> Value {
    iso(|out| write_timestamp(out, stamp, width))
}

/// `timetz`: moved to UTC. The end of the day at UTC stays `24:00:00Z`.
pub(super) fn zoned_time(text: &[u8]) -> Result<Value, Unconvertible> {
    let parsed = time_fields(text).and_then(|(micros, rest)| match offset_fields(rest)? {
        (offset, b"") => Some((micros, offset)),
        _ => None,
    });
    let (micros, offset) = parsed.ok_or(Unconvertible("no time with time zone"))?;
    if (micros, offset) == (DAY, 0) {
        return Ok(Value::String(Str::from_static("24:00:00Z")));
    }
    Ok(zoned_time_value((micros - offset).rem_euclid(DAY)))
}

/// The text of microseconds of a day.
pub(super) fn zoned_time_value(micros: i64) -> Value {
    iso(|out| {
        write_time(out, micros, None);
        out.push(b'Z');
    })
}

fn iso(write: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut out = Vec::with_capacity(32);
    write(&mut out);
    // Only ASCII was written; the string keeps the allocation.
    Value::String(Str::from(String::from_utf8(out).unwrap_or_default()))
}

/// A schema of version 1 with Debezium's name.
pub(super) fn named(ty: Type, name: &'static str) -> SchemaBuilder {
    Schema::builder(ty).name(Str::from(name)).version(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_short_way_says_what_the_long_one_says(
            (year, month, day) in (0..=10_001_u32, 0..=13_u32, 0..=32_u32),
            (hour, minute, second) in (0..=25_u32, 0..=60_u32, 0..=61_u32),
            fraction in "([.][0-9]{0,7})?",
            zone in "[+]0[0-9]|[+]00 BC|",
            width in proptest::option::of(0..=7_usize),
        ) {
            let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}{zone}");
            proptest::prop_assert_eq!(
                zoned_timestamp(text.as_bytes(), width),
                read_zoned_timestamp(text.as_bytes(), width)
            );
        }
    }
}
