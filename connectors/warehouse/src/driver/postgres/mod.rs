//! PostgreSQL, and what speaks its protocol.
//!
//! Rows are inserted by `COPY` in its binary form, or in its text form where a column is known by its text alone. Upserts,
//! updates and deletes are copied into a temporary table beside the target, and from there applied with one statement.
//! Redshift has no `COPY FROM STDIN`: there rows are bound to statements with many rows.

mod catalog;
mod copy;
mod decode;
mod encode;
mod failure;
mod session;
mod statement;
mod stream;

pub(super) use failure::remedy;
pub(super) use session::open;
