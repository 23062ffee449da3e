//! Sending.

use std::time::Duration;

use async_trait::async_trait;
use lavka_api::data::Topic;
use lavka_api::{Error, Result};

/// A record to send, borrowed: the client copies it.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingRecord<'a> {
    /// The topic.
    pub topic: &'a Topic,
    /// The partition; by the key's murmur2 hash (or at random without a key) if `None`, as in Java.
    pub partition: Option<i32>,
    /// The key's bytes.
    pub key: Option<&'a [u8]>,
    /// The value's bytes; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Epoch milliseconds; now if `None`.
    pub timestamp: Option<i64>,
    /// Header names and values, in order.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// What the acknowledgement will carry.
    pub token: usize,
}

/// Why a record was not taken.
#[derive(Debug, Clone)]
pub enum SendError {
    /// The client's queue is full: wait for acknowledgements and send the same record again.
    QueueFull,
    /// This record cannot be sent (too large, unknown partition); others can.
    Refused(Error),
    /// The client cannot go on.
    Fatal(Error),
}

/// What became of a record.
#[derive(Debug, Clone)]
pub struct Ack {
    /// The token it was sent with.
    pub token: usize,
    /// Partition and offset where it is now (offset -1 where the acknowledgement does not say), or why it is not.
    pub outcome: Result<(i32, i64)>,
}

/// A producer. `send` never blocks; every record that was taken is acknowledged exactly once, by
/// [`acks`](Self::acks).
#[async_trait]
pub trait Producer: Send + Sync {
    /// Takes a record.
    ///
    /// # Errors
    /// See [`SendError`]; a record that was not taken has no acknowledgement.
    fn send(&self, record: OutgoingRecord<'_>) -> std::result::Result<(), SendError>;

    /// Appends acknowledgements to `out`; waits until there is at least one. Can be dropped and called again without
    /// losing any. Meant for a single caller.
    async fn acks(&self, out: &mut Vec<Ack>);

    /// Sends what lingers and waits until nothing is in flight, at most for `timeout`; whether that was so.
    async fn flush(&self, timeout: Duration) -> bool;

    /// Creates no topic and sends nothing: asks how many partitions `topic` has; `None` where it does not exist.
    ///
    /// # Errors
    /// Retriable where the cluster cannot be asked now.
    async fn partitions(&self, topic: &Topic, timeout: Duration) -> Result<Option<i32>>;
}

/// A producer whose records are seen by readers of committed records in wholes: all of a transaction, or none.
///
/// It has a transactional id (`transactional.id` of its configuration), which one producer holds at a time. An error that
/// is not retriable leaves it of no use for the transaction that is open; one whose id another producer holds by now
/// (`ProducerFencedException`) is of no use at all.
#[async_trait]
pub trait TransactionalProducer: Producer {
    /// Takes its id: the producer that had it is fenced, and what that left open is aborted, or committed where the
    /// commit was under way. The first call; may be repeated after a retriable error.
    async fn init(&self, timeout: Duration) -> Result<()>;

    /// Begins a transaction, to which belongs what is sent from here on.
    fn begin(&self) -> Result<()>;

    /// Sends what lingers, waits for every acknowledgement, and makes the transaction's records seen.
    ///
    /// # Errors
    /// Retriable where `timeout` passed: the commit goes on, and is to be called again.
    async fn commit(&self, timeout: Duration) -> Result<()>;

    /// Gives up the transaction: its records are never seen. May be repeated after a retriable error.
    async fn abort(&self, timeout: Duration) -> Result<()>;
}
