//! The observe mode: resources of CoAP servers, whose changes are the records (RFC 7641).
//!
//! - `config`, `connector`, `task`: from the configuration to what a client needs, and how it is spread over tasks.
//! - `address`, `wish`: which servers, which of their resources.
//! - `watcher`: the client, pure; of it `body` (representations in blocks).
//! - `courier`: its socket, and what it has to look up.
//! - `reading`, `record`: from representations to records.

mod address;
mod body;
mod config;
mod connector;
mod courier;
mod reading;
mod record;
mod task;
mod watcher;
mod wish;

pub(crate) use address::ServerName;
pub(crate) use config::ObserveConfig;
pub(crate) use connector::CoapObserver;
pub(crate) use reading::Reading;
pub(crate) use record::position;
pub(crate) use task::{ObserveTask, Plan, SHARES};
pub(crate) use wish::Wish;
#[cfg(test)]
pub(crate) use wish::shown;
