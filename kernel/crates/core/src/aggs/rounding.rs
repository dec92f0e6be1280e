//! Rounding of instants down to calendar units and fixed intervals, with time zones, as OpenSearch's `Rounding` does it.

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::{Error, Result};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// `month`, `1M`…
    pub fn parse(text: &str) -> Option<Unit> {
        Some(match text {
            "second" | "1s" => Unit::Second,
            "minute" | "1m" => Unit::Minute,
            "hour" | "1h" => Unit::Hour,
            "day" | "1d" => Unit::Day,
            "week" | "1w" => Unit::Week,
            "month" | "1M" => Unit::Month,
            "quarter" | "1q" => Unit::Quarter,
            "year" | "1y" => Unit::Year,
            _ => return None,
        })
    }

    /// Length where it does not vary.
    fn fixed(self) -> Option<i64> {
        match self {
            Unit::Second => Some(SECOND),
            Unit::Minute => Some(MINUTE),
            Unit::Hour => Some(HOUR),
            Unit::Day => Some(DAY),
            Unit::Week => Some(7 * DAY),
            _ => None,
        }
    }

    fn starts_at_midnight(self) -> bool {
        !matches!(self, Unit::Second | Unit::Minute | Unit::Hour)
    }

    fn floor(self, local: i64) -> i64 {
        match self {
            // The epoch was a Thursday; weeks begin on Monday.
            Unit::Week => floor(local + 3 * DAY, 7 * DAY) - 3 * DAY,
            Unit::Month | Unit::Quarter | Unit::Year => {
                let (year, month) = year_month(local.div_euclid(DAY));
                let month = match self {
                    Unit::Month => month,
                    Unit::Quarter => (month - 1) / 3 * 3 + 1,
                    _ => 1,
                };
                days_of(year, month) * DAY
            }
            unit => floor(local, unit.fixed().unwrap_or(DAY)),
        }
    }

    /// The start of the next unit after the start of one.
    fn next(self, start: i64) -> i64 {
        let months = match self {
            Unit::Month => 1,
            Unit::Quarter => 3,
            Unit::Year => 12,
            unit => return start + unit.fixed().unwrap_or(DAY),
        };
        let (year, month) = year_month(start.div_euclid(DAY));
        let index = year * 12 + (month - 1) + months;
        days_of(index.div_euclid(12), index.rem_euclid(12) + 1) * DAY
    }
}

fn floor(value: i64, interval: i64) -> i64 {
    value.div_euclid(interval) * interval
}

/// Year and month of a day since the epoch, proleptic Gregorian calendar.
fn year_month(day: i64) -> (i64, i64) {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month)
}

/// Day since the epoch of the first of a month.
fn days_of(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let yoe = year.rem_euclid(400);
    let mp = if month > 2 { month - 3 } else { month + 9 };
    let doe = yoe * 365 + yoe / 4 - yoe / 100 + (153 * mp + 2) / 5;
    era * 146_097 + doe - 719_468
}

#[derive(Debug, Clone)]
enum Zone {
    /// Milliseconds east of Greenwich.
    Fixed(i64),
    Rules(TimeZone),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Unit(Unit),
    Interval(i64),
}

#[derive(Debug, Clone)]
pub struct Rounding {
    step: Step,
    zone: Zone,
    offset: i64,
}

impl Rounding {
    pub fn calendar(unit: Unit, zone: Option<&str>, offset: i64) -> Result<Rounding> {
        Ok(Rounding { step: Step::Unit(unit), zone: parse_zone(zone)?, offset })
    }

    pub fn fixed(interval: i64, zone: Option<&str>, offset: i64) -> Result<Rounding> {
        if interval < 1 {
            return Err(Error::illegal_argument("Zero or negative time interval not supported"));
        }
        Ok(Rounding { step: Step::Interval(interval), zone: parse_zone(zone)?, offset })
    }

    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Interval and the local time of the first key, if keys are evenly spaced in UTC.
    pub fn even(&self) -> Option<(i64, i64)> {
        let Zone::Fixed(east) = self.zone else { return None };
        match self.step {
            Step::Interval(interval) => Some((interval, self.offset - east)),
            Step::Unit(Unit::Week) => Some((7 * DAY, self.offset - east - 3 * DAY)),
            Step::Unit(unit) => unit.fixed().map(|interval| (interval, self.offset - east)),
        }
    }

    /// The key of the bucket that holds this instant.
    pub fn round(&self, utc: i64) -> i64 {
        self.round_plain(utc - self.offset) + self.offset
    }

    /// The key after this key.
    pub fn next(&self, key: i64) -> i64 {
        self.next_plain(key - self.offset) + self.offset
    }

    /// Like [`round`](Self::round) without the offset.
    pub fn round_plain(&self, utc: i64) -> i64 {
        match (&self.zone, self.step) {
            (Zone::Fixed(east), Step::Unit(unit)) => unit.floor(utc + east) - east,
            (Zone::Fixed(east), Step::Interval(interval)) => floor(utc + east, interval) - east,
            (Zone::Rules(zone), Step::Unit(unit)) if unit.starts_at_midnight() => {
                first_instant(zone, unit.floor(utc + offset_at(zone, utc)))
            }
            (Zone::Rules(zone), Step::Unit(unit)) => round_time(zone, unit, utc),
            (Zone::Rules(zone), Step::Interval(interval)) => round_interval(zone, interval, utc),
        }
    }

    fn next_plain(&self, key: i64) -> i64 {
        match (&self.zone, self.step) {
            (Zone::Fixed(east), Step::Unit(unit)) => unit.next(key + east) - east,
            (Zone::Fixed(_), Step::Interval(interval)) => key + interval,
            (Zone::Rules(zone), Step::Unit(unit)) if unit.starts_at_midnight() => {
                first_instant(zone, unit.next(unit.floor(key + offset_at(zone, key))))
            }
            (Zone::Rules(_), Step::Unit(unit)) => self.next_after(key, unit.fixed().unwrap_or(HOUR)),
            (Zone::Rules(zone), Step::Interval(interval)) => {
                let next = first_instant(zone, key + interval + offset_at(zone, key));
                if next > key { next } else { self.next_after(key, interval) }
            }
        }
    }

    /// Steps on until the key changes: a transition may make a unit last longer.
    fn next_after(&self, key: i64, step: i64) -> i64 {
        let mut at = key;
        loop {
            at += step;
            let rounded = self.round_plain(at);
            if rounded > key {
                return rounded;
            }
        }
    }
}

/// A zone id, an offset such as `+01:00`, or nothing for UTC.
fn parse_zone(zone: Option<&str>) -> Result<Zone> {
    let Some(name) = zone else { return Ok(Zone::Fixed(0)) };
    if let Some(east) = fixed_offset(name) {
        return Ok(Zone::Fixed(east));
    }
    let zone = TimeZone::get(name).map_err(|_| {
        Error::illegal_argument(format!("failed to parse time zone [{name}]: Unknown time-zone ID: {name}"))
    })?;
    Ok(match zone.to_fixed_offset() {
        Ok(offset) => Zone::Fixed(i64::from(offset.seconds()) * SECOND),
        Err(_) => Zone::Rules(zone),
    })
}

fn fixed_offset(name: &str) -> Option<i64> {
    let rest = ["UTC", "GMT", "UT"].iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
    if rest.is_empty() || rest == "Z" || rest == "z" {
        return Some(0);
    }
    let sign = match rest.as_bytes()[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: String = rest[1..].chars().filter(|c| *c != ':').collect();
    if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = if digits.len() == 1 { format!("0{digits}") } else { digits };
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |p| p.parse::<i64>().ok());
    Some(sign * (part(0)? * HOUR + part(2)? * MINUTE + part(4)? * SECOND))
}

/// Instants outside of what the zone rules cover count with the nearest covered one's offset.
fn timestamp(utc: i64) -> Timestamp {
    Timestamp::from_millisecond(utc).unwrap_or(if utc < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn offset_at(zone: &TimeZone, utc: i64) -> i64 {
    i64::from(zone.to_offset(timestamp(utc)).seconds()) * SECOND
}

/// Offsets that are valid at a local time, or the instant of the gap that it falls into.
enum Valid {
    One(i64),
    /// The clock shows this time twice: first with the earlier offset.
    Two(i64, i64),
    Gap(i64),
}

fn valid_offsets(zone: &TimeZone, local: i64) -> Valid {
    let millis = |offset: Offset| i64::from(offset.seconds()) * SECOND;
    let civil = Offset::UTC.to_datetime(timestamp(local));
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => Valid::One(millis(offset)),
        AmbiguousOffset::Fold { before, after } => Valid::Two(millis(before), millis(after)),
        AmbiguousOffset::Gap { before, after } => {
            let transition = zone.following(timestamp(local - millis(after))).next();
            Valid::Gap(transition.map_or(local - millis(before), |t| t.timestamp().as_millisecond()))
        }
    }
}

/// The first instant at which the clock shows this local time or, in a gap, the instant of the gap.
fn first_instant(zone: &TimeZone, local: i64) -> i64 {
    match valid_offsets(zone, local) {
        Valid::One(offset) | Valid::Two(offset, _) => local - offset,
        Valid::Gap(transition) => transition,
    }
}

/// The last transition before this instant.
fn previous_transition(zone: &TimeZone, utc: i64) -> Option<i64> {
    zone.preceding(timestamp(utc)).next().map(|t| t.timestamp().as_millisecond())
}

/// Units shorter than a day: the latest instant not after `utc` that shows the rounded local time.
fn round_time(zone: &TimeZone, unit: Unit, mut utc: i64) -> i64 {
    loop {
        let local = unit.floor(utc + offset_at(zone, utc));
        let truncated = match valid_offsets(zone, local) {
            Valid::One(offset) => Some(local - offset),
            Valid::Two(first, second) => Some(if local - second <= utc { local - second } else { local - first }),
            Valid::Gap(_) => None,
        };
        let previous = previous_transition(zone, utc);
        match (previous, truncated) {
            (None, Some(truncated)) => return truncated,
            (Some(previous), Some(truncated)) if previous <= truncated => return truncated,
            // A transition stands between: what is before it decides.
            (Some(previous), _) => utc = previous - 1,
            (None, None) => return utc,
        }
    }
}

fn round_interval(zone: &TimeZone, interval: i64, utc: i64) -> i64 {
    let local = floor(utc + offset_at(zone, utc), interval);
    let offsets = match valid_offsets(zone, local) {
        Valid::Gap(transition) => return transition,
        Valid::One(offset) => [offset, offset],
        Valid::Two(first, second) => [second, first],
    };
    let previous = previous_transition(zone, utc + 1);
    for offset in offsets {
        let instant = local - offset;
        if let Some(previous) = previous
            && instant < previous
        {
            return round_interval(zone, interval, previous - 1);
        }
        if utc >= instant {
            return instant;
        }
    }
    local - offsets[1]
}

/// A duration such as `90m`, `+1h` or `-6h`, or a number of milliseconds.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let amount: i64 = rest[..digits].parse().ok()?;
    let unit = match &rest[digits..] {
        "ms" | "" => 1,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    amount.checked_mul(unit).map(|v| sign * v)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn check(rounding: &Rounding, cases: &[(&str, &str)]) {
        for (from, to) in cases {
            assert_eq!(Timestamp::from_millisecond(rounding.round(at(from))).unwrap().to_string(), *to, "{from}");
        }
    }

    #[test]
    fn calendar_units_in_utc() {
        let cases = [
            (Unit::Month, "2016-01-01T00:00:00Z"),
            (Unit::Quarter, "2016-01-01T00:00:00Z"),
            (Unit::Week, "2016-02-22T00:00:00Z"),
            (Unit::Year, "2016-01-01T00:00:00Z"),
        ];
        for (unit, expected) in cases {
            let from = if unit == Unit::Month { "2016-01-31T23:59:59Z" } else { "2016-02-28T12:00:00Z" };
            check(&Rounding::calendar(unit, None, 0).unwrap(), &[(from, expected)]);
        }
        let month = Rounding::calendar(Unit::Month, None, 0).unwrap();
        assert_eq!(month.next(at("2015-12-01T00:00:00Z")), at("2016-01-01T00:00:00Z"));
        assert_eq!(month.round(at("1969-12-31T23:00:00Z")), at("1969-12-01T00:00:00Z"));
    }

    #[test]
    fn days_across_daylight_saving() {
        let day = Rounding::calendar(Unit::Day, Some("Europe/Paris"), 0).unwrap();
        check(
            &day,
            &[("2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z"), ("2024-04-01T12:00:00Z", "2024-03-31T22:00:00Z")],
        );
        assert_eq!(day.next(at("2024-03-30T23:00:00Z")), at("2024-03-31T22:00:00Z"));
        // Midnight does not exist when summer time begins in São Paulo.
        let gap = Rounding::calendar(Unit::Day, Some("America/Sao_Paulo"), 0).unwrap();
        check(&gap, &[("2015-10-18T12:00:00Z", "2015-10-18T03:00:00Z")]);
    }

    #[test]
    fn hours_across_the_repeated_hour() {
        let hour = Rounding::calendar(Unit::Hour, Some("Europe/Paris"), 0).unwrap();
        check(
            &hour,
            &[("2024-10-27T00:30:00Z", "2024-10-27T00:00:00Z"), ("2024-10-27T01:30:00Z", "2024-10-27T01:00:00Z")],
        );
        assert_eq!(hour.next(at("2024-10-27T00:00:00Z")), at("2024-10-27T01:00:00Z"));
        let kathmandu = Rounding::calendar(Unit::Hour, Some("Asia/Kathmandu"), 0).unwrap();
        check(&kathmandu, &[("2024-01-01T00:30:00Z", "2024-01-01T00:15:00Z")]);
    }

    #[test]
    fn intervals_offsets_and_fixed_zones() {
        let interval = Rounding::fixed(12 * HOUR, Some("America/New_York"), 0).unwrap();
        check(
            &interval,
            &[("2024-07-01T13:00:00Z", "2024-07-01T04:00:00Z"), ("2024-01-01T13:00:00Z", "2024-01-01T05:00:00Z")],
        );
        let shifted = Rounding::calendar(Unit::Day, Some("+01:00"), 6 * HOUR).unwrap();
        check(
            &shifted,
            &[("2024-01-02T04:59:00Z", "2024-01-01T05:00:00Z"), ("2024-01-02T05:00:00Z", "2024-01-02T05:00:00Z")],
        );
        let (interval, base) = shifted.even().unwrap();
        assert_eq!((at("2024-01-02T05:00:00Z") - base).rem_euclid(interval), 0);
        assert!(Rounding::calendar(Unit::Day, Some("Mars/Olympus"), 0).is_err());
    }

    #[test]
    fn keys_step_from_one_to_the_next() {
        for zone in ["Europe/Paris", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu"] {
            for rounding in [
                Rounding::calendar(Unit::Hour, Some(zone), 0).unwrap(),
                Rounding::calendar(Unit::Day, Some(zone), 0).unwrap(),
                Rounding::calendar(Unit::Month, Some(zone), 0).unwrap(),
                Rounding::fixed(90 * MINUTE, Some(zone), 0).unwrap(),
            ] {
                let mut key = rounding.round(at("2015-01-10T00:00:00Z"));
                for _ in 0..20_000 {
                    let next = rounding.next(key);
                    assert!(next > key, "{zone} {rounding:?} {key}");
                    assert!(rounding.round(next - 1) < next);
                    key = next;
                    if key > at("2016-12-01T00:00:00Z") {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("+1h"), Some(HOUR));
        assert_eq!(parse_duration("-90m"), Some(-90 * MINUTE));
        assert_eq!(parse_duration("1x"), None);
    }
}
