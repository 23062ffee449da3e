//! What the catalogue says: tables with their columns and keys, and types.

mod tables;
mod types;

pub(crate) use tables::{Found, describe, list};
pub(crate) use types::{all_types, types_of};
