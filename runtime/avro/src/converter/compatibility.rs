//! Whether data of one schema can be read as another (`SchemaCompatibility` of Avro's Java library).

use lavka_schema_registry::{ResolvedSchema, SchemaText};

use super::parse;
use crate::codec::unreadable;

/// `Ok` where `registered` reads what is written as `own`; otherwise the first thing in the way.
pub(super) fn check(registered: &ResolvedSchema, own: &SchemaText) -> Result<(), String> {
    if registered.schema.text() == own.text() {
        return Ok(());
    }
    let said = |error: lavka_api::Error| error.to_string();
    let reader = parse(registered).map_err(said)?;
    let writer = parse(&ResolvedSchema::alone(own.clone())).map_err(said)?;
    unreadable(&writer, &reader).map_or(Ok(()), Err)
}
