//! `Drop`: sets the key or value to null.

use lavka_api::config::{Check, Config, ConfigSpec, key};
use lavka_api::data::{Datum, Record, Schema, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::operand::Side;
use crate::plan::{Plans, SCHEMAS};

lavka_api::config! {
    /// Keys of `Drop`.
    pub(crate) struct DropConfig {
        behavior: String = key("schema.behavior").default("nullify")
            .check(Check::one_of_ignoring_case(&["nullify", "retain", "validate", "force_optional"]))
            .doc("What becomes of the schema. nullify: it goes too. retain: it stays. validate: it stays, and a record \
                  whose schema allows no null fails. force_optional: it stays, changed to allow null."),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behavior {
    Nullify,
    Retain,
    Validate,
    ForceOptional,
}

pub(crate) struct Drop {
    side: Side,
    behavior: Behavior,
    optional: Plans<Schema, Schema>,
}

impl Drop {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let config = DropConfig::from_config(config)?;
        let behavior = match config.behavior.to_ascii_lowercase().as_str() {
            "retain" => Behavior::Retain,
            "validate" => Behavior::Validate,
            "force_optional" => Behavior::ForceOptional,
            _ => Behavior::Nullify,
        };
        Ok(Self { side, behavior, optional: Plans::new(SCHEMAS) })
    }
}

impl Transform for Drop {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let operand: &mut Datum = self.side.of(record);
        match (self.behavior, &operand.schema) {
            (Behavior::Nullify, _) => operand.schema = None,
            (Behavior::Retain, _) | (_, None) => {}
            (_, Some(schema)) if schema.is_optional() => {}
            (Behavior::Validate, Some(schema)) => {
                return Err(Error::data(format!(
                    "the schema {schema} allows no null, as schema.behavior=validate of Drop asks; make it optional, or \
                     use nullify or force_optional"
                )));
            }
            (Behavior::ForceOptional, Some(schema)) => {
                let optional = self.optional.get(schema, |schema| schema.to_builder().optional().build())?;
                operand.schema = Some(optional.clone());
            }
        }
        operand.value = Value::Null;
        Ok(Verdict::Keep)
    }
}
