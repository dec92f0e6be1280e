//! Writes an instant by the items of a pattern.

use std::fmt::Write;

use super::civil::{civil_from_days, day_of_year, iso_week, weekday};
use super::fields::{MONTHS, NANOS, Part, WEEKDAYS, Zone};
use super::pattern::{Item, Sign};
use super::zone;

/// An instant as local date and time.
pub struct Local<'z> {
    zone: &'z Zone,
    offset: i32,
    days: i64,
    date: (i64, u8, u8),
    /// Of the day, in nanoseconds.
    nanos: i64,
}

impl<'z> Local<'z> {
    pub fn new(utc: i128, zone: &'z Zone) -> Self {
        let offset = zone::offset(zone, utc);
        let local = utc + i128::from(offset) * NANOS;
        let days = local.div_euclid(86_400 * NANOS) as i64;
        let nanos = local.rem_euclid(86_400 * NANOS) as i64;
        Self { zone, offset, days, date: civil_from_days(days), nanos }
    }

    fn part(&self, part: Part) -> i64 {
        let seconds = self.nanos / NANOS as i64;
        let hour = seconds / 3600;
        let (year, month, day) = self.date;
        match part {
            Part::Year => year,
            Part::YearOfEra => {
                if year > 0 {
                    year
                } else {
                    1 - year
                }
            }
            Part::WeekYear => iso_week(self.days).0,
            Part::Month => i64::from(month),
            Part::Quarter => (i64::from(month) + 2) / 3,
            Part::Day => i64::from(day),
            Part::DayOfYear => i64::from(day_of_year(year, month, day)),
            Part::Week => i64::from(iso_week(self.days).1),
            Part::Weekday => i64::from(weekday(self.days)),
            Part::Hour => hour,
            Part::ClockHour => {
                if hour == 0 {
                    24
                } else {
                    hour
                }
            }
            Part::HalfHour => hour % 12,
            Part::ClockHalfHour => (hour + 11) % 12 + 1,
            Part::AmPm => hour / 12,
            Part::Minute => seconds / 60 % 60,
            Part::Second => seconds % 60,
            Part::Nano => self.nanos % NANOS as i64,
            Part::MilliOfDay => self.nanos / 1_000_000,
            Part::NanoOfDay => self.nanos,
        }
    }
}

pub fn items(items: &[Item], at: &Local<'_>, out: &mut String) {
    for item in items {
        one(item, at, out);
    }
}

fn one(item: &Item, at: &Local<'_>, out: &mut String) {
    match item {
        Item::Literal('\u{3}') => fraction(at, 3, 9, true, out),
        Item::Literal(c) => out.push(*c),
        Item::Number { part, min, sign, .. } => {
            let value = at.part(*part);
            if value < 0 {
                out.push('-');
            } else if *sign == Sign::ExceedsPad && *min < 19 && value >= 10i64.pow(*min as u32) {
                out.push('+');
            }
            let _ = write!(out, "{:0min$}", value.abs());
        }
        Item::ShortYear(part) => {
            let _ = write!(out, "{:02}", at.part(*part).rem_euclid(100));
        }
        Item::Fraction { min, max, point } => fraction(at, *min, *max, *point, out),
        Item::Text { part: Part::AmPm, .. } => out.push_str(if at.part(Part::AmPm) == 0 { "AM" } else { "PM" }),
        Item::Text { part, long } => {
            let names: &[&str] = if *part == Part::Month { &MONTHS } else { &WEEKDAYS };
            let name = names[at.part(*part) as usize - 1];
            out.push_str(if *long { name } else { &name[..3] });
        }
        Item::Era => out.push_str(if at.date.0 > 0 { "AD" } else { "BC" }),
        Item::Offset { letters, zulu } => offset(at.offset, *letters, *zulu, out),
        Item::Localized => {
            out.push_str("GMT");
            if at.offset != 0 {
                offset(at.offset, 3, false, out);
            }
        }
        Item::Zone => match at.zone {
            Zone::Named(tz) => out.push_str(tz.iana_name().unwrap_or("Z")),
            Zone::Fixed(seconds) => offset(*seconds, 3, true, out),
        },
        Item::Optional(inner) => items(inner, at, out),
    }
}

fn fraction(at: &Local<'_>, min: usize, max: usize, point: bool, out: &mut String) {
    let all = format!("{:09}", at.part(Part::Nano));
    let wanted = all.trim_end_matches('0').len().clamp(min, max);
    if point && wanted > 0 {
        out.push('.');
    }
    out.push_str(&all[..wanted]);
}

fn offset(seconds: i32, letters: usize, zulu: bool, out: &mut String) {
    if zulu && seconds == 0 {
        out.push('Z');
        return;
    }
    let all = seconds.abs();
    let (h, m, s) = (all / 3600, all / 60 % 60, all % 60);
    let colon = if letters == 3 || letters == 5 { ":" } else { "" };
    let _ = write!(out, "{}{h:02}", if seconds < 0 { '-' } else { '+' });
    if letters >= 2 || m != 0 {
        let _ = write!(out, "{colon}{m:02}");
    }
    if letters >= 4 && s != 0 {
        let _ = write!(out, "{colon}{s:02}");
    }
}
