//! Change data capture from PostgreSQL, as Debezium's connector does it: the same topics, keys, envelopes, schemas and
//! offsets.
//!
//! Rows reach this crate as text on two ways: in the messages of logical replication (`pgoutput`, protocol version 1), and
//! from the queries of a snapshot. Both ways hand in the same form ([`model::ColumnText`]), so that one plan per table turns
//! them into records.
//!
//! # Map
//!
//! - `connector`, `task`: the plugin. `validate`: what a configuration is held against. `config`: the keys.
//! - `database`, `catalog`: connections for SQL, and what the catalogue says.
//! - `replication`: slot, publication and the stream of changes.
//! - [`offset`]: source offsets, and where a restarted task goes on.
//! - [`pgoutput`]: the messages of logical replication, decoded in place.
//! - [`schema`]: which tables and columns become records, under which names and schemas.
//! - `snapshot`: the rows that are there before the stream begins. `incremental`: those that are read beside it.
//!   `notification`: what is told of them. `metrics`: what is counted and measured.
//! - [`types`]: every type of the server as schema and values.
//! - [`event`]: from changes and rows to records.
//! - [`model`]: what the database says about itself: tables, columns, types; and the text of a column.

mod catalog;
mod config;
mod connector;
mod database;
pub mod event;
mod incremental;
mod metrics;
pub mod model;
mod notification;
pub mod offset;
pub mod pgoutput;
mod replication;
pub mod schema;
mod snapshot;
mod task;
pub mod types;
mod validate;

use lavka_api::config::ConfigSpec as _;
use lavka_api::plugin::{Factory, Plugin};

pub use metrics::{MBEAN_ATTRIBUTES, MBeanAttribute};

/// The plugins of this crate.
#[must_use]
pub fn plugins() -> Vec<Plugin> {
    vec![Plugin {
        class: "io.debezium.connector.postgresql.PostgresConnector",
        aliases: &["PostgresSource"],
        version: schema::VERSION,
        doc: "Streams the changes of a PostgreSQL database, with a snapshot of what was there before.",
        definition: config::Settings::definition,
        factory: Factory::Source(|| Box::new(connector::PostgresSource::default())),
    }]
}
