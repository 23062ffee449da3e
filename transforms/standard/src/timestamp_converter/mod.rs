//! `TimestampConverter`: converts a time between text, number and the logical types.

mod instant;

use std::time::{SystemTime, UNIX_EPOCH};

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Datum, Record, Schema, Shape, ShapeTable, Str, Struct, Type, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::date_format::{DateFormat, century_start};
use crate::nulls::{NullRules, null_refused, replace_null_with_default};
use crate::operand::{
    Side, map_get, map_put, not_a_map, not_a_struct, rebuild_map, rebuild_object, rebuild_struct,
};
use crate::plan::{Plans, SCHEMAS, SHAPES, TRANSITIONS};

use instant::{Conversion, Form, Unit};

const PURPOSE: &str = "converting timestamp formats";

lavka_api::config! {
    /// Keys of `TimestampConverter`.
    pub(crate) struct TimestampConverterConfig {
        field: String = key("field").default("").high()
            .doc("Field with the time. Without it the whole key or value is one."),
        target: String = key("target.type").high().check(Check::one_of(Form::NAMES))
            .doc("What the time becomes: string, unix (a number), Date, Time or Timestamp."),
        format: String = key("format").default("")
            .doc("Pattern of Java's SimpleDateFormat, by which texts are read and, for target.type=string, written."),
        precision: String = key("unix.precision").default("milliseconds").low().check(Check::one_of(Unit::NAMES))
            .doc("Unit of numbers, read and written. What is finer than a millisecond is lost."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

/// What the operand of one schema becomes where a field of it is converted.
struct StructPlan {
    schema: Schema,
    field: Option<FieldPlan>,
    /// Nulls of the other fields.
    nulls: NullRules,
}

struct FieldPlan {
    at: usize,
    /// The form that its schema tells. That the schema is of no time is said by the first value, for null has none.
    form: Result<Form>,
    /// What a null stands for.
    default: Option<Value>,
    /// What a null that stays is refused with.
    refusal: Option<Error>,
}

/// What the operand of one schema becomes as a whole.
struct WholePlan {
    schema: Schema,
    form: Form,
}

struct ObjectPlan {
    /// The input's keys, with the field at the end if they lack it.
    shape: Shape,
    at: usize,
}

pub(crate) struct TimestampConverter {
    side: Side,
    field: Str,
    replace_nulls: bool,
    conversion: Conversion,
    structs: Plans<Schema, StructPlan>,
    wholes: Plans<Schema, WholePlan>,
    objects: Plans<Shape, ObjectPlan>,
    shapes: ShapeTable,
}

impl TimestampConverter {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        Self::at(config, side, i64::try_from(now).unwrap_or(i64::MAX))
    }

    /// As made at `now_ms`, on which the meaning of years of two digits depends.
    fn at(config: &Config, side: Side, now_ms: i64) -> Result<Self> {
        let config = TimestampConverterConfig::from_config(config)?;
        let target = Form::by_name(&config.target);
        if target == Form::Text && config.format.is_empty() {
            return Err(Error::config(
                "TimestampConverter requires format option to be specified when using string timestamps",
            ));
        }
        let format = (!config.format.is_empty()).then(|| {
            DateFormat::compile(&config.format).map_err(|detail| {
                Error::config(format!(
                    "TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {}",
                    config.format
                ))
                .caused_by(Error::config(detail).with_exception("java.lang.IllegalArgumentException"))
            })
        });
        Ok(Self {
            side,
            field: config.field.into(),
            replace_nulls: config.replace_null_with_default,
            conversion: Conversion {
                target,
                unit: Unit::by_name(&config.precision),
                format: format.transpose()?,
                century_start: century_start(now_ms),
                buffer: String::new(),
            },
            structs: Plans::new(SCHEMAS),
            wholes: Plans::new(SCHEMAS),
            objects: Plans::new(SHAPES),
            shapes: ShapeTable::new(TRANSITIONS),
        })
    }

    fn whole(&mut self, record: &mut Record) -> Result<()> {
        let Self { side, conversion, wholes, .. } = self;
        let operand: &mut Datum = side.of(record);
        match &operand.schema {
            None => operand.value = conversion.convert(&operand.value, None)?,
            Some(schema) => {
                let plan = wholes.get(schema, |schema| {
                    let form = Form::of_schema(schema)?;
                    Ok(WholePlan { schema: conversion.target.schema(schema.is_optional())?, form })
                })?;
                operand.value = conversion.convert(&operand.value, Some(plan.form))?;
                operand.schema = Some(plan.schema.clone());
            }
        }
        Ok(())
    }

    fn in_field(&mut self, record: &mut Record) -> Result<()> {
        let Self { side, field, replace_nulls, conversion, structs, objects, shapes, .. } = self;
        let operand: &mut Datum = side.of(record);
        match (&operand.schema, &operand.value) {
            (None, Value::Null) => {}
            (Some(schema), Value::Null) => {
                let plan =
                    structs.get(schema, |schema| compile(field, *replace_nulls, conversion, schema))?;
                operand.schema = Some(plan.schema.clone());
            }
            (Some(_), Value::Struct(value)) => {
                let plan = structs
                    .get(value.schema(), |schema| compile(field, *replace_nulls, conversion, schema))?;
                let changed = plan.converted(value.values(), conversion)?;
                rebuild_struct(operand, &plan.schema, |mut values| {
                    plan.put(changed, &mut values);
                    values
                })?;
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
            (None, Value::Object(object)) => {
                let plan = objects.get(object.shape(), |shape| Ok(compile_object(field, shape, shapes)))?;
                let found = object.values().get(plan.at).unwrap_or(&Value::Null);
                let converted = conversion.convert(found, None)?;
                rebuild_object(operand, &plan.shape, |mut values| {
                    match values.get_mut(plan.at) {
                        Some(slot) => *slot = converted,
                        None => values.push(converted),
                    }
                    values
                });
            }
            (None, Value::Map(entries)) => {
                let converted = conversion.convert(map_get(entries, field).unwrap_or(&Value::Null), None)?;
                rebuild_map(operand, |mut entries| {
                    map_put(&mut entries, field, converted);
                    entries
                });
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
        }
        Ok(())
    }
}

fn compile(
    name: &Str,
    replace_nulls: bool,
    conversion: &mut Conversion,
    schema: &Schema,
) -> Result<StructPlan> {
    if schema.ty() != Type::Struct {
        return Err(Error::data("Cannot list fields on non-struct type"));
    }
    let mut builder = Schema::structure().basics_of(schema).optional_if(schema.is_optional());
    let mut field_plan = None;
    let mut nulls = NullRules::new();
    for (at, field) in schema.fields().iter().enumerate() {
        let default = field.schema().default_value().filter(|_| replace_nulls);
        if field.name() == name {
            let optional = field.schema().is_optional();
            field_plan = Some(FieldPlan {
                at,
                form: Form::of_schema(field.schema()),
                default: default.cloned(),
                refusal: (!optional).then(|| {
                    null_refused(
                        name,
                        conversion.target.schema(false).map_or(field.schema().ty(), |schema| schema.ty()),
                    )
                }),
            });
            builder = builder.field(name.clone(), conversion.target.schema(optional)?);
        } else {
            nulls.add(at, default, field.name(), field.schema());
            builder = builder.field(field.name().clone(), field.schema().clone());
        }
    }
    let mut plan = StructPlan { schema: builder.clone().build()?, field: field_plan, nulls };
    if let Some(Value::Struct(default)) = schema.default_value() {
        let changed = plan.converted(default.values(), conversion)?;
        let mut values = default.values().to_vec();
        plan.put(changed, &mut values);
        let default = Struct::new(plan.schema.clone(), values)?;
        plan.schema = builder.default_value(Value::from(default)).build()?;
    }
    Ok(plan)
}

impl StructPlan {
    /// The new value of the field, if there is the field.
    fn converted(&self, values: &[Value], conversion: &mut Conversion) -> Result<Option<Value>> {
        let Some(plan) = &self.field else {
            self.nulls.check(values)?;
            return Ok(None);
        };
        // Of several faults the first in the struct's order is reported.
        self.nulls.check_before(values, plan.at)?;
        let found = values.get(plan.at).unwrap_or(&Value::Null);
        let found = if found.is_null() { plan.default.as_ref().unwrap_or(found) } else { found };
        let form = plan.form.as_ref().map_err(Clone::clone)?;
        let converted = conversion.convert(found, Some(*form))?;
        match (&converted, &plan.refusal) {
            (Value::Null, Some(refusal)) => Err(refusal.clone()),
            _ => self.nulls.check(values).map(|()| Some(converted)),
        }
    }

    fn put(&self, changed: Option<Value>, values: &mut [Value]) {
        self.nulls.fill(values);
        if let (Some(plan), Some(value)) = (&self.field, changed)
            && let Some(slot) = values.get_mut(plan.at)
        {
            *slot = value;
        }
    }
}

fn compile_object(name: &Str, shape: &Shape, shapes: &mut ShapeTable) -> ObjectPlan {
    match shape.index_of(name) {
        Some(at) => ObjectPlan { shape: shape.clone(), at },
        None => {
            let keys = shape.keys().iter().map(Str::as_str).chain([name.as_str()]);
            ObjectPlan { shape: shapes.intern(keys), at: shape.len() }
        }
    }
}

impl Transform for TimestampConverter {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        if self.field.is_empty() {
            self.whole(record)?;
        } else {
            self.in_field(record)?;
        }
        Ok(Verdict::Keep)
    }
}
