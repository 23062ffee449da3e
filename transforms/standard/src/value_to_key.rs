//! `ValueToKey`: makes the key out of fields of the value.

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Datum, Object, Record, Schema, Shape, Str, Struct, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::names::{distinct, valid_names};
use crate::nulls::{NullRules, replace_null_with_default};
use crate::operand::{map_get, not_a_map, not_a_struct};
use crate::plan::{Plans, SCHEMAS, SHAPES};

const PURPOSE: &str = "copying fields from value to key";

lavka_api::config! {
    /// Keys of `ValueToKey`.
    pub(crate) struct ValueToKeyConfig {
        fields: Vec<String> = key("fields").high().check(valid_names(false))
            .doc("Fields of the value that make the key, in the key's order."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

struct StructPlan {
    schema: Schema,
    /// Where each field of the key is in the value.
    places: Vec<usize>,
    /// What happens to nulls among the values of the key.
    nulls: NullRules,
}

pub(crate) struct ValueToKey {
    fields: Vec<Str>,
    shape: Shape,
    replace_nulls: bool,
    structs: Plans<Schema, StructPlan>,
    objects: Plans<Shape, Vec<Option<usize>>>,
}

impl ValueToKey {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let config = ValueToKeyConfig::from_config(config)?;
        let fields = distinct(config.fields);
        Ok(Self {
            shape: Shape::new(fields.clone()),
            fields,
            replace_nulls: config.replace_null_with_default,
            structs: Plans::new(SCHEMAS),
            objects: Plans::new(SHAPES),
        })
    }

    fn compile(fields: &[Str], replace_nulls: bool, schema: &Schema) -> Result<StructPlan> {
        let mut builder = Schema::structure();
        let mut places = Vec::with_capacity(fields.len());
        for name in fields {
            let place = schema.index_of(name).and_then(|at| Some((at, schema.fields().get(at)?)));
            let Some((at, field)) = place else {
                return Err(Error::data(format!("Field does not exist: {name}")));
            };
            builder = builder.field(name.clone(), field.schema().clone());
            places.push(at);
        }
        let schema = builder.build()?;
        Ok(StructPlan { nulls: NullRules::copying(&schema, replace_nulls), schema, places })
    }
}

impl Transform for ValueToKey {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { fields, shape, replace_nulls, structs, objects } = self;
        record.key = match (&record.value.schema, &record.value.value) {
            (Some(_), Value::Struct(value)) => {
                let plan =
                    structs.get(value.schema(), |schema| Self::compile(fields, *replace_nulls, schema))?;
                let mut values: Box<[Value]> = plan
                    .places
                    .iter()
                    .map(|&at| value.values().get(at).cloned().unwrap_or_default())
                    .collect();
                plan.nulls.check(&values)?;
                plan.nulls.fill(&mut values);
                Datum::new(plan.schema.clone(), Struct::new(plan.schema.clone(), values)?)
            }
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
            (None, Value::Object(value)) => {
                let places = objects.get(value.shape(), |shape| {
                    Ok(fields.iter().map(|name| shape.index_of(name)).collect())
                })?;
                let values = places
                    .iter()
                    .map(|at| at.and_then(|at| value.values().get(at)).cloned().unwrap_or_default())
                    .collect();
                Datum::schemaless(Object::new(shape.clone(), values))
            }
            (None, Value::Map(entries)) => {
                let values =
                    fields.iter().map(|name| map_get(entries, name).cloned().unwrap_or_default()).collect();
                Datum::schemaless(Object::new(shape.clone(), values))
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
        };
        Ok(Verdict::Keep)
    }
}
