//! How values of a field are printed: OpenSearch's `DocValueFormat`.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::java::{self, Decimal};
use crate::mapping::{FieldDef, FieldKind};

/// The printing form of a field's values. Travels with partial results, because each index may map the field in its own way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub enum Format {
    /// Numbers as they are; `key_as_string` and `value_as_string` are not shown.
    #[default]
    Raw,
    Bool,
    Ip,
    /// A date; values are epoch milliseconds.
    Date {
        pattern: String,
        zone: Option<String>,
    },
    /// A `DecimalFormat` pattern.
    Decimal(String),
}

/// What a date prints as when a mapping names no format.
pub const DEFAULT_DATE_FORMAT: &str = "strict_date_optional_time||epoch_millis";

impl Format {
    /// The format of a field, overridden by the request's `format` and `time_zone`.
    pub fn of(field: Option<&FieldDef>, kind: FieldKind, pattern: Option<&str>, zone: Option<&str>) -> Format {
        match kind {
            FieldKind::Date | FieldKind::DateNanos => Format::Date {
                pattern: pattern
                    .or_else(|| field.and_then(|f| f.format.as_deref()))
                    .unwrap_or(DEFAULT_DATE_FORMAT)
                    .to_string(),
                zone: zone.map(str::to_string),
            },
            FieldKind::Boolean => Format::Bool,
            FieldKind::Ip => Format::Ip,
            FieldKind::Keyword | FieldKind::Text | FieldKind::Binary => Format::Raw,
            _ => pattern.map_or(Format::Raw, |p| Format::Decimal(p.to_string())),
        }
    }

    pub fn is_raw(&self) -> bool {
        *self == Format::Raw
    }

    /// Of an integer value (a date's milliseconds, a boolean's 0 or 1).
    pub fn long(&self, value: i64) -> String {
        match self {
            Format::Raw | Format::Ip => value.to_string(),
            Format::Bool => if value != 0 { "true" } else { "false" }.to_string(),
            Format::Date { pattern, zone } => date(value, pattern, zone.as_deref()),
            Format::Decimal(pattern) => Decimal::new(pattern).format(value as f64),
        }
    }

    /// Of a double.
    pub fn double(&self, value: f64) -> String {
        match self {
            Format::Raw | Format::Ip => java::double(value),
            Format::Bool => if value != 0.0 { "true" } else { "false" }.to_string(),
            Format::Date { pattern, zone } => date(value as i64, pattern, zone.as_deref()),
            Format::Decimal(pattern) => Decimal::new(pattern).format(value),
        }
    }
}

/// A number by a `DecimalFormat` pattern.
pub fn decimal(value: f64, pattern: &str) -> String {
    Decimal::new(pattern).format(value)
}

/// A date as text; a pattern or zone that is none (both were checked with the request) gives the milliseconds.
fn date(millis: i64, pattern: &str, zone: Option<&str>) -> String {
    let zone = zone.map_or(Ok(crate::dates::zone::UTC), crate::dates::parse_zone);
    match (crate::dates::DateFormat::get(pattern), zone) {
        (Ok(format), Ok(zone)) => format.print_millis(millis, &zone),
        _ => millis.to_string(),
    }
}

/// Epoch milliseconds of a date in a date format.
pub fn parse_date(text: &str, format: &Format) -> crate::Result<i64> {
    let pattern = match format {
        Format::Date { pattern, .. } => pattern.as_str(),
        _ => DEFAULT_DATE_FORMAT,
    };
    let compiled = crate::dates::DateFormat::get(pattern)?;
    compiled.parse_millis(text).map_err(|e| crate::Error::new("parse_exception", 400, e.reason))
}

/// An address as OpenSearch prints it: mapped v4 addresses in dotted form, v6 compressed.
pub fn ip(value: Ipv6Addr) -> String {
    match value.to_ipv4_mapped() {
        Some(v4) => v4.to_string(),
        None => value.to_string(),
    }
}
