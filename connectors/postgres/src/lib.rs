//! Change data capture from PostgreSQL, as Debezium's connector does it: the same topics, keys, envelopes, schemas and
//! offsets.
//!
//! Rows reach this crate as text on two ways: in the messages of logical replication (`pgoutput`, protocol version 1), and
//! from the queries of a snapshot. Both ways hand in the same form ([`model::ColumnText`]), so that one plan per table turns
//! them into records.
//!
//! # Map
//!
//! - `config`: the keys.
//! - `database`, `catalog`: connections for SQL, and what the catalogue says.
//! - `replication`: slot, publication and the stream of changes.
//! - [`offset`]: source offsets, and where a restarted task goes on.
//! - [`pgoutput`]: the messages of logical replication, decoded in place.
//! - [`schema`]: which tables and columns become records, under which names and schemas.
//! - [`types`]: every type of the server as schema and values.
//! - [`event`]: from changes and rows to records.
//! - [`model`]: what the database says about itself: tables, columns, types; and the text of a column.

mod catalog;
mod config;
mod database;
pub mod event;
pub mod model;
pub mod offset;
pub mod pgoutput;
mod replication;
pub mod schema;
pub mod types;
