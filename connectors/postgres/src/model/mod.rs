//! What the database says about itself, as the catalogue queries give it and as the plans of events take it.
//!
//! Nothing here talks to a database: [`Table`] and [`TypeCatalog`] are filled by whoever does.
//!
//! A value reaches the plans as [`ColumnText`]: the output function's text of the server, in the settings that every
//! connection of the connector sets (`DateStyle ISO`, `IntervalStyle postgres`, `extra_float_digits 3`, `bytea_output hex`,
//! `TimeZone UTC`, `lc_monetary C`, `client_encoding UTF8`), whichever way it came.

mod oids;
mod table;
mod types;

pub use oids::oid;
pub use table::{Column, ReplicaIdentity, Table, TableId};
pub use types::{PgType, TypeCatalog, TypeKind};

/// A column of a row in text format. Borrowed: a change is decoded without copying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnText<'a> {
    /// SQL's null.
    Null,
    /// An out-of-line value that the change did not touch, and which the server therefore did not send.
    UnchangedToast,
    /// The server's text.
    Text(&'a [u8]),
}
