//! The keys, with Debezium's names, defaults and order.
//!
//! They are declared by subject, each file one struct; [`Settings`] has them all, and the definition that REST shows puts
//! them into Debezium's order. Values that belong together are read by the methods of [`Settings`].

mod checks;
mod connection;
mod events;
mod filters;
mod ignored;
mod modes;
mod order;
mod plugin_options;
mod post_processors;
mod records;
mod replication;
mod runtime;
mod settings;
mod snapshot;

pub(crate) use checks::{invalid, items};
pub(crate) use connection::ConnectionKeys;
pub(crate) use events::{refused, run};
pub(crate) use filters::FilterKeys;
pub(crate) use modes::*;
pub(crate) use order::{ORDER, PATTERN_KEYS};
pub(crate) use post_processors::Reselection;
pub(crate) use records::RecordKeys;
pub(crate) use replication::ReplicationKeys;
pub(crate) use runtime::RunKeys;
pub(crate) use settings::Settings;
pub(crate) use snapshot::SnapshotKeys;
