//! Reading of parameters out of JSON.

use serde_json::Value;

pub fn text<'v>(params: &'v Value, name: &str) -> Option<&'v str> {
    params.get(name).and_then(Value::as_str)
}

/// A number, also written as text.
pub fn double(params: &Value, name: &str) -> Option<f64> {
    match params.get(name)? {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.parse().ok(),
        _ => None,
    }
}

pub fn long(params: &Value, name: &str) -> Option<i64> {
    match params.get(name)? {
        Value::Number(n) => n.as_i64().or_else(|| n.as_f64().map(|f| f as i64)),
        Value::String(s) => s.parse().ok(),
        _ => None,
    }
}

pub fn flag(params: &Value, name: &str) -> bool {
    match params.get(name) {
        Some(Value::Bool(b)) => *b,
        Some(Value::String(s)) => s == "true",
        _ => false,
    }
}

/// A member that is there and not null.
pub fn value<'v>(params: &'v Value, name: &str) -> Option<&'v Value> {
    params.get(name).filter(|v| !v.is_null())
}

pub fn doubles(params: &Value, name: &str) -> Option<Vec<f64>> {
    match params.get(name)? {
        Value::Array(list) => Some(list.iter().filter_map(Value::as_f64).collect()),
        Value::Number(n) => n.as_f64().map(|v| vec![v]),
        _ => None,
    }
}
