//! What a worker tells about itself: log lines whose levels change while it runs, and counters under the names of
//! Connect's metrics.
//!
//! # Map
//!
//! - [`log`]: [`init`](log::init) installs the log once per process and gives the [`LogControl`](log::LogControl) that
//!   the REST API reads and sets levels with.
//! - [`metrics`]: counters of tasks, held by those who count, read by whoever exports.
//! - [`exposition`]: metrics as text, for Prometheus.
//! - [`redaction`]: values that no line of the log and no error text shows.
//!
//! # Invariants
//!
//! - A log statement that its level turns off costs one load of an atomic.
//! - Counting never looks anything up and never waits.
//! - Nothing here reads a clock, except the log for the time of a line.

pub mod exposition;
pub mod log;
pub mod metrics;
pub mod redaction;
