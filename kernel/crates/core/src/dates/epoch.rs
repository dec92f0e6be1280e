//! `epoch_millis` and `epoch_second`.

use super::fields::Fields;

/// A number of `unit` nanoseconds, with decimals down to a nanosecond.
pub fn parse(text: &str, unit: i128) -> Option<Fields> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || digits.len() > 19 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut nanos = digits.parse::<i64>().ok().map(i128::from)? * unit;
    let mut width = unit;
    for b in fraction.unwrap_or("").bytes() {
        width /= 10;
        if !b.is_ascii_digit() || width == 0 {
            return None;
        }
        nanos += i128::from(b - b'0') * width;
    }
    let nanos = if whole.starts_with('-') { -nanos } else { nanos };
    Some(Fields::at(nanos, width))
}

pub fn print(nanos: i128, unit: i128) -> String {
    let (whole, rest) = (nanos.abs() / unit, nanos.abs() % unit);
    let sign = if nanos < 0 { "-" } else { "" };
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let width = unit.ilog10() as usize;
    let decimals = format!("{rest:0width$}");
    format!("{sign}{whole}.{}", decimals.trim_end_matches('0'))
}
