//! The herder against a worker that does what it is told, in any order that a real one could do it in. Rows of the
//! conformance cases are in the names of the tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod bench;
mod random;
mod rows;
