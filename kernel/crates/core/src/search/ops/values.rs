//! From a value of the plan, in its outward form, to what columns and terms hold.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::Value;
use tantivy::schema::{Field, Term};

use crate::mapping::{FieldDef, FieldKind};
use crate::{Error, Result};

fn unusable(def: &FieldDef, value: &Value) -> Error {
    Error::query_shard(format!("failed to create query: value {value} does not fit field [{}]", def.path))
}

/// The text of a string-like value.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub fn ip(def: &FieldDef, value: &Value) -> Result<Ipv6Addr> {
    let parsed: Option<IpAddr> = value.as_str().and_then(|text| text.parse().ok());
    match parsed {
        Some(IpAddr::V4(v4)) => Ok(v4.to_ipv6_mapped()),
        Some(IpAddr::V6(v6)) => Ok(v6),
        None => Err(Error::illegal_argument(format!("'{}' is not an IP string literal.", text(value)))
            .with_detail(serde_json::json!({"field": def.path}))),
    }
}

/// A whole number where the value is one.
pub fn exact_i64(value: &Value) -> Option<i64> {
    match value {
        Value::Number(n) => n.as_i64().or_else(|| {
            let double = n.as_f64()?;
            (double.fract() == 0.0 && double.abs() < 9.3e18).then_some(double as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(flag) => Some(i64::from(*flag)),
        _ => None,
    }
}

pub fn double(def: &FieldDef, value: &Value) -> Result<f64> {
    match value {
        Value::Number(n) => n.as_f64().ok_or_else(|| unusable(def, value)),
        Value::String(text) => text.trim().parse().map_err(|_| unusable(def, value)),
        _ => Err(unusable(def, value)),
    }
}

pub fn boolean(def: &FieldDef, value: &Value) -> Result<bool> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" || text.is_empty() => Ok(false),
        Value::Number(n) if n.as_f64() == Some(1.0) => Ok(true),
        Value::Number(n) if n.as_f64() == Some(0.0) => Ok(false),
        _ => Err(unusable(def, value)),
    }
}

/// A floating-point value rounded to the precision of its field.
pub fn rounded(kind: FieldKind, value: f64) -> f64 {
    match kind {
        FieldKind::Float => f64::from(value as f32),
        FieldKind::HalfFloat => crate::mapping::half(value as f32),
        _ => value,
    }
}

/// The stored whole number of a scaled_float.
pub fn scaled(def: &FieldDef, value: f64) -> i64 {
    (value * def.scaling_factor + 0.5).floor() as i64
}

/// What a value that must be matched exactly is in its field; None if the field cannot hold it.
#[derive(Debug, Clone)]
pub enum Exact {
    Text(String),
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
    Ip(Ipv6Addr),
}

pub fn exact(def: &FieldDef, value: &Value) -> Result<Option<Exact>> {
    Ok(match def.kind {
        FieldKind::Text | FieldKind::Keyword => Some(Exact::Text(text(value))),
        FieldKind::Byte
        | FieldKind::Short
        | FieldKind::Integer
        | FieldKind::Long
        | FieldKind::Date
        | FieldKind::DateNanos => exact_i64(value).map(Exact::I64),
        FieldKind::UnsignedLong => match value {
            Value::Number(n) => n.as_u64().map(Exact::U64),
            Value::String(text) => text.parse().ok().map(Exact::U64),
            _ => None,
        },
        FieldKind::ScaledFloat => Some(Exact::I64(scaled(def, double(def, value)?))),
        FieldKind::HalfFloat | FieldKind::Float | FieldKind::Double => {
            Some(Exact::F64(rounded(def.kind, double(def, value)?)))
        }
        FieldKind::Boolean => Some(Exact::Bool(boolean(def, value)?)),
        FieldKind::Ip => Some(Exact::Ip(ip(def, value)?)),
        FieldKind::Binary => return Err(Error::query_shard("Binary fields do not support searching")),
    })
}

impl Exact {
    pub fn term(&self, field: Field) -> Term {
        match self {
            Exact::Text(text) => Term::from_field_text(field, text),
            Exact::I64(value) => Term::from_field_i64(field, *value),
            Exact::U64(value) => Term::from_field_u64(field, *value),
            Exact::F64(value) => Term::from_field_f64(field, *value),
            Exact::Bool(value) => Term::from_field_bool(field, *value),
            Exact::Ip(value) => Term::from_field_ip_addr(field, *value),
        }
    }
}

/// Whether the tantivy field of a leaf has terms: the table in `docs/kernel.md` §1.
pub fn has_terms(def: &FieldDef) -> bool {
    def.indexed
        && def.field.is_some()
        && match def.kind {
            FieldKind::HalfFloat
            | FieldKind::Float
            | FieldKind::Double
            | FieldKind::ScaledFloat
            | FieldKind::Date
            | FieldKind::DateNanos => !def.column,
            FieldKind::Binary => false,
            _ => true,
        }
}

/// OpenSearch's refusal of a field that can be neither looked up nor scanned.
pub fn not_indexed(def: &FieldDef) -> Error {
    Error::query_shard(format!(
        "failed to create query: Cannot search on field [{}] since it is both not indexed, and does not have doc_values enabled.",
        def.path
    ))
}
