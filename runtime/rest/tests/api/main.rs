//! The REST API as a client sees it, on a worker whose Kafka is in memory. `a7_…` is row A7 of the conformance cases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod admin;
mod cluster;
mod connectors;
mod http;
mod lifecycle;
mod members;
mod metrics;
mod offsets;
mod plugins;
mod providers;
mod python;
mod restart;
mod secrets;
mod server;
mod validation;
