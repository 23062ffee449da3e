//! Time zones, and the arithmetic on local times that partitions and schedules need.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan as _};
use lavka_api::{Error, Result};

/// A time zone as the configuration names it.
#[derive(Debug, Clone)]
pub(crate) struct Zone(TimeZone);

/// A moment in a zone.
#[derive(Debug, Clone)]
pub(crate) struct LocalTime {
    pub(crate) civil: DateTime,
    /// Seconds east of Greenwich.
    pub(crate) offset_s: i32,
    /// `CET`, or the offset where the zone has no abbreviations.
    pub(crate) abbreviation: String,
    /// `Europe/Prague`.
    pub(crate) zone_id: String,
}

impl Zone {
    pub(crate) const UTC: Zone = Zone(TimeZone::UTC);

    /// A zone of the tz database (`Europe/Prague`), `UTC`, `GMT`, or a fixed offset (`+02:00`).
    pub(crate) fn parse(id: &str) -> Option<Self> {
        let id = id.trim();
        match id {
            "UTC" | "GMT" | "Z" => Some(Self::UTC),
            _ if id.starts_with(['+', '-']) => {
                Some(Self(TimeZone::fixed(Offset::from_seconds(offset_seconds(id)?).ok()?)))
            }
            _ => TimeZone::get(id).ok().map(Self),
        }
    }

    fn offset_ms(&self, utc_ms: i64) -> Result<i64> {
        Ok(i64::from(self.0.to_offset(timestamp(utc_ms)?).seconds()) * 1000)
    }

    /// The next moment at which the zone's offset changes.
    fn next_change(&self, utc_ms: i64) -> Result<Option<i64>> {
        Ok(self.0.following(timestamp(utc_ms)?).next().map(|change| change.timestamp().as_millisecond()))
    }

    /// Milliseconds since 1970-01-01T00:00 on the zone's clocks.
    pub(crate) fn local_ms(&self, utc_ms: i64) -> Result<i64> {
        utc_ms.checked_add(self.offset_ms(utc_ms)?).ok_or_else(|| out_of_range(utc_ms))
    }

    /// The moment at which the zone's clocks show `local_ms`. A time that clocks skip is read with the offset from
    /// before the skip; of a time that they show twice the earlier one counts, east of Greenwich the later one. Those
    /// are Joda-Time's choices for a conversion that is not strict, on which directory names depend.
    pub(crate) fn epoch_of_local(&self, local_ms: i64) -> Result<i64> {
        let range = || out_of_range(local_ms);
        let guess = self.offset_ms(local_ms)?;
        let guessed = local_ms.checked_sub(guess).ok_or_else(range)?;
        let offset = self.offset_ms(guessed)?;
        let corrected = local_ms.checked_sub(offset).ok_or_else(range)?;
        // West of Greenwich the guess looks too early, so both answers may lie on different sides of a change.
        let keep_guess =
            guess != offset && guess < 0 && self.next_change(guessed)? != self.next_change(corrected)?;
        Ok(if keep_guess { guessed } else { corrected })
    }

    /// What clocks and calendars of the zone show.
    pub(crate) fn local_time(&self, utc_ms: i64) -> Result<LocalTime> {
        let moment = timestamp(utc_ms)?;
        let info = self.0.to_offset_info(moment);
        let offset = info.offset();
        Ok(LocalTime {
            civil: offset.to_datetime(moment),
            offset_s: offset.seconds(),
            abbreviation: info.abbreviation().to_owned(),
            zone_id: self.0.iana_name().map_or_else(|| info.abbreviation().to_owned(), str::to_owned),
        })
    }

    /// The first slot after `now`: slots are the multiples of `interval_ms` from local midnight, and the next midnight
    /// is one in any case.
    pub(crate) fn next_slot(&self, now_ms: i64, interval_ms: i64) -> Result<i64> {
        let now = timestamp(now_ms)?.to_zoned(self.0.clone());
        let range = |_| out_of_range(now_ms);
        let midnight = now.start_of_day().map_err(range)?;
        let next_day = now.date().checked_add(1.day()).map_err(range)?;
        let next_midnight =
            next_day.to_zoned(self.0.clone()).map_err(range)?.start_of_day().map_err(range)?;
        let start = midnight.timestamp().as_millisecond();
        let passed = now_ms.saturating_sub(start) / interval_ms.max(1);
        let slot = passed.saturating_add(1).saturating_mul(interval_ms).saturating_add(start);
        Ok(slot.min(next_midnight.timestamp().as_millisecond()))
    }
}

/// The seconds of `+HH`, `+HHMM`, `+HH:MM` or `+HH:MM:SS`.
pub(crate) fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let plain: String = digits.chars().filter(|&c| c != ':').collect();
    if !matches!(plain.len(), 2 | 4 | 6) || !plain.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| plain.get(at..at + 2).map_or(Some(0), |digits| digits.parse::<i32>().ok());
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn timestamp(utc_ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(utc_ms).map_err(|_| out_of_range(utc_ms))
}

fn out_of_range(ms: i64) -> Error {
    Error::data(format!("the time {ms} ms is outside the years -9999 to 9999"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(id: &str) -> Zone {
        Zone::parse(id).unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn zones_have_names_or_offsets() {
        for good in ["UTC", "Europe/Prague", "America/Los_Angeles", "+02:00", "-0330", "Etc/GMT+5"] {
            assert!(Zone::parse(good).is_some(), "{good}");
        }
        for bad in ["", "Mars/Olympus", "+25:00", "+1", "+12:61", "+aa:bb", "+é"] {
            assert!(Zone::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(zone("-03:30").local_ms(0).unwrap(), -12_600_000);
    }

    #[test]
    fn local_times_convert_back_around_changes_of_offset() {
        for id in ["Europe/Prague", "America/New_York", "Australia/Lord_Howe", "UTC"] {
            let zone = zone(id);
            for utc in (ms("2024-01-01T00:00:00Z")..ms("2025-01-01T00:00:00Z")).step_by(1_800_000) {
                let back = zone.epoch_of_local(zone.local_ms(utc).unwrap()).unwrap();
                let twice = back != utc;
                assert!(!twice || (back - utc).abs() <= 3_600_000, "{id} {utc}");
                assert_eq!(zone.local_ms(back).unwrap(), zone.local_ms(utc).unwrap(), "{id} {utc}");
            }
        }
    }

    #[test]
    fn skipped_and_repeated_times() {
        let local = |text: &str| ms(text);
        // New York skips from 02:00 to 03:00 on 10 March 2024 and repeats 01:00 to 02:00 on 3 November.
        let new_york = zone("America/New_York");
        assert_eq!(
            new_york.epoch_of_local(local("2024-03-10T02:30:00Z")).unwrap(),
            ms("2024-03-10T07:30:00Z")
        );
        assert_eq!(
            new_york.epoch_of_local(local("2024-11-03T01:30:00Z")).unwrap(),
            ms("2024-11-03T05:30:00Z")
        );
        // Prague skips from 02:00 to 03:00 on 31 March 2024 and repeats 02:00 to 03:00 on 27 October.
        let prague = zone("Europe/Prague");
        assert_eq!(prague.epoch_of_local(local("2024-03-31T02:30:00Z")).unwrap(), ms("2024-03-31T01:30:00Z"));
        assert_eq!(prague.epoch_of_local(local("2024-10-27T02:30:00Z")).unwrap(), ms("2024-10-27T01:30:00Z"));
    }

    #[test]
    fn slots_count_from_local_midnight_and_never_pass_the_next() {
        let prague = zone("Europe/Prague");
        let next = |now: &str, hours: i64| prague.next_slot(ms(now), hours * 3_600_000).unwrap();
        assert_eq!(next("2024-06-01T10:00:00Z", 1), ms("2024-06-01T11:00:00Z"));
        assert_eq!(next("2024-06-01T10:59:59.999Z", 1), ms("2024-06-01T11:00:00Z"));
        assert_eq!(next("2024-06-01T10:00:00Z", 24), ms("2024-06-01T22:00:00Z"));
        assert_eq!(next("2024-06-01T21:30:00Z", 7), ms("2024-06-01T22:00:00Z"), "not at 28:00");
        assert_eq!(next("2024-10-27T10:00:00Z", 24), ms("2024-10-27T22:00:00Z"), "a day of 25 hours");
        assert_eq!(next("1969-12-31T23:30:00Z", 1), ms("1970-01-01T00:00:00Z"));
    }

    #[test]
    fn extreme_times_are_errors() {
        let prague = zone("Europe/Prague");
        for ms in [i64::MIN, i64::MAX] {
            assert!(prague.local_ms(ms).is_err());
            assert!(prague.epoch_of_local(ms).is_err());
            assert!(prague.local_time(ms).is_err());
            assert!(prague.next_slot(ms, 1).is_err());
        }
    }
}
