//! What the server may be told is durable.

use std::sync::{Mutex, PoisonError};

use lavka_api::data::{OffsetMap, SourceRecord};
use lavka_api::plugin::DeliveryListener;
use tokio::sync::watch;

use crate::config::LsnFlushMode;
use crate::offset::{Offset, Place};
use crate::pgoutput::Lsn;

/// Keeps what was handed out apart from what Connect has committed, and says what the slot may move to: the position of
/// the last committed offset, and that of the server's keepalives while nothing that was handed out waits to be committed.
///
/// It is told of commits by the worker's threads and of the rest by the task.
pub(super) struct Acks {
    manual: bool,
    confirmed: watch::Sender<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    handed_out: Option<Mark>,
    committed: Option<Mark>,
    /// A place up to which nothing else was to be handed out, once everything that was is committed.
    idle: Option<Lsn>,
}

/// What of an offset only grows with the records: the snapshot before the stream, the transaction, the place in it, and that
/// of messages outside of transactions.
type Mark = (bool, Option<Lsn>, Option<Place>, Option<Lsn>);

fn mark(offset: &Offset) -> Mark {
    let transaction = offset.place.map(|place| place.commit).or(offset.lsn_commit).or(offset.lsn);
    (!offset.snapshot_is_unfinished(), transaction, offset.place, offset.lsn_proc)
}

impl Acks {
    /// `stored` is what was committed by an earlier run.
    pub(super) fn new(mode: LsnFlushMode, stored: Option<&OffsetMap>) -> Self {
        let stored = stored.map(Offset::from_map).as_ref().map(mark);
        let state = State { handed_out: stored, committed: stored, idle: None };
        Self {
            manual: mode == LsnFlushMode::Manual,
            confirmed: watch::Sender::new(0),
            state: Mutex::new(state),
        }
    }

    /// Where confirmed positions are to be read; they only grow.
    pub(super) fn confirmed(&self) -> watch::Receiver<u64> {
        self.confirmed.subscribe()
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn confirm(&self, lsn: Option<Lsn>) {
        let Some(lsn) = lsn.filter(|_| !self.manual) else { return };
        self.confirmed.send_if_modified(|confirmed| {
            let grown = lsn.0 > *confirmed;
            if grown {
                *confirmed = lsn.0;
            }
            grown
        });
    }

    /// These go to Kafka now.
    pub(super) fn handed_out(&self, records: &[SourceRecord]) {
        let sent = records.iter().rev().filter(|record| !record.is_progress());
        let last = sent.filter_map(|record| record.position.as_ref()).next();
        if let Some(last) = last {
            let handed_out = mark(&Offset::from_map(&last.offset));
            self.with(|state| {
                state.handed_out = Some(handed_out);
                // Later commits say more.
                state.idle = None;
            });
        }
    }

    /// The server has sent everything up to `lsn`, and all that came of it was handed out.
    pub(super) fn idle(&self, lsn: Lsn) {
        let nothing_waits = self.with(|state| {
            let nothing_waits = state.handed_out <= state.committed;
            state.idle = (!nothing_waits).then_some(lsn);
            nothing_waits
        });
        if nothing_waits {
            self.confirm(Some(lsn));
        }
    }
}

impl DeliveryListener for Acks {
    fn committed(&self, offsets: &[(OffsetMap, OffsetMap)]) {
        for (_, offset) in offsets {
            let offset = Offset::from_map(offset);
            let idle = self.with(|state| {
                state.committed = Some(mark(&offset));
                if state.handed_out <= state.committed { state.idle.take() } else { None }
            });
            self.confirm(offset.confirmed());
            self.confirm(idle);
        }
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Record, SourcePosition};

    use super::*;

    fn offset(commit: u64) -> OffsetMap {
        let place = Some(Place { commit: Lsn(commit), change: 1, record: 1 });
        Offset { lsn_commit: Some(Lsn(commit)), place, ..Offset::default() }.to_map()
    }

    fn record(commit: u64) -> SourceRecord {
        let position = SourcePosition { partition: Offset::partition("s"), offset: offset(commit) };
        SourceRecord { record: Record::for_topic("t"), position: Some(position), token: 0 }
    }

    fn commit(acks: &Acks, lsn: u64) {
        acks.committed(&[(Offset::partition("s"), offset(lsn))]);
    }

    #[test]
    fn commits_and_idle_keepalives_move_the_slot() {
        let acks = Acks::new(LsnFlushMode::Connector, None);
        let confirmed = acks.confirmed();
        acks.idle(Lsn(5));
        assert_eq!(*confirmed.borrow(), 5, "nothing was handed out");
        acks.handed_out(&[record(10), record(20)]);
        acks.idle(Lsn(30));
        assert_eq!(*confirmed.borrow(), 5, "two records wait");
        commit(&acks, 10);
        assert_eq!(*confirmed.borrow(), 10);
        commit(&acks, 20);
        assert_eq!(*confirmed.borrow(), 30, "the keepalive counts as soon as nothing waits");
        acks.handed_out(&[record(40)]);
        commit(&acks, 20);
        assert_eq!(*confirmed.borrow(), 30, "it never goes back");
    }

    #[test]
    fn a_place_is_forgotten_when_more_is_handed_out() {
        let acks = Acks::new(LsnFlushMode::Connector, Some(&offset(10)));
        let confirmed = acks.confirmed();
        acks.handed_out(&[record(20)]);
        acks.idle(Lsn(30));
        acks.handed_out(&[record(40)]);
        commit(&acks, 20);
        assert_eq!(*confirmed.borrow(), 20);
        commit(&acks, 40);
        assert_eq!(*confirmed.borrow(), 40);
    }

    #[test]
    fn places_without_a_record_hold_nothing_back() {
        let acks = Acks::new(LsnFlushMode::Connector, Some(&offset(10)));
        let confirmed = acks.confirmed();
        let reached = Offset { slot: Some(Lsn(30)), ..Offset::from_map(&offset(10)) }.passed().to_map();
        let position = SourcePosition { partition: Offset::partition("s"), offset: reached.clone() };
        acks.handed_out(&[SourceRecord::progress(position)]);
        acks.idle(Lsn(40));
        assert_eq!(*confirmed.borrow(), 40, "a server that asks is answered");
        acks.committed(&[(Offset::partition("s"), reached)]);
        assert_eq!(*confirmed.borrow(), 40);
        acks.idle(Lsn(45));
        assert_eq!(*confirmed.borrow(), 45, "nor do they once they are committed");
    }

    #[test]
    fn manual_mode_confirms_nothing() {
        let acks = Acks::new(LsnFlushMode::Manual, None);
        acks.idle(Lsn(5));
        acks.handed_out(&[record(20)]);
        commit(&acks, 20);
        assert_eq!(*acks.confirmed().borrow(), 0);
    }
}
