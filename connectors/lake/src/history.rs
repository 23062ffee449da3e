//! Which records of a topic partition were taken.
//!
//! An offset stands for one record only as long as the log grows. After an unclean leader election the log may have lost
//! its end and have other records there, in a later leader epoch; a leader epoch and an offset together stand for one
//! record for good (KIP-320). So what was taken is kept as ranges of offsets by epoch, in the order in which they came,
//! and a record is one that was taken where a range of its epoch has its offset.

use std::collections::VecDeque;
use std::fmt::{Display, Formatter, Write as _};

/// Ranges kept apart. Every change of leaders begins one, clean or not; older ones become part of the floor.
const MAX_RANGES: usize = 32;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    floor: Option<Floor>,
    ranges: VecDeque<Taken>,
    /// One more than the largest offset in it.
    ceiling: i64,
}

/// Below `end` counts as taken what has no later epoch than `epoch`, and everything where that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Floor {
    end: i64,
    epoch: Option<i32>,
}

/// Records of one epoch: the offsets from `start` up to `end`, without that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Taken {
    start: i64,
    end: i64,
    epoch: i32,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It follows those before.
    Next,
    /// It was taken.
    Taken,
    /// It lies below the end of what was taken and is none of it, but of no later epoch either: it is from before the
    /// sink began, or from another log.
    Foreign,
    /// It took the place of records that the log lost, the last of them of this epoch.
    Overtakes(i32),
}

impl History {
    /// Nothing is known of what lies below `end` but that it is not wanted.
    pub(crate) fn up_to(end: i64) -> Self {
        Self { floor: Some(Floor { end, epoch: None }), ranges: VecDeque::new(), ceiling: end }
    }

    /// One more than the largest offset that was taken, over all epochs.
    pub(crate) fn ceiling(&self) -> i64 {
        self.ceiling
    }

    /// The epoch of the last record taken, if that is the one before `next`.
    pub(crate) fn epoch_before(&self, next: i64) -> Option<i32> {
        self.ranges.back().filter(|last| last.end == next).map(|last| last.epoch)
    }

    /// What the record of this offset and epoch is, where the next one in order has the offset `next`.
    pub(crate) fn judge(&self, next: Option<i64>, offset: i64, epoch: Option<i32>) -> Verdict {
        let below = next.is_some_and(|next| offset < next);
        if !below && offset >= self.ceiling {
            return Verdict::Next;
        }
        let Some(epoch) = epoch else {
            return if below { Verdict::Taken } else { Verdict::Next };
        };
        let mut latest = match self.floor.filter(|floor| offset < floor.end) {
            Some(Floor { epoch: None, .. }) if below => return Verdict::Taken,
            Some(Floor { epoch, .. }) => epoch,
            None => None,
        };
        for range in &self.ranges {
            if range.epoch == epoch && (range.start..range.end).contains(&offset) {
                return Verdict::Taken;
            }
            // Offsets between two ranges had no record that came here.
            if range.start <= offset {
                latest = latest.max(Some(range.epoch));
            }
        }
        match latest {
            _ if !below => Verdict::Next,
            Some(latest) if epoch > latest => Verdict::Overtakes(latest),
            _ => Verdict::Foreign,
        }
    }

    /// The record was taken, or reported; it was judged before.
    pub(crate) fn note(&mut self, offset: i64, epoch: Option<i32>) {
        let end = offset.saturating_add(1);
        self.ceiling = self.ceiling.max(end);
        let Some(epoch) = epoch else {
            *self = Self::up_to(self.ceiling);
            return;
        };
        match self.ranges.back_mut() {
            Some(last) if last.epoch == epoch && offset >= last.start => last.end = last.end.max(end),
            last => {
                if last.is_none() && self.floor.is_none() {
                    // What lies before the first record is not wanted either.
                    self.floor = Some(Floor { end: offset, epoch: Some(epoch) });
                }
                self.ranges.push_back(Taken { start: offset, end, epoch });
                self.shorten();
            }
        }
    }

    fn shorten(&mut self) {
        while self.ranges.len() > MAX_RANGES
            && let Some(oldest) = self.ranges.pop_front()
        {
            let floor = self.floor.unwrap_or(Floor { end: oldest.start, epoch: Some(oldest.epoch) });
            self.floor = Some(Floor {
                end: floor.end.max(oldest.end),
                epoch: floor.epoch.map(|epoch| epoch.max(oldest.epoch)),
            });
        }
    }

    /// Reads what [`Display`] writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut history = Self::default();
        for (place, word) in text.split(' ').enumerate() {
            let (range, epoch) = match word.split_once('@') {
                Some((range, epoch)) => (range, Some(epoch.parse::<i32>().ok()?)),
                None => (word, None),
            };
            let (start, end) = range.split_once("..")?;
            let end: i64 = end.parse().ok()?;
            match (start, epoch) {
                ("", epoch) if place == 0 => history.floor = Some(Floor { end, epoch }),
                (start, Some(epoch)) if history.ranges.len() < MAX_RANGES => {
                    let start = start.parse().ok().filter(|start| *start < end)?;
                    history.ranges.push_back(Taken { start, end, epoch });
                }
                _ => return None,
            }
            history.ceiling = history.ceiling.max(end);
        }
        Some(history)
    }
}

/// `..20@0 20..100@0 90..95@3`: the floor, then the ranges, each with its epoch.
impl Display for History {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let mut words =
            self.ranges.iter().map(|Taken { start, end, epoch }| format!("{start}..{end}@{epoch}"));
        let floor = self.floor.map(|Floor { end, epoch }| match epoch {
            Some(epoch) => format!("..{end}@{epoch}"),
            None => format!("..{end}"),
        });
        if let Some(first) = floor.or_else(|| words.next()) {
            f.write_str(&first)?;
        }
        words.try_for_each(|word| {
            f.write_char(' ')?;
            f.write_str(&word)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes runs of records of an epoch, as a partition's writer does.
    fn history(runs: &[(i32, std::ops::Range<i64>)]) -> (History, Option<i64>) {
        let (mut history, mut next) = (History::default(), None);
        for (epoch, offsets) in runs {
            for offset in offsets.clone() {
                history.note(offset, Some(*epoch));
                next = Some(offset + 1);
            }
        }
        (history, next)
    }

    #[test]
    fn a_log_that_grows_has_each_record_once() {
        let (history, next) = history(&[(0, 20..50), (1, 50..60)]);
        assert_eq!(next, Some(60));
        for (offset, epoch, verdict) in [
            (60, 1, Verdict::Next),
            (61, 2, Verdict::Next),
            (59, 1, Verdict::Taken),
            (20, 0, Verdict::Taken),
            (19, 0, Verdict::Foreign),
        ] {
            assert_eq!(history.judge(next, offset, Some(epoch)), verdict, "{offset}@{epoch}");
        }
        assert_eq!(history.epoch_before(60), Some(1));
        assert_eq!(history.epoch_before(61), None);
    }

    #[test]
    fn records_of_a_later_epoch_overtake() {
        let (mut history, next) = history(&[(0, 0..100)]);
        assert_eq!(history.judge(next, 90, Some(1)), Verdict::Overtakes(0));
        history.note(90, Some(1));
        history.note(91, Some(1));
        let next = Some(92);
        // A batch that comes again begins with records that the log has lost.
        assert_eq!(history.judge(next, 89, Some(0)), Verdict::Taken);
        assert_eq!(history.judge(next, 99, Some(0)), Verdict::Taken);
        assert_eq!(history.judge(next, 91, Some(1)), Verdict::Taken);
        assert_eq!(history.judge(next, 92, Some(1)), Verdict::Next);
        // And again, before the log is as long as it was.
        assert_eq!(history.judge(next, 85, Some(2)), Verdict::Overtakes(0));
        assert_eq!(history.judge(next, 91, Some(2)), Verdict::Overtakes(1));
        assert_eq!((history.ceiling(), history.epoch_before(92)), (100, Some(1)));
    }

    #[test]
    fn a_leader_that_comes_back_brings_its_records_back() {
        // Epoch 1 was read up to 95, then lost to epoch 2 from 85 on, which was lost to a log with epoch 1 again.
        let (history, next) = history(&[(1, 0..95), (2, 85..88)]);
        assert_eq!(history.judge(next, 88, Some(1)), Verdict::Taken);
        assert_eq!(history.judge(next, 95, Some(3)), Verdict::Next);
        // The same where epoch 1 had not been read so far.
        let (history, next) = self::history(&[(1, 0..85), (2, 85..88)]);
        assert_eq!(history.judge(next, 88, Some(1)), Verdict::Next);
    }

    #[test]
    fn what_lies_before_the_first_record_is_not_wanted_unless_it_is_newer() {
        let (history, next) = history(&[(4, 50..60)]);
        assert_eq!(history.judge(next, 0, Some(0)), Verdict::Foreign);
        assert_eq!(history.judge(next, 49, Some(4)), Verdict::Foreign);
        assert_eq!(history.judge(next, 45, Some(5)), Verdict::Overtakes(4));
    }

    #[test]
    fn without_epochs_offsets_count() {
        let mut history = History::up_to(40);
        assert_eq!(history.judge(Some(40), 39, Some(7)), Verdict::Taken);
        assert_eq!(history.judge(Some(40), 40, Some(7)), Verdict::Next);
        history.note(40, Some(7));
        assert_eq!(history.judge(Some(41), 40, Some(8)), Verdict::Overtakes(7));
        assert_eq!(history.judge(Some(41), 39, Some(8)), Verdict::Taken);
        assert_eq!(history.judge(Some(41), 39, None), Verdict::Taken);
        assert_eq!(history.judge(Some(41), 41, None), Verdict::Next);
        history.note(41, None);
        assert_eq!(history, History::up_to(42));
        assert_eq!(History::default().judge(None, 5, None), Verdict::Next);
    }

    #[test]
    fn old_ranges_become_the_floor() {
        let mut history = History::default();
        for epoch in 0..100 {
            history.note(i64::from(epoch) * 10, Some(epoch));
        }
        assert_eq!(history.ranges.len(), MAX_RANGES);
        assert_eq!(history.floor, Some(Floor { end: 671, epoch: Some(67) }));
        let next = Some(991);
        assert_eq!(history.judge(next, 300, Some(30)), Verdict::Foreign);
        assert_eq!(history.judge(next, 300, Some(100)), Verdict::Overtakes(67));
        assert_eq!(history.judge(next, 680, Some(68)), Verdict::Taken);
    }

    #[test]
    fn it_is_written_and_read_back() {
        let (mut long, _) = history(&[(4, 50..60), (5, 55..70)]);
        assert_eq!(long.to_string(), "..50@4 50..60@4 55..70@5");
        for epoch in 6..60 {
            long.note(i64::from(epoch) * 100, Some(epoch));
        }
        let (mut unknown, _) = history(&[]);
        unknown.note(7, None);
        assert_eq!(unknown.to_string(), "..8");
        unknown.note(8, Some(0));
        assert_eq!(unknown.to_string(), "..8 8..9@0");
        for history in [long, unknown] {
            assert_eq!(History::parse(&history.to_string()), Some(history));
        }
        for text in ["", "..", "1..2", "..1 ..2", "2..1@0", "1..2@x", "1-2@0", "..1@0  2..3@1", "..x"] {
            assert_eq!(History::parse(text), None, "{text}");
        }
        let many = vec!["1..2@0"; MAX_RANGES + 1].join(" ");
        assert_eq!(History::parse(&many), None);
    }
}
