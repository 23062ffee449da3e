//! The state of one transactional id.

use std::{collections::BTreeSet, time::Duration};

use kafka_protocol::ResponseError;

use crate::cluster::{name::Name, topics::PartitionKey};

/// The last epoch of a producer id; the one after it is left for fencing.
const LAST_EPOCH: i16 = i16::MAX - 1;
/// No producer id, no epoch.
pub(super) const NONE: (i64, i16) = (-1, -1);

/// Where a transactional id is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// A producer has come, and nothing was ever written.
    Empty,
    /// Something was written and is neither committed nor aborted.
    Ongoing,
    /// The last transaction was committed.
    CompleteCommit,
    /// The last transaction was aborted.
    CompleteAbort,
}

impl State {
    /// The name in listings and descriptions.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }
}

/// What an end asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) struct End {
    pub(in crate::cluster) producer_id: i64,
    pub(in crate::cluster) epoch: i16,
    pub(in crate::cluster) commit: bool,
}

/// What is to be done to end a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It has ended already, or there was nothing to end.
    Nothing,
    /// Markers are to be written everywhere.
    Markers(Markers),
}

/// Where markers go, and what they say.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Markers {
    pub(super) producer_id: i64,
    pub(super) epoch: i16,
    pub(super) commit: bool,
    pub(super) partitions: BTreeSet<PartitionKey>,
    pub(super) groups: BTreeSet<Name>,
}

/// What becomes of a producer that introduces itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Introduced {
    /// It goes on with the id and epoch that the transaction has now.
    Ready,
    /// An open transaction of its predecessor is aborted first; the producer is to ask again.
    Fenced(Markers),
}

/// See the module. Invariant: `partitions` and `groups` are empty unless the state is `Ongoing`.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) producer_id: i64,
    previous_id: i64,
    /// −1 until the first producer has introduced itself.
    pub(super) epoch: i16,
    last_epoch: i16,
    pub(super) timeout: Duration,
    state: State,
    pub(super) partitions: BTreeSet<PartitionKey>,
    pub(super) groups: BTreeSet<Name>,
    /// Milliseconds since 1970; −1 while none is ongoing.
    pub(super) started: i64,
    /// When anything was last asked of it.
    pub(super) last_used: Duration,
}

impl Transaction {
    pub(super) fn new(producer_id: i64, timeout: Duration, now: Duration) -> Self {
        Self {
            producer_id,
            previous_id: -1,
            epoch: -1,
            last_epoch: -1,
            timeout,
            state: State::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            started: -1,
            last_used: now,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn is_ongoing(&self) -> bool {
        self.state == State::Ongoing
    }

    /// A producer introduces itself, perhaps with the id and epoch it had before (KIP-360). `new_id` gives a producer
    /// id for when the epochs of this one are used up.
    pub(super) fn introduce(
        &mut self,
        before: Option<(i64, i16)>,
        timeout: Duration,
        new_id: impl FnOnce() -> i64,
    ) -> Result<Introduced, ResponseError> {
        let knows_us = |(id, epoch): (i64, i16)| {
            self.epoch == -1 || id == self.producer_id || (id == self.previous_id && is_exhausted(epoch))
        };
        if !before.is_none_or(knows_us) {
            return Err(ResponseError::ProducerFenced);
        }
        if self.is_ongoing() {
            return Ok(Introduced::Fenced(self.fence()));
        }
        let expected = before.map(|(_, epoch)| epoch);
        if is_exhausted(self.epoch) && expected.is_none_or(|expected| expected == self.epoch) {
            self.last_epoch = expected.map_or(-1, |_| self.epoch);
            self.previous_id = self.producer_id;
            self.producer_id = new_id();
            self.epoch = 0;
        } else {
            match expected {
                Some(expected) if self.epoch != -1 && expected != self.epoch => {
                    // A repeated request whose answer was lost gets the same answer again.
                    if expected != self.last_epoch {
                        return Err(ResponseError::ProducerFenced);
                    }
                }
                expected => {
                    self.last_epoch = expected.map_or(-1, |_| self.epoch);
                    self.epoch += 1;
                }
            }
        }
        self.timeout = timeout;
        self.state = State::Empty;
        Ok(Introduced::Ready)
    }

    /// Whether a producer with this id and epoch is the one that may write.
    pub(super) fn check(&self, producer_id: i64, epoch: i16) -> Result<(), ResponseError> {
        if self.producer_id != producer_id {
            Err(ResponseError::InvalidProducerIdMapping)
        } else if self.epoch != epoch {
            Err(ResponseError::ProducerFenced)
        } else {
            Ok(())
        }
    }

    /// Makes sure that a transaction is open. True if it was opened just now.
    pub(super) fn begin(&mut self, unix_millis: i64) -> bool {
        if self.is_ongoing() {
            return false;
        }
        self.state = State::Ongoing;
        self.started = unix_millis;
        true
    }

    /// Ends the transaction, as clients of the first protocol do: the epoch stays.
    pub(super) fn end(&mut self, wanted: End) -> Result<Ending, ResponseError> {
        self.check(wanted.producer_id, wanted.epoch)?;
        match (self.state, wanted.commit) {
            (State::Ongoing, commit) => Ok(Ending::Markers(self.close(commit, self.epoch))),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(Ending::Nothing),
            _ => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Ends the transaction and raises the epoch (KIP-890). A repeated request is known by the epoch before.
    pub(super) fn end_and_raise(
        &mut self,
        wanted: End,
        new_id: impl FnOnce() -> i64,
    ) -> Result<Ending, ResponseError> {
        let overflown =
            wanted.producer_id == self.previous_id && wanted.epoch == LAST_EPOCH && self.epoch == 0;
        let repeated = overflown
            || (wanted.producer_id == self.producer_id && wanted.epoch.checked_add(1) == Some(self.epoch));
        if !repeated {
            self.check(wanted.producer_id, wanted.epoch)?;
        }
        match (self.state, wanted.commit) {
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if repeated => Ok(Ending::Nothing),
            _ if repeated => Err(match self.state {
                // The one that comes with an old epoch is an old producer.
                State::Ongoing | State::Empty => ResponseError::ProducerFenced,
                State::CompleteCommit | State::CompleteAbort => ResponseError::InvalidTxnState,
            }),
            (State::Ongoing, commit) => {
                let markers = self.close(commit, self.epoch + 1);
                self.raise(new_id);
                Ok(Ending::Markers(markers))
            }
            // Aborting nothing is allowed, because a producer cannot know whether its writes have arrived.
            (_, false) => {
                self.state = State::CompleteAbort;
                self.raise(new_id);
                Ok(Ending::Nothing)
            }
            (_, true) => Err(ResponseError::InvalidTxnState),
        }
    }

    /// Aborts the open transaction and shuts out the producer that has it open, with an epoch nobody is told.
    pub(super) fn fence(&mut self) -> Markers {
        let epoch = self.epoch.saturating_add(1);
        let markers = self.close(false, epoch);
        // A producer that was only slow may find its way back with the epoch it has (KIP-588).
        self.last_epoch = self.epoch;
        self.epoch = epoch;
        markers
    }

    fn raise(&mut self, new_id: impl FnOnce() -> i64) {
        self.last_epoch = self.epoch;
        if is_exhausted(self.epoch) {
            self.previous_id = self.producer_id;
            self.producer_id = new_id();
            self.epoch = 0;
        } else {
            self.epoch += 1;
        }
    }

    fn close(&mut self, commit: bool, epoch: i16) -> Markers {
        self.state = if commit { State::CompleteCommit } else { State::CompleteAbort };
        self.started = -1;
        Markers {
            producer_id: self.producer_id,
            epoch,
            commit,
            partitions: std::mem::take(&mut self.partitions),
            groups: std::mem::take(&mut self.groups),
        }
    }
}

fn is_exhausted(epoch: i16) -> bool {
    epoch >= LAST_EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn introduced() -> Transaction {
        let mut one = Transaction::new(7, TIMEOUT, Duration::ZERO);
        assert_eq!(one.introduce(None, TIMEOUT, || 8), Ok(Introduced::Ready));
        assert_eq!((one.producer_id, one.epoch), (7, 0));
        one
    }

    fn end(epoch: i16, commit: bool) -> End {
        End { producer_id: 7, epoch, commit }
    }

    fn markers(ending: Result<Ending, ResponseError>) -> (i16, bool) {
        match ending {
            Ok(Ending::Markers(markers)) => (markers.epoch, markers.commit),
            other => panic!("no markers: {other:?}"),
        }
    }

    #[test]
    fn the_first_protocol_keeps_the_epoch_and_takes_an_end_twice() {
        let mut one = introduced();
        assert_eq!(one.end(end(0, true)), Err(ResponseError::InvalidTxnState), "nothing is open");
        assert!(one.begin(1));
        assert!(!one.begin(2));
        assert_eq!(one.end(end(1, true)), Err(ResponseError::ProducerFenced));
        assert_eq!(markers(one.end(end(0, true))), (0, true));
        assert_eq!(one.end(end(0, true)), Ok(Ending::Nothing));
        assert_eq!(one.end(end(0, false)), Err(ResponseError::InvalidTxnState));
        assert_eq!((one.epoch, one.state()), (0, State::CompleteCommit));
    }

    #[test]
    fn the_second_protocol_raises_the_epoch_and_knows_a_repeated_end() {
        let mut one = introduced();
        one.begin(1);
        assert_eq!(markers(one.end_and_raise(end(0, true), || 8)), (1, true));
        assert_eq!(one.epoch, 1);
        assert_eq!(one.end_and_raise(end(0, true), || 8), Ok(Ending::Nothing));
        assert_eq!(one.epoch, 1, "the repetition raises nothing");
        assert_eq!(one.end_and_raise(end(0, false), || 8), Err(ResponseError::InvalidTxnState));
        assert_eq!(one.end_and_raise(end(1, true), || 8), Err(ResponseError::InvalidTxnState));
        assert_eq!(one.end_and_raise(end(1, false), || 8), Ok(Ending::Nothing));
        assert_eq!(one.epoch, 2, "aborting nothing raises the epoch too");
        one.begin(2);
        assert_eq!(one.end_and_raise(end(1, true), || 8), Err(ResponseError::ProducerFenced));
    }

    #[test]
    fn a_new_producer_shuts_out_the_old_one() {
        let mut one = introduced();
        one.begin(1);
        match one.introduce(None, TIMEOUT, || 8) {
            Ok(Introduced::Fenced(markers)) => assert_eq!((markers.epoch, markers.commit), (1, false)),
            other => panic!("not fenced: {other:?}"),
        }
        assert_eq!(one.introduce(None, TIMEOUT, || 8), Ok(Introduced::Ready));
        assert_eq!(one.epoch, 2);
        assert_eq!(one.end(end(0, false)), Err(ResponseError::ProducerFenced));
    }

    #[test]
    fn a_producer_that_knows_its_epoch_raises_it_and_may_ask_again() {
        let mut one = introduced();
        assert_eq!(one.introduce(Some((7, 0)), TIMEOUT, || 8), Ok(Introduced::Ready));
        assert_eq!(one.epoch, 1);
        assert_eq!(one.introduce(Some((7, 0)), TIMEOUT, || 8), Ok(Introduced::Ready));
        assert_eq!(one.epoch, 1, "the answer was lost and is given again");
        assert_eq!(one.introduce(None, TIMEOUT, || 8), Ok(Introduced::Ready));
        assert_eq!(one.introduce(Some((7, 0)), TIMEOUT, || 8), Err(ResponseError::ProducerFenced));
        assert_eq!(one.introduce(Some((9, 2)), TIMEOUT, || 8), Err(ResponseError::ProducerFenced));
    }

    #[test]
    fn used_up_epochs_lead_to_a_new_producer_id() {
        let mut one = introduced();
        one.epoch = LAST_EPOCH;
        assert_eq!(one.introduce(Some((7, LAST_EPOCH)), TIMEOUT, || 8), Ok(Introduced::Ready));
        assert_eq!((one.producer_id, one.epoch), (8, 0));
        one.epoch = LAST_EPOCH;
        one.begin(1);
        let wanted = End { producer_id: 8, epoch: LAST_EPOCH, commit: true };
        assert_eq!(markers(one.end_and_raise(wanted, || 9)), (i16::MAX, true));
        assert_eq!((one.producer_id, one.epoch), (9, 0));
        assert_eq!(one.end_and_raise(wanted, || 10), Ok(Ending::Nothing), "repeated");
        assert_eq!((one.producer_id, one.epoch), (9, 0));
    }
}
