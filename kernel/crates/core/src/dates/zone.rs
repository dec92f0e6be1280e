//! Time zones: fixed offsets and IANA names.

use std::sync::LazyLock;

use jiff::tz::TimeZone;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::fields::{NANOS, Zone};

pub const UTC: Zone = Zone::Fixed(0);

/// A zone by offset (`+01:00`, `-0530`, `Z`) or name (`Europe/Berlin`, `UTC`, `GMT+2`).
pub fn parse(text: &str) -> Option<Zone> {
    if let Some(offset) = parse_offset(text) {
        return Some(Zone::Fixed(offset));
    }
    for prefix in ["UTC", "GMT", "UT"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            if rest.is_empty() {
                return Some(UTC);
            }
            if let Some(offset) = parse_offset(rest).filter(|_| rest.starts_with(['+', '-'])) {
                return Some(Zone::Fixed(offset));
            }
        }
    }
    named(text)
}

fn named(name: &str) -> Option<Zone> {
    static KNOWN: LazyLock<RwLock<FxHashMap<String, TimeZone>>> = LazyLock::new(Default::default);
    if let Some(zone) = KNOWN.read().get(name) {
        return Some(Zone::Named(zone.clone()));
    }
    // Java's ids are case-sensitive.
    let zone = TimeZone::get(name).ok().filter(|tz| tz.iana_name() == Some(name))?;
    KNOWN.write().insert(name.to_owned(), zone.clone());
    Some(Zone::Named(zone))
}

/// `Z`, `+h`, `+hh`, `+hh:mm`, `+hhmm`, `+hh:mm:ss`: seconds.
pub fn parse_offset(text: &str) -> Option<i32> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let (sign, body) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let digits: String = body.chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) || body.ends_with(':') {
        return None;
    }
    let part = |from: usize| digits.get(from..from + 2).map_or(Some(0), |d| d.parse::<i32>().ok());
    let (h, m, s) = match digits.len() {
        1 => (digits.parse().ok()?, 0, 0),
        2 | 4 | 6 => (part(0)?, part(2)?, part(4)?),
        _ => return None,
    };
    (h <= 18 && m < 60 && s < 60).then_some(sign * (h * 3600 + m * 60 + s))
}

/// From local nanoseconds to UTC. In a gap the later offset's side is taken, in an overlap the earlier instant, as Java does.
pub fn to_utc(zone: &Zone, local: i128) -> i128 {
    match zone {
        Zone::Fixed(offset) => local - i128::from(*offset) * NANOS,
        Zone::Named(tz) => {
            let guess = local - i128::from(offset_at(tz, local)) * NANOS;
            let before = offset_at(tz, guess - 86_400 * NANOS);
            let after = offset_at(tz, guess + 86_400 * NANOS);
            let candidates = [before, after].map(|offset| local - i128::from(offset) * NANOS);
            let valid = |utc: &i128| utc + i128::from(offset_at(tz, *utc)) * NANOS == local;
            match candidates.iter().filter(|utc| valid(utc)).min() {
                Some(utc) => *utc,
                // Neither: in a gap, Java moves on by the gap's length, which is the offset before it.
                None if valid(&guess) => guess,
                None => candidates[0],
            }
        }
    }
}

/// Seconds east of Greenwich at a UTC instant in nanoseconds.
pub fn offset(zone: &Zone, utc: i128) -> i32 {
    match zone {
        Zone::Fixed(offset) => *offset,
        Zone::Named(tz) => offset_at(tz, utc),
    }
}

fn offset_at(tz: &TimeZone, utc: i128) -> i32 {
    let second = utc.div_euclid(NANOS).clamp(-377_705_023_201, 253_402_207_200) as i64;
    jiff::Timestamp::from_second(second).map_or(0, |at| tz.to_offset(at).seconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_by_name_and_offset() {
        assert!(matches!(parse("+01:00"), Some(Zone::Fixed(3600))));
        assert!(matches!(parse("-0530"), Some(Zone::Fixed(-19800))));
        assert!(matches!(parse("UTC+2"), Some(Zone::Fixed(7200))));
        assert!(matches!(parse("Europe/Berlin"), Some(Zone::Named(_))));
        assert!(parse("europe/berlin").is_none());
        assert!(parse("+25:00").is_none());
        assert!(parse("nowhere").is_none());
    }

    #[test]
    fn gaps_and_overlaps() {
        let Some(berlin) = parse("Europe/Berlin") else { panic!("no Berlin") };
        let at = |h: i128, day: i64| i128::from(day) * 86_400 * NANOS + h * 3_600 * NANOS + 1_800 * NANOS;
        // 2024-03-31 02:30 does not exist: 03:30+02:00.
        let gap = crate::dates::civil::days_from_civil(2024, 3, 31);
        assert_eq!(to_utc(&berlin, at(2, gap)), at(1, gap));
        // 2024-10-27 02:30 is there twice: the first, +02:00.
        let overlap = crate::dates::civil::days_from_civil(2024, 10, 27);
        assert_eq!(to_utc(&berlin, at(2, overlap)), at(0, overlap));
    }
}
