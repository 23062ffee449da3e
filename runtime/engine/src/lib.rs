//! Runs one task well: chain, tolerance, dead letters, offsets, source loop, sink loop.
//!
//! # Map
//!
//! - [`chain`]: transforms behind their predicates, stage by stage over a batch.
//! - [`errors`]: the one place that acts on an error's class: retries, tolerance, reports, dead letters.
//! - [`source`]: poll → chain → encode → produce → acknowledged prefix → offset store.
//! - [`sink`]: consume → decode → chain → put → commit.
//! - [`task`]: what the worker sees of a running task.
//!
//! # Invariants
//!
//! - An offset moves only after what it stands for is durable: source offsets after Kafka acknowledged every record
//!   up to them, consumer offsets after the sink said so.
//! - What is in flight is bounded in records and bytes; at the bound nothing more is read.
//! - Records leave a batch in order; when one is fatal, those before it are delivered first.
//! - The clock is read in the loops alone; what decides takes time as an argument.

mod active_topics;
pub mod chain;
pub mod errors;
pub mod sink;
pub mod source;
pub mod task;

/// Whether a topic of this name is meant.
pub type TopicMatcher = dyn Fn(&str) -> bool + Send + Sync;
