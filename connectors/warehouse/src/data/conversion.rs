//! What a value of a schema becomes in a column.

use std::borrow::Cow;

use lavka_api::data::{Decimal, Logical, Schema, Struct, Type, Value};

use super::cell::Cell;
use super::geometry::Geometry;
use super::temporal::{WallClock, parse_datetime, parse_time};

/// Which schema names mean something.
#[derive(Clone, Debug)]
pub(crate) enum Semantics {
    /// Connect's own logical types, with the zones of Confluent's and Aiven's sinks.
    Connect {
        /// `db.timezone`.
        clock: WallClock,
        /// `date.timezone`.
        dates: WallClock,
        /// `timestamp.fields.list`.
        timestamp_fields: Vec<String>,
        /// `timestamp.precision.mode`: nanoseconds, else microseconds.
        nanos: bool,
    },
    /// Those of Debezium too.
    Debezium,
}

/// How values of one schema become cells.
#[derive(Clone, Debug)]
pub(crate) enum Conversion {
    /// Numbers, texts, bytes and decimals as they are.
    Plain,
    /// Days, shown by a clock.
    Date(Option<WallClock>),
    /// A number of so many nanoseconds since midnight, shown by a clock.
    Time(i64, Option<WallClock>),
    /// A number of so many nanoseconds since 1970, a wall clock's reading.
    Local(i64),
    /// A number of so many nanoseconds since 1970, an instant.
    Instant(i64),
    /// A number, or its text, as an instant (`timestamp.fields.list`).
    Listed(i64),
    /// A text with an offset.
    ZonedTimestamp,
    /// A text with an offset: the offset stays.
    ZonedTime,
    /// A struct of scale and bytes.
    VariableScaleDecimal,
    /// Little-endian bits as digits.
    Bits(usize),
    /// A map or struct as JSON.
    Json,
    /// A number of microseconds.
    Duration,
    /// A struct of bytes, of a reference system and, `true`, of a point's coordinates.
    Geometry(bool),
    /// Items by their own conversion.
    Array(Box<Conversion>),
}

const MILLI: i64 = 1_000_000;
const MICRO: i64 = 1_000;

/// The dates and timestamps that stand for PostgreSQL's `infinity` and `-infinity` in what Debezium's sources write: of the
/// JDBC driver (`PGStatement.DATE_POSITIVE_INFINITY`), in milliseconds and microseconds, and of the days of its stream.
const INFINITIES: [(i64, i64); 2] = [
    (9_223_372_036_825_200, -9_223_372_036_832_400),
    (9_223_372_036_825_200_000, -9_223_372_036_832_400_000),
];
const INFINITE_DAYS: (i32, i32) = (-2_147_472_692, -2_147_472_691);

impl Conversion {
    /// The conversion of the field `name` with this schema.
    ///
    /// # Errors
    /// Where no column can hold it; completes "... of field x".
    pub(crate) fn of(name: &str, schema: &Schema, semantics: &Semantics) -> Result<Self, String> {
        if let Semantics::Connect { timestamp_fields, nanos, .. } = semantics
            && timestamp_fields.iter().any(|field| field == name)
            && matches!(schema.ty(), Type::Int64 | Type::String)
        {
            return Ok(Conversion::Listed(if *nanos { 1 } else { MICRO }));
        }
        if let Semantics::Debezium = semantics
            && let Some(known) = debezium(schema)
        {
            return Ok(known);
        }
        Ok(match (schema.logical(), semantics) {
            (Some(Logical::Decimal(_)), _) => Conversion::Plain,
            (Some(Logical::Date), Semantics::Connect { dates, .. }) => Conversion::Date(Some(dates.clone())),
            (Some(Logical::Date), Semantics::Debezium) => Conversion::Date(None),
            (Some(Logical::Time), Semantics::Connect { clock, .. }) => {
                Conversion::Time(MILLI, Some(clock.clone()))
            }
            (Some(Logical::Time), Semantics::Debezium) => Conversion::Time(MILLI, None),
            (Some(Logical::Timestamp), Semantics::Connect { .. }) => Conversion::Instant(MILLI),
            (Some(Logical::Timestamp), Semantics::Debezium) => Conversion::Local(MILLI),
            (None, _) => match schema.ty() {
                Type::Array => {
                    let items = schema.values().ok_or("an array without a schema of its items")?;
                    if !items.ty().is_primitive() {
                        return Err(format!("an array of {}", items.ty()));
                    }
                    Conversion::Array(Box::new(Self::of("", items, semantics)?))
                }
                Type::Map if matches!(semantics, Semantics::Debezium) => Conversion::Json,
                ty @ (Type::Map | Type::Struct) => return Err(ty.to_string()),
                _ => Conversion::Plain,
            },
        })
    }

    /// The cell of `value`.
    ///
    /// # Errors
    /// Why it is none, without the column's name.
    #[inline]
    pub(crate) fn cell<'a>(&self, value: &'a Value) -> Result<Cell<'a>, String> {
        match (self, value) {
            (Conversion::Plain, value) => plain(value),
            (_, Value::Null) => Ok(Cell::Null),
            _ => self.converted(value),
        }
    }

    fn converted<'a>(&self, value: &'a Value) -> Result<Cell<'a>, String> {
        let number = || match value {
            Value::Timestamp(number) => Ok(*number),
            Value::Date(number) | Value::Time(number) => Ok(i64::from(*number)),
            other => other.as_i64().ok_or_else(|| misfit(other, "a number")),
        };
        let text = || value.as_str().ok_or_else(|| misfit(value, "a text"));
        match self {
            Conversion::Plain => plain(value),
            Conversion::Date(None) if number().is_ok_and(|days| days == i64::from(INFINITE_DAYS.0)) => {
                Ok(Cell::Forever { negative: false })
            }
            Conversion::Date(None) if number().is_ok_and(|days| days == i64::from(INFINITE_DAYS.1)) => {
                Ok(Cell::Forever { negative: true })
            }
            Conversion::Date(clock) => {
                let days = i32::try_from(number()?).map_err(|_| "a date out of range".to_owned())?;
                Ok(Cell::Date(clock.as_ref().map_or(days, |clock| clock.day(days))))
            }
            Conversion::Time(nanos, clock) => {
                let micros = scaled(number()?, *nanos)?;
                Ok(Cell::Time(clock.as_ref().map_or(micros, |clock| clock.time(micros))))
            }
            Conversion::Local(nanos) => {
                let number = number()?;
                let of_unit = match *nanos {
                    MILLI => INFINITIES.first(),
                    MICRO => INFINITIES.last(),
                    _ => None,
                };
                match of_unit {
                    Some((positive, _)) if number == *positive => Ok(Cell::Forever { negative: false }),
                    Some((_, negative)) if number == *negative => Ok(Cell::Forever { negative: true }),
                    _ => Ok(Cell::Local(scaled(number, *nanos)?)),
                }
            }
            Conversion::Instant(nanos) => Ok(Cell::Instant(scaled(number()?, *nanos)?)),
            Conversion::Listed(nanos) => {
                let number = match value {
                    Value::String(text) => {
                        text.trim().parse().map_err(|_| format!("'{text}' is no number of a timestamp"))?
                    }
                    _ => number()?,
                };
                Ok(Cell::Instant(scaled(number, *nanos)?))
            }
            Conversion::ZonedTimestamp => {
                let text = text()?;
                if matches!(text, "infinity" | "-infinity") {
                    return Ok(Cell::Forever { negative: text.starts_with('-') });
                }
                let (micros, zoned) =
                    parse_datetime(text).ok_or_else(|| format!("'{text}' is no timestamp"))?;
                Ok(if zoned { Cell::Instant(micros) } else { Cell::Local(micros) })
            }
            Conversion::ZonedTime => {
                let text = text()?;
                let clock = text.find(['Z', '+', '-']).and_then(|at| text.get(..at)).unwrap_or(text);
                parse_time(clock).ok_or_else(|| format!("'{text}' is no time"))?;
                Ok(Cell::Text(Cow::Borrowed(text)))
            }
            Conversion::VariableScaleDecimal => match value {
                Value::Struct(parts) => variable_scale(parts),
                other => Err(misfit(other, "a struct of scale and value")),
            },
            Conversion::Bits(length) => match value {
                Value::Bytes(bytes) => Ok(Cell::Text(Cow::Owned(bits(bytes.as_slice(), *length)))),
                other => Err(misfit(other, "bits")),
            },
            Conversion::Duration => Ok(Cell::Duration(number()?)),
            Conversion::Geometry(_) => match value {
                Value::Struct(parts) => Ok(Cell::Geometry(Box::new(Geometry::read(parts)?))),
                other => Err(misfit(other, "a struct of a geometry")),
            },
            Conversion::Json => Ok(Cell::Text(Cow::Owned(json(value)?))),
            Conversion::Array(item) => match value {
                Value::Array(items) => {
                    Ok(Cell::Array(items.iter().map(|value| item.cell(value)).collect::<Result<_, _>>()?))
                }
                other => Err(misfit(other, "an array")),
            },
        }
    }
}

/// What Debezium's schema names mean.
fn debezium(schema: &Schema) -> Option<Conversion> {
    let name = schema.name()?.as_str();
    Some(match name.strip_prefix("io.debezium.")? {
        "time.Date" => Conversion::Date(None),
        "time.Time" => Conversion::Time(MILLI, None),
        "time.MicroTime" => Conversion::Time(MICRO, None),
        "time.NanoTime" => Conversion::Time(1, None),
        "time.Timestamp" => Conversion::Local(MILLI),
        "time.MicroTimestamp" => Conversion::Local(MICRO),
        "time.NanoTimestamp" => Conversion::Local(1),
        "time.ZonedTimestamp" => Conversion::ZonedTimestamp,
        "time.ZonedTime" => Conversion::ZonedTime,
        "time.MicroDuration" => Conversion::Duration,
        "data.VariableScaleDecimal" => Conversion::VariableScaleDecimal,
        "data.geometry.Point" => Conversion::Geometry(true),
        "data.geometry.Geometry" | "data.geometry.Geography" => Conversion::Geometry(false),
        "data.Bits" => {
            let length = schema.parameter("length").and_then(|text| text.as_str().parse().ok());
            Conversion::Bits(length.unwrap_or(0).min(8 * 1024 * 1024))
        }
        _ => return None,
    })
}

#[inline]
fn plain(value: &Value) -> Result<Cell<'_>, String> {
    Ok(match value {
        Value::Null => Cell::Null,
        Value::Boolean(v) => Cell::Bool(*v),
        Value::Int8(v) => Cell::Int((*v).into()),
        Value::Int16(v) => Cell::Int((*v).into()),
        Value::Int32(v) => Cell::Int((*v).into()),
        Value::Int64(v) => Cell::Int(*v),
        Value::Float32(v) => Cell::Float32(*v),
        Value::Float64(v) => Cell::Float64(*v),
        Value::String(v) => Cell::Text(Cow::Borrowed(v.as_str())),
        Value::Bytes(v) => Cell::Bytes(Cow::Borrowed(v.as_slice())),
        Value::Decimal(v) => Cell::Decimal(Cow::Borrowed(v)),
        Value::Date(v) => Cell::Date(*v),
        Value::Time(v) => Cell::Time(i64::from(*v) * 1000),
        Value::Timestamp(v) => Cell::Instant(v.checked_mul(1000).ok_or("a timestamp out of range")?),
        Value::Array(_) | Value::Map(_) | Value::Object(_) | Value::Struct(_) => {
            return Err(misfit(value, "a single value"));
        }
    })
}

/// `number` units of so many nanoseconds, in microseconds.
fn scaled(number: i64, nanos: i64) -> Result<i64, String> {
    if nanos >= MICRO {
        number.checked_mul(nanos / MICRO).ok_or_else(|| "a point in time out of range".to_owned())
    } else {
        Ok(number.div_euclid(MICRO / nanos.max(1)))
    }
}

fn variable_scale(parts: &Struct) -> Result<Cell<'_>, String> {
    let (Some(scale), Some(Value::Bytes(bytes))) =
        (parts.get("scale").and_then(Value::as_i64), parts.get("value"))
    else {
        return Err("a decimal of variable scale without scale or value".to_owned());
    };
    let scale = i32::try_from(scale).map_err(|_| "a scale out of range".to_owned())?;
    Ok(Cell::Decimal(Cow::Owned(Decimal::from_be_bytes(bytes.as_slice(), scale))))
}

/// The digits of a bit string whose bytes come with the least significant first.
fn bits(bytes: &[u8], length: usize) -> String {
    let length = if length == 0 { bytes.len() * 8 } else { length };
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
    (0..length).rev().map(|at| if bit(at) { '1' } else { '0' }).collect()
}

/// A map with text keys and single values, as JSON.
fn json(value: &Value) -> Result<String, String> {
    let entries: Vec<(&str, &Value)> = match value {
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| Ok((key.as_str().ok_or_else(|| misfit(key, "a text as a key"))?, value)))
            .collect::<Result<_, String>>()?,
        Value::Object(object) => object.iter().map(|(key, value)| (key.as_str(), value)).collect(),
        other => return Err(misfit(other, "a map")),
    };
    let mut out = String::from("{");
    for (at, (key, value)) in entries.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json_string(&mut out, key);
        out.push(':');
        match value {
            Value::Null => out.push_str("null"),
            Value::Boolean(v) => out.push_str(if *v { "true" } else { "false" }),
            Value::String(text) => json_string(&mut out, text),
            Value::Float32(v) if v.is_finite() => out.push_str(&v.to_string()),
            Value::Float64(v) if v.is_finite() => out.push_str(&v.to_string()),
            other => match other.as_i64() {
                Some(number) => out.push_str(&number.to_string()),
                None => return Err(misfit(other, "a text, number or boolean in a map")),
            },
        }
    }
    out.push('}');
    Ok(out)
}

fn json_string(out: &mut String, text: &str) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn misfit(value: &Value, wanted: &str) -> String {
    format!("a value of type {} where {wanted} was expected", value.java_class())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ty: Type, name: &str) -> Schema {
        Schema::builder(ty).name(name).build().unwrap()
    }

    #[test]
    fn debezium_types_are_understood_by_name() {
        for (schema, value, cell) in [
            (named(Type::Int32, "io.debezium.time.Date"), Value::Int32(19_782), Cell::Date(19_782)),
            (named(Type::Int64, "io.debezium.time.MicroTime"), Value::Int64(5), Cell::Time(5)),
            (named(Type::Int64, "io.debezium.time.NanoTimestamp"), Value::Int64(-1), Cell::Local(-1)),
            (named(Type::Int64, "io.debezium.time.Timestamp"), Value::Int64(1), Cell::Local(1000)),
            (
                named(Type::String, "io.debezium.time.ZonedTimestamp"),
                "1970-01-01T00:00:01.5+00:00".into(),
                Cell::Instant(1_500_000),
            ),
        ] {
            let conversion = Conversion::of("f", &schema, &Semantics::Debezium).unwrap();
            assert_eq!(conversion.cell(&value), Ok(cell), "{schema:?}");
        }
    }

    #[test]
    fn what_is_infinite_there_is_so_here() {
        for (schema, values) in [
            (
                named(Type::Int32, "io.debezium.time.Date"),
                [Value::Int32(-2_147_472_692), Value::Int32(-2_147_472_691)],
            ),
            (
                named(Type::Int64, "io.debezium.time.MicroTimestamp"),
                [Value::Int64(9_223_372_036_825_200_000), Value::Int64(-9_223_372_036_832_400_000)],
            ),
            (
                named(Type::Int64, "io.debezium.time.Timestamp"),
                [Value::Int64(9_223_372_036_825_200), Value::Int64(-9_223_372_036_832_400)],
            ),
            (named(Type::String, "io.debezium.time.ZonedTimestamp"), ["infinity".into(), "-infinity".into()]),
        ] {
            let conversion = Conversion::of("f", &schema, &Semantics::Debezium).unwrap();
            let cells = values.each_ref().map(|value| conversion.cell(value).unwrap());
            assert_eq!(
                cells,
                [Cell::Forever { negative: false }, Cell::Forever { negative: true }],
                "{schema:?}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_said_and_never_panics() {
        let conversion = Conversion::Instant(MILLI);
        assert!(conversion.cell(&Value::Int64(i64::MAX)).unwrap_err().contains("out of range"));
        assert!(conversion.cell(&"x".into()).unwrap_err().contains("java.lang.String"));
        assert_eq!(bits(&[0b0000_0101], 3), "101");
        let nested = Schema::array(Schema::array(Schema::of(Type::Int8)));
        assert!(Conversion::of("f", &nested, &Semantics::Debezium).is_err());
    }
}
