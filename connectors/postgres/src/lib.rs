//! Change data capture from PostgreSQL, as Debezium's connector does it: the same topics, keys, envelopes, schemas and
//! offsets.
//!
//! Rows reach this crate as text on two ways: in the messages of logical replication (`pgoutput`, protocol version 1), and
//! from the queries of a snapshot. Both ways hand in the same form ([`model::ColumnText`]), so that one plan per table turns
//! them into records.
//!
//! # Map
//!
//! - [`model`]: what the database says about itself: tables, columns, types; and the text of a column.

pub mod model;
