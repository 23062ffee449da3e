//! Text of instants, always UTC (Java would use the zone of its process).

use std::io::Write as _;

const MS_PER_DAY: i64 = 86_400_000;

/// Appends `yyyy-MM-dd` for days since the epoch.
pub fn write_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil_from_days(days);
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
}

/// Appends `HH:mm:ss.SSSZ` for milliseconds since the epoch; the date is left out.
pub fn write_time(out: &mut Vec<u8>, epoch_ms: i64) {
    let ms = epoch_ms.rem_euclid(MS_PER_DAY);
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let _ = write!(out, "{:02}:{:02}:{:02}.{ms:03}Z", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

/// Appends `yyyy-MM-ddTHH:mm:ss.SSSZ` for milliseconds since the epoch.
pub fn write_timestamp(out: &mut Vec<u8>, epoch_ms: i64) {
    write_date(out, epoch_ms.div_euclid(MS_PER_DAY));
    out.push(b'T');
    write_time(out, epoch_ms);
}

/// Appends an instant by magnitude, as `Values.dateFormatFor` picks the pattern: below one day (negative ones too) a
/// time, whole days a date, else a timestamp.
pub fn write_instant(out: &mut Vec<u8>, epoch_ms: i64) {
    if epoch_ms < MS_PER_DAY {
        write_time(out, epoch_ms);
    } else if epoch_ms % MS_PER_DAY == 0 {
        write_date(out, epoch_ms / MS_PER_DAY);
    } else {
        write_timestamp(out, epoch_ms);
    }
}

/// Days since the epoch to year (astronomical: 0 is 1 BC), month and day of the proleptic Gregorian calendar. Eras of 400
/// years with the year beginning in March, so that the leap day comes last.
#[must_use]
pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since the epoch of a date of that calendar, its year astronomical too and its month from 1 to 12: the inverse of
/// [`civil_from_days`].
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year.saturating_sub(i64::from(month <= 2));
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era.saturating_mul(146_097).saturating_add(day_of_era - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(epoch_ms: i64) -> String {
        let mut out = Vec::new();
        write_instant(&mut out, epoch_ms);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn patterns_go_by_magnitude() {
        assert_eq!(text(0), "00:00:00.000Z");
        assert_eq!(text(-1), "23:59:59.999Z");
        assert_eq!(text(1234), "00:00:01.234Z");
        assert_eq!(text(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(text(86_400_000 * 59), "1970-03-01");
        assert_eq!(text(951_782_400_000), "2000-02-29");
    }

    #[test]
    fn extremes_do_not_overflow() {
        text(i64::MAX);
        text(i64::MIN);
        write_date(&mut Vec::new(), i64::MAX);
        assert!(days_from_civil(i64::MIN, 1, 1) < days_from_civil(i64::MAX, 12, 31));
    }

    #[test]
    fn days_of_known_dates() {
        for (year, month, day, days) in [
            (1970, 1, 1, 0),
            (2000, 3, 1, 11_017),
            (-43, 3, 15, -735_160),
            (1969, 12, 31, -1),
            (2026, 3, 4, 20_516),
        ] {
            assert_eq!(days_from_civil(year, month, day), days);
            assert_eq!(civil_from_days(days), (year, month, day));
        }
    }

    proptest! {
        #[test]
        fn days_and_dates_are_one_to_one(days in -3_000_000_000_i64..3_000_000_000) {
            let (year, month, day) = civil_from_days(days);
            prop_assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
