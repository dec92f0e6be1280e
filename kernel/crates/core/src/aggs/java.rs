//! Numbers as Java prints them: `Double.toString` and the patterns of `java.text.DecimalFormat`.

use std::fmt::Write;

/// Appends `v` as `Double.toString` does (shortest digits that read back as the same double).
pub fn write_double(out: &mut String, v: f64) {
    if v.is_nan() {
        out.push_str("NaN");
        return;
    }
    if v.is_infinite() {
        out.push_str(if v > 0.0 { "Infinity" } else { "-Infinity" });
        return;
    }
    if v == 0.0 {
        out.push_str(if v.is_sign_negative() { "-0.0" } else { "0.0" });
        return;
    }
    let magnitude = v.abs();
    if (1e-3..1e7).contains(&magnitude) {
        let start = out.len();
        let _ = write!(out, "{v}");
        if !out[start..].contains('.') {
            out.push_str(".0");
        }
        return;
    }
    let text = format!("{v:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    out.push_str(digits);
    if !digits.contains('.') {
        out.push_str(".0");
    }
    out.push('E');
    out.push_str(exponent);
}

/// `Double.toString(v)`.
pub fn double(v: f64) -> String {
    let mut out = String::new();
    write_double(&mut out, v);
    out
}

/// A compiled `DecimalFormat` pattern (English symbols, HALF_EVEN rounding).
#[derive(Debug, Clone, PartialEq)]
pub struct Decimal {
    prefix: String,
    suffix: String,
    negative: Option<(String, String)>,
    min_int: usize,
    max_int_exp: usize,
    min_frac: usize,
    max_frac: usize,
    group: usize,
    multiplier: f64,
    exponent: Option<usize>,
}

impl Decimal {
    /// Compiles a pattern such as `#,##0.00` or `Value is ##0.0`.
    pub fn new(pattern: &str) -> Decimal {
        let mut parts = split_unquoted(pattern, ';');
        let positive = parts.remove(0);
        let (prefix, body, suffix) = affixes(&positive);
        let negative = parts.first().map(|n| {
            let (p, _, s) = affixes(n);
            (unquote(&p), unquote(&s))
        });
        let multiplier = if suffix.contains('%') || prefix.contains('%') {
            100.0
        } else if suffix.contains('\u{2030}') || prefix.contains('\u{2030}') {
            1000.0
        } else {
            1.0
        };
        let (number, exponent) = match body.split_once('E') {
            Some((n, e)) => (n.to_string(), Some(e.chars().filter(|c| *c == '0').count())),
            None => (body, None),
        };
        let (int, frac) = number.split_once('.').unwrap_or((&number, ""));
        let group = int.rfind(',').map_or(0, |at| int.len() - at - 1);
        let int_digits: String = int.chars().filter(|c| *c != ',').collect();
        let min_int = int_digits.chars().filter(|c| *c == '0').count();
        Decimal {
            prefix: unquote(&prefix),
            suffix: unquote(&suffix),
            negative,
            min_int,
            max_int_exp: int_digits.len(),
            min_frac: frac.chars().filter(|c| *c == '0').count(),
            max_frac: frac.len(),
            group,
            multiplier,
            exponent,
        }
    }

    pub fn format(&self, v: f64) -> String {
        if v.is_nan() {
            return "NaN".to_string();
        }
        let negative = v < 0.0 || (v == 0.0 && v.is_sign_negative());
        let magnitude = v.abs() * self.multiplier;
        let digits = if magnitude.is_infinite() { "\u{221e}".to_string() } else { self.digits(magnitude) };
        let (prefix, suffix) = match (&self.negative, negative) {
            (Some((p, s)), true) => (p.clone(), s.clone()),
            (None, true) => (format!("-{}", self.prefix), self.suffix.clone()),
            _ => (self.prefix.clone(), self.suffix.clone()),
        };
        format!("{prefix}{digits}{suffix}")
    }

    fn digits(&self, magnitude: f64) -> String {
        let Some(exponent_digits) = self.exponent else { return self.plain(magnitude) };
        let mut exponent = if magnitude == 0.0 { 0 } else { magnitude.log10().floor() as i32 };
        if self.max_int_exp > self.min_int && self.max_int_exp > 1 {
            exponent = exponent.div_euclid(self.max_int_exp as i32) * self.max_int_exp as i32;
        } else {
            exponent -= self.min_int.max(1) as i32 - 1;
        }
        let mantissa = self.plain(magnitude / 10f64.powi(exponent));
        let sign = if exponent < 0 { "-" } else { "" };
        format!("{mantissa}E{sign}{:0width$}", exponent.abs(), width = exponent_digits.max(1))
    }

    fn plain(&self, magnitude: f64) -> String {
        let text = format!("{magnitude:.prec$}", prec = self.max_frac);
        let (int, frac) = text.split_once('.').unwrap_or((&text, ""));
        let mut int = int.trim_start_matches('0').to_string();
        while int.len() < self.min_int {
            int.insert(0, '0');
        }
        let mut frac = frac.to_string();
        while frac.len() > self.min_frac && frac.ends_with('0') {
            frac.pop();
        }
        if int.is_empty() && frac.is_empty() {
            int.push('0');
        }
        if self.group > 0 {
            int = grouped(&int, self.group);
        }
        if frac.is_empty() { int } else { format!("{int}.{frac}") }
    }
}

fn grouped(int: &str, group: usize) -> String {
    let mut out = String::with_capacity(int.len() + int.len() / group);
    for (i, c) in int.chars().enumerate() {
        if i > 0 && (int.len() - i).is_multiple_of(group) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn split_unquoted(pattern: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in pattern.chars() {
        if c == '\'' {
            quoted = !quoted;
        }
        if c == at && !quoted {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
}

/// Splits a pattern into prefix, digit part and suffix.
fn affixes(pattern: &str) -> (String, String, String) {
    let chars: Vec<char> = pattern.chars().collect();
    let mut quoted = false;
    let mut start = None;
    let mut end = 0;
    for (i, c) in chars.iter().enumerate() {
        if *c == '\'' {
            quoted = !quoted;
            continue;
        }
        let digit = matches!(c, '#' | '0' | ',' | '.') || (*c == 'E' && start.is_some() && end == i);
        if !quoted && digit && (start.is_none() || end == i) {
            start.get_or_insert(i);
            end = i + 1;
        }
    }
    let start = start.unwrap_or(chars.len());
    let end = end.max(start);
    (chars[..start].iter().collect(), chars[start..end].iter().collect(), chars[end..].iter().collect())
}

fn unquote(text: &str) -> String {
    text.replace("''", "\u{0}").replace('\'', "").replace('\u{0}', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_java_prints_them() {
        for (v, text) in [
            (1.0, "1.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.4094432e12, "1.4094432E12"),
            (-1.5e-10, "-1.5E-10"),
            (f64::MAX, "1.7976931348623157E308"),
            (-0.0, "-0.0"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(double(v), text);
        }
    }

    #[test]
    fn decimal_patterns() {
        for (pattern, v, text) in [
            ("Value is ##0.0", 50.0, "Value is 50.0"),
            ("#,##0.00", 1234567.891, "1,234,567.89"),
            ("0000.00", 3.5, "0003.50"),
            ("#.#", 0.0, "0"),
            ("#", 2.5, "2"),
            ("$#,###", -1234.0, "-$1,234"),
            ("0.0%", 0.256, "25.6%"),
            ("0.###E0", 12345.0, "1.234E4"),
            ("0.00;(0.00)", -2.0, "(2.00)"),
        ] {
            assert_eq!(Decimal::new(pattern).format(v), text, "{pattern}");
        }
    }
}
