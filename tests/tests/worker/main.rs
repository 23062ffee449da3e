//! Workers in process, against a real Kafka and a real Mosquitto.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod clients;
mod closed_loop;
mod mqtt;
mod new_topics;
mod pipeline;
mod registry;
mod support;
mod validation;
