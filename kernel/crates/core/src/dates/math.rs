//! Date math: `now-1d/d`, `2014-11-18||+1M/M`.

use super::civil::{civil_from_days, days_from_civil, days_in_month, weekday};
use super::fields::{NANOS, Zone};
use super::format::{DateError, DateFormat};
use super::zone;

const DAY: i128 = 86_400 * NANOS;

fn parse_error(reason: String) -> DateError {
    DateError::new("parse_exception", reason)
}

/// Nanoseconds since the epoch of a date or an expression. `round_up` makes `/unit` go to the unit's last millisecond (`nanos`:
/// nanosecond) and completes missing parts; `now` is in nanoseconds; `zone` is that of the request.
pub fn parse(
    text: &str,
    format: &DateFormat,
    now: i128,
    round_up: bool,
    request_zone: Option<&Zone>,
) -> Result<i128, DateError> {
    let zone = request_zone.unwrap_or(&zone::UTC);
    let (start, math) = match text.strip_prefix("now") {
        Some(math) => (now, math),
        None => match text.split_once("||") {
            Some((anchor, math)) => (date(anchor, format, false, zone)?, math),
            None => return date(text, format, round_up, zone),
        },
    };
    apply(math, start, round_up, zone)
}

fn date(text: &str, format: &DateFormat, round_up: bool, zone: &Zone) -> Result<i128, DateError> {
    if text.is_empty() {
        return Err(parse_error("cannot parse empty date".to_owned()));
    }
    format.parse(text, round_up, zone).map_err(|cause| {
        let reason =
            format!("failed to parse date field [{text}] with format [{}]: [{}]", format.source(), cause.reason);
        parse_error(reason).caused_by(cause)
    })
}

fn apply(math: &str, start: i128, round_up: bool, zone: &Zone) -> Result<i128, DateError> {
    let mut at = start;
    let mut chars = math.chars().peekable();
    while let Some(op) = chars.next() {
        if !matches!(op, '+' | '-' | '/') {
            return Err(parse_error(format!("operator not supported for date math [{math}]")));
        }
        let truncated = || parse_error(format!("truncated date math [{math}]"));
        let mut digits = String::new();
        while let Some(d) = chars.next_if(char::is_ascii_digit) {
            digits.push(d);
        }
        let unit = chars.next().ok_or_else(truncated)?;
        if op == '/' && !digits.is_empty() && digits != "1" {
            return Err(parse_error(format!("rounding `/` can only be used on single unit types [{math}]")));
        }
        let count = match digits.as_str() {
            "" => 1,
            d => d
                .parse::<i32>()
                .map_err(|_| DateError::new("number_format_exception", format!("For input string: \"{d}\"")))?,
        };
        let unsupported = || parse_error(format!("unit [{unit}] not supported for date math [{math}]"));
        if op == '/' {
            at = floor(at, unit, zone).ok_or_else(unsupported)?;
            if round_up {
                at = add(at, unit, 1, zone).ok_or_else(unsupported)? - 1_000_000;
            }
        } else {
            let count = if op == '-' { -i64::from(count) } else { i64::from(count) };
            at = add(at, unit, count, zone).ok_or_else(unsupported)?;
        }
    }
    Ok(at)
}

fn local(utc: i128, zone: &Zone) -> (i64, i128) {
    let local = utc + i128::from(zone::offset(zone, utc)) * NANOS;
    (local.div_euclid(DAY) as i64, local.rem_euclid(DAY))
}

/// Adds calendar units in local time, hours and less on the time line.
fn add(utc: i128, unit: char, count: i64, zone: &Zone) -> Option<i128> {
    let wide = i128::from(count);
    let days = |days: i64| {
        let (day, rest) = local(utc, zone);
        zone::to_utc(zone, i128::from(day + days) * DAY + rest)
    };
    Some(match unit {
        'y' => months(utc, count * 12, zone),
        'M' => months(utc, count, zone),
        'w' => days(count * 7),
        'd' => days(count),
        'h' | 'H' => utc + wide * 3_600 * NANOS,
        'm' => utc + wide * 60 * NANOS,
        's' => utc + wide * NANOS,
        _ => return None,
    })
}

fn months(utc: i128, count: i64, zone: &Zone) -> i128 {
    let (day, rest) = local(utc, zone);
    let (y, m, d) = civil_from_days(day);
    let total = y * 12 + i64::from(m) - 1 + count;
    let (y, m) = (total.div_euclid(12), total.rem_euclid(12) as u8 + 1);
    let day = days_from_civil(y, m, d.min(days_in_month(y, m)));
    zone::to_utc(zone, i128::from(day) * DAY + rest)
}

fn floor(utc: i128, unit: char, zone: &Zone) -> Option<i128> {
    let (day, rest) = local(utc, zone);
    let (y, m, _) = civil_from_days(day);
    let start = |day: i64| Some(zone::to_utc(zone, i128::from(day) * DAY));
    let within = |step: i128| Some(zone::to_utc(zone, i128::from(day) * DAY + rest / step * step));
    match unit {
        'y' => start(days_from_civil(y, 1, 1)),
        'M' => start(days_from_civil(y, m, 1)),
        'w' => start(day - i64::from(weekday(day)) + 1),
        'd' => start(day),
        'h' | 'H' => within(3_600 * NANOS),
        'm' => within(60 * NANOS),
        's' => within(NANOS),
        _ => None,
    }
}
