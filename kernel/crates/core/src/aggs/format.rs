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

/// A date as text.
fn date(millis: i64, _pattern: &str, zone: Option<&str>) -> String {
    let zone = zone.and_then(crate::dates::zone::parse).unwrap_or(crate::dates::zone::UTC);
    let offset = i64::from(crate::dates::zone::offset(&zone, i128::from(millis) * 1_000_000));
    let local = millis + offset * 1000;
    let (year, month, day) = crate::dates::civil::civil_from_days(local.div_euclid(86_400_000));
    let time = local.rem_euclid(86_400_000);
    let (hour, minute, second, milli) = (time / 3_600_000, time / 60_000 % 60, time / 1000 % 60, time % 1000);
    let suffix = match offset {
        0 => "Z".to_string(),
        _ => {
            let sign = if offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{:02}", offset.abs() / 3600, offset.abs() / 60 % 60)
        }
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}{suffix}")
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
