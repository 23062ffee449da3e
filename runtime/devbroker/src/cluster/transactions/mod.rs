//! Transactions: who may write under a transactional id, and to what (KIP-98, KIP-360, KIP-890).
//!
//! [`Transaction`] is the state of one transactional id and decides; [`registry`] holds all of them; [`requests`]
//! turns requests into decisions and carries them out in logs and groups. Both protocols are served: the first, where
//! the client adds partitions itself and epochs change with `InitProducerId` alone, and the second (EndTxn 5, Produce
//! 12, TxnOffsetCommit 5), where writing adds partitions and every end raises the epoch.
//!
//! One broker writes all markers at once, so a transaction is never seen between its decision and its end: the states
//! PrepareCommit and PrepareAbort of Kafka do not occur.

mod registry;
mod requests;
mod transaction;

pub(super) use registry::{Protocol, Target, Transactions, Write};
