//! The sink on real databases: PostgreSQL, MariaDB and SQLite, each test on all of them where it can be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod ahead;
mod behaviour;
mod changes;
mod databases;
mod faults;
mod file_lock;
mod harness;
mod keys;
mod kills;
mod offsets;
mod refusing;
mod semantics;
mod servers;
mod source;
mod source_keys;

/// How the databases are reached.
const OVER_ODBC: bool = false;
