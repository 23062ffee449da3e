//! Configurations of workers and connectors, and of the Kafka clients made from them.

mod clients;
mod connector;
mod listener;
mod worker;

pub(crate) use clients::max_poll_records;
pub use clients::{ClientKind, Clients, OverridePolicy};
pub use connector::{
    CommonConfig, KeyMeaning, SinkConfig, SourceConfig, definition_for, describe_key, framework_definition,
};
pub(crate) use connector::{aliases, is_secret};
pub use listener::Listener;
pub use worker::{StandaloneKeys, WorkerConfig, WorkerKey, ignored_worker_key};
