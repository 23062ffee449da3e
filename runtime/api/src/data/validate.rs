//! Checking a value against a schema, with Connect's error texts (`ConnectSchema.validateValue`).

use super::{Logical, Schema, Type, Value};
use crate::error::{Error, Result};

/// Nesting beyond this is refused instead of risking the stack.
const MAX_DEPTH: usize = 128;

/// Checks that `value` fits `schema`; `field` is the name used in the error text.
///
/// Nothing checks a record on its way, since that would cost every record; call it in tests of what you make, or where
/// values come from somebody else's code.
///
/// ```
/// use lavka_api::data::{Schema, Type, Value, validate};
///
/// assert!(validate(None, &Schema::optional(Type::String), &Value::Null).is_ok());
/// let error = validate(Some("id"), &Schema::of(Type::Int64), &Value::Int32(1)).unwrap_err();
/// assert_eq!(
///     error.message(),
///     Some("Invalid Java object for schema with type INT64: class java.lang.Integer for field: \"id\"")
/// );
/// ```
///
/// # Errors
/// A data error with Connect's wording.
pub fn validate(field: Option<&str>, schema: &Schema, value: &Value) -> Result<()> {
    check(field, schema, value, 0)
}

fn check(field: Option<&str>, schema: &Schema, value: &Value, depth: usize) -> Result<()> {
    let place = || field.map_or_else(String::new, |name| format!("field: \"{name}\", "));
    if depth > MAX_DEPTH {
        return Err(Error::data(format!("{}value is nested deeper than {MAX_DEPTH} levels", place())));
    }
    if value.is_null() {
        if schema.is_optional() || schema.default_value().is_some() {
            return Ok(());
        }
        return Err(Error::data(match field {
            Some(name) => format!(
                "Invalid value: null used for required field: \"{name}\", schema type: {}",
                schema.ty()
            ),
            None => {
                format!("Invalid value: null used for required field: null, schema type: {}", schema.ty())
            }
        }));
    }
    let fits = match (schema.logical(), value) {
        (Some(Logical::Decimal(scale)), Value::Decimal(decimal)) => {
            if decimal.scale() != scale {
                return Err(Error::data(format!(
                    "Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, value \
                     has scale {}.",
                    decimal.scale()
                )));
            }
            true
        }
        (Some(Logical::Date), Value::Date(_))
        | (Some(Logical::Time), Value::Time(_))
        | (Some(Logical::Timestamp), Value::Timestamp(_)) => true,
        (Some(_), _) => false,
        (None, value) => match (schema.ty(), value) {
            (Type::Int8, Value::Int8(_))
            | (Type::Int16, Value::Int16(_))
            | (Type::Int32, Value::Int32(_))
            | (Type::Int64, Value::Int64(_))
            | (Type::Float32, Value::Float32(_))
            | (Type::Float64, Value::Float64(_))
            | (Type::Boolean, Value::Boolean(_))
            | (Type::String, Value::String(_))
            | (Type::Bytes, Value::Bytes(_)) => true,
            (Type::Array, Value::Array(items)) => {
                if let Some(inner) = schema.values() {
                    items.iter().try_for_each(|item| check(field, inner, item, depth + 1))?;
                }
                true
            }
            (Type::Map, Value::Map(entries)) => {
                if let (Some(keys), Some(values)) = (schema.keys(), schema.values()) {
                    for (key, item) in entries {
                        check(field, keys, key, depth + 1)?;
                        check(field, values, item, depth + 1)?;
                    }
                }
                true
            }
            (Type::Map, Value::Object(object)) => {
                if let (Some(keys), Some(values)) = (schema.keys(), schema.values()) {
                    if keys.ty() != Type::String {
                        false
                    } else {
                        object.values().iter().try_for_each(|item| check(field, values, item, depth + 1))?;
                        true
                    }
                } else {
                    true
                }
            }
            (Type::Struct, Value::Struct(record)) => {
                if record.schema() != schema {
                    return Err(Error::data(format!("{}Struct schemas do not match.", place())));
                }
                for (inner, item) in record.iter() {
                    check(Some(inner.name()), inner.schema(), item, depth + 1)?;
                }
                true
            }
            _ => false,
        },
    };
    if fits {
        return Ok(());
    }
    let expected = match schema.name() {
        Some(name) => format!("\"{name}\" with type {}", schema.ty()),
        None => format!("with type {}", schema.ty()),
    };
    Err(Error::data(format!(
        "Invalid Java object for schema {expected}: class {}{}",
        value.java_class(),
        field.map_or_else(String::new, |name| format!(" for field: \"{name}\""))
    )))
}
