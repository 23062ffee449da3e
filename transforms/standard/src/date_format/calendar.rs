//! Days, years and weeks of Java's `GregorianCalendar`: Gregorian from 15 October 1582 on, Julian before. Days are
//! counted from 1970-01-01, days of the week from Sunday = 1.

pub(super) const DAY_MS: i64 = 86_400_000;
/// 1582-10-15, the first day of the Gregorian calendar.
pub(super) const CUTOVER: i64 = -141_427;
/// The year of the change.
pub(super) const CUTOVER_YEAR: i64 = 1582;

/// One of the two calendars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Julian,
    Gregorian,
}

impl System {
    /// The day of `year`, `month` (1 to 12), `day`, which may be beyond the month's length. Year 0 is 1 BC.
    pub(super) fn day(self, year: i64, month: i64, day: i64) -> i64 {
        // Years begin in March here, so that the leap day comes last.
        let year = if month <= 2 { year - 1 } else { year };
        let month_from_march = (month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
        match self {
            System::Gregorian => {
                let era = year.div_euclid(400);
                let year_of_era = year.rem_euclid(400);
                era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
                    - 719_468
            }
            System::Julian => year * 365 + year.div_euclid(4) + day_of_year - 719_470,
        }
    }

    /// Year, month and day of the month of `day`.
    fn date(self, day: i64) -> (i64, i64, i64) {
        let (year, day_of_year) = match self {
            System::Gregorian => {
                let shifted = day + 719_468;
                let era = shifted.div_euclid(146_097);
                let day_of_era = shifted.rem_euclid(146_097);
                let year_of_era =
                    (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
                let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
                (year_of_era + era * 400, day_of_year)
            }
            System::Julian => {
                let shifted = day + 719_470;
                let era = shifted.div_euclid(1461);
                let day_of_era = shifted.rem_euclid(1461);
                let year_of_era = (day_of_era - day_of_era / 1460) / 365;
                (year_of_era + era * 4, day_of_era - 365 * year_of_era)
            }
        };
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        (year + i64::from(month <= 2), month, day_of_month)
    }

    /// The length of a month.
    pub(super) fn month_length(self, year: i64, month: i64) -> i64 {
        let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        self.day(next_year, next, 1) - self.day(year, month, 1)
    }
}

/// A date as the calendar of its time has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    /// Days since 1970-01-01.
    pub(super) day: i64,
    /// 0 is 1 BC.
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// From 1.
    pub(super) day_of_month: i64,
}

impl Date {
    pub(super) fn of(day: i64) -> Self {
        let system = if day >= CUTOVER { System::Gregorian } else { System::Julian };
        let (year, month, day_of_month) = system.date(day);
        Self { day, year, month, day_of_month }
    }

    /// Sunday is 1.
    pub(super) fn day_of_week(&self) -> i64 {
        (self.day + 4).rem_euclid(7) + 1
    }

    /// The first day of a year.
    fn new_year(year: i64) -> i64 {
        let system = if year > CUTOVER_YEAR { System::Gregorian } else { System::Julian };
        system.day(year, 1, 1)
    }

    /// From 1. The year of the change is ten days shorter.
    pub(super) fn day_of_year(&self) -> i64 {
        self.day - Self::new_year(self.year) + 1
    }

    /// From 1.
    pub(super) fn week_of_month(&self) -> i64 {
        let cutover_month = self.year == CUTOVER_YEAR && self.month == 10 && self.day >= CUTOVER;
        let first = if cutover_month { self.day_of_month - 10 } else { self.day_of_month };
        week(self.day - first + 1, self.day)
    }

    /// From 1; the last days of a year may be of the first week of the next one.
    pub(super) fn week_of_year(&self) -> i64 {
        if self.day >= on_or_before(Self::new_year(self.year + 1), 1) {
            return 1;
        }
        week(Self::new_year(self.year), self.day)
    }

    /// The year that the week belongs to.
    pub(super) fn week_year(&self) -> i64 {
        let next = self.day >= on_or_before(Self::new_year(self.year + 1), 1);
        self.year + i64::from(next)
    }
}

/// Which week `day` is in, where `first` is the first day of the first one and weeks begin on Sunday.
fn week(first: i64, day: i64) -> i64 {
    (day - on_or_before(first, 1)).div_euclid(7) + 1
}

/// The last `day_of_week` (Sunday = 1) up to `day`.
pub(super) fn on_or_before(day: i64, day_of_week: i64) -> i64 {
    day - (day + 4 - (day_of_week - 1)).rem_euclid(7)
}

/// `years` years before `ms`, at the same time of day; 29 February becomes 28 February where there is none.
pub(super) fn minus_years(ms: i64, years: i64) -> i64 {
    let date = Date::of(ms.div_euclid(DAY_MS));
    let year = date.year - years;
    let day = date.day_of_month.min(System::Gregorian.month_length(year, date.month));
    System::Gregorian.day(year, date.month, day).saturating_mul(DAY_MS).saturating_add(ms.rem_euclid(DAY_MS))
}
