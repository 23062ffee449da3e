//! Where the reader of a partition stands, as an offset and the leader epoch of the record before it.
//!
//! librdkafka notices by itself when a new leader has a shorter log (KIP-320), and goes on where that one ends. But it
//! compares what it has *fetched*, and throws away what waits in its queue, also records that the log still has. So a
//! jump into another epoch is not taken as it comes: reading is put back once to where the reader stands, from where
//! librdkafka asks the broker again, with an empty queue. What then comes first is what really follows.

/// See the module. Without an epoch nothing can be told, and everything is taken as it comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    next: Option<Place>,
    /// Reading was put back because of a jump into this epoch.
    checked: Option<i32>,
}

/// An offset, and the leader epoch of the record before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: i64,
    pub(super) epoch: i32,
}

/// What to do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Take it.
    Take,
    /// Take it; the log no longer has what was read before from its offset up to this place.
    TakeAfterCut(Place),
    /// Leave it, and read from this place again.
    PutBack(Place),
}

impl Position {
    pub(super) fn at(offset: i64, epoch: Option<i32>) -> Self {
        Self { next: epoch.map(|epoch| Place { offset, epoch }), checked: None }
    }

    /// A record came, of this offset and epoch.
    pub(super) fn step(&mut self, offset: i64, epoch: Option<i32>) -> Step {
        let Some(epoch) = epoch else {
            *self = Self::default();
            return Step::Take;
        };
        let mut cut = None;
        if let Some(next) = self.next {
            let jumps = epoch != next.epoch && offset != next.offset;
            if jumps && self.checked != Some(epoch) {
                self.checked = Some(epoch);
                return Step::PutBack(next);
            }
            cut = Some(next).filter(|next| offset < next.offset);
        }
        *self = Self::at(offset.saturating_add(1), Some(epoch));
        cut.map_or(Step::Take, Step::TakeAfterCut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(records: &[(i64, i32)]) -> Position {
        let mut position = Position::default();
        for (offset, epoch) in records {
            assert_eq!(position.step(*offset, Some(*epoch)), Step::Take);
        }
        position
    }

    #[test]
    fn a_new_leader_that_goes_on_and_gaps_within_an_epoch_are_taken_as_they_come() {
        after(&[(7, 0), (8, 0), (12, 0), (13, 4), (20, 4)]);
    }

    #[test]
    fn going_back_is_checked_once() {
        let mut position = after(&[(8, 0), (9, 0)]);
        let stands = Place { offset: 10, epoch: 0 };
        assert_eq!(position.step(5, Some(1)), Step::PutBack(stands));
        assert_eq!(position.step(5, Some(1)), Step::TakeAfterCut(stands));
        assert_eq!(position.step(6, Some(1)), Step::Take);
        assert_eq!(position.step(2, Some(2)), Step::PutBack(Place { offset: 7, epoch: 1 }));
    }

    #[test]
    fn records_that_a_purge_left_out_come_after_the_check() {
        let mut position = after(&[(8, 0), (9, 0)]);
        assert_eq!(position.step(15, Some(1)), Step::PutBack(Place { offset: 10, epoch: 0 }));
        assert_eq!(position.step(10, Some(0)), Step::Take);
        // The next jump is another one.
        assert_eq!(position.step(15, Some(1)), Step::PutBack(Place { offset: 11, epoch: 0 }));
    }

    #[test]
    fn a_gap_that_stays_is_taken_and_a_later_election_is_checked_again() {
        let mut position = after(&[(9, 0)]);
        let stands = Place { offset: 10, epoch: 0 };
        assert_eq!(position.step(15, Some(1)), Step::PutBack(stands));
        assert_eq!(position.step(12, Some(2)), Step::PutBack(stands));
        assert_eq!(position.step(12, Some(2)), Step::Take);
    }

    #[test]
    fn a_place_without_an_epoch_says_nothing() {
        let mut position = Position::at(10, None);
        assert_eq!(position.step(3, Some(5)), Step::Take);
        assert_eq!(position.step(2, None), Step::Take);
        assert_eq!(position.step(1, Some(6)), Step::Take);
    }

    #[test]
    fn the_reader_may_say_where_it_stands() {
        let mut position = Position::at(10, Some(3));
        assert_eq!(position.step(8, Some(4)), Step::PutBack(Place { offset: 10, epoch: 3 }));
        assert_eq!(position.step(8, Some(4)), Step::TakeAfterCut(Place { offset: 10, epoch: 3 }));
    }
}
