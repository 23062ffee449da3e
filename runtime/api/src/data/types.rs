//! What a value can be: the types, and what is made of them by name.

use std::fmt;

/// The twelve types of Connect's data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// 8-bit signed integer.
    Int8,
    /// 16-bit signed integer.
    Int16,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// IEEE 754 single.
    Float32,
    /// IEEE 754 double.
    Float64,
    /// True or false.
    Boolean,
    /// Unicode text.
    String,
    /// Bytes.
    Bytes,
    /// Ordered values of one schema.
    Array,
    /// Keys and values, each of one schema.
    Map,
    /// Named fields.
    Struct,
}

impl Type {
    /// Every type, in the order of Connect's enum.
    pub const ALL: [Type; 12] = [
        Type::Int8,
        Type::Int16,
        Type::Int32,
        Type::Int64,
        Type::Float32,
        Type::Float64,
        Type::Boolean,
        Type::String,
        Type::Bytes,
        Type::Array,
        Type::Map,
        Type::Struct,
    ];

    /// The name as in Java's enum (`INT32`), which error texts use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Type::Int8 => "INT8",
            Type::Int16 => "INT16",
            Type::Int32 => "INT32",
            Type::Int64 => "INT64",
            Type::Float32 => "FLOAT32",
            Type::Float64 => "FLOAT64",
            Type::Boolean => "BOOLEAN",
            Type::String => "STRING",
            Type::Bytes => "BYTES",
            Type::Array => "ARRAY",
            Type::Map => "MAP",
            Type::Struct => "STRUCT",
        }
    }

    /// Whether the type has no inner schema.
    #[must_use]
    pub fn is_primitive(self) -> bool {
        !matches!(self, Type::Array | Type::Map | Type::Struct)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The logical types that Connect knows by schema name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Logical {
    /// `org.apache.kafka.connect.data.Decimal` on `BYTES`, with its scale.
    Decimal(i32),
    /// `org.apache.kafka.connect.data.Date` on `INT32`: days.
    Date,
    /// `org.apache.kafka.connect.data.Time` on `INT32`: milliseconds of the day.
    Time,
    /// `org.apache.kafka.connect.data.Timestamp` on `INT64`: epoch milliseconds.
    Timestamp,
}

impl Logical {
    /// Schema name of decimals.
    pub const DECIMAL: &'static str = "org.apache.kafka.connect.data.Decimal";
    /// Schema name of dates.
    pub const DATE: &'static str = "org.apache.kafka.connect.data.Date";
    /// Schema name of times.
    pub const TIME: &'static str = "org.apache.kafka.connect.data.Time";
    /// Schema name of timestamps.
    pub const TIMESTAMP: &'static str = "org.apache.kafka.connect.data.Timestamp";
}
