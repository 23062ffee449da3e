//! Owns connectors and tasks on this machine; drives the herder; stores.
//!
//! # Map
//!
//! - [`Worker`], [`WorkerHandle`]: start a worker; ask it what REST and the command line ask.
//! - `driver`: feeds the pure herder and hands its effects to one actor per connector, which runs them in order.
//! - `assembly`: converters, chain, error policy and clients of a task, from configurations.
//! - `generation`: what keeps earlier tasks of a source from writing, where it delivers exactly once.
//! - `topic_names`: names of topics and Java's regular expressions.
//! - [`Providers`]: `${provider:path:key}` in configurations.
//! - `discretion`, `reload`: what variables stood for stays hidden; a connector is restarted where it has changed.
//! - [`config`]: the worker's keys, the keys every connector has, configurations of Kafka clients.
//! - [`validation`](Validation): everything that can be known to be wrong before a connector starts.
//! - [`within`]: what a request waits for, for the text of its time-out.
//! - [`offsets`]: the standalone offset file in Java's format, offsets topics, offsets as users change them.

mod actor;
mod answers;
mod assembly;
pub mod config;
mod discretion;
mod driver;
mod generation;
mod handle;
pub mod offsets;
mod providers;
mod reload;
mod stage;
mod topic_names;
mod topics;
mod validate;
mod worker;

pub use answers::{ConfigInfo, ConfigInfos, ConnectorOffset, Health, OffsetChange, Refusal, ServerInfo};
pub use assembly::Converters;
pub use handle::WorkerHandle;
pub use lavka_coordination::config_log::TargetState;
pub use lavka_coordination::herder::ConnectorInfo;
pub use lavka_coordination::restart::RestartRequest;
pub use lavka_coordination::status::{ConnectorStatus, State, Status};
pub use providers::{Providers, Resolved};
pub use stage::{TimedOut, within};
pub use validate::Validation;
pub use worker::{Worker, WorkerParts};
