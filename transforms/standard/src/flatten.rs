//! `Flatten`: makes the fields of nested structs or maps fields of the top, named by the path that led to them.

use std::collections::HashSet;

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Datum, Object, Record, Schema, Shape, ShapeTable, Str, Struct, Type, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, ErrorClass, Result, error::exception};

use crate::nulls::null_refused;
use crate::operand::{Side, not_a_map, not_a_string_key, not_a_struct};
use crate::plan::{Plans, SCHEMAS, TRANSITIONS};

const PURPOSE: &str = "flattening";
/// Nesting beyond this is refused instead of risking the stack.
const MAX_DEPTH: usize = 128;

lavka_api::config! {
    /// Keys of `Flatten`.
    pub(crate) struct FlattenConfig {
        delimiter: String = key("delimiter").default(".")
            .doc("What stands between the names of the fields that led to a value."),
    }
}

/// What a struct becomes.
struct StructPlan {
    schema: Schema,
    /// One step per field of the input, nested ones in theirs.
    steps: Vec<Step>,
}

enum Step {
    /// The value goes to the next field of the result, unless it is null.
    Leaf { default: Option<Value>, refuses_null: Option<(Str, Type)> },
    /// The fields of a struct follow; where it is null, so many fields stay unset.
    Nested { steps: Vec<Step>, leaves: usize },
}

pub(crate) struct Flatten {
    side: Side,
    delimiter: String,
    structs: Plans<Schema, StructPlan>,
    shapes: ShapeTable,
}

impl Flatten {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let delimiter = FlattenConfig::from_config(config)?.delimiter;
        Ok(Self { side, delimiter, structs: Plans::new(SCHEMAS), shapes: ShapeTable::new(TRANSITIONS) })
    }
}

/// Collects the fields of the result.
struct Compiler<'a> {
    delimiter: &'a str,
    fields: Vec<(Str, Schema)>,
    names: HashSet<Str>,
}

impl Compiler<'_> {
    /// The steps for the fields of `schema`, which lies below `prefix`. `optional` says whether any struct above is,
    /// `default` what the nearest default above has for this struct.
    fn steps(
        &mut self,
        schema: &Schema,
        prefix: &str,
        optional: bool,
        default: Option<&Struct>,
        depth: usize,
    ) -> Result<(Vec<Step>, usize)> {
        if depth > MAX_DEPTH {
            return Err(Error::data(format!("the schema is nested deeper than {MAX_DEPTH} levels")));
        }
        let mut steps = Vec::with_capacity(schema.fields().len());
        let mut leaves = 0;
        for field in schema.fields() {
            let name = joined(prefix, field.name(), self.delimiter);
            let inner = field.schema();
            let optional = optional || inner.is_optional();
            let default = inner
                .default_value()
                .or_else(|| default?.get(field.name()))
                .filter(|default| !default.is_null());
            match inner.ty() {
                Type::Struct => {
                    let default = match default {
                        Some(Value::Struct(default)) => Some(&**default),
                        _ => None,
                    };
                    let (nested, count) = self.steps(inner, &name, optional, default, depth + 1)?;
                    steps.push(Step::Nested { steps: nested, leaves: count });
                    leaves += count;
                }
                Type::Map => {
                    return Err(Error::data(format!(
                        "Flatten transformation does not support {} for record with schemas (for field {name}).",
                        inner.ty()
                    )));
                }
                ty => {
                    let name = Str::from(name);
                    let leaf =
                        inner.to_builder().optional_if(optional).default_value(default.cloned()).build()?;
                    if !self.names.insert(name.clone()) {
                        // At once, for Java finds it before what is wrong with fields behind.
                        return Err(Error::new(
                            ErrorClass::Data,
                            exception::SCHEMA_BUILDER,
                            format!("Cannot create field because of field name duplication {name}"),
                        ));
                    }
                    self.fields.push((name.clone(), leaf));
                    steps.push(Step::Leaf {
                        default: inner.default_value().cloned(),
                        refuses_null: (!optional).then_some((name, ty)),
                    });
                    leaves += 1;
                }
            }
        }
        Ok((steps, leaves))
    }
}

fn compile(delimiter: &str, schema: &Schema) -> Result<StructPlan> {
    let default = match schema.default_value() {
        Some(Value::Struct(default)) => Some(&**default),
        _ => None,
    };
    let mut compiler = Compiler { delimiter, fields: Vec::new(), names: HashSet::new() };
    let (steps, _) = compiler.steps(schema, "", schema.is_optional(), default, 0)?;
    let builder = Schema::structure().basics_of(schema);
    let builder =
        compiler.fields.into_iter().fold(builder, |builder, (name, schema)| builder.field(name, schema));
    Ok(StructPlan { schema: builder.build()?, steps })
}

fn joined(prefix: &str, name: &str, delimiter: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}{delimiter}{name}") }
}

/// Finds what cannot be flattened before anything is moved.
fn check_struct(steps: &[Step], value: &Struct) -> Result<()> {
    for (step, value) in steps.iter().zip(value.values()) {
        match (step, value) {
            (Step::Leaf { default: None, refuses_null: Some((name, ty)) }, Value::Null) => {
                return Err(null_refused(name, *ty));
            }
            (Step::Nested { steps, .. }, Value::Struct(inner)) => check_struct(steps, inner)?,
            (Step::Leaf { .. } | Step::Nested { .. }, _) => {}
        }
    }
    Ok(())
}

fn move_struct(steps: &[Step], values: Box<[Value]>, out: &mut Vec<Value>) {
    for (step, value) in steps.iter().zip(values) {
        match (step, value) {
            (Step::Leaf { default: Some(default), .. }, Value::Null) => out.push(default.clone()),
            (Step::Leaf { .. }, value) => out.push(value),
            (Step::Nested { steps, .. }, Value::Struct(inner)) => {
                move_struct(steps, inner.into_values(), out);
            }
            (Step::Nested { leaves, .. }, _) => out.extend(std::iter::repeat_n(Value::Null, *leaves)),
        }
    }
}

/// Whether a schemaless value is one that Connect's data has a type for, and a map with string keys all through.
fn check_map(value: &Value, name: &str, delimiter: &str, depth: usize) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::data(format!(
            "the value is nested deeper than {MAX_DEPTH} levels (field {name})"
        )));
    }
    match value {
        Value::Object(object) => object.iter().try_for_each(|(key, value)| {
            check_map(value, &joined(name, key, delimiter), delimiter, depth + 1)
        }),
        Value::Map(entries) => entries.iter().try_for_each(|(key, value)| {
            let Some(text) = key.as_str() else { return Err(not_a_string_key(key)) };
            check_map(value, &joined(name, text, delimiter), delimiter, depth + 1)
        }),
        Value::Decimal(_) | Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => {
            Err(Error::data(format!(
                "Flatten transformation was passed a value of type class {} which is not supported by Connect's data API",
                value.java_class()
            )))
        }
        Value::Struct(_) => Err(Error::data(format!(
            "Flatten transformation does not support class {} for record without schemas (for field {name}).",
            value.java_class()
        ))),
        _ => Ok(()),
    }
}

/// Entries of the result; of two with one name the later value counts.
#[derive(Default)]
struct Entries {
    keys: Vec<Str>,
    values: Vec<Value>,
}

impl Entries {
    fn put(&mut self, name: Str, value: Value) {
        match self.keys.iter().position(|known| *known == name) {
            Some(at) => {
                if let Some(slot) = self.values.get_mut(at) {
                    *slot = value;
                }
            }
            None => {
                self.keys.push(name);
                self.values.push(value);
            }
        }
    }

    fn flatten(&mut self, value: Value, name: &str, delimiter: &str) {
        match value {
            Value::Object(object) => {
                let (shape, values) = object.into_parts();
                for (key, value) in shape.keys().iter().zip(values) {
                    self.flatten(value, &joined(name, key, delimiter), delimiter);
                }
            }
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.flatten(
                        value,
                        &joined(name, key.as_str().unwrap_or_default(), delimiter),
                        delimiter,
                    );
                }
            }
            leaf => self.put(name.into(), leaf),
        }
    }

    fn into_object(self, shapes: &mut ShapeTable) -> Object {
        let shape: Shape = shapes.intern(self.keys.iter().map(Str::as_str));
        Object::new(shape, self.values)
    }
}

impl Transform for Flatten {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { side, delimiter, structs, shapes } = self;
        let operand: &mut Datum = side.of(record);
        match (&operand.schema, &operand.value) {
            (_, Value::Null) => {}
            (Some(_), Value::Struct(value)) => {
                let plan = structs.get(value.schema(), |schema| compile(delimiter, schema))?;
                check_struct(&plan.steps, value)?;
                crate::operand::rebuild_struct(operand, &plan.schema, |values| {
                    let mut flat = Vec::with_capacity(plan.schema.fields().len());
                    move_struct(&plan.steps, values, &mut flat);
                    flat.into_boxed_slice()
                })?;
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
            (None, map @ (Value::Object(_) | Value::Map(_))) => {
                check_map(map, "", delimiter, 0)?;
                let mut entries = Entries::default();
                entries.flatten(operand.value.take(), "", delimiter);
                operand.value = entries.into_object(shapes).into();
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
        }
        Ok(Verdict::Keep)
    }
}
