//! What the emitter promises, without a database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod changes;
mod hostile;
mod plans;
mod resuming;
mod rig;
