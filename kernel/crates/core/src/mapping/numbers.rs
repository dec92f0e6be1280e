//! Numbers of documents: ranges, coercion, and the sentences that refuse them.

use super::fault::Fault;
use super::preview::java_double;
use super::types::FieldKind;

/// A scalar as the document has it.
#[derive(Debug, Clone, Copy)]
pub enum Number<'a> {
    /// A JSON string.
    Text(&'a str),
    /// A JSON number, as written.
    Literal(&'a str),
}

impl<'a> Number<'a> {
    fn text(self) -> &'a str {
        match self {
            Number::Text(s) | Number::Literal(s) => s,
        }
    }
}

fn java_name(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Byte | FieldKind::Integer => "Integer",
        FieldKind::Short => "Short",
        FieldKind::Long => "Long",
        FieldKind::UnsignedLong => "BigInteger",
        FieldKind::HalfFloat | FieldKind::Float => "Float",
        _ => "Double",
    }
}

fn as_string(kind: FieldKind) -> Fault {
    Fault::argument(format!("{} value passed as String", java_name(kind)))
}

fn not_a_number(text: &str) -> Fault {
    if text.trim().is_empty() {
        return Fault::new("number_format_exception", "empty String");
    }
    Fault::new("number_format_exception", format!("For input string: \"{text}\""))
}

/// byte, short, integer and long.
pub fn integer(kind: FieldKind, number: Number<'_>, coerce: bool) -> Result<i64, Fault> {
    if let Ok(value) = number.text().parse::<i64>() {
        if matches!(number, Number::Text(_)) && !coerce {
            return Err(as_string(kind));
        }
        return in_range(kind, value, number);
    }
    if kind == FieldKind::Long { long(number, coerce) } else { narrow(kind, number, coerce) }
}

fn in_range(kind: FieldKind, value: i64, number: Number<'_>) -> Result<i64, Fault> {
    let (low, high, name) = match kind {
        FieldKind::Byte => (-128, 127, "a byte"),
        FieldKind::Short => (-32768, 32767, "a short"),
        FieldKind::Integer => (i64::from(i32::MIN), i64::from(i32::MAX), "an integer"),
        _ => return Ok(value),
    };
    if (low..=high).contains(&value) {
        return Ok(value);
    }
    let text = number.text();
    if kind == FieldKind::Short && i32::try_from(value).is_ok() && matches!(number, Number::Literal(_)) {
        return Err(Fault::new(
            "input_coercion_exception",
            format!("Numeric value ({text}) out of range of Java short"),
        ));
    }
    if i32::try_from(value).is_err() && matches!(number, Number::Literal(_)) {
        return Err(coercion(text, "int", i32::MIN.to_string(), i32::MAX.to_string()));
    }
    Err(Fault::argument(format!("Value [{text}] is out of range for {name}")))
}

fn coercion(text: &str, java: &str, low: String, high: String) -> Fault {
    Fault::new("input_coercion_exception", format!("Numeric value ({text}) out of range of {java} ({low} - {high})"))
}

/// What is no plain integer: decimals, exponents, other text.
fn narrow(kind: FieldKind, number: Number<'_>, coerce: bool) -> Result<i64, Fault> {
    let text = number.text();
    let value = java_parse(text).ok_or_else(|| not_a_number(text))?;
    if matches!(number, Number::Text(_)) && !coerce {
        return Err(as_string(kind));
    }
    if !coerce && value.fract() != 0.0 {
        return Err(lossy(kind, value));
    }
    if !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value) {
        return Err(match number {
            Number::Literal(_) => coercion(text, "int", i32::MIN.to_string(), i32::MAX.to_string()),
            Number::Text(_) => {
                let name = if kind == FieldKind::Short { "a short" } else { "an integer" };
                Fault::argument(format!("Value [{text}] is out of range for {name}"))
            }
        });
    }
    let whole = (value as i64).to_string();
    in_range(kind, value as i64, if matches!(number, Number::Literal(_)) { Number::Literal(&whole) } else { number })
}

fn lossy(kind: FieldKind, value: f64) -> Fault {
    Fault::argument(format!("{} cannot be converted to {} without data loss", java_double(value), java_name(kind)))
}

fn long(number: Number<'_>, coerce: bool) -> Result<i64, Fault> {
    let text = number.text();
    let (whole, has_fraction) =
        whole_part(text).ok_or_else(|| Fault::argument(format!("For input string: \"{text}\"")))?;
    let literal = matches!(number, Number::Literal(_));
    if !literal && !coerce {
        return Err(as_string(FieldKind::Long));
    }
    if has_fraction && !coerce {
        return Err(lossy(FieldKind::Long, text.parse().unwrap_or(f64::NAN)));
    }
    match whole.and_then(|w| i64::try_from(w).ok()) {
        Some(value) => Ok(value),
        None if literal => Err(coercion(text, "long", i64::MIN.to_string(), i64::MAX.to_string())),
        None => Err(Fault::argument(format!("Value [{text}] is out of range for a long"))),
    }
}

/// The whole part of a decimal in any notation (None inside: beyond 128 bits), and whether something was cut off.
fn whole_part(text: &str) -> Option<(Option<i128>, bool)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: String = [int, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let point = int.len() as i64 + exponent;
    let kept = point.clamp(0, digits.len() as i64) as usize;
    let lost = digits[kept..].bytes().any(|b| b != b'0');
    let significant = digits[..kept].trim_start_matches('0');
    if significant.is_empty() {
        return Some((Some(0), lost));
    }
    let zeros = (point - kept as i64).max(0);
    if zeros + significant.len() as i64 > 38 {
        return Some((None, lost));
    }
    let value = significant.parse::<i128>().ok()?.checked_mul(10i128.pow(zeros as u32));
    Some((value.map(|v| if text.starts_with('-') { -v } else { v }), lost))
}

pub fn unsigned_long(number: Number<'_>, coerce: bool) -> Result<u64, Fault> {
    let text = number.text();
    let (whole, has_fraction) =
        whole_part(text).ok_or_else(|| Fault::argument(format!("For input string: \"{text}\"")))?;
    if matches!(number, Number::Text(_)) && !coerce {
        return Err(as_string(FieldKind::UnsignedLong));
    }
    if has_fraction && !coerce {
        return Err(Fault::argument(format!("Value [{text}] has a decimal part")));
    }
    whole
        .and_then(|w| u64::try_from(w).ok())
        .ok_or_else(|| Fault::argument(format!("Value [{text}] is out of range for an unsigned long")))
}

/// As Java's `Double.parseDouble`: surrounding blanks, `NaN`, `Infinity`, a trailing `d` or `f`.
fn java_parse(text: &str) -> Option<f64> {
    let text = text.trim();
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    match body {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ => {}
    }
    if !body.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok().or_else(|| text.strip_suffix(['d', 'D', 'f', 'F'])?.parse().ok())
}

/// half_float, float, double and the raw value of scaled_float.
pub fn float(kind: FieldKind, number: Number<'_>, coerce: bool) -> Result<f64, Fault> {
    let text = number.text();
    if matches!(number, Number::Text(_)) && !coerce {
        return Err(as_string(kind));
    }
    let value = java_parse(text).ok_or_else(|| not_a_number(text))?;
    let rounded = match kind {
        FieldKind::Float => f64::from(value as f32),
        FieldKind::HalfFloat => half(value as f32),
        _ => value,
    };
    if rounded.is_finite() {
        return Ok(rounded);
    }
    let shown = match kind {
        FieldKind::Float | FieldKind::HalfFloat if (value as f32).is_finite() => java_float(value as f32),
        FieldKind::Float | FieldKind::HalfFloat => java_double(f64::from(value as f32)),
        _ => java_double(value),
    };
    let verb = if kind == FieldKind::ScaledFloat { "only supports" } else { "supports only" };
    Err(Fault::argument(format!("[{}] {verb} finite values, but got [{shown}]", kind.name())))
}

fn java_float(x: f32) -> String {
    if (1e-3..1e7).contains(&x.abs()) {
        java_double(format!("{x}").parse().unwrap_or(f64::from(x)))
    } else {
        format!("{x:E}")
    }
}

/// Rounds to IEEE half precision, ties to even; beyond its range is infinite.
pub fn half(x: f32) -> f64 {
    let bits = x.to_bits();
    let exponent = ((bits >> 23) & 0xff) as i32 - 127;
    if x == 0.0 || !x.is_finite() {
        return f64::from(x);
    }
    // The unit in the last place of a half with this exponent.
    let unit = f64::powi(2.0, exponent.max(-14) - 10);
    let scaled = f64::from(x) / unit;
    let rounded = scaled.round_ties_even() * unit;
    if rounded.abs() > 65504.0 { f64::INFINITY.copysign(rounded) } else { rounded }
}

/// `round(value × factor)`, as Java rounds: half up.
pub fn scale(value: f64, factor: f64) -> i64 {
    (value * factor + 0.5).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use FieldKind::{Byte, Float, HalfFloat, Integer, Long};
    use Number::{Literal, Text};

    #[test]
    fn integers() {
        assert_eq!(integer(Long, Literal("9223372036854775807"), true), Ok(i64::MAX));
        assert_eq!(integer(Long, Text("-12.7"), true), Ok(-12));
        assert_eq!(integer(Long, Literal("1e3"), true), Ok(1000));
        assert_eq!(integer(Byte, Literal("127.9"), true), Ok(127));
        for (kind, number, coerce, reason) in [
            (Long, Text("abc"), true, "For input string: \"abc\""),
            (Long, Text("99999999999999999999"), true, "Value [99999999999999999999] is out of range for a long"),
            (Integer, Text("3000000000"), true, "Value [3000000000] is out of range for an integer"),
            (
                Integer,
                Literal("3000000000"),
                true,
                "Numeric value (3000000000) out of range of int (-2147483648 - 2147483647)",
            ),
            (Byte, Literal("128"), true, "Value [128] is out of range for a byte"),
            (Long, Text("1"), false, "Long value passed as String"),
            (Long, Literal("1.5"), false, "1.5 cannot be converted to Long without data loss"),
        ] {
            assert_eq!(integer(kind, number, coerce).expect_err("refused").reason, reason);
        }
    }

    #[test]
    fn floats() {
        assert_eq!(float(Float, Literal("0.1"), true), Ok(f64::from(0.1f32)));
        assert_eq!(half(0.1), 0.0999755859375);
        assert_eq!(half(65504.0), 65504.0);
        assert!(half(65520.0).is_infinite());
        assert_eq!(half(5.960_464_5e-8), 5.960464477539063e-8);
        assert_eq!(
            float(Float, Literal("1e39"), true).expect_err("x").reason,
            "[float] supports only finite values, but got [Infinity]"
        );
        assert_eq!(
            float(HalfFloat, Literal("65520"), true).expect_err("x").reason,
            "[half_float] supports only finite values, but got [65520.0]"
        );
        assert_eq!(float(Float, Text("abc"), true).expect_err("x").kind, "number_format_exception");
        assert_eq!(scale(2.345, 100.0), 235);
        assert_eq!(scale(-2.5, 1.0), -2);
    }

    #[test]
    fn unsigned() {
        assert_eq!(unsigned_long(Literal("18446744073709551615"), true), Ok(u64::MAX));
        assert_eq!(unsigned_long(Text("1.0e1"), true), Ok(10));
        assert!(
            unsigned_long(Literal("-1"), true).expect_err("x").reason.contains("out of range for an unsigned long")
        );
    }
}
