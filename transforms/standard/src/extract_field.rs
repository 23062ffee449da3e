//! `ExtractField`: replaces a struct or map by one of its fields.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Datum, Record, Schema, Struct, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, ErrorClass, Result, error::exception};

use crate::field_path::{FieldPath, PathSyntax};
use crate::nulls::replace_null_with_default;
use crate::operand::{Side, not_a_map, not_a_struct};
use crate::plan::{Plans, SCHEMAS};

const PURPOSE: &str = "field extraction";
const NESTED: &str = "nested field access";

lavka_api::config! {
    /// Keys of `ExtractField`.
    pub(crate) struct ExtractFieldConfig {
        field: String = key("field").doc("Name of the field, or its path where field.syntax.version is V2."),
        replace_null_with_default: bool = replace_null_with_default(),
        syntax: String = key("field.syntax.version").high().default("V1")
            .check(Check::one_of_ignoring_case(&["V1", "V2"]))
            .doc("V1: field is the name of a field at the top. V2: field is a path whose steps are separated by \
                  dots; a step that holds dots itself stands between backticks."),
    }
}

pub(crate) struct ExtractField {
    side: Side,
    written: String,
    path: FieldPath,
    replace_nulls: bool,
    /// The schema of the field, by that of the operand.
    structs: Plans<Schema, Schema>,
}

impl ExtractField {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = ExtractFieldConfig::from_config(config)?;
        let syntax = if config.syntax.eq_ignore_ascii_case("V2") { PathSyntax::V2 } else { PathSyntax::V1 };
        Ok(Self {
            side,
            path: FieldPath::parse(&config.field, syntax)?,
            written: config.field,
            replace_nulls: config.replace_null_with_default,
            structs: Plans::new(SCHEMAS),
        })
    }

    fn field_schema(path: &FieldPath, written: &str, schema: &Schema) -> Result<Schema> {
        let mut current = schema;
        for step in path.parents().iter().map(String::as_str).chain([path.last()]) {
            if current.ty() != lavka_api::data::Type::Struct {
                return Err(Error::data("Cannot look up fields on non-struct type"));
            }
            current = current.field(step).map(|field| field.schema()).ok_or_else(|| {
                Error::new(ErrorClass::Data, exception::ILLEGAL_ARGUMENT, format!("Unknown field: {written}"))
            })?;
        }
        Ok(current.clone())
    }
}

/// Moves the field at `parents`, then `last`, out of `record`; null below a null. Parents stand for their defaults
/// always, the field itself where nulls are replaced.
fn take_from_struct(
    record: &mut Struct,
    parents: &[String],
    last: &str,
    replace_nulls: bool,
) -> Result<Value> {
    let step = parents.first().map_or(last, String::as_str);
    let Some(at) = record.schema().index_of(step) else { return Ok(Value::Null) };
    let unset = record.values().get(at).is_none_or(Value::is_null);
    // A default belongs to the schema and has to be copied.
    let mut default = match record.get(step) {
        Some(default) if unset && (replace_nulls || !parents.is_empty()) => default.clone(),
        _ => Value::Null,
    };
    let slot = match record.values_mut().get_mut(at) {
        Some(slot) if !unset => slot,
        _ => &mut default,
    };
    match (parents.get(1..), slot) {
        (None, slot) => Ok(slot.take()),
        (Some(_), Value::Null) => Ok(Value::Null),
        (Some(parents), Value::Struct(inner)) => take_from_struct(inner, parents, last, replace_nulls),
        (Some(_), other) => Err(not_a_struct(other, NESTED)),
    }
}

/// Moves the field at `parents`, then `last`, out of a map; null where there is none.
fn take_from_map(map: &mut Value, parents: &[String], last: &str) -> Result<Value> {
    let step = parents.first().map_or(last, String::as_str);
    let slot = match map {
        Value::Object(object) => match object.shape().index_of(step) {
            Some(at) => object.values_mut().get_mut(at),
            None => None,
        },
        Value::Map(entries) => {
            entries.iter_mut().find(|(key, _)| key.as_str() == Some(step)).map(|(_, value)| value)
        }
        other => return Err(not_a_map(other, NESTED)),
    };
    match (parents.get(1..), slot) {
        (_, None) | (Some(_), Some(Value::Null)) => Ok(Value::Null),
        (None, Some(slot)) => Ok(slot.take()),
        (Some(parents), Some(slot)) => take_from_map(slot, parents, last),
    }
}

impl Transform for ExtractField {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { side, written, path, replace_nulls, structs } = self;
        let operand: &mut Datum = side.of(record);
        *operand = match (&operand.schema, &mut operand.value) {
            (None, Value::Null) => Datum::NULL,
            (None, map @ (Value::Object(_) | Value::Map(_))) => {
                Datum { schema: None, value: take_from_map(map, path.parents(), path.last())? }
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
            (Some(schema), value) => {
                let record = match value {
                    Value::Struct(record) => Some(record),
                    Value::Null => None,
                    other => return Err(not_a_struct(other, PURPOSE)),
                };
                let schema = structs.get(schema, |schema| Self::field_schema(path, written, schema))?.clone();
                let value = match record {
                    Some(record) => take_from_struct(record, path.parents(), path.last(), *replace_nulls)?,
                    None => Value::Null,
                };
                Datum { schema: Some(schema), value }
            }
        };
        Ok(Verdict::Keep)
    }
}
