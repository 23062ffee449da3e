//! Configurations of workers and connectors, and of the Kafka clients made from them.

mod clients;
mod connector;
mod listener;
pub mod properties;
mod topic_creation;
mod worker;

pub(crate) use clients::max_poll_records;
pub use clients::{ClientKind, Clients, OverridePolicy};
pub use connector::{
    CommonConfig, KeyMeaning, SinkConfig, SourceConfig, definition_for, describe_key, framework_definition,
};
pub(crate) use connector::{aliases, is_secret};
pub use listener::Listener;
pub use topic_creation::topic_group_definition;
pub(crate) use topic_creation::{is_used as uses_topic_creation, topic_groups};
pub(crate) use worker::is_enabled;
pub use worker::{StandaloneKeys, WorkerConfig, WorkerKey, ignored_worker_key};
