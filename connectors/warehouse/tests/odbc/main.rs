//! The sink and the source over ODBC, with the drivers of Debian: what holds for the native drivers, and what is about ODBC
//! alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

#[path = "../sink/ahead.rs"]
mod ahead;
mod alone;
#[path = "../sink/behaviour.rs"]
mod behaviour;
mod cancelled;
#[path = "../sink/changes.rs"]
mod changes;
#[path = "../sink/databases.rs"]
mod databases;
#[path = "../sink/faults.rs"]
mod faults;
#[path = "../sink/file_lock.rs"]
mod file_lock;
#[path = "../sink/harness.rs"]
mod harness;
#[path = "../sink/kills.rs"]
mod kills;
#[path = "../sink/offsets.rs"]
mod offsets;
#[path = "../sink/refusing.rs"]
mod refusing;
#[path = "../sink/semantics.rs"]
mod semantics;
#[path = "../sink/source.rs"]
mod source;
mod staged;

/// How the databases are reached.
const OVER_ODBC: bool = true;
