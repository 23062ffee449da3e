//! Connections for SQL: how they are opened, how names get into statements, how rows come back as texts, what errors mean.
//!
//! Values are bound, quoted by [`literal`], or checked to be of a form that cannot end a literal; identifiers are quoted by
//! [`identifier`] alone.

mod connect;
mod failure;
mod quote;
mod texts;
mod tls;

pub(crate) use connect::{Server, TEXT_FORMAT, version};
pub(crate) use failure::{SLOT_IN_USE, WireError, named, named_wire};
pub(crate) use quote::{identifier, literal, qualified};
pub(crate) use texts::texts;
pub(crate) use tls::TlsFiles;
