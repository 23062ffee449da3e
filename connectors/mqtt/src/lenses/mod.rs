//! The source as Lenses' Stream Reactor configures it: KCQL statements say which topics go where, and as what.
//!
//! - `config`: the keys, and what each is in the source's own; `keys`: those that the sink has too.
//! - `statement`: what the statements mean.
//! - `record`, `json`: from messages to the records that Lenses' converters make.
//! - `connector`: statements over tasks.
//!
//! Keys, topics, keys of records and schemas are those of Lenses. Two losses are not copied: a message is acknowledged only
//! after Kafka has it, and none is dropped because it is marked as a duplicate.

mod config;
mod connector;
mod json;
pub(crate) mod keys;
mod record;
mod statement;

pub(crate) use config::LensesConfig;
pub(crate) use connector::{LensesSource, in_lenses_words};
pub(crate) use record::LensesRecords;
pub(crate) use statement::Statement;
