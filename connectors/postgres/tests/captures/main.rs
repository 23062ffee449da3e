//! Records against captures of Debezium 3.6.3, text by text.
//!
//! `testdata/*.stream` is what PostgreSQL 15 sent for the SQL of the captures, `testdata/*.captured` what Debezium made of
//! the same SQL; `testdata/README.md` describes both. What differs from run to run is listed in `volatile`, where records
//! are meant to differ in `deviations`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

mod captured;
mod replay;
mod scenarios;
mod stream;
mod volatile;
