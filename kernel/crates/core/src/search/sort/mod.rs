//! Sorting by keys: each key of a document becomes one unsigned number whose order is the key's, descending and missing included.

mod nested;
pub mod order;
mod reader;
mod value;

use std::cmp::Ordering;

use serde_json::Value;

use super::plan::{MissingValue, Order, SortField, SortKey, SortMode};
use super::query::{Context, SegmentView};
use crate::mapping::{FieldDef, FieldKind};
use crate::{Error, Result};

pub use reader::SegmentKeys;
pub use value::{SortValue, ip_text};

/// What the values of a key are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Score,
    Doc,
    I64,
    /// Of a field of 32 bits or less: what is missing shows as the bounds of that type.
    I32,
    U64,
    F64,
    F32,
    Bool,
    Text,
    Ip,
}

/// A sort key bound to a shard's mapping.
pub struct BoundKey {
    pub kind: KeyKind,
    pub order: Order,
    pub mode: SortMode,
    pub missing: Missing,
    /// None: unmapped, everything is missing.
    pub def: Option<FieldDef>,
    pub nested: Option<nested::NestedKey>,
    /// Values are divided by this, as 1,000,000 for nanoseconds sorted as milliseconds; negative: multiplied.
    pub scale: i64,
}

/// What stands in for a missing value.
#[derive(Debug, Clone)]
pub enum Missing {
    First,
    Last,
    Value(SortValue),
}

/// All keys of a search.
pub struct BoundSort {
    pub keys: Vec<BoundKey>,
}

impl BoundSort {
    pub fn bind(context: &Context<'_>, keys: &[SortKey]) -> Result<Self> {
        let keys: Result<Vec<_>> = keys.iter().map(|key| BoundKey::bind(context, key)).collect();
        Ok(BoundSort { keys: keys? })
    }

    pub fn segment<'s>(&'s self, segment: &SegmentView<'_>) -> Result<SegmentKeys<'s>> {
        SegmentKeys::open(self, segment)
    }

    /// The `search_after` values in the form of the keys.
    pub fn after(&self, values: &[Value]) -> Result<Vec<SortValue>> {
        self.keys.iter().zip(values).map(|(key, value)| key.parse(value)).collect()
    }

    /// Whether hits are ordered by these values.
    pub fn compare(&self, a: &[SortValue], b: &[SortValue]) -> Ordering {
        compare(self.keys.iter().map(|key| (key.order, matches!(key.missing, Missing::First))), a, b)
    }
}

/// Order of two hits by their values; each key says its order and whether nulls come first.
pub fn compare(keys: impl Iterator<Item = (Order, bool)>, a: &[SortValue], b: &[SortValue]) -> Ordering {
    for (((order, nulls_first), a), b) in keys.zip(a).zip(b) {
        let ordering = match (a, b) {
            (SortValue::Null, SortValue::Null) => Ordering::Equal,
            (SortValue::Null, _) => {
                if nulls_first {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (_, SortValue::Null) => {
                if nulls_first {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (a, b) => match order {
                Order::Asc => a.compare(b),
                Order::Desc => b.compare(a),
            },
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

/// How the keys of a plan order values, without a shard.
pub fn plan_order(keys: &[SortKey]) -> Vec<(Order, bool)> {
    keys.iter()
        .map(|key| {
            let first = matches!(key, SortKey::Field(field) if field.missing == Some(MissingValue::First));
            (key.order(), first)
        })
        .collect()
}

/// Why a text field has no values of its documents.
pub fn no_fielddata(path: &str) -> String {
    format!(
        "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these \
         operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [{path}] in order \
         to load field data by uninverting the inverted index. Note that this can use significant memory."
    )
}

fn kind_of(def: &FieldDef) -> Result<KeyKind> {
    Ok(match def.kind {
        FieldKind::Byte | FieldKind::Short | FieldKind::Integer => KeyKind::I32,
        FieldKind::Long | FieldKind::Date | FieldKind::DateNanos => KeyKind::I64,
        FieldKind::UnsignedLong => KeyKind::U64,
        FieldKind::ScaledFloat | FieldKind::Double => KeyKind::F64,
        FieldKind::HalfFloat | FieldKind::Float => KeyKind::F32,
        FieldKind::Boolean => KeyKind::Bool,
        FieldKind::Keyword => KeyKind::Text,
        FieldKind::Ip => KeyKind::Ip,
        FieldKind::Text => {
            return Err(Error::illegal_argument(no_fielddata(&def.path)));
        }
        FieldKind::Binary => {
            return Err(Error::illegal_argument(format!("can't sort on field [{}] of type [binary]", def.path)));
        }
    })
}

/// Kinds by the names that `unmapped_type` takes.
fn kind_named(name: &str) -> KeyKind {
    match name {
        "byte" | "short" | "integer" => KeyKind::I32,
        "unsigned_long" => KeyKind::U64,
        "double" | "scaled_float" => KeyKind::F64,
        "float" | "half_float" => KeyKind::F32,
        "boolean" => KeyKind::Bool,
        "keyword" | "text" => KeyKind::Text,
        "ip" => KeyKind::Ip,
        _ => KeyKind::I64,
    }
}

impl BoundKey {
    fn bind(context: &Context<'_>, key: &SortKey) -> Result<Self> {
        let plain = |kind, order| BoundKey {
            kind,
            order,
            mode: SortMode::Min,
            missing: Missing::Last,
            def: None,
            nested: None,
            scale: 1,
        };
        match key {
            SortKey::Score { order } => Ok(plain(KeyKind::Score, *order)),
            SortKey::Doc { order } => Ok(plain(KeyKind::Doc, *order)),
            SortKey::Field(field) => Self::bind_field(context, field),
        }
    }

    /// What tells keys apart that give other numbers to the same documents.
    pub fn signature(&self) -> String {
        let path = self.def.as_ref().map_or("", |def| def.path.as_str());
        format!("{path}/{:?}/{:?}/{:?}/{:?}/{}", self.kind, self.order, self.mode, self.missing, self.scale)
    }

    fn bind_field(context: &Context<'_>, field: &SortField) -> Result<Self> {
        let def = context.field(&field.field).map(|def| (**def).clone());
        let mut kind = match (&def, &field.unmapped_type) {
            (Some(def), _) => kind_of(def)?,
            (None, Some(name)) => kind_named(name),
            (None, None) => return Self::bind_system(field),
        };
        if let Some(def) = &def
            && !def.column
        {
            return Err(Error::illegal_argument(format!(
                "Can't load fielddata on [{}] because fielddata is unsupported on fields of type [{}]. Use doc values instead.",
                def.path,
                def.params.get("type").and_then(Value::as_str).unwrap_or("unknown")
            )));
        }
        let mut scale = 1;
        let of = def.as_ref().map(|def| def.kind);
        match field.numeric_type.as_deref() {
            Some("double") => kind = KeyKind::F64,
            Some("long") => kind = KeyKind::I64,
            Some("date") if of == Some(FieldKind::DateNanos) => scale = 1_000_000,
            Some("date_nanos") if of == Some(FieldKind::Date) => scale = -1_000_000,
            _ => {}
        }
        let mode = field.mode.unwrap_or(match field.order {
            Order::Asc => SortMode::Min,
            Order::Desc => SortMode::Max,
        });
        // Inside the nested documents themselves, their values are at hand.
        let inside = context.scope.as_deref();
        let nested = match (&field.nested, &def) {
            (_, Some(FieldDef { nested: Some(path), .. })) if inside == Some(path.as_str()) => None,
            (Some(spec), _) => Some(nested::NestedKey::bind(context, spec)?),
            _ => None,
        };
        let mut key = BoundKey { kind, order: field.order, mode, missing: Missing::Last, def, nested, scale };
        key.missing = match &field.missing {
            None | Some(MissingValue::Last) => Missing::Last,
            Some(MissingValue::First) => Missing::First,
            Some(MissingValue::Value(value)) => Missing::Value(key.parse(value)?),
        };
        Ok(key)
    }

    /// Columns that the mapping does not list.
    fn bind_system(field: &SortField) -> Result<Self> {
        let (kind, key) = match field.field.as_str() {
            "_seq_no" | "_primary_term" | "_version" => (FieldKind::UnsignedLong, KeyKind::U64),
            "_id" => (FieldKind::Keyword, KeyKind::Text),
            other => {
                return Err(Error::query_shard(format!("No mapping found for [{other}] in order to sort on")));
            }
        };
        let def = FieldDef {
            path: field.field.clone(),
            kind,
            field: None,
            indexed: false,
            column: true,
            norms: false,
            nested: None,
            analyzer: None,
            search_analyzer: None,
            format: None,
            scaling_factor: 1.0,
            position_increment_gap: 0,
            params: std::sync::Arc::new(Value::Null),
        };
        Ok(BoundKey {
            kind: key,
            order: field.order,
            mode: SortMode::Min,
            missing: Missing::Last,
            def: Some(def),
            nested: None,
            scale: 1,
        })
    }

    /// A value given by the user.
    fn parse(&self, value: &Value) -> Result<SortValue> {
        let fail = || {
            let name = self.def.as_ref().map_or("_score", |def| def.path.as_str());
            Error::illegal_argument(format!("Failed to parse search_after value for field [{name}]."))
        };
        let double = || match value {
            Value::Number(n) => n.as_f64(),
            Value::String(text) => match text.as_str() {
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                text => text.parse().ok(),
            },
            Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
            _ => None,
        };
        if value.is_null() {
            return Ok(match self.kind {
                KeyKind::Text | KeyKind::Ip => SortValue::Null,
                _ => return Err(fail()),
            });
        }
        let whole = || super::ops::values::exact_i64(value).or_else(|| double().map(|double| double as i64));
        Ok(match self.kind {
            KeyKind::Score => SortValue::Score(double().ok_or_else(fail)? as f32),
            KeyKind::Doc => SortValue::Doc(whole().ok_or_else(fail)?.max(0) as u64),
            KeyKind::I64 | KeyKind::I32 | KeyKind::Bool => SortValue::I64(match value {
                Value::String(text) if text == "true" => 1,
                Value::String(text) if text == "false" => 0,
                _ => whole().ok_or_else(fail)?,
            }),
            KeyKind::U64 => match value {
                Value::Number(n) if n.is_u64() => SortValue::U64(n.as_u64().unwrap_or(0)),
                Value::String(text) if text.parse::<u64>().is_ok() => SortValue::U64(text.parse().unwrap_or(0)),
                _ => SortValue::U64(whole().ok_or_else(fail)?.max(0) as u64),
            },
            KeyKind::F64 => SortValue::F64(double().ok_or_else(fail)?),
            KeyKind::F32 => SortValue::F64(f64::from(double().ok_or_else(fail)? as f32)),
            KeyKind::Text => SortValue::Text(super::ops::values::text(value)),
            KeyKind::Ip => {
                let parsed: std::net::IpAddr = value.as_str().and_then(|text| text.parse().ok()).ok_or_else(fail)?;
                SortValue::Ip(u128::from(match parsed {
                    std::net::IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                    std::net::IpAddr::V6(v6) => v6,
                }))
            }
        })
    }
}
