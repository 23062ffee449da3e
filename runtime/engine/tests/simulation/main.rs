//! The loops of the engine against in-memory Kafka, sources and sinks, under a clock that runs only while everybody
//! waits. Rows of the conformance cases are in the names of the tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod broker;
mod dead_letters;
mod errors;
mod new_topics;
mod plugins;
mod producer;
mod random_sink;
mod random_source;
mod random_transactions;
mod rebalance;
mod remarks;
mod rig;
mod sink;
mod source;
mod source_dead_letters;
mod transactions;
