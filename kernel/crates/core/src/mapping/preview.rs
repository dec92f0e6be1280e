//! The preview of a value in an error message: what Java's `toString` makes of it.

use serde_json::{Map, Value};

/// `text` is the JSON of one value.
pub fn preview(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(value) => show(&value),
        Err(_) => text.to_owned(),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(s) => s.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let parts: Vec<String> = hash_order(members).iter().map(|(k, v)| format!("{k}={}", show(v))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Number(n) if n.is_f64() => java_double(n.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

/// The order in which a `HashMap` gives its entries.
fn hash_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut capacity = 16usize;
    while members.len() * 4 > capacity * 3 {
        capacity *= 2;
    }
    let bucket = |key: &String| {
        let hash = key.encode_utf16().fold(0u32, |h, unit| h.wrapping_mul(31).wrapping_add(u32::from(unit)));
        (hash ^ (hash >> 16)) as usize & (capacity - 1)
    };
    let mut entries: Vec<_> = members.iter().collect();
    entries.sort_by_key(|(key, _)| bucket(key));
    entries
}

/// As `Double.toString`.
pub fn java_double(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = x.abs();
    if x == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let plain = format!("{x}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let mantissa = if mantissa.contains('.') { mantissa.to_owned() } else { format!("{mantissa}.0") };
    format!("{mantissa}E{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_java_prints() {
        assert_eq!(preview(r#"{"b":[1,2.0,"x"],"a":null}"#), "{a=null, b=[1, 2.0, x]}");
        assert_eq!(preview("\"abc\""), "abc");
        assert_eq!(java_double(1e10), "1.0E10");
        assert_eq!(java_double(123.0), "123.0");
        assert_eq!(java_double(1.5e-5), "1.5E-5");
    }
}
