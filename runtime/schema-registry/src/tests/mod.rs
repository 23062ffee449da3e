//! The client and the session: over a registry in memory, and over HTTP.

mod client;
mod decisions;
mod http;
mod server;

use lavka_api::config::Config;
use lavka_api::plugin::ConverterRole;

use crate::mock::MockRegistry;
use crate::schema::{ResolvedSchema, SchemaText, SchemaType};
use crate::session::Session;

pub(super) fn avro(text: &str) -> SchemaText {
    SchemaText::new(SchemaType::Avro, text)
}

pub(super) fn session(mock: &MockRegistry, entries: &[(&str, &str)]) -> Session {
    let config: Config = entries.iter().copied().collect();
    mock.session(&config, ConverterRole::Value, SchemaType::Avro).unwrap()
}

/// The rule of these tests: what is written has to be what is registered.
pub(super) fn equal(registered: &ResolvedSchema, own: &SchemaText) -> Result<(), String> {
    if registered.schema == *own { Ok(()) } else { Err("they differ".into()) }
}
