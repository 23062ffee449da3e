//! The commands that need no Kafka, as a user runs them, and the reference pages that one of them writes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod allocator;
mod broker;
mod check;
mod documents;
mod reference;
mod registry_options;
mod standalone;
mod support;
mod transform;
