//! Where the reader of a partition stands, as an offset and the leader epoch of the record before it.
//!
//! librdkafka notices by itself when a new leader has a shorter log (KIP-320), and goes on where that one ends. But it
//! compares what it has *fetched*, and throws away what waits in its queue, also records that the log still has. So a
//! jump into another epoch is not taken as it comes: reading is put back once to where the reader stands, from where
//! librdkafka asks the broker again, with an empty queue. What then comes first is what really follows.

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Where it is not known, whatever comes is what follows.
    next: Option<Place>,
    /// Reading was put back because of a jump into this epoch.
    checked: Option<i32>,
}

/// Where to go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The beginning of the log where `None`.
    pub(super) offset: Option<i64>,
    /// The leader epoch of the record before, where known.
    pub(super) epoch: Option<i32>,
}

impl Place {
    pub(super) const BEGINNING: Self = Self { offset: None, epoch: None };

    pub(super) fn at(offset: i64, epoch: Option<i32>) -> Self {
        Self { offset: Some(offset), epoch }
    }
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
    pub(super) fn at(next: Place) -> Self {
        Self { next: Some(next), checked: None }
    }

    /// A record came, of this offset and epoch.
    pub(super) fn step(&mut self, offset: i64, epoch: Option<i32>) -> Step {
        let Some(epoch) = epoch else {
            // Without epochs nothing can be told.
            *self = Self::default();
            return Step::Take;
        };
        let mut cut = None;
        if let Some(next) = self.next {
            let expected = next.offset.unwrap_or(0);
            let jumps = offset != expected && next.epoch != Some(epoch);
            if jumps && self.checked != Some(epoch) {
                self.checked = Some(epoch);
                return Step::PutBack(next);
            }
            cut = Some(next).filter(|_| offset < expected);
        }
        *self = Self::at(Place::at(offset.saturating_add(1), Some(epoch)));
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
        let stands = Place::at(10, Some(0));
        assert_eq!(position.step(5, Some(1)), Step::PutBack(stands));
        assert_eq!(position.step(5, Some(1)), Step::TakeAfterCut(stands));
        assert_eq!(position.step(6, Some(1)), Step::Take);
        assert_eq!(position.step(2, Some(2)), Step::PutBack(Place::at(7, Some(1))));
    }

    #[test]
    fn records_that_a_purge_left_out_come_after_the_check() {
        let mut position = after(&[(8, 0), (9, 0)]);
        assert_eq!(position.step(15, Some(1)), Step::PutBack(Place::at(10, Some(0))));
        assert_eq!(position.step(10, Some(0)), Step::Take);
        // The next jump is another one.
        assert_eq!(position.step(15, Some(1)), Step::PutBack(Place::at(11, Some(0))));
    }

    #[test]
    fn a_gap_that_stays_is_taken_and_a_later_election_is_checked_again() {
        let mut position = after(&[(9, 0)]);
        let stands = Place::at(10, Some(0));
        assert_eq!(position.step(15, Some(1)), Step::PutBack(stands));
        assert_eq!(position.step(12, Some(2)), Step::PutBack(stands));
        assert_eq!(position.step(12, Some(2)), Step::Take);
    }

    #[test]
    fn records_without_an_epoch_say_nothing() {
        let mut position = after(&[(9, 0)]);
        assert_eq!(position.step(2, None), Step::Take);
        assert_eq!(position.step(1, Some(6)), Step::Take);
    }

    #[test]
    fn the_first_record_is_checked_unless_it_is_the_one_asked_for() {
        for (place, expected) in [(Place::BEGINNING, 0), (Place::at(10, None), 10)] {
            assert_eq!(Position::at(place).step(expected, Some(7)), Step::Take);
            let mut position = Position::at(place);
            assert_eq!(position.step(expected + 5, Some(7)), Step::PutBack(place));
            assert_eq!(position.step(expected + 5, Some(7)), Step::Take);
        }
    }

    #[test]
    fn the_reader_may_say_where_it_stands() {
        let mut position = Position::at(Place::at(10, Some(3)));
        assert_eq!(position.step(8, Some(4)), Step::PutBack(Place::at(10, Some(3))));
        assert_eq!(position.step(8, Some(4)), Step::TakeAfterCut(Place::at(10, Some(3))));
    }
}
