//! Days and dates as Java's `GregorianCalendar` has them: Gregorian from 1582-10-15 on, Julian before.

/// 1582-10-15 in days since 1970-01-01.
const CUTOVER: i64 = -141_427;

/// Days from 1 March of the year 0 to 1970-01-01, in each calendar.
const GREGORIAN_EPOCH: i64 = 719_468;
const JULIAN_EPOCH: i64 = 719_470;

/// Year, month from 1 and day from 1; none before the year 1 or beyond what the year's 32 bits hold.
pub(crate) fn from_days(days: i64) -> Option<(i64, i64, i64)> {
    let (year, day_of_year) = if days >= CUTOVER {
        // Years begin in March, so that the leap day is the last one (H. Hinnant, "chrono-Compatible Low-Level Date
        // Algorithms").
        let days = days.checked_add(GREGORIAN_EPOCH)?;
        let era = days.div_euclid(146_097);
        let day = days.rem_euclid(146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        (era * 400 + year, day - (365 * year + year / 4 - year / 100))
    } else {
        let days = days.checked_add(JULIAN_EPOCH)?;
        let era = days.div_euclid(1461);
        let day = days.rem_euclid(1461);
        let year = (day - day / 1460) / 365;
        (era * 4 + year, day - 365 * year)
    };
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + i64::from(month <= 2);
    (1..=i64::from(i32::MAX)).contains(&year).then_some((year, month, day))
}

/// The days since 1970-01-01; none for what is no date.
pub(crate) fn to_days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !((1..=i64::from(i32::MAX)).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)) {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let gregorian = 365 * shifted + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + day_of_year
        - GREGORIAN_EPOCH;
    let julian = 365 * shifted + shifted.div_euclid(4) + day_of_year - JULIAN_EPOCH;
    let days = if gregorian >= CUTOVER { gregorian } else { julian };
    // A day that the month does not have, or that was left out in 1582, comes back as another.
    (from_days(days) == Some((year, month, day))).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_javas() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (19_782, (2024, 2, 29)),
            (-1, (1969, 12, 31)),
            (CUTOVER, (1582, 10, 15)),
            (CUTOVER - 1, (1582, 10, 4)),
            (-719_164, (1, 1, 1)),
            (2_932_896, (9999, 12, 31)),
            (-171_446, (1500, 7, 28)),
        ] {
            assert_eq!(from_days(days), Some(date), "{days}");
            assert_eq!(to_days(date.0, date.1, date.2), Some(days), "{date:?}");
        }
        assert_eq!(from_days(-719_165), None);
        for (year, month, day) in
            [(2023, 2, 29), (2024, 13, 1), (2024, 0, 1), (2024, 4, 31), (1582, 10, 10), (0, 1, 1)]
        {
            assert_eq!(to_days(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_day_has_one_date(days in -719_164_i64..800_000_000) {
            let (year, month, day) = from_days(days).unwrap();
            proptest::prop_assert_eq!(to_days(year, month, day), Some(days));
        }
    }
}
