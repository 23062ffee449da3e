//! The pure brain of a worker: state in, effects out; no clock, no I/O.
//!
//! # Map
//!
//! - [`config_log`]: what the config log says: connectors, their target states, their tasks.
//! - [`status`]: states of connectors and tasks, and the topics they use.
//! - [`restart`]: which parts of a connector a restart request covers.
//! - [`herder`]: requests and events in, effects out. One driver runs the effects and feeds back what came of them.
//!
//! # Invariants
//!
//! - Nothing here reads a clock, blocks or fails: a request that cannot be met gets an answer that says why.
//! - Effects of one connector are to be run in order; those of different connectors may run side by side.
//! - News of a run that has ended (an older epoch) never changes the status of the one that follows.

pub mod config_log;
pub mod herder;
pub mod restart;
pub mod status;
