//! When the files of a Kafka partition are finished. Pure: times come in as arguments.

use lavka_api::Result;

use crate::zone::Zone;

/// The configured limits; any one is enough.
#[derive(Debug, Clone)]
pub(crate) struct RotationPolicy {
    /// `flush.size`: records over all open files of the Kafka partition.
    pub(crate) rows: u64,
    /// `rotate.interval.ms`.
    pub(crate) interval_ms: Option<i64>,
    /// What the interval is measured by.
    pub(crate) clock: Clock,
    /// `rotate.schedule.interval.ms` and `timezone`.
    pub(crate) schedule: Option<(i64, Zone)>,
    /// `lavka.rotate.bytes`: the size of the largest open file.
    pub(crate) bytes: Option<u64>,
    /// Whether a record for another directory than the one before finishes the files.
    pub(crate) on_new_place: bool,
    /// `lavka.rotate.idle.ms`, by the wall clock.
    pub(crate) idle_ms: Option<i64>,
    /// Whether a commit of offsets finishes the files.
    pub(crate) on_commit: bool,
}

/// Which time `rotate.interval.ms` goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The wall clock.
    Wall,
    /// The time of the records, as the partitioner sees it: nothing rotates while none arrives.
    Records,
}

/// Why files are finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Rows,
    Interval,
    Schedule,
    Bytes,
    Idle,
    /// Offsets are committed.
    Commit,
    /// The next record has another schema, or fields for which the files have no columns.
    Schema,
    /// The next record belongs into another directory.
    Directory,
    /// One more would be open than may be.
    OpenFiles,
    /// They used more memory than they may.
    Memory,
    /// Kafka has lost records that are in them.
    Overtaken,
}

impl Cause {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Cause; 11] = [
        Cause::Rows,
        Cause::Interval,
        Cause::Schedule,
        Cause::Bytes,
        Cause::Idle,
        Cause::Commit,
        Cause::Schema,
        Cause::Directory,
        Cause::OpenFiles,
        Cause::Memory,
        Cause::Overtaken,
    ];
}

/// How far the open files of one Kafka partition are from their end.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    /// Records since the last rotation.
    rows: u64,
    /// Where the interval is measured from. With the records' clock `None` until the first of them.
    base: Option<i64>,
    /// When the schedule comes up next.
    slot: Option<i64>,
    /// The latest wall clock time seen.
    seen: i64,
    /// When a record went into an open file last.
    wrote: i64,
}

impl Rotation {
    /// Begins at `now`, with no files open.
    pub(crate) fn begin(policy: &RotationPolicy, now: i64) -> Result<Self> {
        let mut rotation = Self { rows: 0, base: None, slot: None, seen: now, wrote: now };
        rotation.restart(policy, now)?;
        Ok(rotation)
    }

    /// Everything was committed at `now`.
    pub(crate) fn restart(&mut self, policy: &RotationPolicy, now: i64) -> Result<()> {
        self.rows = 0;
        self.seen = now;
        self.wrote = now;
        self.base = (policy.clock == Clock::Wall).then_some(now);
        self.slot = match &policy.schedule {
            Some((interval_ms, zone)) => Some(zone.next_slot(now, *interval_ms)?),
            None => None,
        };
        Ok(())
    }

    /// A clock that was set back takes what is measured by it along; files would stay open for as long otherwise.
    fn follow_clock(&mut self, policy: &RotationPolicy, now: i64) {
        let back = self.seen.saturating_sub(now);
        self.seen = now;
        if back <= 0 {
            return;
        }
        if policy.clock == Clock::Wall {
            self.base = self.base.map(|base| base.saturating_sub(back));
        }
        self.wrote = self.wrote.saturating_sub(back);
        if let Some((interval_ms, zone)) = &policy.schedule
            && let Ok(slot) = zone.next_slot(now, *interval_ms)
        {
            self.slot = self.slot.map(|earlier| earlier.min(slot));
        }
    }

    /// Records went into open files at `now`.
    pub(crate) fn wrote(&mut self, rows: u64, now: i64) {
        self.rows = self.rows.saturating_add(rows);
        self.wrote = now;
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether the files have to be finished before a record of time `record_time` goes in (`None`: no record is at
    /// hand), when `staged` records are about to go in before it and the largest file has `bytes`.
    pub(crate) fn due(
        &mut self,
        policy: &RotationPolicy,
        now: i64,
        record_time: Option<i64>,
        staged: u64,
        bytes: u64,
    ) -> Option<Cause> {
        self.follow_clock(policy, now);
        let time = match policy.clock {
            Clock::Wall => Some(now),
            Clock::Records => record_time,
        };
        if self.base.is_none() {
            self.base = time;
        }
        let passed = time.zip(self.base).map(|(time, base)| time.saturating_sub(base));
        if self.rows.saturating_add(staged) >= policy.rows {
            Some(Cause::Rows)
        } else if policy.interval_ms.zip(passed).is_some_and(|(interval, passed)| passed >= interval) {
            Some(Cause::Interval)
        } else if self.slot.is_some_and(|slot| now >= slot) {
            Some(Cause::Schedule)
        } else if policy.bytes.is_some_and(|limit| bytes >= limit) {
            Some(Cause::Bytes)
        } else if policy.idle_ms.is_some_and(|idle| now.saturating_sub(self.wrote) >= idle) {
            Some(Cause::Idle)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RotationPolicy {
        RotationPolicy {
            rows: 3,
            interval_ms: None,
            clock: Clock::Wall,
            schedule: None,
            bytes: None,
            on_new_place: false,
            idle_ms: None,
            on_commit: false,
        }
    }

    #[test]
    fn by_rows_counting_those_on_their_way() {
        let policy = policy();
        let mut rotation = Rotation::begin(&policy, 0).unwrap();
        assert_eq!(rotation.due(&policy, 0, None, 2, 0), None);
        rotation.wrote(2, 0);
        assert_eq!(rotation.due(&policy, 0, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 0, None, 1, 0), Some(Cause::Rows));
        rotation.wrote(1, 0);
        assert_eq!(rotation.due(&policy, 0, None, 0, 0), Some(Cause::Rows));
        rotation.restart(&policy, 0).unwrap();
        assert_eq!((rotation.due(&policy, 0, None, 0, 0), rotation.rows()), (None, 0));
    }

    #[test]
    fn by_wall_clock_from_the_last_rotation_even_without_records() {
        let policy = RotationPolicy { interval_ms: Some(1000), ..policy() };
        let mut rotation = Rotation::begin(&policy, 5000).unwrap();
        assert_eq!(rotation.due(&policy, 5999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 6000, None, 0, 0), Some(Cause::Interval));
        assert_eq!(
            rotation.due(&policy, 6000, Some(0), 0, 0),
            Some(Cause::Interval),
            "records' times do not matter"
        );
        rotation.restart(&policy, 6000).unwrap();
        assert_eq!(rotation.due(&policy, 6999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 0, None, 0, 0), None, "a clock set back takes the interval along");
        assert_eq!(rotation.due(&policy, 1, None, 0, 0), Some(Cause::Interval), "999 ms had passed before");
    }

    #[test]
    fn by_record_time_from_the_first_record_and_only_with_records() {
        let policy = RotationPolicy { interval_ms: Some(1000), clock: Clock::Records, ..policy() };
        let mut rotation = Rotation::begin(&policy, 0).unwrap();
        assert_eq!(rotation.due(&policy, 99_999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 99_999, Some(-500), 0, 0), None, "the first sets the base");
        assert_eq!(rotation.due(&policy, 99_999, Some(499), 0, 0), None);
        assert_eq!(rotation.due(&policy, 99_999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 99_999, Some(500), 0, 0), Some(Cause::Interval));
        rotation.restart(&policy, 99_999).unwrap();
        assert_eq!(rotation.due(&policy, 99_999, Some(500), 0, 0), None);
        assert_eq!(rotation.due(&policy, 99_999, Some(i64::MIN), 0, 0), None);
        assert_eq!(rotation.due(&policy, 99_999, Some(i64::MAX), 0, 0), Some(Cause::Interval));
    }

    #[test]
    fn by_schedule_in_a_zone() {
        let zone = Zone::parse("+01:00").unwrap();
        let policy = RotationPolicy { schedule: Some((3_600_000, zone)), clock: Clock::Records, ..policy() };
        let mut rotation = Rotation::begin(&policy, 1_800_000).unwrap();
        assert_eq!(rotation.due(&policy, 3_599_999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 3_600_000, None, 0, 0), Some(Cause::Schedule));
        rotation.restart(&policy, 3_600_000).unwrap();
        assert_eq!(rotation.due(&policy, 7_199_999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 90_000_000, None, 0, 0), Some(Cause::Schedule), "late, once");
        rotation.restart(&policy, 90_000_000).unwrap();
        assert_eq!(rotation.due(&policy, 1_800_000, None, 0, 0), None, "the clock was set back by a day");
        assert_eq!(rotation.due(&policy, 3_600_000, None, 0, 0), Some(Cause::Schedule));
    }

    #[test]
    fn by_silence_counted_from_the_last_record() {
        let policy = RotationPolicy { idle_ms: Some(1000), rows: 100, ..policy() };
        let mut rotation = Rotation::begin(&policy, 0).unwrap();
        rotation.wrote(1, 5000);
        assert_eq!(rotation.due(&policy, 5999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 6000, None, 0, 0), Some(Cause::Idle));
        rotation.wrote(1, 6000);
        assert_eq!(rotation.due(&policy, 6999, None, 0, 0), None);
        assert_eq!(rotation.due(&policy, 500, None, 0, 0), None, "a clock set back takes the silence along");
        assert_eq!(rotation.due(&policy, 501, None, 0, 0), Some(Cause::Idle));
    }

    #[test]
    fn by_bytes() {
        let policy = RotationPolicy { bytes: Some(100), ..policy() };
        let mut rotation = Rotation::begin(&policy, 0).unwrap();
        assert_eq!(rotation.due(&policy, 0, None, 0, 99), None);
        assert_eq!(rotation.due(&policy, 0, None, 0, 100), Some(Cause::Bytes));
    }
}
