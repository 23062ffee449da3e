//! `HoistField`: wraps the operand as the single field of a struct or map.

use lavka_api::Result;
use lavka_api::config::{Config, ConfigSpec, key};
use lavka_api::data::{Datum, Object, Record, Schema, Shape, Str, Struct};
use lavka_api::plugin::{Transform, Verdict};

use crate::nulls::null_refused;
use crate::operand::Side;
use crate::plan::{Plans, SCHEMAS};

lavka_api::config! {
    /// Keys of `HoistField`.
    pub(crate) struct HoistFieldConfig {
        field: String = key("field").doc("Name of the single field of the struct or map that is made."),
    }
}

pub(crate) struct HoistField {
    side: Side,
    field: Str,
    shape: Shape,
    structs: Plans<Schema, Schema>,
}

impl HoistField {
    pub(crate) fn new(config: &Config, side: Side) -> Result<Self> {
        let field = Str::from(HoistFieldConfig::from_config(config)?.field);
        Ok(Self { side, shape: Shape::new([field.clone()]), field, structs: Plans::new(SCHEMAS) })
    }
}

impl Transform for HoistField {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        let Self { side, field, shape, structs } = self;
        let operand: &mut Datum = side.of(record);
        match &operand.schema {
            None => {
                let value = operand.value.take();
                operand.value = Object::new(shape.clone(), vec![value]).into();
            }
            Some(schema) => {
                let hoisted = structs
                    .get(schema, |schema| Schema::structure().field(field.clone(), schema.clone()).build())?;
                if operand.value.is_null() && !schema.is_optional() {
                    return Err(null_refused(field, schema.ty()));
                }
                let value = Struct::new(hoisted.clone(), [operand.value.take()])?;
                *operand = Datum::new(hoisted.clone(), value);
            }
        }
        Ok(Verdict::Keep)
    }
}
