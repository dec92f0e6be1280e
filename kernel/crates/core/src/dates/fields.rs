//! What a parser found in a date, before it is an instant.

use super::civil::{days_from_civil, days_in_month, is_leap, iso_week_start};

pub const NANOS: i128 = 1_000_000_000;

/// Zone of a date.
#[derive(Debug, Clone)]
pub enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    Named(jiff::tz::TimeZone),
}

/// Parts of a date by their name; values are as written, their ranges are checked when they become an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Year,
    YearOfEra,
    WeekYear,
    Month,
    Quarter,
    Day,
    DayOfYear,
    Week,
    Weekday,
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11.
    HalfHour,
    /// 1 to 12.
    ClockHalfHour,
    /// 0 (am) or 1.
    AmPm,
    Minute,
    Second,
    Nano,
    MilliOfDay,
    NanoOfDay,
}

const PARTS: usize = 19;

/// Name in Java and range of each part, in the order of [`Part`].
const RANGES: [(&str, i64, i64); PARTS] = [
    ("Year", -999_999_999, 999_999_999),
    ("YearOfEra", 1, 999_999_999),
    ("WeekBasedYear", -999_999_999, 999_999_999),
    ("MonthOfYear", 1, 12),
    ("QuarterOfYear", 1, 4),
    ("DayOfMonth", 1, 31),
    ("DayOfYear", 1, 366),
    ("WeekOfWeekBasedYear", 1, 53),
    ("DayOfWeek", 1, 7),
    ("HourOfDay", 0, 23),
    ("ClockHourOfDay", 1, 24),
    ("HourOfAmPm", 0, 11),
    ("ClockHourOfAmPm", 1, 12),
    ("AmPmOfDay", 0, 1),
    ("MinuteOfHour", 0, 59),
    ("SecondOfMinute", 0, 59),
    ("NanoOfSecond", 0, 999_999_999),
    ("MilliOfDay", 0, 86_399_999),
    ("NanoOfDay", 0, 86_399_999_999_999),
];

#[derive(Debug, Clone, Default)]
pub struct Fields {
    values: [Option<i64>; PARTS],
    pub zone: Option<Zone>,
    /// The whole instant, from epoch formats: nanoseconds, and how many of them its last digit stands for.
    pub instant: Option<(i128, i128)>,
}

impl Fields {
    /// A whole instant.
    pub fn at(nanos: i128, unit: i128) -> Self {
        Self { instant: Some((nanos, unit)), ..Self::default() }
    }

    #[inline]
    pub fn get(&self, part: Part) -> Option<i64> {
        self.values[part as usize]
    }

    #[inline]
    pub fn set(&mut self, part: Part, value: i64) {
        self.values[part as usize] = Some(value);
    }

    /// Java's sentence for the first part out of its range.
    fn check(&self) -> Result<(), String> {
        for (value, (name, low, high)) in self.values.iter().zip(RANGES) {
            if let Some(value) = value.filter(|v| !(low..=high).contains(v)) {
                return Err(format!("Invalid value for {name} (valid values {low} - {high}): {value}"));
            }
        }
        Ok(())
    }

    /// Nanoseconds since the epoch. Missing parts of a date take their first value; missing parts of the time too, or their last if
    /// `round_up`; `default_zone` holds where the text names none.
    pub fn resolve(&self, round_up: bool, default_zone: &Zone) -> Result<i128, String> {
        if let Some((instant, unit)) = self.instant {
            return Ok(if round_up { instant + unit - 1 } else { instant });
        }
        self.check()?;
        let local = i128::from(self.days()?) * 86_400 * NANOS + self.nano_of_day(round_up)?;
        let zone = self.zone.as_ref().unwrap_or(default_zone);
        Ok(super::zone::to_utc(zone, local))
    }

    fn days(&self) -> Result<i64, String> {
        let year = self.get(Part::Year).or(self.get(Part::YearOfEra));
        if let (Some(year), Some(day)) = (year, self.get(Part::DayOfYear)) {
            if day == 366 && !is_leap(year) {
                return Err(format!("Invalid date 'DayOfYear 366' as '{year}' is not a leap year"));
            }
            return Ok(days_from_civil(year, 1, 1) + day - 1);
        }
        if let Some(year) = self.get(Part::WeekYear) {
            let week = self.get(Part::Week).unwrap_or(1);
            if week == 53 && super::civil::iso_week(iso_week_start(year, 53)).0 != year {
                return Err(format!("Invalid value for WeekOfWeekBasedYear (valid values 1 - 52): {week}"));
            }
            return Ok(iso_week_start(year, week as u8) + self.get(Part::Weekday).unwrap_or(1) - 1);
        }
        let year = year.unwrap_or(1970);
        let quarter = self.get(Part::Quarter).map_or(1, |q| q * 3 - 2);
        let month = self.get(Part::Month).unwrap_or(quarter) as u8;
        let day = self.get(Part::Day).unwrap_or(1) as u8;
        if day > days_in_month(year, month) {
            return Err(match (month, day) {
                (2, 29) => format!("Invalid date 'February 29' as '{year}' is not a leap year"),
                _ => format!("Invalid date '{} {day}'", MONTHS[usize::from(month) - 1].to_uppercase()),
            });
        }
        Ok(days_from_civil(year, month, day))
    }

    fn nano_of_day(&self, round_up: bool) -> Result<i128, String> {
        if let Some(nanos) = self.get(Part::NanoOfDay) {
            return Ok(i128::from(nanos));
        }
        if let Some(millis) = self.get(Part::MilliOfDay) {
            return Ok(i128::from(millis) * 1_000_000);
        }
        let fill = |value: Option<i64>, last: i64| i128::from(value.unwrap_or(if round_up { last } else { 0 }));
        let half = self.get(Part::HalfHour).or(self.get(Part::ClockHalfHour).map(|h| h % 12));
        let hour = self
            .get(Part::Hour)
            .or(self.get(Part::ClockHour).map(|h| h % 24))
            .or(half.map(|h| h + 12 * self.get(Part::AmPm).unwrap_or(0)));
        let minutes = fill(hour, 23) * 60 + fill(self.get(Part::Minute), 59);
        Ok((minutes * 60 + fill(self.get(Part::Second), 59)) * NANOS + fill(self.get(Part::Nano), 999_999_999))
    }
}

pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
