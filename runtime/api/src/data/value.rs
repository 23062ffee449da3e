//! A value of the data model.

use super::{Blob, Decimal, Object, Str, Struct, Type};

/// A value. What its schema says (if there is one) is not repeated here; logical types have variants of their own, so
/// that no code has to guess from an integer.
///
/// 24 bytes: short strings, numbers and instants are inline, everything else is one box away.
///
/// ```
/// use lavka_api::data::{Blob, Value};
///
/// assert_eq!(Value::from("text").as_str(), Some("text"));
/// assert_eq!(Value::from(7_i16).as_i64(), Some(7));
/// assert_eq!((Value::from(7_i16).as_f64(), Value::from(0.5_f32).as_f64()), (Some(7.0), Some(0.5)));
/// assert_eq!(Value::from(None::<i64>), Value::Null);
/// assert_eq!(Value::from(vec![1_i32.into(), "two".into()]), Value::Array([Value::Int32(1), "two".into()].into()));
/// assert_eq!(Value::from(Blob::from(b"bytes")).java_class(), "[B");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `BOOLEAN`.
    Boolean(bool),
    /// `INT8`.
    Int8(i8),
    /// `INT16`.
    Int16(i16),
    /// `INT32`.
    Int32(i32),
    /// `INT64`, and every integer of a schemaless JSON document.
    Int64(i64),
    /// `FLOAT32`.
    Float32(f32),
    /// `FLOAT64`, and every fraction of a schemaless JSON document.
    Float64(f64),
    /// `STRING`.
    String(Str),
    /// `BYTES`.
    Bytes(Blob),
    /// `ARRAY`.
    Array(Box<[Value]>),
    /// `MAP` in insertion order; keys may be of any type. Schemaless maps whose keys are all strings are [`Object`]s.
    Map(Box<[(Value, Value)]>),
    /// A schemaless map with string keys.
    Object(Box<Object>),
    /// `STRUCT`.
    Struct(Box<Struct>),
    /// Logical `Decimal`.
    Decimal(Box<Decimal>),
    /// Logical `Date`: days since 1970-01-01.
    Date(i32),
    /// Logical `Time`: milliseconds since midnight.
    Time(i32),
    /// Logical `Timestamp`: milliseconds since 1970-01-01T00:00:00Z. Also a schemaless `java.util.Date`.
    Timestamp(i64),
}

impl Value {
    /// Whether this is [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Any of the four integer types, widened.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Int8(v) => Some(v.into()),
            Value::Int16(v) => Some(v.into()),
            Value::Int32(v) => Some(v.into()),
            Value::Int64(v) => Some(v),
            _ => None,
        }
    }

    /// Any number as a double: the integer and float types and decimals. What a double cannot hold is rounded. Instants
    /// are no numbers here.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int8(v) => Some(f64::from(*v)),
            Value::Int16(v) => Some(f64::from(*v)),
            Value::Int32(v) => Some(f64::from(*v)),
            #[expect(clippy::cast_precision_loss, reason = "rounding is said")]
            Value::Int64(v) => Some(*v as f64),
            Value::Float32(v) => Some(f64::from(*v)),
            Value::Float64(v) => Some(*v),
            Value::Decimal(v) => Some(v.to_f64()),
            _ => None,
        }
    }

    /// Moves the value out, leaving null.
    #[must_use]
    pub fn take(&mut self) -> Value {
        std::mem::take(self)
    }

    /// The schema type that a value of this variant has when nothing else is known; `None` for null.
    #[must_use]
    pub fn natural_type(&self) -> Option<Type> {
        Some(match self {
            Value::Null => return None,
            Value::Boolean(_) => Type::Boolean,
            Value::Int8(_) => Type::Int8,
            Value::Int16(_) => Type::Int16,
            Value::Int32(_) | Value::Date(_) | Value::Time(_) => Type::Int32,
            Value::Int64(_) | Value::Timestamp(_) => Type::Int64,
            Value::Float32(_) => Type::Float32,
            Value::Float64(_) => Type::Float64,
            Value::String(_) => Type::String,
            Value::Bytes(_) | Value::Decimal(_) => Type::Bytes,
            Value::Array(_) => Type::Array,
            Value::Map(_) | Value::Object(_) => Type::Map,
            Value::Struct(_) => Type::Struct,
        })
    }

    /// The Java class that holds such a value in Kafka Connect; error texts name it.
    #[must_use]
    pub fn java_class(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean(_) => "java.lang.Boolean",
            Value::Int8(_) => "java.lang.Byte",
            Value::Int16(_) => "java.lang.Short",
            Value::Int32(_) => "java.lang.Integer",
            Value::Int64(_) => "java.lang.Long",
            Value::Float32(_) => "java.lang.Float",
            Value::Float64(_) => "java.lang.Double",
            Value::String(_) => "java.lang.String",
            Value::Bytes(_) => "[B",
            Value::Array(_) => "java.util.ArrayList",
            Value::Map(_) | Value::Object(_) => "java.util.HashMap",
            Value::Struct(_) => "org.apache.kafka.connect.data.Struct",
            Value::Decimal(_) => "java.math.BigDecimal",
            Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => "java.util.Date",
        }
    }

    /// Bytes this value holds on the heap, roughly; queues are bounded by it.
    #[must_use]
    pub fn heap_size(&self) -> usize {
        const SLOT: usize = size_of::<Value>();
        match self {
            Value::String(text) => text.heap_size(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(items) => items.len() * SLOT + items.iter().map(Value::heap_size).sum::<usize>(),
            Value::Map(entries) => {
                entries.len() * 2 * SLOT
                    + entries.iter().map(|(k, v)| k.heap_size() + v.heap_size()).sum::<usize>()
            }
            Value::Object(object) => values_size(object.values()),
            Value::Struct(record) => values_size(record.values()),
            Value::Decimal(decimal) => decimal.heap_size(),
            _ => 0,
        }
    }
}

fn values_size(values: &[Value]) -> usize {
    std::mem::size_of_val(values) + 32 + values.iter().map(Value::heap_size).sum::<usize>()
}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Value::$variant(value.into())
            }
        }
    )*};
}
from! {
    bool => Boolean, i8 => Int8, i16 => Int16, i32 => Int32, i64 => Int64, f32 => Float32, f64 => Float64,
    &str => String, String => String, Str => String, Blob => Bytes, Vec<Value> => Array,
    Struct => Struct, Object => Object, Decimal => Decimal,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
