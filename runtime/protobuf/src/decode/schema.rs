//! Connect schemas of fields, as Confluent's `ProtobufData.toConnectSchema` builds them.

use lavka_api::Result;
use lavka_api::data::{Logical, Schema, SchemaBuilder, Str, Type};

use crate::mapping::{vocabulary, well_known, wrapped};
use crate::schema::{EnumDescriptor, FieldDescriptor, OneofDescriptor, Scalar};
use crate::settings::MappingSettings;

/// The schema of a number, text or bytes.
pub(super) fn scalar(scalar: Scalar, field: &FieldDescriptor) -> SchemaBuilder {
    let (ty, own) = match scalar {
        Scalar::Int32 | Scalar::SInt32 | Scalar::SFixed32 => match field.param(vocabulary::CONNECT_TYPE) {
            Some("int8") => return Schema::builder(Type::Int8),
            Some("int16") => return Schema::builder(Type::Int16),
            _ => (Type::Int32, Scalar::Int32),
        },
        Scalar::UInt32
        | Scalar::Fixed32
        | Scalar::Int64
        | Scalar::UInt64
        | Scalar::SInt64
        | Scalar::Fixed64
        | Scalar::SFixed64 => (Type::Int64, Scalar::Int64),
        other => return Schema::builder(plain_type(other)),
    };
    let builder = Schema::builder(ty);
    if scalar == own { builder } else { builder.parameter(vocabulary::TYPE, scalar.name()) }
}

/// The Connect type of a wrapper message's value.
pub(super) fn plain_type(scalar: Scalar) -> Type {
    match scalar {
        Scalar::Int32 | Scalar::SInt32 | Scalar::SFixed32 => Type::Int32,
        Scalar::UInt32
        | Scalar::Fixed32
        | Scalar::Int64
        | Scalar::UInt64
        | Scalar::SInt64
        | Scalar::Fixed64
        | Scalar::SFixed64 => Type::Int64,
        Scalar::Float => Type::Float32,
        Scalar::Double => Type::Float64,
        Scalar::Bool => Type::Boolean,
        Scalar::String => Type::String,
        Scalar::Bytes => Type::Bytes,
    }
}

/// The schema of an enum: its symbols are parameters.
pub(super) fn enumeration(made: &EnumDescriptor, settings: &MappingSettings) -> SchemaBuilder {
    let ty = if settings.int_for_enums { Type::Int32 } else { Type::String };
    let parameter = if settings.generalized_sum_types { vocabulary::GENERAL_ENUM } else { vocabulary::ENUM };
    let name = if settings.enhanced_schemas { &made.full_name } else { &made.name };
    let mut builder = Schema::builder(ty).name(name.clone()).parameter(parameter, made.name.clone());
    for (symbol, number) in &made.values {
        builder = builder.parameter(format!("{parameter}.{symbol}"), number.to_string());
    }
    builder.optional()
}

/// The schema of a decimal, with what the field's options say of it.
pub(super) fn decimal(field: &FieldDescriptor) -> SchemaBuilder {
    let number = |key| field.param(key).and_then(|text| text.parse::<i32>().ok());
    let builder = Schema::logical_of(Logical::Decimal(number("scale").unwrap_or(0))).to_builder();
    match number("precision") {
        Some(precision) => builder.parameter(vocabulary::PRECISION, precision.to_string()),
        None => builder,
    }
}

/// The struct of a oneof, without its members.
pub(super) fn union(oneof: &OneofDescriptor, settings: &MappingSettings) -> SchemaBuilder {
    let builder = Schema::structure().optional();
    if settings.generalized_sum_types {
        builder.name(oneof.name.clone()).parameter(vocabulary::GENERAL_UNION, oneof.name.clone())
    } else {
        let name = if settings.enhanced_schemas { &oneof.full_name } else { &oneof.name };
        builder.name(format!("{}.{name}", vocabulary::UNION))
    }
}

/// The name of the field that a oneof becomes.
pub(super) fn union_field(oneof: &OneofDescriptor, at: usize, settings: &MappingSettings) -> Str {
    if settings.index_for_unions { format!("{}_{at}", oneof.name).into() } else { oneof.name.clone() }
}

/// What every field's schema gets in the end. `builder` is that of one value, `message` the full name of its message.
pub(super) fn finish(
    builder: SchemaBuilder,
    field: &FieldDescriptor,
    list: bool,
    message: Option<&str>,
    settings: &MappingSettings,
) -> Result<Schema> {
    let mut builder = builder;
    if list {
        builder = Schema::array(builder.optional().build()?).to_builder().optional();
    }
    if field.oneof.is_some() {
        builder = builder.optional();
        if settings.wrapper_for_nullables && message.is_some_and(|name| wrapped(name).is_some()) {
            builder = builder.parameter(vocabulary::WRAPPER, "true");
        }
    } else if settings.optional_for_nullables {
        if field.optional_keyword {
            builder = builder.optional();
        }
    } else if !settings.wrapper_for_nullables {
        builder = builder.optional();
    }
    builder.parameter(vocabulary::TAG, field.number.to_string()).build()
}

/// The schema of a message that stands for a value, other than a decimal.
pub(super) fn instant(full_name: &str) -> Option<Logical> {
    Some(match full_name {
        well_known::DATE => Logical::Date,
        well_known::TIME => Logical::Time,
        well_known::TIMESTAMP => Logical::Timestamp,
        _ => return None,
    })
}
