//! What a parser found in a date, before it is an instant.

use super::civil::{days_from_civil, days_in_month, iso_week_start};

pub const NANOS: i128 = 1_000_000_000;

/// Zone of a date.
#[derive(Debug, Clone)]
pub enum Zone {
    /// Seconds east of Greenwich.
    Fixed(i32),
    Named(jiff::tz::TimeZone),
}

#[derive(Debug, Clone, Default)]
pub struct Fields {
    pub year: Option<i64>,
    pub month: Option<u8>,
    pub day: Option<u8>,
    pub day_of_year: Option<u16>,
    pub week_year: Option<i64>,
    pub week: Option<u8>,
    pub weekday: Option<u8>,
    pub hour: Option<u8>,
    pub minute: Option<u8>,
    pub second: Option<u8>,
    pub nano: Option<u32>,
    pub pm: Option<bool>,
    /// Hour of a half day, 0 to 11.
    pub half_hour: Option<u8>,
    pub nano_of_day: Option<i64>,
    pub zone: Option<Zone>,
    /// The whole instant, from epoch formats: nanoseconds, and the width of its last digit.
    pub instant: Option<(i128, i128)>,
}

impl Fields {
    /// Nanoseconds since the epoch. Missing parts take their least value, or their greatest if `round_up`; `default_zone` where the text names none.
    pub fn resolve(&self, round_up: bool, default_zone: &Zone) -> Result<i128, String> {
        if let Some((instant, unit)) = self.instant {
            return Ok(if round_up && unit > 1 { instant + unit - 1 } else { instant });
        }
        let days = self.days(round_up)?;
        let local = i128::from(days) * 86_400 * NANOS + self.nano_of_day(round_up)?;
        let zone = self.zone.as_ref().unwrap_or(default_zone);
        Ok(super::zone::to_utc(zone, local))
    }

    fn days(&self, round_up: bool) -> Result<i64, String> {
        if let (Some(year), Some(day)) = (self.year, self.day_of_year) {
            let limit = if super::civil::is_leap(year) { 366 } else { 365 };
            if day > limit {
                return Err(format!("Invalid date 'DayOfYear {day}' as '{year}' is not a leap year"));
            }
            return Ok(days_from_civil(year, 1, 1) + i64::from(day) - 1);
        }
        if let Some(year) = self.week_year {
            let week = self.week.unwrap_or(if round_up { 52 } else { 1 });
            let weekday = self.weekday.unwrap_or(if round_up { 7 } else { 1 });
            return Ok(iso_week_start(year, week) + i64::from(weekday) - 1);
        }
        let year = self.year.unwrap_or(1970);
        let month = self.month.unwrap_or(if round_up { 12 } else { 1 });
        let last = days_in_month(year, month);
        let day = self.day.unwrap_or(if round_up { last } else { 1 });
        if day > last {
            return Err(match (month, day) {
                (2, 29) => format!("Invalid date 'February 29' as '{year}' is not a leap year"),
                _ => format!("Invalid date '{} {day}'", MONTHS[usize::from(month) - 1].to_uppercase()),
            });
        }
        Ok(days_from_civil(year, month, day))
    }

    fn nano_of_day(&self, round_up: bool) -> Result<i128, String> {
        if let Some(nanos) = self.nano_of_day {
            return Ok(i128::from(nanos));
        }
        let fill = |value: Option<u8>, most: u8| i128::from(value.unwrap_or(if round_up { most } else { 0 }));
        let hour = match (self.hour, self.half_hour) {
            (Some(hour), _) => i128::from(hour),
            (None, Some(half)) => i128::from(half) + if self.pm == Some(true) { 12 } else { 0 },
            (None, None) => fill(None, 23),
        };
        let nano = i128::from(self.nano.unwrap_or(if round_up { 999_999_999 } else { 0 }));
        Ok(((hour * 60 + fill(self.minute, 59)) * 60 + fill(self.second, 59)) * NANOS + nano)
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
