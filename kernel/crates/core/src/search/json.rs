//! Writing JSON as OpenSearch does: floats as Java prints them.

use std::io::Write;

/// A string with quotes and escapes.
pub fn write_str(out: &mut Vec<u8>, text: &str) {
    // Writing to a vector cannot fail, and a string always serialises.
    let _ = serde_json::to_writer(out, text);
}

/// A member name with quotes and colon, preceded by a comma unless it is the object's first.
pub fn write_key(out: &mut Vec<u8>, first: &mut bool, key: &str) {
    if !*first {
        out.push(b',');
    }
    *first = false;
    write_str(out, key);
    out.push(b':');
}

pub fn write_display(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// As `Float.toString`: shortest digits, scientific below 1e-3 and from 1e7. What is not finite is quoted.
pub fn write_f32(out: &mut Vec<u8>, value: f32) {
    if !value.is_finite() {
        return write_special(out, f64::from(value));
    }
    write_java(out, &format!("{value:e}"));
}

/// As `Double.toString`.
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        return write_special(out, value);
    }
    write_java(out, &format!("{value:e}"));
}

fn write_special(out: &mut Vec<u8>, value: f64) {
    let text: &[u8] = if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    };
    out.extend_from_slice(text);
}

/// From Rust's shortest scientific form, `-d.ddde-x`.
fn write_java(out: &mut Vec<u8>, scientific: &str) {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    if negative {
        out.push(b'-');
    }
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    if digits == b"0" {
        return out.extend_from_slice(b"0.0");
    }
    if (-3..7).contains(&exponent) {
        write_plain(out, &digits, exponent);
    } else {
        out.push(digits[0]);
        out.push(b'.');
        out.extend_from_slice(if digits.len() > 1 { &digits[1..] } else { b"0" });
        write_display(out, format_args!("E{exponent}"));
    }
}

fn write_plain(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        return out.extend_from_slice(digits);
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
        out.extend_from_slice(b".0");
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

/// A JSON value with Java's floats.
pub fn write_value(out: &mut Vec<u8>, value: &serde_json::Value) {
    match value {
        serde_json::Value::Number(n) if n.is_f64() => write_f64(out, n.as_f64().unwrap_or(0.0)),
        serde_json::Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_value(out, item);
            }
            out.push(b']');
        }
        serde_json::Value::Object(members) => {
            out.push(b'{');
            let mut first = true;
            for (key, member) in members {
                write_key(out, &mut first, key);
                write_value(out, member);
            }
            out.push(b'}');
        }
        other => {
            let _ = serde_json::to_writer(out, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32_text(value: f32) -> String {
        let mut out = Vec::new();
        write_f32(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_look_like_javas() {
        for (value, text) in [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (-2.5, "-2.5"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1.2345e-5, "1.2345E-5"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1.25e10, "1.25E10"),
            (0.6931472, "0.6931472"),
            (f32::INFINITY, "\"Infinity\""),
        ] {
            assert_eq!(f32_text(value), text);
        }
    }
}
