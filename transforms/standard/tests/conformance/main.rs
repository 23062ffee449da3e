//! The rows of the conformance table for Cast, RegexRouter, InsertField, ReplaceField, ExtractField, HoistField,
//! ValueToKey and the predicates. Plugins are found and configured by their Java names, as a connector's
//! configuration does. Values were observed on the released classes of Apache Kafka 4.3.0.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod cast;
mod harness;
mod predicates;
mod routers;
mod sharing;
mod structure;
