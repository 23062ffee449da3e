//! Source offsets: Debezium's map, read and written unchanged, and where in it a restarted task goes on.
//!
//! The map has Debezium's keys with Debezium's types, so that a connector moves here and back with its offsets topic. LSNs
//! are not enough to go on by: the first change of a transaction has the LSN of its beginning, which often is the end of
//! the transaction before, and rows of one `COPY` share one. So there is a [`Place`] too, under keys of our own that
//! Debezium passes over: the commit LSN of the transaction and the number of the change in it. Transactions arrive in the
//! order of their commit LSNs, and the server sends an unconfirmed one again from its first change, so a place is found
//! again by counting.

mod moving;
mod resume;
mod state;

pub(crate) use moving::MovingOffset;
pub(crate) use resume::{Resume, Seen, Verdict};
pub use state::{Incremental, MessageType, Offset, Place, Snapshot, SnapshotKind, TransactionCounts};
