//! Reading as a member of a consumer group.

use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use lavka_api::Result;
use lavka_api::data::{Blob, Str, TimestampType, Topic, TopicPartition};
use lavka_api::plugin::Offsets;

/// A record as it was consumed. Payloads were copied out of the client once and are shared from here on.
#[derive(Debug, Clone)]
pub struct ConsumedRecord {
    /// The topic; the same allocation for all records of a topic.
    pub topic: Topic,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The epoch of the leader that wrote it, where the broker tells (KIP-320).
    pub leader_epoch: Option<i32>,
    /// Epoch milliseconds, if the record has a timestamp.
    pub timestamp: Option<i64>,
    /// What the timestamp means.
    pub timestamp_type: TimestampType,
    /// The key's bytes.
    pub key: Option<Blob>,
    /// The value's bytes.
    pub value: Option<Blob>,
    /// Header names and values, in order.
    pub headers: Vec<(Str, Option<Blob>)>,
}

/// Topics to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subscription {
    /// These topics.
    Topics(Vec<String>),
    /// Topics whose whole name matches a Java regular expression. The caller matches names by its own engine: `matches`
    /// lists those that match now and is kept up to date by calling `subscribe` again.
    Pattern {
        /// The expression, for logs.
        regex: String,
        /// Topics that match now.
        matches: Vec<String>,
    },
}

/// What a consumer has to tell.
#[derive(Debug)]
pub enum ConsumerEvent {
    /// Records, in order per partition. Offsets of a partition grow, except where an unclean leader election cut off
    /// records that were handed out already: then those follow that came in their place, with a later leader epoch. None
    /// is left out between those that the log still has.
    Records(Vec<ConsumedRecord>),
    /// Partitions were assigned in addition to those held.
    Assigned(Vec<TopicPartition>),
    /// Partitions are being taken away. The group waits until `done` is dropped (or the client's deadline below
    /// `max.poll.interval.ms` passes): commit before that.
    Revoked {
        /// The partitions.
        partitions: Vec<TopicPartition>,
        /// They are lost already (the member was expelled): nothing can be committed for them.
        lost: bool,
        /// Drop it to let the rebalance go on.
        done: RebalanceDone,
    },
    /// Nothing within the time given.
    Idle,
}

/// Held while partitions are handed back; dropping it lets the rebalance go on.
#[derive(Debug)]
pub struct RebalanceDone {
    _release: mpsc::SyncSender<()>,
}

/// The client's end of the handshake.
#[derive(Debug)]
pub struct RebalanceWaiter(mpsc::Receiver<()>);

impl RebalanceWaiter {
    /// Blocks the client's own thread until the other end is dropped; false if `deadline` passed first.
    #[must_use]
    pub fn wait(&self, deadline: Duration) -> bool {
        !matches!(self.0.recv_timeout(deadline), Err(mpsc::RecvTimeoutError::Timeout))
    }
}

/// Both ends of a rebalance handshake.
#[must_use]
pub fn rebalance_handshake() -> (RebalanceDone, RebalanceWaiter) {
    let (release, waiter) = mpsc::sync_channel(1);
    (RebalanceDone { _release: release }, RebalanceWaiter(waiter))
}

/// A member of a consumer group. It is polled by the implementation's own thread whether or not anybody calls
/// [`next`](Self::next), so a slow sink never falls out of its group; what is read ahead is bounded.
#[async_trait]
pub trait Consumer: Send {
    /// Subscribes, replacing an earlier subscription.
    async fn subscribe(&mut self, subscription: &Subscription) -> Result<()>;

    /// The next event: at most `max_records` records, or [`ConsumerEvent::Idle`] after `wait`. Can be dropped and
    /// called again without losing anything.
    ///
    /// # Errors
    /// Fatal where the consumer cannot go on; passing trouble (a broker that is away) is logged and shows as idle.
    async fn next(&mut self, max_records: usize, wait: Duration) -> Result<ConsumerEvent>;

    /// Goes on reading `partition` at `offset`; records of it that were read ahead are dropped.
    ///
    /// `leader_epoch`, where known, is that of the record before `offset`. If the log no longer has that record, because
    /// an unclean leader election cut it off, reading goes on where the log was cut, at a lower offset.
    async fn seek(
        &mut self,
        partition: &TopicPartition,
        offset: i64,
        leader_epoch: Option<i32>,
    ) -> Result<()>;

    /// Stops handing out records of `partitions`; what was read ahead is kept.
    async fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()>;

    /// Hands out records of `partitions` again.
    async fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()>;

    /// Commits `offsets` (the next to read) and waits for the answer.
    async fn commit(&mut self, offsets: &Offsets) -> Result<()>;

    /// Names of all topics of the cluster that are not internal, for matching a pattern.
    async fn topics(&mut self) -> Result<Vec<String>>;

    /// Leaves the group and frees everything. A pending rebalance is not waited for.
    async fn close(self: Box<Self>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebalance_goes_on_when_the_other_end_is_dropped() {
        let (done, waiter) = rebalance_handshake();
        assert!(!waiter.wait(Duration::ZERO), "the deadline passes while it is held");
        drop(done);
        assert!(waiter.wait(Duration::ZERO));
        assert!(waiter.wait(Duration::ZERO), "and stays so");
    }

    #[test]
    fn an_event_that_is_dropped_unread_lets_the_rebalance_go_on() {
        let (done, waiter) = rebalance_handshake();
        drop(ConsumerEvent::Revoked { partitions: Vec::new(), lost: false, done });
        assert!(waiter.wait(Duration::ZERO));
    }
}
