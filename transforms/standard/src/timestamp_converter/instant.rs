//! The forms that a time can have, and from one to the other.

use lavka_api::data::{Logical, Schema, SchemaBuilder, Str, Type, Value};
use lavka_api::{Error, ErrorClass, Result, error::exception};

use crate::date_format::DateFormat;

const DAY_MS: i64 = 86_400_000;

/// A form of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text in the configured pattern.
    Text,
    /// A number since 1970 in the configured unit.
    Unix,
    /// The logical type of whole days.
    Date,
    /// The logical type of a time of day.
    Time,
    /// The logical type of milliseconds since 1970.
    Timestamp,
}

impl Form {
    /// The values of `target.type`.
    pub(super) const NAMES: &'static [&'static str] = &["string", "unix", "Date", "Time", "Timestamp"];

    pub(super) fn by_name(name: &str) -> Self {
        match name {
            "string" => Self::Text,
            "unix" => Self::Unix,
            "Date" => Self::Date,
            "Time" => Self::Time,
            _ => Self::Timestamp,
        }
    }

    /// The form of the values of a schema.
    ///
    /// # Errors
    /// Where the schema is of no time.
    pub(super) fn of_schema(schema: &Schema) -> Result<Self> {
        match (schema.name().map(Str::as_str), schema.ty()) {
            (Some(Logical::TIMESTAMP), _) => Ok(Self::Timestamp),
            (Some(Logical::DATE), _) => Ok(Self::Date),
            (Some(Logical::TIME), _) => Ok(Self::Time),
            (_, Type::String) => Ok(Self::Text),
            (_, Type::Int64) => Ok(Self::Unix),
            _ => Err(Error::new(
                ErrorClass::Data,
                exception::CONNECT,
                format!("Schema {schema} does not correspond to a known timestamp type format"),
            )),
        }
    }

    /// The form of a value without a schema.
    fn of_value(value: &Value) -> Result<Self> {
        match value {
            Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => Ok(Self::Timestamp),
            Value::Int64(_) => Ok(Self::Unix),
            Value::String(_) => Ok(Self::Text),
            other => {
                let class = other.java_class();
                Err(Error::data(format!(
                    "TimestampConverter does not support class {class} objects as timestamps"
                )))
            }
        }
    }

    /// The schema of values of this form.
    pub(super) fn schema(self, optional: bool) -> Result<Schema> {
        let builder = match self {
            Form::Text => return Ok(plain(Type::String, optional)),
            Form::Unix => return Ok(plain(Type::Int64, optional)),
            Form::Date => SchemaBuilder::logical(Logical::Date),
            Form::Time => SchemaBuilder::logical(Logical::Time),
            Form::Timestamp => SchemaBuilder::logical(Logical::Timestamp),
        };
        builder.optional_if(optional).build()
    }
}

fn plain(ty: Type, optional: bool) -> Schema {
    if optional { Schema::optional(ty) } else { Schema::of(ty) }
}

/// `unix.precision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}

impl Unit {
    /// The values of the key.
    pub(super) const NAMES: &'static [&'static str] =
        &["nanoseconds", "microseconds", "milliseconds", "seconds"];

    pub(super) fn by_name(name: &str) -> Self {
        match name {
            "nanoseconds" => Self::Nanoseconds,
            "microseconds" => Self::Microseconds,
            "seconds" => Self::Seconds,
            _ => Self::Milliseconds,
        }
    }

    /// Towards zero where a millisecond is coarser, up to the ends of 64 bits where it is finer.
    fn to_ms(self, value: i64) -> i64 {
        match self {
            Unit::Nanoseconds => value / 1_000_000,
            Unit::Microseconds => value / 1000,
            Unit::Milliseconds => value,
            Unit::Seconds => value.saturating_mul(1000),
        }
    }

    fn of_ms(self, ms: i64) -> i64 {
        match self {
            Unit::Nanoseconds => ms.saturating_mul(1_000_000),
            Unit::Microseconds => ms.saturating_mul(1000),
            Unit::Milliseconds => ms,
            Unit::Seconds => ms / 1000,
        }
    }
}

/// From any form to one.
pub(super) struct Conversion {
    pub(super) target: Form,
    pub(super) unit: Unit,
    pub(super) format: Option<DateFormat>,
    /// Where the hundred years of years of two digits begin, in epoch milliseconds.
    pub(super) century_start: i64,
    /// The text at hand, kept for its allocation.
    pub(super) buffer: String,
}

impl Conversion {
    /// `value`, of the form `source` or of what it looks like, in the target form; typed values have a schema.
    ///
    /// # Errors
    /// Where the value is no time.
    pub(super) fn convert(&mut self, value: &Value, source: Option<Form>) -> Result<Value> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let typed = source.is_some();
        let source = source.map_or_else(|| Form::of_value(value), Ok)?;
        let ms = self.instant(value, source)?;
        Ok(self.value(ms, typed))
    }

    /// Epoch milliseconds.
    fn instant(&self, value: &Value, source: Form) -> Result<i64> {
        let unexpected = |expected: &str| {
            Err(Error::data(format!("Expected {expected}, but found class {}", value.java_class())))
        };
        match (source, value) {
            (Form::Text, Value::String(text)) => self.parse(text),
            (Form::Text, _) => unexpected("string timestamp to be a String"),
            (Form::Unix, Value::Int64(number)) => Ok(self.unit.to_ms(*number)),
            (Form::Unix, _) => unexpected("Unix timestamp to be a Long"),
            (_, Value::Timestamp(ms)) => Ok(*ms),
            (_, Value::Date(days)) => Ok(i64::from(*days) * DAY_MS),
            (_, Value::Time(ms)) => Ok(i64::from(*ms)),
            (Form::Date, _) => unexpected("Date to be a java.util.Date"),
            (Form::Time, _) => unexpected("Time to be a java.util.Date"),
            (Form::Timestamp, _) => unexpected("Timestamp to be a java.util.Date"),
        }
    }

    fn parse(&self, text: &str) -> Result<i64> {
        let Some(format) = &self.format else {
            return Err(Error::new(
                ErrorClass::Data,
                exception::NULL_POINTER,
                "the input is a text and TimestampConverter's format, the pattern to read it by, is not set",
            ));
        };
        format.parse(text, self.century_start).ok_or_else(|| {
            let pattern = format.pattern();
            let cause = Error::new(
                ErrorClass::Data,
                "java.text.ParseException",
                format!("Unparseable date: \"{text}\""),
            );
            Error::data(format!(
                "Could not parse timestamp: value ({text}) does not match pattern ({pattern})"
            ))
            .caused_by(cause)
        })
    }

    /// Without a schema there are no dates and times of day, so they are instants.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "days beyond 32 bits lose their high bits in Java too"
    )]
    fn value(&mut self, ms: i64, typed: bool) -> Value {
        match self.target {
            Form::Text => {
                self.buffer.clear();
                if let Some(format) = &self.format {
                    format.format(ms, &mut self.buffer);
                }
                Value::String(self.buffer.as_str().into())
            }
            Form::Unix => Value::Int64(self.unit.of_ms(ms)),
            Form::Date if typed => Value::Date(ms.div_euclid(DAY_MS) as i32),
            Form::Date => Value::Timestamp(ms.saturating_sub(ms.rem_euclid(DAY_MS))),
            Form::Time if typed => Value::Time(ms.rem_euclid(DAY_MS) as i32),
            Form::Time => Value::Timestamp(ms.rem_euclid(DAY_MS)),
            Form::Timestamp => Value::Timestamp(ms),
        }
    }
}
