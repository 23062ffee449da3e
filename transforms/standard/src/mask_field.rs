//! `MaskField`: replaces the values of fields by an empty value of their type, or by a fixed one.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Datum, Decimal, Object, Record, Schema, Shape, ShapeTable, Str, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::names::{distinct, valid_names};
use crate::nulls::{NullRules, null_refused, replace_null_with_default};
use crate::operand::{Side, map_get, map_put, not_a_map, not_a_struct, rebuild_map, rebuild_object};
use crate::plan::{Plans, SCHEMAS, SHAPES, TRANSITIONS};

const PURPOSE: &str = "mask fields";

lavka_api::config! {
    /// Keys of `MaskField`.
    pub(crate) struct MaskFieldConfig {
        fields: Vec<String> = key("fields").high().check(valid_names(false)).doc("Fields to mask."),
        replacement: Option<String> = key("replacement").low().check(Check::non_empty())
            .doc("What numbers and texts are replaced by, read as a value of the field's type. Without it by 0, false, \
                  an empty text, list or map, or 1970-01-01."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

/// The fixed replacement, read once as every type that it can be of.
struct Replacement {
    text: Str,
    /// As a decimal, if it is one.
    decimal: Option<Decimal>,
}

impl Replacement {
    fn new(text: String) -> Self {
        Self { decimal: Decimal::parse(&text), text: text.into() }
    }

    fn number(&self, article: &str) -> Result<&Decimal> {
        self.decimal.as_ref().ok_or_else(|| {
            Error::data(format!(
                "Unable to convert {} (class java.lang.String) to {article}number",
                self.text
            ))
        })
    }

    /// Integers lose what is behind the point, then their high bits.
    #[expect(clippy::cast_possible_truncation, reason = "what Java's narrowing does")]
    fn instead_of(&self, value: &Value) -> Result<Value> {
        let integer = || self.number("a ").map(Decimal::to_i64_wrapping);
        Ok(match value {
            Value::String(_) => self.text.clone().into(),
            Value::Int8(_) => Value::Int8(integer()? as i8),
            Value::Int16(_) => Value::Int16(integer()? as i16),
            Value::Int32(_) => Value::Int32(integer()? as i32),
            Value::Int64(_) => Value::Int64(integer()?),
            Value::Float32(_) => Value::Float32(self.number("a ")?.to_f64() as f32),
            Value::Float64(_) => Value::Float64(self.number("a ")?.to_f64()),
            Value::Decimal(_) => self.number("")?.clone().into(),
            other => {
                let class = other.java_class();
                return Err(Error::data(format!(
                    "Cannot mask value of type class {class} with custom replacement."
                )));
            }
        })
    }
}

/// The empty value of the type of `value`.
fn emptied(value: &Value) -> Result<Value> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::Boolean(_) => Value::Boolean(false),
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        Value::Decimal(_) => Decimal::new(0, 0).into(),
        Value::Date(_) => Value::Date(0),
        Value::Time(_) => Value::Time(0),
        Value::Timestamp(_) => Value::Timestamp(0),
        Value::String(_) => Value::String(Str::default()),
        Value::Array(_) => Value::Array(Box::default()),
        Value::Map(_) => Value::Map(Box::default()),
        Value::Object(_) => Object::new(Shape::new([]), Vec::new()).into(),
        Value::Bytes(_) | Value::Struct(_) => {
            return Err(Error::data(format!("Cannot mask value of type: class {}", value.java_class())));
        }
    })
}

struct StructPlan {
    /// Places of masked fields, each with what a null stands for and what a null that stays is refused with.
    masked: Vec<(usize, Option<Value>, Option<Error>)>,
    /// Nulls of the other fields.
    nulls: NullRules,
}

struct ObjectPlan {
    /// The input's keys, then those of masked fields that it lacks.
    shape: Shape,
    masked: Vec<usize>,
}

pub(crate) struct MaskField {
    side: Side,
    fields: Vec<Str>,
    replacement: Option<Replacement>,
    replace_nulls: bool,
    structs: Plans<Schema, StructPlan>,
    objects: Plans<Shape, ObjectPlan>,
    shapes: ShapeTable,
    /// Masked values with their places, between the part that can fail and the one that cannot.
    changes: Vec<(usize, Value)>,
}

impl MaskField {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = MaskFieldConfig::from_config(config)?;
        Ok(Self {
            side,
            fields: distinct(config.fields),
            replacement: config.replacement.map(Replacement::new),
            replace_nulls: config.replace_null_with_default,
            structs: Plans::new(SCHEMAS),
            objects: Plans::new(SHAPES),
            shapes: ShapeTable::new(TRANSITIONS),
            changes: Vec::new(),
        })
    }

    fn compile_struct(fields: &[Str], replace_nulls: bool, schema: &Schema) -> StructPlan {
        let mut plan = StructPlan { masked: Vec::new(), nulls: NullRules::new() };
        for (at, field) in schema.fields().iter().enumerate() {
            let default = field.schema().default_value().filter(|_| replace_nulls);
            if fields.contains(field.name()) {
                let refusal = (default.is_none() && !field.schema().is_optional())
                    .then(|| null_refused(field.name(), field.schema().ty()));
                plan.masked.push((at, default.cloned(), refusal));
            } else {
                plan.nulls.add(at, default, field.name(), field.schema());
            }
        }
        plan
    }

    fn compile_object(fields: &[Str], shape: &Shape, shapes: &mut ShapeTable) -> ObjectPlan {
        let mut keys: Vec<&str> = shape.keys().iter().map(Str::as_str).collect();
        let mut masked = Vec::new();
        for name in fields {
            match shape.index_of(name) {
                Some(at) => masked.push(at),
                None => keys.push(name),
            }
        }
        ObjectPlan { shape: shapes.intern(keys), masked }
    }
}

fn mask(replacement: Option<&Replacement>, value: &Value) -> Result<Value> {
    match (replacement, value) {
        (_, Value::Null) => Ok(Value::Null),
        (None, value) => emptied(value),
        (Some(replacement), value) => replacement.instead_of(value),
    }
}

fn put_all(changes: &mut Vec<(usize, Value)>, values: &mut [Value]) {
    for (at, value) in changes.drain(..) {
        if let Some(slot) = values.get_mut(at) {
            *slot = value;
        }
    }
}

impl Transform for MaskField {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { side, fields, replacement, replace_nulls, structs, objects, shapes, changes } = self;
        let operand: &mut Datum = side.of(record);
        let replacement = replacement.as_ref();
        changes.clear();
        match (&operand.schema, &mut operand.value) {
            (Some(_), Value::Struct(value)) => {
                let plan = structs
                    .get(value.schema(), |schema| Ok(Self::compile_struct(fields, *replace_nulls, schema)))?;
                for (at, default, refusal) in &plan.masked {
                    // Of several faults the first in the struct's order is reported.
                    plan.nulls.check_before(value.values(), *at)?;
                    let found = value.values().get(*at).unwrap_or(&Value::Null);
                    let found = if found.is_null() { default.as_ref().unwrap_or(found) } else { found };
                    if let (Value::Null, Some(refusal)) = (found, refusal) {
                        return Err(refusal.clone());
                    }
                    changes.push((*at, mask(replacement, found)?));
                }
                plan.nulls.check(value.values())?;
                let values = value.values_mut();
                plan.nulls.fill(values);
                put_all(changes, values);
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
            (None, Value::Object(object)) => {
                let plan =
                    objects.get(object.shape(), |shape| Ok(Self::compile_object(fields, shape, shapes)))?;
                for &at in &plan.masked {
                    if let Some(value) = object.values().get(at) {
                        changes.push((at, mask(replacement, value)?));
                    }
                }
                if plan.shape.len() == object.len() {
                    put_all(changes, object.values_mut());
                } else {
                    rebuild_object(operand, &plan.shape, |mut values| {
                        put_all(changes, &mut values);
                        values
                    });
                }
            }
            (None, Value::Map(entries)) => {
                let mut masked = Vec::with_capacity(fields.len());
                for name in &*fields {
                    let value =
                        map_get(entries, name).map_or(Ok(Value::Null), |value| mask(replacement, value))?;
                    masked.push((name, value));
                }
                rebuild_map(operand, |mut entries| {
                    for (name, value) in masked {
                        map_put(&mut entries, name, value);
                    }
                    entries
                });
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
        }
        Ok(Verdict::Keep)
    }
}
