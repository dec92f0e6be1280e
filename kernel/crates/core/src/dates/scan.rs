//! Reads a text by the items of a pattern.

use super::fields::{Fields, MONTHS, NANOS, Part, WEEKDAYS, Zone};
use super::pattern::{Item, Mode, Sign};
use super::zone;

/// Fills `fields` from `text` beginning at `pos`; Err holds the offset of the item that failed.
pub fn items(items: &[Item], text: &str, mut pos: usize, mode: Mode, fields: &mut Fields) -> Result<usize, usize> {
    for item in items {
        pos = one(item, text, pos, mode, fields).ok_or(pos).or_else(|at| match item {
            Item::Optional(_) => Ok(at),
            _ => Err(at),
        })?;
    }
    Ok(pos)
}

fn one(item: &Item, text: &str, pos: usize, mode: Mode, fields: &mut Fields) -> Option<usize> {
    let rest = text.get(pos..)?;
    match item {
        Item::Literal(c) => rest.starts_with(*c).then(|| pos + c.len_utf8()),
        Item::Number { part, min, max, sign, reserve } => {
            let (value, len) = number(rest, *min, *max, *sign, *reserve, mode)?;
            fields.set(*part, value);
            Some(pos + len)
        }
        Item::ShortYear(part) => {
            let digits = rest.get(..2).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?;
            fields.set(*part, 2000 + digits.parse::<i64>().ok()?);
            Some(pos + 2)
        }
        Item::Fraction { min, max, point } => {
            let (nano, len) = fraction(rest, *min, *max, *point)?;
            fields.set(Part::Nano, nano);
            Some(pos + len)
        }
        Item::Text { part, long } => {
            let (value, len) = name(rest, *part, *long)?;
            fields.set(*part, value);
            Some(pos + len)
        }
        Item::Era => ["AD", "BC", "Anno Domini", "Before Christ", "CE", "BCE"]
            .iter()
            .filter(|era| rest.starts_with(**era))
            .map(|era| pos + era.len())
            .max(),
        Item::Offset { letters, zulu } => {
            let (seconds, len) = offset(rest, *letters, *zulu)?;
            fields.zone = Some(Zone::Fixed(seconds));
            Some(pos + len)
        }
        Item::Localized | Item::Zone => {
            let (found, len) = zone_prefix(rest)?;
            fields.zone = Some(found);
            Some(pos + len)
        }
        Item::Optional(inner) => {
            let mut attempt = fields.clone();
            let end = items(inner, text, pos, mode, &mut attempt).ok()?;
            *fields = attempt;
            Some(end)
        }
    }
}

fn digits(text: &str, most: usize) -> usize {
    text.bytes().take(most).take_while(u8::is_ascii_digit).count()
}

fn number(text: &str, min: usize, max: usize, sign: Sign, reserve: usize, mode: Mode) -> Option<(i64, usize)> {
    let (signed, negative) = match text.as_bytes().first()? {
        b'-' if sign != Sign::Never => (true, true),
        b'+' if sign == Sign::ExceedsPad || (sign == Sign::Normal && mode == Mode::Lenient) => (true, false),
        b'+' | b'-' => return None,
        _ => (false, false),
    };
    let body = &text[usize::from(signed)..];
    let mut len = digits(body, max.saturating_add(reserve).min(19));
    if reserve > 0 {
        len = len.saturating_sub(reserve).max(min.min(len));
    }
    let len = len.min(max).min(18);
    if len < min {
        return None;
    }
    if sign == Sign::ExceedsPad {
        let explicit_plus = signed && !negative;
        if (explicit_plus && len <= min) || (!signed && len > min) {
            return None;
        }
    }
    let value: i64 = body[..len].parse().ok()?;
    Some((if negative { -value } else { value }, len + usize::from(signed)))
}

fn fraction(text: &str, min: usize, max: usize, point: bool) -> Option<(i64, usize)> {
    let body = if point { text.strip_prefix(['.', ','])? } else { text };
    let len = digits(body, max);
    if len < min {
        return None;
    }
    let nano = body[..len].parse::<i64>().ok()? * (NANOS as i64) / 10i64.pow(len as u32);
    Some((nano, len + usize::from(point)))
}

fn name(text: &str, part: Part, long: bool) -> Option<(i64, usize)> {
    let find = |names: &[&str]| {
        let shown = |n: &str| if long { n.len() } else { 3.min(n.len()) };
        names.iter().position(|n| text.starts_with(&n[..shown(n)])).map(|i| (i as i64 + 1, shown(names[i])))
    };
    match part {
        Part::Month => find(&MONTHS),
        Part::Weekday => find(&WEEKDAYS),
        _ if text.starts_with("AM") => Some((0, 2)),
        _ if text.starts_with("PM") => Some((1, 2)),
        _ => None,
    }
}

/// An offset as `X` (letters 1 to 5) reads it.
fn offset(text: &str, letters: usize, zulu: bool) -> Option<(i32, usize)> {
    if zulu && text.starts_with('Z') {
        return Some((0, 1));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |at: usize| text.get(at..at + 2).filter(|d| d.bytes().all(|b| b.is_ascii_digit()))?.parse::<i32>().ok();
    let hours = two(1)?;
    let colon = usize::from(letters == 3 || letters == 5);
    let mut end = 3;
    let mut seconds = hours * 3600;
    let mut more = |unit: i32| {
        if colon == 1 && text.as_bytes().get(end) != Some(&b':') {
            return false;
        }
        match two(end + colon) {
            Some(value) if value < 60 => {
                seconds += value * unit;
                end += 2 + colon;
                true
            }
            _ => false,
        }
    };
    let minutes = more(60);
    if letters >= 2 && !minutes {
        return None;
    }
    if letters >= 4 && minutes {
        more(1);
    }
    (hours <= 18).then_some((sign * seconds, end))
}

/// The longest zone that `text` begins with.
fn zone_prefix(text: &str) -> Option<(Zone, usize)> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+' | ':' | '~' | '.');
    let bracket = text.starts_with('[');
    let body = &text[usize::from(bracket)..];
    // No name of a zone is longer; a stranger's text may be.
    let most = body.find(|c| !legal(c)).unwrap_or(body.len()).min(64);
    // Offsets of one digit are no zones of a document.
    let strict = |t: &str| !(t.starts_with(['+', '-']) && (t.len() < 3 || t.as_bytes().get(2) == Some(&b':')));
    let len = (1..=most).rev().find(|len| strict(&body[..*len]) && zone::parse(&body[..*len]).is_some())?;
    if bracket && body.as_bytes().get(len) != Some(&b']') {
        return None;
    }
    Some((zone::parse(&body[..len])?, len + 2 * usize::from(bracket)))
}
