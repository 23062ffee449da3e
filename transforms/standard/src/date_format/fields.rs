//! Fields of a date as they were read, and the instant that they mean: Java's lenient calendar, where every number
//! counts on (month 13 is January of the next year) and of contradicting fields the later ones in the text win.

use super::calendar::{CUTOVER, CUTOVER_YEAR, DAY_MS, System, on_or_before};

/// A field of Java's calendar that a text can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Era,
    Year,
    Month,
    WeekOfYear,
    WeekOfMonth,
    DayOfMonth,
    DayOfYear,
    DayOfWeek,
    DayOfWeekInMonth,
    AmPm,
    Hour,
    HourOfDay,
    Minute,
    Second,
    Millisecond,
    WeekYear,
}

const SLOTS: usize = 16;

/// What the date is worked out from.
enum DayBy {
    DayOfMonth,
    WeekOfMonth,
    DayOfWeekInMonth,
    DayOfYear,
    WeekOfYear,
}

/// The fields that a text set, with the order in which it did.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    values: [i32; SLOTS],
    /// When each was set; 0 is never.
    stamps: [u32; SLOTS],
    next_stamp: u32,
    /// Minutes east of Greenwich.
    zone: Option<i32>,
}

impl Fields {
    pub(super) fn new() -> Self {
        Self { values: [0; SLOTS], stamps: [0; SLOTS], next_stamp: 1, zone: None }
    }

    pub(super) fn set(&mut self, slot: Slot, value: i32) {
        let at = slot as usize;
        if let (Some(known), Some(stamp)) = (self.values.get_mut(at), self.stamps.get_mut(at)) {
            *known = value;
            *stamp = self.next_stamp;
            self.next_stamp += 1;
        }
    }

    /// Sets the zone, unless it `yields` to one that is set.
    pub(super) fn set_zone(&mut self, minutes: i32, yields: bool) {
        if !yields || self.zone.is_none() {
            self.zone = Some(minutes);
        }
    }

    /// Moves the year on by a hundred.
    pub(super) fn add_century(&mut self) {
        for slot in [Slot::Year, Slot::WeekYear] {
            if let Some(value) = self.values.get_mut(slot as usize) {
                *value = value.wrapping_add(100);
            }
        }
    }

    fn stamp(&self, slot: Slot) -> u32 {
        self.stamps.get(slot as usize).copied().unwrap_or(0)
    }

    fn is_set(&self, slot: Slot) -> bool {
        self.stamp(slot) > 0
    }

    fn int(&self, slot: Slot) -> i32 {
        self.values.get(slot as usize).copied().unwrap_or(0)
    }

    fn get(&self, slot: Slot) -> i64 {
        self.int(slot).into()
    }

    /// The instant in epoch milliseconds, by Java's arithmetic, which wraps.
    pub(super) fn instant(&self) -> i64 {
        let era = if self.is_set(Slot::Era) { self.int(Slot::Era) } else { 1 };
        let year = if self.is_set(Slot::Year) { self.int(Slot::Year) } else { 1970 };
        let year = if era == 0 { 1i32.wrapping_sub(year) } else { year };
        let (mut days, time) = self.time_of_day();
        if self.is_set(Slot::WeekYear) && self.stamp(Slot::WeekYear) > self.stamp(Slot::Year) {
            days += self.week_date();
        } else {
            days = self.day(year, days);
        }
        let local = days.wrapping_mul(DAY_MS).wrapping_add(time);
        local.wrapping_sub(i64::from(self.zone.unwrap_or(0)) * 60_000)
    }

    /// Days, and milliseconds of the day.
    fn time_of_day(&self) -> (i64, i64) {
        let half_day = match (self.stamp(Slot::Hour), self.stamp(Slot::AmPm)) {
            (0, _) | (_, 0) => 0,
            (hour, am_pm) => hour.max(am_pm),
        };
        let hour_of_day = self.stamp(Slot::HourOfDay);
        let hours = if hour_of_day > 0 && hour_of_day >= half_day {
            self.get(Slot::HourOfDay)
        } else if self.is_set(Slot::AmPm) {
            self.get(Slot::Hour) + 12 * self.get(Slot::AmPm)
        } else {
            self.get(Slot::Hour)
        };
        let minutes = hours * 60 + self.get(Slot::Minute);
        let ms = (minutes * 60 + self.get(Slot::Second)) * 1000 + self.get(Slot::Millisecond);
        (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS))
    }

    /// The day of week year, week and day of the week.
    fn week_date(&self) -> i64 {
        let mut week = if self.is_set(Slot::WeekOfYear) { self.get(Slot::WeekOfYear) } else { 1 };
        let mut day = if self.is_set(Slot::DayOfWeek) { self.get(Slot::DayOfWeek) } else { 1 };
        if day >= 8 {
            // What a text calls day 8 is a Monday one week later: days beyond seven are counted from Monday.
            day -= 1;
            week += day / 7;
            day = day % 7 + 1;
            day = if day == 7 { 1 } else { day + 1 };
        } else if day <= 0 {
            let weeks = (7 - day) / 7;
            day += 7 * weeks;
            week -= weeks;
            day = if day == 7 { 1 } else { day + 1 };
        }
        let first = self.day_in(System::Gregorian, self.int(Slot::WeekYear), &DayBy::WeekOfYear, 1, 1);
        let first = if first >= CUTOVER {
            first
        } else {
            self.day_in(System::Julian, self.int(Slot::WeekYear), &DayBy::WeekOfYear, 1, 1)
        };
        first + day - 1 + 7 * (week - 1)
    }

    /// Picks the calendar that was in force, and with it the day.
    fn day(&self, year: i32, days: i64) -> i64 {
        let by = self.best_group();
        let in_system = |system| {
            days + self.day_in(system, year, &by, self.get(Slot::WeekOfYear), self.weekday_of_week(&by))
        };
        let year = i64::from(year);
        if year > CUTOVER_YEAR {
            let gregorian = in_system(System::Gregorian);
            if gregorian >= CUTOVER {
                return gregorian;
            }
        }
        let julian = in_system(System::Julian);
        if year < CUTOVER_YEAR {
            return julian;
        }
        let relative_to_year = matches!(by, DayBy::DayOfYear | DayBy::WeekOfYear);
        let gregorian = in_system(System::Gregorian);
        if relative_to_year || gregorian < CUTOVER { julian } else { gregorian }
    }

    fn weekday_of_week(&self, by: &DayBy) -> i64 {
        match by {
            DayBy::WeekOfYear if self.is_set(Slot::DayOfWeek) => self.get(Slot::DayOfWeek),
            _ => 1,
        }
    }

    /// The latest group of fields that says the day within the year (`Calendar.selectFields`).
    fn best_group(&self) -> DayBy {
        let both = |a: u32, b: u32| if a == 0 || b == 0 { 0 } else { a.max(b) };
        let (weekday, week_of_month, week_in_month, week_of_year) = (
            self.stamp(Slot::DayOfWeek),
            self.stamp(Slot::WeekOfMonth),
            self.stamp(Slot::DayOfWeekInMonth),
            self.stamp(Slot::WeekOfYear),
        );
        let mut day_of_month = self.stamp(Slot::DayOfMonth);
        let day_of_year = self.stamp(Slot::DayOfYear);
        let mut by_week_of_month = both(week_of_month, weekday);
        let mut by_week_in_month = both(week_in_month, weekday);
        let mut by_week_of_year = both(week_of_year, weekday);
        let mut best =
            day_of_month.max(by_week_of_month).max(by_week_in_month).max(day_of_year).max(by_week_of_year);
        if best == 0 {
            // No group is complete: a part of one has to do.
            by_week_of_month = week_of_month;
            by_week_in_month = week_in_month.max(weekday);
            by_week_of_year = week_of_year;
            best = by_week_of_month.max(by_week_in_month).max(by_week_of_year);
            if best == 0 {
                day_of_month = self.stamp(Slot::Month);
                best = day_of_month;
            }
        }
        if best == day_of_month {
            return DayBy::DayOfMonth;
        }
        let of_month = best == by_week_of_month && week_of_month >= week_of_year;
        let in_month = best == by_week_in_month && week_in_month >= week_of_year;
        if of_month || in_month {
            let by_week = if by_week_of_month == by_week_in_month {
                week_of_month >= week_in_month
            } else {
                best == by_week_of_month
            };
            return if by_week { DayBy::WeekOfMonth } else { DayBy::DayOfWeekInMonth };
        }
        if best == day_of_year { DayBy::DayOfYear } else { DayBy::WeekOfYear }
    }

    /// The day in one of the calendars; `week` and `weekday` count where the day is found by the week of the year.
    fn day_in(&self, system: System, year: i32, by: &DayBy, week: i64, weekday: i64) -> i64 {
        let of_month = matches!(by, DayBy::DayOfMonth | DayBy::WeekOfMonth | DayBy::DayOfWeekInMonth);
        let month = if of_month { self.int(Slot::Month) } else { 0 };
        let year = i64::from(year.wrapping_add(month.div_euclid(12)));
        let month = i64::from(month.rem_euclid(12)) + 1;
        let first = system.day(year, month, 1);
        match by {
            DayBy::DayOfMonth if self.is_set(Slot::DayOfMonth) => first + self.get(Slot::DayOfMonth) - 1,
            DayBy::DayOfMonth => first,
            DayBy::WeekOfMonth => {
                let mut day = first_sunday(first);
                if self.is_set(Slot::DayOfWeek) {
                    day = on_or_before(day + 6, self.get(Slot::DayOfWeek));
                }
                day + 7 * (self.get(Slot::WeekOfMonth) - 1)
            }
            DayBy::DayOfWeekInMonth => {
                let weekday = if self.is_set(Slot::DayOfWeek) { self.get(Slot::DayOfWeek) } else { 1 };
                let nth =
                    if self.is_set(Slot::DayOfWeekInMonth) { self.get(Slot::DayOfWeekInMonth) } else { 1 };
                let last = if nth >= 0 { 7 * nth } else { system.month_length(year, month) + 7 * (nth + 1) };
                on_or_before(first + last - 1, weekday)
            }
            DayBy::DayOfYear => first + self.get(Slot::DayOfYear) - 1,
            DayBy::WeekOfYear => {
                let sunday = first_sunday(first);
                let day = if weekday == 1 { sunday } else { on_or_before(sunday + 6, weekday) };
                day + 7 * (week - 1)
            }
        }
    }
}

/// The Sunday that begins the week of `first`.
fn first_sunday(first: i64) -> i64 {
    let sunday = on_or_before(first + 6, 1);
    // A first week of one day is long enough.
    if sunday > first { sunday - 7 } else { sunday }
}
