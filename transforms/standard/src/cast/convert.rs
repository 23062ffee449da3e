//! Converting one value, by Java's rules for primitive types.

use lavka_api::data::{Decimal, Str, Type, Value};
use lavka_api::java::connect_text;
use lavka_api::{Error, ErrorClass, Result};

use super::number;

/// A type that values can be cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
}

impl Target {
    /// The target of this name; `None` for types that nothing is cast to.
    pub(super) fn of(ty: Type) -> Option<Self> {
        Some(match ty {
            Type::Int8 => Self::Int8,
            Type::Int16 => Self::Int16,
            Type::Int32 => Self::Int32,
            Type::Int64 => Self::Int64,
            Type::Float32 => Self::Float32,
            Type::Float64 => Self::Float64,
            Type::Boolean => Self::Boolean,
            Type::String => Self::String,
            Type::Bytes | Type::Array | Type::Map | Type::Struct => return None,
        })
    }

    /// The type of the result.
    pub(super) fn ty(self) -> Type {
        match self {
            Self::Int8 => Type::Int8,
            Self::Int16 => Type::Int16,
            Self::Int32 => Type::Int32,
            Self::Int64 => Type::Int64,
            Self::Float32 => Type::Float32,
            Self::Float64 => Type::Float64,
            Self::Boolean => Type::Boolean,
            Self::String => Type::String,
        }
    }
}

/// Values of this type are not cast to anything.
pub(super) fn unsupported(ty: Type) -> Error {
    Error::data(format!(
        "Cast transformation does not support casting from {ty}; supported types are [INT8, INT16, INT32, INT64, \
         FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
    ))
}

/// `value` as `target`; `None` where it stays as it is. `typed` says whether it has a schema: without one, dates and
/// decimals have no place in Connect's data.
///
/// # Errors
/// Data errors with Connect's texts, for values of a type that is not cast and for texts that are no such number.
pub(super) fn convert(value: &Value, target: Target, typed: bool) -> Result<Option<Value>> {
    let Some(ty) = value.natural_type() else { return Ok(None) };
    if !typed && matches!(value, Value::Decimal(_) | Value::Date(_) | Value::Time(_) | Value::Timestamp(_)) {
        return Err(Error::data(format!(
            "Cast transformation was passed a value of type class {} which is not supported by Connect's data API",
            value.java_class()
        )));
    }
    if matches!(ty, Type::Array | Type::Map | Type::Struct) {
        return Err(unsupported(ty));
    }
    Ok(Some(match (target, value) {
        (Target::Int8, Value::Int8(_))
        | (Target::Int16, Value::Int16(_))
        | (Target::Int32, Value::Int32(_))
        | (Target::Int64, Value::Int64(_))
        | (Target::Float32, Value::Float32(_))
        | (Target::Float64, Value::Float64(_))
        | (Target::Boolean, Value::Boolean(_))
        | (Target::String, Value::String(_)) => return Ok(None),
        (Target::String, _) => text(value).into(),
        (Target::Boolean, Value::String(text)) => text.eq_ignore_ascii_case("true").into(),
        (_, Value::String(text)) => parse(text, target)?,
        _ => narrow(Number::of(value)?, target),
    }))
}

/// Java's text of a value.
fn text(value: &Value) -> Str {
    let mut integer = itoa::Buffer::new();
    match *value {
        Value::Boolean(true) => Str::from_static("true"),
        Value::Boolean(false) => Str::from_static("false"),
        Value::Int8(v) => integer.format(v).into(),
        Value::Int16(v) => integer.format(v).into(),
        Value::Int32(v) => integer.format(v).into(),
        Value::Int64(v) => integer.format(v).into(),
        _ => connect_text(value).into(),
    }
}

fn parse(text: &Str, target: Target) -> Result<Value> {
    let parsed = match target {
        Target::Int8 => number::parse_int(text).map(Value::Int8),
        Target::Int16 => number::parse_int(text).map(Value::Int16),
        Target::Int32 => number::parse_int(text).map(Value::Int32),
        Target::Int64 => number::parse_int(text).map(Value::Int64),
        Target::Float32 => number::parse_f32(text).map(Value::Float32),
        Target::Float64 => number::parse_f64(text).map(Value::Float64),
        Target::Boolean | Target::String => return Ok(text.clone().into()),
    };
    parsed.map_err(|detail| {
        let cause = Error::new(ErrorClass::Data, "java.lang.NumberFormatException", detail);
        Error::data(format!("Value ({text}) was out of range for requested data type")).caused_by(cause)
    })
}

/// What is behind a value that is not text.
enum Number<'a> {
    Integer(i64),
    Single(f32),
    Double(f64),
    Decimal(&'a Decimal),
}

impl<'a> Number<'a> {
    fn of(value: &'a Value) -> Result<Self> {
        Ok(match value {
            Value::Boolean(v) => Number::Integer(i64::from(*v)),
            Value::Int8(v) => Number::Integer(i64::from(*v)),
            Value::Int16(v) => Number::Integer(i64::from(*v)),
            Value::Int32(v) | Value::Date(v) | Value::Time(v) => Number::Integer(i64::from(*v)),
            Value::Int64(v) | Value::Timestamp(v) => Number::Integer(*v),
            Value::Float32(v) => Number::Single(*v),
            Value::Float64(v) => Number::Double(*v),
            Value::Decimal(v) => Number::Decimal(v),
            other => {
                let class = other.java_class();
                return Err(Error::data(format!("Unexpected type in Cast transformation: class {class}")));
            }
        })
    }

    /// `Number.intValue`: fractions saturate at the ends of 32 bits, integers lose their high bits.
    #[expect(clippy::cast_possible_truncation, reason = "what Java's narrowing does")]
    fn int(&self) -> i32 {
        match *self {
            Number::Integer(v) => v as i32,
            Number::Single(v) => v as i32,
            Number::Double(v) => v as i32,
            Number::Decimal(v) => v.to_i64_wrapping() as i32,
        }
    }

    /// `Number.longValue`, which saturates fractions at the ends of 64 bits.
    #[expect(clippy::cast_possible_truncation, reason = "what Java's narrowing does")]
    fn long(&self) -> i64 {
        match *self {
            Number::Integer(v) => v,
            Number::Single(v) => v as i64,
            Number::Double(v) => v as i64,
            Number::Decimal(v) => v.to_i64_wrapping(),
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "rounds as Java does")]
    fn single(&self) -> f32 {
        match *self {
            Number::Integer(v) => v as f32,
            Number::Single(v) => v,
            Number::Double(v) => v as f32,
            Number::Decimal(v) => v.to_string().parse().unwrap_or(f32::NAN),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "rounds as Java does")]
    fn double(&self) -> f64 {
        match *self {
            Number::Integer(v) => v as f64,
            Number::Single(v) => v.into(),
            Number::Double(v) => v,
            Number::Decimal(v) => v.to_f64(),
        }
    }
}

/// The widths below 32 bits go through 32 bits, as in Java.
#[expect(clippy::cast_possible_truncation, reason = "what Java's narrowing does")]
fn narrow(number: Number<'_>, target: Target) -> Value {
    match target {
        Target::Int8 => Value::Int8(number.int() as i8),
        Target::Int16 => Value::Int16(number.int() as i16),
        Target::Int32 => Value::Int32(number.int()),
        Target::Int64 => Value::Int64(number.long()),
        Target::Float32 => Value::Float32(number.single()),
        Target::Float64 => Value::Float64(number.double()),
        Target::Boolean => Value::Boolean(number.long() != 0),
        Target::String => Value::Null,
    }
}
