//! `SetSchemaMetadata`: gives the schema of a struct another name or version.

use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Datum, Record, Schema, Type, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::nulls::{NullRules, replace_null_with_default};
use crate::operand::{Side, rebuild_struct};
use crate::plan::{Plans, SCHEMAS};

lavka_api::config! {
    /// Keys of `SetSchemaMetadata`.
    pub(crate) struct SetSchemaMetadataConfig {
        name: Option<String> = key("schema.name").high().doc("Name that the schema gets."),
        version: Option<i32> = key("schema.version").high().doc("Version that the schema gets."),
        replace_null_with_default: bool = replace_null_with_default(),
    }
}

struct Plan {
    schema: Schema,
    nulls: NullRules,
}

pub(crate) struct SetSchemaMetadata {
    side: Side,
    config: SetSchemaMetadataConfig,
    plans: Plans<Schema, Plan>,
}

impl SetSchemaMetadata {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = SetSchemaMetadataConfig::from_config(config)?;
        if config.name.is_none() && config.version.is_none() {
            return Err(Error::config("Neither schema name nor version configured"));
        }
        Ok(Self { side, config, plans: Plans::new(SCHEMAS) })
    }

    fn compile(config: &SetSchemaMetadataConfig, schema: &Schema) -> Result<Plan> {
        if schema.ty() != Type::Struct {
            return Err(Error::data("Cannot list fields on non-struct type"));
        }
        let mut builder = schema.to_builder();
        if let Some(name) = &config.name {
            builder = builder.name(name);
        }
        if let Some(version) = config.version {
            builder = builder.version(version);
        }
        Ok(Plan {
            schema: builder.build()?,
            nulls: NullRules::copying(schema, config.replace_null_with_default),
        })
    }
}

impl Transform for SetSchemaMetadata {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { side, config, plans } = self;
        let operand: &mut Datum = side.of(record);
        match (&operand.schema, &operand.value) {
            (None, Value::Null) => {}
            (None, _) => return Err(Error::data("Schema required for [updating schema metadata]")),
            (Some(schema), value) => {
                let plan = plans.get(schema, |schema| Self::compile(config, schema))?;
                if let Value::Struct(value) = value {
                    plan.nulls.check(value.values())?;
                    rebuild_struct(operand, &plan.schema, |mut values| {
                        plan.nulls.fill(&mut values);
                        values
                    })?;
                } else {
                    operand.schema = Some(plan.schema.clone());
                }
            }
        }
        Ok(Verdict::Keep)
    }
}
