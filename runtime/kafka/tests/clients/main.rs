//! The clients against brokers: every body runs on the embedded broker and on the shared Apache Kafka.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod admin;
mod consumer;
mod outage;
mod producer;
mod rebalance;
mod security;
mod support;
mod transactions;
mod truncation;
