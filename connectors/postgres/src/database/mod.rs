//! Connections for SQL: how they are opened, how names get into statements, what errors mean.
//!
//! Values are bound, or checked to be of a form that cannot end a literal; identifiers are quoted by [`identifier`] alone.

mod connect;
mod failure;
mod quote;
mod tls;

pub(crate) use connect::{Server, TEXT_FORMAT, version};
pub(crate) use failure::{named, named_wire};
pub(crate) use quote::{identifier, qualified};
pub(crate) use tls::TlsFiles;
