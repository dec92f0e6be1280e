//! Values that hits are sorted by, as they cross segments, shards and the wire.

use std::cmp::Ordering;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use crate::search::json;

/// One sort value of a hit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SortValue {
    /// A missing string or address; sorts first or last as the key says.
    Null,
    I64(i64),
    U64(u64),
    F64(f64),
    Score(f32),
    Text(String),
    Ip(u128),
    /// Position in the shard.
    Doc(u64),
}

impl SortValue {
    fn double(&self) -> Option<f64> {
        match self {
            SortValue::I64(value) => Some(*value as f64),
            SortValue::U64(value) | SortValue::Doc(value) => Some(*value as f64),
            SortValue::F64(value) => Some(*value),
            SortValue::Score(value) => Some(f64::from(*value)),
            _ => None,
        }
    }

    /// Ascending order; nulls are the caller's affair.
    pub fn compare(&self, other: &SortValue) -> Ordering {
        match (self, other) {
            (SortValue::I64(a), SortValue::I64(b)) => a.cmp(b),
            (SortValue::U64(a), SortValue::U64(b)) | (SortValue::Doc(a), SortValue::Doc(b)) => a.cmp(b),
            (SortValue::F64(a), SortValue::F64(b)) => a.total_cmp(b),
            (SortValue::Score(a), SortValue::Score(b)) => a.total_cmp(b),
            (SortValue::Text(a), SortValue::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (SortValue::Ip(a), SortValue::Ip(b)) => a.cmp(b),
            (SortValue::I64(a), SortValue::U64(b)) => i128::from(*a).cmp(&i128::from(*b)),
            (SortValue::U64(a), SortValue::I64(b)) => i128::from(*a).cmp(&i128::from(*b)),
            (a, b) => match (a.double(), b.double()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                // Different kinds of value of one name in different indices.
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            },
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            SortValue::Null => out.extend_from_slice(b"null"),
            SortValue::I64(value) => json::write_display(out, value),
            SortValue::U64(value) | SortValue::Doc(value) => json::write_display(out, value),
            SortValue::F64(value) => json::write_f64(out, *value),
            SortValue::Score(value) => json::write_f32(out, *value),
            SortValue::Text(text) => json::write_str(out, text),
            SortValue::Ip(bits) => json::write_str(out, &ip_text(Ipv6Addr::from(*bits))),
        }
    }
}

/// An address as OpenSearch writes it: IPv4 where it is mapped.
pub fn ip_text(ip: Ipv6Addr) -> String {
    ip.to_ipv4_mapped().map_or_else(|| ip.to_string(), |v4| v4.to_string())
}
