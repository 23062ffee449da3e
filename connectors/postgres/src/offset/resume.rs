//! Which of the changes that the server sends again were handed out before.

use std::cmp::Ordering;

use super::{MessageType, Offset, Place};
use crate::pgoutput::Lsn;

/// What to do with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was handed out before.
    Skip,
    /// Hand out its records.
    Emit,
    /// Hand out its records behind the first so many.
    EmitAfter(u64),
}

/// What of a transaction was handed out before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing.
    Nothing,
    /// Its beginning, and some of its changes.
    Partly,
    /// All of it.
    Wholly,
}

/// Finds the place of a stored offset in the stream again.
///
/// Pure: [`begin`](Self::begin), [`change`](Self::change) and [`commit`](Self::commit) are told what arrives.
#[derive(Clone, Debug)]
pub(crate) struct Resume {
    target: Target,
    /// The transaction that is being read is the one of the target.
    inside: bool,
    /// Messages outside of transactions up to here were handed out.
    messages: Option<Lsn>,
}

#[derive(Clone, Debug)]
enum Target {
    /// Nothing was handed out before, or all of it is behind us.
    None,
    /// A place of our own.
    Place(Place),
    /// An offset of Debezium's: everything up to the end of a transaction, and of the transaction with an id everything up
    /// to an LSN. Several changes may share that LSN; of those as many are skipped as are known to be handed out.
    Lsn { end: Option<Lsn>, xid: Option<i64>, lsn: Lsn, done_at_lsn: i64 },
}

impl Resume {
    /// Nothing was handed out before.
    pub(crate) fn fresh() -> Self {
        Self { target: Target::None, inside: false, messages: None }
    }

    /// Behind `offset`.
    pub(crate) fn behind(offset: &Offset) -> Self {
        let in_stream = offset.snapshot.is_none() || offset.message_type.is_some();
        let target = match (offset.place, offset.lsn) {
            (Some(place), _) => Target::Place(place),
            (None, Some(lsn)) if in_stream => {
                let before_any = matches!(offset.message_type, None | Some(MessageType::Begin));
                Target::Lsn {
                    end: offset.lsn_commit,
                    // At a commit nothing of a transaction is left.
                    xid: offset.tx_id.filter(|_| offset.message_type != Some(MessageType::Commit)),
                    lsn,
                    done_at_lsn: if before_any { 0 } else { offset.events_at_lsn.unwrap_or(1).max(1) },
                }
            }
            _ => Target::None,
        };
        Self { target, inside: false, messages: offset.lsn_proc }
    }

    /// A transaction begins: what of it was handed out before.
    pub(crate) fn begin(&mut self, commit: Lsn, xid: u32) -> Seen {
        let seen = match &self.target {
            Target::None => return Seen::Nothing,
            Target::Place(place) => match commit.cmp(&place.commit) {
                Ordering::Less => Seen::Wholly,
                Ordering::Equal => Seen::Partly,
                Ordering::Greater => Seen::Nothing,
            },
            // The commit record lies before its own end.
            Target::Lsn { end, .. } if end.is_some_and(|end| commit < end) => Seen::Wholly,
            Target::Lsn { xid: stored, .. } if *stored == Some(i64::from(xid)) => Seen::Partly,
            Target::Lsn { .. } => Seen::Nothing,
        };
        self.inside = seen == Seen::Partly;
        if seen == Seen::Nothing {
            // Commit LSNs only grow: nothing that follows was handed out.
            self.target = Target::None;
        }
        seen
    }

    /// The change number `change` (from 1) at `lsn` of the transaction with commit LSN `commit`.
    pub(crate) fn change(&mut self, commit: Lsn, change: u64, lsn: Lsn) -> Verdict {
        let verdict = self.verdict(commit, change, lsn);
        if verdict == Verdict::Emit {
            self.target = Target::None;
        } else if let Target::Lsn { lsn: stored, done_at_lsn, .. } = &mut self.target
            && self.inside
            && lsn == *stored
        {
            *done_at_lsn -= 1;
        }
        verdict
    }

    /// What [`change`](Self::change) will say of that change, if it is the next.
    pub(crate) fn verdict(&self, commit: Lsn, change: u64, lsn: Lsn) -> Verdict {
        match &self.target {
            Target::None => Verdict::Emit,
            Target::Place(place) => match (commit, change).cmp(&(place.commit, place.change)) {
                Ordering::Less => Verdict::Skip,
                Ordering::Equal => Verdict::EmitAfter(place.record),
                Ordering::Greater => Verdict::Emit,
            },
            Target::Lsn { .. } if !self.inside => Verdict::Skip,
            Target::Lsn { lsn: stored, done_at_lsn, .. } => match lsn.cmp(stored) {
                Ordering::Less => Verdict::Skip,
                Ordering::Equal if *done_at_lsn > 0 => Verdict::Skip,
                Ordering::Equal | Ordering::Greater => Verdict::Emit,
            },
        }
    }

    /// A transaction has ended.
    pub(crate) fn commit(&mut self) {
        // What was handed out of it is behind us, and so is everything before it.
        if std::mem::take(&mut self.inside) {
            self.target = Target::None;
        }
    }

    /// A message outside of any transaction at `lsn`: whether it was handed out before. Such messages are sent when they are
    /// written, not when a transaction commits, so those before the commit of a place were.
    pub(crate) fn message(&self, lsn: Lsn) -> bool {
        let before = |known: Option<Lsn>| known.is_some_and(|known| lsn <= known);
        match &self.target {
            Target::None => false,
            Target::Place(place) => lsn < place.commit || before(self.messages),
            Target::Lsn { .. } => before(self.messages),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three transactions: commit LSN, end, id, LSNs of the changes.
    const STREAM: [(u64, u64, u32, &[u64]); 3] =
        [(110, 120, 7, &[100, 105]), (150, 160, 8, &[120, 130, 130, 130, 140]), (190, 200, 9, &[160])];

    /// What is handed out of the stream, as (transaction, change, first record).
    fn run(mut resume: Resume) -> Vec<(u32, u64, u64)> {
        let mut out = Vec::new();
        for (commit, _, xid, changes) in STREAM {
            resume.begin(Lsn(commit), xid);
            for (index, lsn) in changes.iter().enumerate() {
                let number = index as u64 + 1;
                let foretold = resume.verdict(Lsn(commit), number, Lsn(*lsn));
                let verdict = resume.change(Lsn(commit), number, Lsn(*lsn));
                assert_eq!(foretold, verdict);
                match verdict {
                    Verdict::Skip => {}
                    Verdict::Emit => out.push((xid, number, 0)),
                    Verdict::EmitAfter(records) => out.push((xid, number, records)),
                }
            }
            resume.commit();
        }
        out
    }

    #[test]
    fn a_place_is_found_at_every_change() {
        let all = run(Resume::fresh());
        assert_eq!(all.len(), 8);
        for (index, &(xid, change, _)) in all.iter().enumerate() {
            let commit = STREAM.iter().find(|t| t.2 == xid).unwrap().0;
            let offset =
                Offset { place: Some(Place { commit: Lsn(commit), change, record: 1 }), ..Offset::default() };
            let rest = run(Resume::behind(&offset));
            assert_eq!(rest[0], (xid, change, 1), "the change itself, behind its first record");
            assert_eq!(rest[1..], all[index + 1..]);
        }
    }

    fn debezium(lsn: u64, commit: Option<u64>, xid: i64, ty: MessageType) -> Offset {
        Offset {
            lsn: Some(Lsn(lsn)),
            lsn_proc: Some(Lsn(lsn)),
            lsn_commit: commit.map(Lsn),
            tx_id: Some(xid),
            message_type: Some(ty),
            ..Offset::default()
        }
    }

    #[test]
    fn an_offset_of_debezium_loses_nothing_where_changes_share_an_lsn() {
        let all = run(Resume::fresh());
        let behind = |offset: &Offset| run(Resume::behind(offset));
        assert_eq!(behind(&debezium(105, None, 7, MessageType::Insert)), all[2..]);
        // The first change has the LSN at which the transaction before ended.
        assert_eq!(behind(&debezium(120, Some(120), 8, MessageType::Insert)), all[3..]);
        // Three changes at 130, and no telling which was the last: two may come again, none is lost.
        assert_eq!(behind(&debezium(130, Some(120), 8, MessageType::Insert)), all[4..]);
        let counted = Offset { events_at_lsn: Some(2), ..debezium(130, Some(120), 8, MessageType::Insert) };
        assert_eq!(behind(&counted), all[5..]);
        assert_eq!(behind(&debezium(160, Some(160), 8, MessageType::Commit)), all[7..]);
        assert_eq!(behind(&debezium(120, Some(120), 8, MessageType::Begin)), all[2..]);
    }

    #[test]
    fn after_a_snapshot_everything_the_server_sends_is_new() {
        let offset = Offset {
            lsn: Some(Lsn(90)),
            snapshot: Some(super::super::Snapshot {
                kind: super::super::SnapshotKind::Initial,
                last_record: true,
                completed: true,
            }),
            ..Offset::default()
        };
        assert_eq!(run(Resume::behind(&offset)).len(), 8);
    }
}
