//! ODBC: every database that has a driver for it.
//!
//! Calls of ODBC wait, so a session has a thread of its own that owns the connection ([`worker`]), and hands it one piece of
//! work at a time ([`session`]). Rows are bound as arrays of columns. A call whose caller went away is cancelled, where the
//! driver can.

mod attributes;
mod catalog;
mod decode;
mod encode;
mod failure;
mod form;
mod session;
mod stages;
mod values;
mod worker;

pub(crate) use attributes::{Attributes, of_jdbc};
pub(super) use session::open;
