//! The messages of logical replication, as the plug-in `pgoutput` writes them in protocol version 1 (PostgreSQL's manual,
//! "Logical Replication Message Formats").
//!
//! A message borrows from the frame it came in: nothing is copied, and the columns of a row are walked where they lie. Bytes
//! that are no such message give a [`DecodeError`] that names the place, never a panic, and no memory beyond a list of a
//! relation's columns.

mod cursor;
mod decoder;
mod message;
mod refill;
mod tuple;

pub use decoder::{DecodeError, decode};
pub use message::{
    Begin, Commit, Delete, Insert, LogicalMessage, Lsn, Message, OldTuple, Origin, Relation, RelationColumn,
    Truncate, TypeMessage, Update,
};
pub(crate) use refill::refill;
pub use tuple::{Tuple, TupleColumns};
