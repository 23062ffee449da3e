//! `Cast`: converts fields, or the operand as a whole, to another primitive type.

mod convert;
mod number;
mod spec;

use lavka_api::config::{Check, Config, ConfigSpec, ConfigType, key};
use lavka_api::data::{Datum, Logical, Record, Schema, Shape, ShapeTable, Str, Type, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, ErrorClass, Result, error::exception};

use crate::nulls::{NullRules, replace_null_with_default};
use crate::operand::{
    Side, map_get, map_put, not_a_map, not_a_struct, rebuild_map, rebuild_object, rebuild_struct,
};
use crate::plan::{Plans, SCHEMAS, SHAPES, TRANSITIONS};

use convert::Target;
use spec::CastSpec;

const PURPOSE: &str = "cast types";

lavka_api::config! {
    /// Keys of `Cast`.
    pub(crate) struct CastConfig {
        spec: Vec<String> = key("spec").high()
            .check(Check::worded("list of field:type, or one type", |_, text| {
                CastSpec::parse(&Vec::<String>::parse(text)?).map(drop)
            }))
            .doc("Fields and the types to convert them to, as field:type, or a single type for the whole key or value. \
                  Types: int8, int16, int32, int64, float32, float64, boolean, string. Bytes convert to string alone, \
                  as Base64."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

/// What the fields of one schema become.
struct StructPlan {
    schema: Schema,
    casts: Vec<FieldCast>,
    nulls: NullRules,
}

struct FieldCast {
    /// The field's place.
    at: usize,
    target: Target,
}

/// What the entries of one shape become.
struct ObjectPlan {
    /// The input's keys, then those of the specification that it lacks.
    shape: Shape,
    casts: Vec<FieldCast>,
}

pub(crate) struct Cast {
    side: Side,
    spec: CastSpec,
    replace_nulls: bool,
    structs: Plans<Schema, StructPlan>,
    wholes: Plans<Schema, Schema>,
    objects: Plans<Shape, ObjectPlan>,
    shapes: ShapeTable,
    /// Converted values with their places, between the part that can fail and the one that cannot.
    converted: Vec<(usize, Value)>,
}

impl Cast {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = CastConfig::from_config(config)?;
        Ok(Self {
            side,
            spec: CastSpec::parse(&config.spec).map_err(Error::config)?,
            replace_nulls: config.replace_null_with_default,
            structs: Plans::new(SCHEMAS),
            wholes: Plans::new(SCHEMAS),
            objects: Plans::new(SHAPES),
            shapes: ShapeTable::new(TRANSITIONS),
            converted: Vec::new(),
        })
    }

    fn whole(&mut self, record: &mut Record, target: Target) -> Result<()> {
        let operand: &mut Datum = self.side.of(record);
        if operand.is_null() {
            return Ok(());
        }
        match &operand.schema {
            Some(schema) => {
                let schema = self.wholes.get(schema, |schema| whole_schema(schema, target))?.clone();
                if let Some(value) = convert::convert(&operand.value, target, true)? {
                    operand.value = value;
                }
                operand.schema = Some(schema);
            }
            None => {
                if let Some(value) = convert::convert(&operand.value, target, false)? {
                    operand.value = value;
                }
            }
        }
        Ok(())
    }

    fn fields(&mut self, record: &mut Record) -> Result<()> {
        let Self { side, spec, replace_nulls, structs, objects, shapes, converted, .. } = self;
        let operand: &mut Datum = side.of(record);
        converted.clear();
        match (&operand.schema, &operand.value) {
            (_, Value::Null) => {}
            (Some(_), Value::Struct(value)) => {
                let plan =
                    structs.get(value.schema(), |schema| compile_struct(spec, *replace_nulls, schema))?;
                convert_all(&plan.casts, value.values(), true, converted)?;
                plan.nulls.check(value.values())?;
                rebuild_struct(operand, &plan.schema, |mut values| {
                    plan.nulls.fill(&mut values);
                    put_all(converted, &mut values);
                    values
                })?;
            }
            (Some(schema), _) if schema.ty() != Type::Struct => {
                return Err(Error::data("Cannot list fields on non-struct type"));
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
            (None, Value::Object(object)) => {
                let plan = objects.get(object.shape(), |shape| Ok(compile_object(spec, shape, shapes)))?;
                convert_all(&plan.casts, object.values(), false, converted)?;
                rebuild_object(operand, &plan.shape, |mut values| {
                    values.reserve_exact(plan.shape.len().saturating_sub(values.len()));
                    put_all(converted, &mut values);
                    values
                });
            }
            (None, Value::Map(entries)) => {
                let mut changes: Vec<(&Str, Value)> = Vec::new();
                for (name, target) in spec.fields() {
                    match map_get(entries, name) {
                        Some(value) => {
                            changes
                                .extend(convert::convert(value, *target, false)?.map(|value| (name, value)));
                        }
                        None => changes.push((name, Value::Null)),
                    }
                }
                rebuild_map(operand, |mut entries| {
                    for (name, value) in changes {
                        map_put(&mut entries, name, value);
                    }
                    entries
                });
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
        }
        Ok(())
    }
}

fn convert_all(
    casts: &[FieldCast],
    values: &[Value],
    typed: bool,
    converted: &mut Vec<(usize, Value)>,
) -> Result<()> {
    for cast in casts {
        if let Some(value) = values.get(cast.at)
            && let Some(value) = convert::convert(value, cast.target, typed)?
        {
            converted.push((cast.at, value));
        }
    }
    Ok(())
}

fn put_all(converted: &mut Vec<(usize, Value)>, values: &mut [Value]) {
    for (at, value) in converted.drain(..) {
        if let Some(slot) = values.get_mut(at) {
            *slot = value;
        }
    }
}

/// The schema of an operand that is cast as a whole: all of the old one but its type, the default converted.
fn whole_schema(schema: &Schema, target: Target) -> Result<Schema> {
    let default = schema.default_value().map(|default| cast_default(default, target)).transpose()?;
    let logical = [Logical::DECIMAL, Logical::DATE, Logical::TIME, Logical::TIMESTAMP];
    if default.is_some() && schema.name().is_some_and(|name| logical.contains(&name.as_str())) {
        // The name stays, and by it Connect expects a date or decimal, whatever the type.
        return Err(Error::new(ErrorClass::Data, exception::SCHEMA_BUILDER, "Invalid default value"));
    }
    Schema::builder(target.ty())
        .basics_of(schema)
        .optional_if(schema.is_optional())
        .default_value(default)
        .build()
}

fn cast_default(default: &Value, target: Target) -> Result<Value> {
    Ok(convert::convert(default, target, true)?.unwrap_or_else(|| default.clone()))
}

fn compile_struct(spec: &CastSpec, replace_nulls: bool, schema: &Schema) -> Result<StructPlan> {
    let mut builder = Schema::structure().basics_of(schema).optional_if(schema.is_optional());
    let mut casts = Vec::new();
    let mut nulls = NullRules::new();
    for (at, field) in schema.fields().iter().enumerate() {
        let field_schema = match spec.target(field.name()) {
            None => field.schema().clone(),
            Some(target) => {
                casts.push(FieldCast { at, target });
                let default = field.schema().default_value();
                Schema::builder(target.ty())
                    .optional_if(field.schema().is_optional())
                    .default_value(default.map(|default| cast_default(default, target)).transpose()?)
                    .build()?
            }
        };
        let default = field_schema.default_value().filter(|_| replace_nulls);
        nulls.add(at, default, field.name(), &field_schema);
        builder = builder.field(field.name().clone(), field_schema);
    }
    if schema.default_value().is_some() {
        // Connect converts the default of the whole struct too, which no struct survives.
        return Err(convert::unsupported(Type::Struct));
    }
    Ok(StructPlan { schema: builder.build()?, casts, nulls })
}

fn compile_object(spec: &CastSpec, shape: &Shape, shapes: &mut ShapeTable) -> ObjectPlan {
    let mut keys: Vec<&str> = shape.keys().iter().map(Str::as_str).collect();
    let mut casts = Vec::new();
    for (name, target) in spec.fields() {
        match shape.index_of(name) {
            Some(at) => casts.push(FieldCast { at, target: *target }),
            None => keys.push(name),
        }
    }
    ObjectPlan { shape: shapes.intern(keys), casts }
}

impl Transform for Cast {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        match self.spec.whole() {
            Some(target) => self.whole(record, target)?,
            None => self.fields(record)?,
        }
        Ok(Verdict::Keep)
    }
}
