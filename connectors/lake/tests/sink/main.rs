//! The lake sink through its contract, over stores that fail in every way a store can.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails, fails its test")]

mod aiven;
mod behaviour;
mod companions;
mod configuration;
mod crashes;
mod directories;
mod elections;
mod files;
mod formats;
mod harness;
mod keys;
mod model_store;
mod operations;
mod small_files;
