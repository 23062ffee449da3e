//! Rows in, batches out, and read back.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails, fails its test")]

mod declared;
mod inferred;
mod reading;
