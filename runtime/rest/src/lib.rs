//! The Connect REST API on axum's types and hyper's server.
//!
//! # Map
//!
//! - [`RestConfig`]: what the worker's keys say about it.
//! - [`BoundRest`], [`RestServer`]: listeners, connections, shutdown.
//! - `routes`: from a request to an answer; what HTTP decides (404, 405, 406, 413, 415, `OPTIONS`) is decided there, by
//!   `path`, `table` and `negotiation`, which are pure.
//! - `table`: every path and method, with parameters, bodies, statuses: what is served and what [`openapi`] says, in the
//!   terms of `operation`, `resource`, `query` and `schemas`.
//! - `answers`: what each resource answers; `loggers`: the admin endpoints; `metrics`: what Prometheus reads.
//! - [`Membership`]: which worker of a cluster decides on a request; passing requests on, session keys, signatures.
//!   `passing` says which requests that is about.
//! - `body`: request bodies, with errors that say what is wrong and where.
//! - `shapes`: answers, in Connect's order of keys.
//! - `cors`, `headers`: headers that every answer gets; `access`: the line that is logged for it.
//!
//! # Invariants
//!
//! - Every answer but that to `OPTIONS` and the metrics is JSON; every error is `{"error_code":…,"message":…}`.
//! - No JSON shape of the API is known outside this crate; no decision about connectors is made in it.
//! - A request body is at most 10 MiB, and a request takes at most 90 seconds, with its body. Connections are bounded,
//!   and one that says nothing for 30 seconds is closed.
//! - No error text has a value out of a request body in it, other than names of keys.

mod access;
mod answers;
mod body;
mod config;
mod cors;
mod headers;
mod loggers;
mod membership;
mod metrics;
mod negotiation;
mod openapi;
mod operation;
mod passing;
mod path;
mod query;
mod resource;
mod routes;
mod schemas;
mod server;
mod shapes;
mod table;

pub use config::RestConfig;
pub use membership::{
    InterWorkerKeys, MacAlgorithm, Matter, Membership, PeerRequest, SIGNATURE_ALGORITHM_HEADER,
    SIGNATURE_HEADER, Session, SessionKey, Whose, ask_peer,
};
pub use metrics::METRIC_NAMES;
pub use openapi::openapi;
pub use server::{BoundRest, RestServer};
