//! Defaults of Avro schemas as values of Connect schemas.

use std::borrow::Cow;
use std::cell::Cell;

use lavka_api::data::{Blob, Decimal, Logical, Schema, Struct, Type, Value, validate};
use serde_json::Value as Json;

use super::names::scrubbed;
use super::{Mapping, UnionForm};
use crate::schema::{AvroType, Kind, MAX_DEPTH, TypeId, Types};

/// Values that are tried for a default: of unions within unions' records each member may be tried, and fail at the end.
const MAX_TRIED: usize = 1_000_000;

/// The value of a default, or `None` where it is no value of the schema. Null is none here.
pub(super) fn convert(
    mapping: &Mapping,
    types: &Types,
    ty: &AvroType,
    schema: &Schema,
    default: &Json,
) -> Option<Value> {
    let value = Reader::new(mapping, types).of_type(ty, schema, default, 0)?;
    validate(None, schema, &value).ok()?;
    Some(value)
}

/// The value that a field of type `id` has where nobody wrote it; null for null.
pub(crate) fn value_of_default(
    mapping: &Mapping,
    types: &Types,
    id: TypeId,
    schema: &Schema,
    default: &Json,
) -> Option<Value> {
    let value = Reader::new(mapping, types).any(id, schema, default, 0)?;
    (value.is_null() || validate(None, schema, &value).is_ok()).then_some(value)
}

/// Whether a default is JSON of the form that `kind` has at all. Java reads others as if there were none.
pub(super) fn is_of_kind(kind: &Kind, default: &Json) -> bool {
    match kind {
        Kind::Null => default.is_null(),
        Kind::Boolean => default.is_boolean(),
        Kind::Int | Kind::Long | Kind::Float | Kind::Double => default.is_number(),
        Kind::String | Kind::Bytes | Kind::Fixed(_) | Kind::Enum(_) => default.is_string(),
        Kind::Array(_) => default.is_array(),
        Kind::Map(_) | Kind::Record(_) => default.is_object(),
        Kind::Union(_) => true,
    }
}

struct Reader<'a> {
    mapping: &'a Mapping,
    types: &'a Types,
    /// Values that may still be tried.
    left: Cell<usize>,
}

impl<'a> Reader<'a> {
    fn new(mapping: &'a Mapping, types: &'a Types) -> Self {
        Self { mapping, types, left: Cell::new(MAX_TRIED) }
    }

    fn any(&self, id: TypeId, schema: &Schema, json: &Json, depth: usize) -> Option<Value> {
        self.of_type(self.types.get(id), schema, json, depth)
    }

    /// A default of the Connect schema, which counts as all of its values.
    fn copy(&self, default: Option<&Value>) -> Option<Value> {
        let Some(default) = default else { return Some(Value::Null) };
        let values = 1 + default.heap_size() / size_of::<Value>();
        self.left.set(self.left.get().checked_sub(values)?);
        Some(default.clone())
    }

    fn of_type(&self, ty: &AvroType, schema: &Schema, json: &Json, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.left.set(self.left.get().checked_sub(1)?);
        let depth = depth + 1;
        if let Kind::Union(members) = &ty.kind {
            return match self.mapping.union_form(self.types, members) {
                UnionForm::Nullable(_) if json.is_null() => Some(Value::Null),
                UnionForm::Single(member) | UnionForm::Nullable(member) => {
                    self.any(member, schema, json, depth)
                }
                UnionForm::Struct => self.member(members, schema, json, depth),
            };
        }
        Some(match &ty.kind {
            Kind::Null | Kind::Union(_) => json.is_null().then_some(Value::Null)?,
            Kind::Boolean => Value::Boolean(json.as_bool()?),
            Kind::Int => int(schema, i32::try_from(json.as_i64()?).ok()?),
            Kind::Long => match schema.logical() {
                Some(Logical::Timestamp) => Value::Timestamp(json.as_i64()?),
                _ => Value::Int64(json.as_i64()?),
            },
            #[expect(clippy::cast_possible_truncation, reason = "the nearest single, as Java casts")]
            Kind::Float => Value::Float32(number(json)? as f32),
            Kind::Double => Value::Float64(number(json)?),
            Kind::String | Kind::Enum(_) => Value::from(json.as_str()?),
            Kind::Bytes => bytes(schema, &latin1(json.as_str()?)?),
            Kind::Fixed(fixed) => {
                let raw = latin1(json.as_str()?)?;
                (raw.len() == fixed.size).then(|| bytes(schema, &raw))?
            }
            Kind::Array(items) => {
                // An array of entries is a map for Connect; Java drops such defaults.
                let inner = schema.values().filter(|_| schema.ty() == Type::Array)?;
                let list = json.as_array()?.iter().map(|item| self.any(*items, inner, item, depth));
                Value::Array(list.collect::<Option<_>>()?)
            }
            Kind::Map(values) => {
                let inner = schema.values()?;
                let entries = json.as_object()?.iter().map(|(key, item)| {
                    Some((Value::from(key.as_str()), self.any(*values, inner, item, depth)?))
                });
                Value::Map(entries.collect::<Option<_>>()?)
            }
            Kind::Record(record) => {
                let entries = json.as_object()?;
                let mut values = Vec::with_capacity(record.fields.len());
                for (field, connect) in record.fields.iter().zip(schema.fields()) {
                    let name = self.field_name(&field.name);
                    values.push(match entries.get(&*name) {
                        Some(item) => self.any(field.ty, connect.schema(), item, depth)?,
                        None => self.copy(connect.schema().default_value())?,
                    });
                }
                Value::from(Struct::new(schema.clone(), values).ok()?)
            }
        })
    }

    fn field_name<'n>(&self, name: &'n str) -> Cow<'n, str> {
        scrubbed(name, self.mapping.scrub_invalid_names)
    }

    /// The first member that takes the value, as a struct with its field set.
    fn member(&self, members: &[TypeId], schema: &Schema, json: &Json, depth: usize) -> Option<Value> {
        if json.is_null() {
            return members
                .iter()
                .any(|it| matches!(self.types.kind(*it), Kind::Null))
                .then_some(Value::Null);
        }
        let mut values = vec![Value::Null; schema.fields().len()];
        let named = members.iter().filter(|member| !matches!(self.types.kind(**member), Kind::Null));
        for ((member, field), slot) in named.zip(schema.fields()).zip(&mut values) {
            let value = self
                .any(*member, field.schema(), json, depth)
                .filter(|value| validate(None, field.schema(), value).is_ok());
            if let Some(value) = value {
                *slot = value;
                return Some(Value::from(Struct::new(schema.clone(), values).ok()?));
            }
        }
        None
    }
}

fn int(schema: &Schema, number: i32) -> Value {
    match (schema.logical(), schema.ty()) {
        (Some(Logical::Date), _) => Value::Date(number),
        (Some(Logical::Time), _) => Value::Time(number),
        #[expect(clippy::cast_possible_truncation, reason = "Java's byteValue")]
        (_, Type::Int8) => Value::Int8(number as i8),
        #[expect(clippy::cast_possible_truncation, reason = "Java's shortValue")]
        (_, Type::Int16) => Value::Int16(number as i16),
        _ => Value::Int32(number),
    }
}

fn bytes(schema: &Schema, raw: &[u8]) -> Value {
    match schema.logical() {
        Some(Logical::Decimal(scale)) => Value::from(Decimal::from_be_bytes(raw, scale)),
        _ => Value::Bytes(Blob::from(raw)),
    }
}

/// A number, or the text that stands for one that JSON has no form for.
fn number(json: &Json) -> Option<f64> {
    match json.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity" | "INF") => Some(f64::INFINITY),
        Some("-Infinity" | "-INF") => Some(f64::NEG_INFINITY),
        _ => json.as_f64(),
    }
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}
