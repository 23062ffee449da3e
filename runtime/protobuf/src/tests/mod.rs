//! Tests across the modules.

mod converting;
mod hostile;
mod java;
mod oracle;
mod reading;
mod records;
mod texts;
mod trips;

use std::collections::HashMap;
use std::sync::Arc;

use lavka_api::Result;
use lavka_api::data::{Schema, Value};

use crate::MappingSettings;
use crate::decode::DecodePlan;
use crate::encode::EncodePlan;
use crate::mapping::derive;
use crate::schema::{File, Pool};

/// The bytes of `value` under `schema`.
fn encode(schema: &Schema, value: &Value, settings: &MappingSettings) -> Result<Vec<u8>> {
    let derived = derive(schema, settings)?;
    let mut out = Vec::new();
    EncodePlan::compile(schema, &derived, settings)?.write(value, &mut out)?;
    Ok(out)
}

/// The text that is registered for `schema`.
fn text(schema: &Schema, settings: &MappingSettings) -> String {
    derive(schema, settings).unwrap().text.to_string()
}

/// The plan for the message `name` of `text`.
fn plan(text: &str, name: &str, settings: &MappingSettings) -> Result<DecodePlan> {
    let file = Arc::new(File::parse("test.proto", text)?);
    DecodePlan::compile(&Pool::link(&file, &HashMap::new())?, name, None, settings)
}

/// What is read of the bytes that are written for `value`, under the schema that is registered for it.
fn round_trip(schema: &Schema, value: &Value, settings: &MappingSettings) -> Result<(Schema, Value)> {
    let derived = derive(schema, settings)?;
    let bytes = encode(schema, value, settings)?;
    let plan = plan(&derived.text, &derived.message, settings)?;
    Ok((plan.schema().clone(), plan.read(&bytes)?))
}
