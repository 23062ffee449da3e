//! The source as Lenses' Stream Reactor configures it: KCQL statements say which topics go where, and as what.
//!
//! - `config`: the keys, and what each is in the source's own; `keys`: those that the sink has too.
//! - `statement`: what the statements mean; `conversion`: the converters that they name.
//! - `record`: from messages to records; `converter`: from payloads to keys and values, with `json`, `evolution` and `key`;
//!   `schema_files`: Avro schemas, for source and sink.
//! - `connector`: statements over tasks.
//!
//! Keys, topics, keys of records and schemas are those of Lenses. Two losses are not copied: a message is acknowledged only
//! after Kafka has it, and none is dropped because it is marked as a duplicate.

mod config;
mod connector;
mod conversion;
mod converter;
mod evolution;
#[cfg(test)]
pub(crate) mod java;
mod json;
mod key;
pub(crate) mod keys;
mod record;
pub(crate) mod schema_files;
mod statement;

pub(crate) use config::LensesConfig;
pub(crate) use connector::{LensesSource, in_lenses_words};
pub(crate) use record::{Conversions, LensesRecords};
use statement::Statement;
