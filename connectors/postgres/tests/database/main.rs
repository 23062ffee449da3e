//! The source against a real PostgreSQL, with an engine of the test's own: it polls, keeps offsets, and kills tasks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod chunks;
mod debezium;
mod differential;
mod failover;
mod failures;
mod incremental;
mod mbeans;
mod modes;
mod network;
mod reselect;
mod restart;
mod resumed;
mod rig;
mod shown;
mod stream;
mod tls;
mod validation;
mod workload;
