//! Connect schemas and Protobuf schemas, each made from the other as Confluent's `ProtobufData` does.

mod from_connect;
mod names;

pub(crate) use from_connect::{Derived, derive, is_wrapped};
pub(crate) use names::{Names, is_map_entry, map_field};

use lavka_api::data::{Logical, Schema, Type};

use crate::schema::Scalar;

/// Names of schemas and keys of parameters.
pub(crate) mod vocabulary {
    /// An enum's name; with `.SYMBOL` behind, a symbol's number.
    pub(crate) const ENUM: &str = "io.confluent.connect.protobuf.Enum";
    /// The beginning of a union's schema name.
    pub(crate) const UNION: &str = "io.confluent.connect.protobuf.Union";
    /// A field's number.
    pub(crate) const TAG: &str = "io.confluent.connect.protobuf.Tag";
    /// A number's type where it is not the one its Connect type says.
    pub(crate) const TYPE: &str = "io.confluent.connect.protobuf.Type";
    /// Whether a member of a union was a wrapper message.
    pub(crate) const WRAPPER: &str = "io.confluent.connect.protobuf.Wrapper";
    /// A union, of whatever format.
    pub(crate) const GENERAL_UNION: &str = "org.apache.kafka.connect.data.Union";
    /// An enum, of whatever format.
    pub(crate) const GENERAL_ENUM: &str = "org.apache.kafka.connect.data.Enum";
    /// The schema name of variants.
    pub(crate) const VARIANT: &str = "org.apache.kafka.connect.data.Variant";
    /// A decimal's precision.
    pub(crate) const PRECISION: &str = "connect.decimal.precision";
    /// The smaller integers in a field's options.
    pub(crate) const CONNECT_TYPE: &str = "connect.type";
}

/// Messages that stand for values.
pub(crate) mod well_known {
    pub(crate) const DECIMAL: &str = "confluent.type.Decimal";
    pub(crate) const VARIANT: &str = "confluent.type.Variant";
    pub(crate) const DATE: &str = "google.type.Date";
    pub(crate) const TIME: &str = "google.type.TimeOfDay";
    pub(crate) const TIMESTAMP: &str = "google.protobuf.Timestamp";
    pub(crate) const STRUCT: &str = "google.protobuf.Struct";
    pub(crate) const VALUE: &str = "google.protobuf.Value";
    pub(crate) const LIST: &str = "google.protobuf.ListValue";
    /// The file of the wrappers.
    pub(crate) const WRAPPERS: &str = "google/protobuf/wrappers.proto";

    /// The file that declares a message which Connect schemas refer to.
    pub(crate) fn file_of(message: &str) -> Option<&'static str> {
        Some(match message {
            DECIMAL => "confluent/type/decimal.proto",
            VARIANT => "confluent/type/variant.proto",
            DATE => "google/type/date.proto",
            TIME => "google/type/timeofday.proto",
            TIMESTAMP => "google/protobuf/timestamp.proto",
            other if super::wrapped(other).is_some() => WRAPPERS,
            _ => return None,
        })
    }
}

/// The type in the wrapper message `full_name`.
pub(crate) fn wrapped(full_name: &str) -> Option<Scalar> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "DoubleValue" => Scalar::Double,
        "FloatValue" => Scalar::Float,
        "Int64Value" => Scalar::Int64,
        "UInt64Value" => Scalar::UInt64,
        "Int32Value" => Scalar::Int32,
        "UInt32Value" => Scalar::UInt32,
        "BoolValue" => Scalar::Bool,
        "StringValue" => Scalar::String,
        "BytesValue" => Scalar::Bytes,
        _ => return None,
    })
}

/// What a schema's name says, whatever its type: Confluent's client goes by the name alone.
pub(crate) fn logical_name(schema: &Schema) -> Option<&'static str> {
    Some(match schema.name()?.as_str() {
        Logical::DECIMAL => well_known::DECIMAL,
        Logical::DATE => well_known::DATE,
        Logical::TIME => well_known::TIME,
        Logical::TIMESTAMP => well_known::TIMESTAMP,
        vocabulary::VARIANT if schema.ty() == Type::Struct => well_known::VARIANT,
        _ => return None,
    })
}

/// Whether a struct stands for a oneof.
pub(crate) fn is_union(schema: &Schema) -> bool {
    schema.ty() == Type::Struct
        && (schema.name().is_some_and(|name| name.starts_with(vocabulary::UNION))
            || schema.parameter(vocabulary::GENERAL_UNION).is_some())
}
