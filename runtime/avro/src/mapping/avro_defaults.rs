//! Defaults of Connect schemas as JSON in Avro schemas.

use lavka_api::data::{Schema, Type, Value};
use lavka_api::java::write_f32;
use lavka_api::{Error, Result};
use serde_json::{Map, Number, Value as Json};

use super::Mapping;
use super::names::scrubbed;
use crate::schema::{Kind, MAX_DEPTH, TypeId, Types};

/// The default `value` of `schema`: what a field has under `default`, and its type under `connect.default`.
pub(super) fn json_of(mapping: &Mapping, schema: &Schema, value: &Value) -> Result<Json> {
    json(mapping, schema, value, 0)
}

fn json(mapping: &Mapping, schema: &Schema, value: &Value, depth: usize) -> Result<Json> {
    if depth > MAX_DEPTH {
        return Err(Error::data(format!("a default nested deeper than {MAX_DEPTH} levels")));
    }
    let inner = |schema: &Schema, value: &Value| json(mapping, schema, value, depth + 1);
    let values = || {
        schema
            .values()
            .ok_or_else(|| Error::data(format!("a default of {schema} needs the schema of its values")))
    };
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(it) => Json::from(*it),
        Value::Int8(it) => Json::from(*it),
        Value::Int16(it) => Json::from(*it),
        Value::Int32(it) | Value::Date(it) | Value::Time(it) => Json::from(*it),
        Value::Int64(it) | Value::Timestamp(it) => Json::from(*it),
        Value::Float32(it) => {
            // The double of the same digits, not of the same value: 0.1 is to be written as that.
            let mut text = Vec::new();
            write_f32(&mut text, *it);
            let digits = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            float(digits.unwrap_or(f64::from(*it)))
        }
        Value::Float64(it) => float(*it),
        Value::String(it) => Json::from(it.as_str()),
        Value::Bytes(it) => latin1(it),
        Value::Decimal(it) => latin1(&it.to_be_bytes()),
        Value::Array(items) => {
            let schema = values()?;
            Json::Array(items.iter().map(|item| inner(schema, item)).collect::<Result<_>>()?)
        }
        Value::Map(entries) if mapping.is_plain_map(schema) => {
            let schema = values()?;
            let mut object = Map::new();
            for (key, item) in entries {
                let key = key.as_str().ok_or_else(|| wrong(schema, key))?;
                object.insert(key.to_owned(), inner(schema, item)?);
            }
            Json::Object(object)
        }
        Value::Map(entries) => {
            let (Some(keys), schema) = (schema.keys(), values()?) else { return Err(wrong(schema, value)) };
            let entries = entries
                .iter()
                .map(|(key, item)| Ok(Json::Array(vec![inner(keys, key)?, inner(schema, item)?])));
            Json::Array(entries.collect::<Result<_>>()?)
        }
        Value::Object(object) => {
            let schema = values()?;
            let entries =
                object.iter().map(|(key, item)| Ok((key.as_str().to_owned(), inner(schema, item)?)));
            Json::Object(entries.collect::<Result<_>>()?)
        }
        Value::Struct(record) if schema.ty() == Type::Struct => {
            let is_union = Mapping::is_union(schema);
            let mut object = Map::new();
            for (field, item) in schema.fields().iter().zip(record.values()) {
                let item = inner(field.schema(), field.schema().or_default(item))?;
                // Java takes the first field of a union, set or not.
                if is_union {
                    return Ok(item);
                }
                object.insert(scrubbed(field.name(), mapping.scrub_invalid_names).into_owned(), item);
            }
            Json::Object(object)
        }
        Value::Struct(_) => return Err(wrong(schema, value)),
    })
}

fn wrong(schema: &Schema, value: &Value) -> Error {
    Error::data(format!(
        "Invalid type used for default value of {} field: class {}",
        schema.ty(),
        value.java_class()
    ))
}

/// JSON has no text for infinities and not-a-number; as strings they fit no type and are left out.
fn float(value: f64) -> Json {
    Number::from_f64(value).map_or_else(|| Json::from(value.to_string()), Json::Number)
}

/// Bytes as Avro's defaults have them: each the character of that number.
fn latin1(bytes: &[u8]) -> Json {
    Json::from(bytes.iter().copied().map(char::from).collect::<String>())
}

/// Whether Avro accepts `default` for the type `id` (`Schema.Field`, which validates it): of a union any member may take
/// it.
pub(super) fn fits(types: &Types, id: TypeId, default: &Json) -> bool {
    fits_within(types, id, default, 0)
}

fn fits_within(types: &Types, id: TypeId, default: &Json, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    let inner = |id: TypeId, default: &Json| fits_within(types, id, default, depth + 1);
    match (types.kind(id), default) {
        (Kind::Null, Json::Null) | (Kind::Boolean, Json::Bool(_)) => true,
        (Kind::Int, default) => default.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        (Kind::Long, default) => default.is_i64(),
        (Kind::Float | Kind::Double, Json::Number(_)) => true,
        // Of an enum too: Java does not look whether it is a symbol.
        (Kind::String | Kind::Bytes | Kind::Fixed(_) | Kind::Enum(_), Json::String(_)) => true,
        (Kind::Array(items), Json::Array(list)) => list.iter().all(|item| inner(*items, item)),
        (Kind::Map(values), Json::Object(entries)) => entries.values().all(|item| inner(*values, item)),
        (Kind::Record(record), Json::Object(entries)) => record.fields.iter().all(|field| {
            entries.get(&field.name).or(field.default.as_ref()).is_some_and(|it| inner(field.ty, it))
        }),
        (Kind::Union(members), default) => members.iter().any(|member| inner(*member, default)),
        _ => false,
    }
}
