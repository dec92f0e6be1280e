//! Partial results of a shard: one versioned binary form, version byte first, then postcard.

use serde::{Deserialize, Serialize};

use super::format::Format;
use super::hll::Distinct;
use super::metric::Moments;
use super::{composite, histogram, percentiles, terms, top_hits};
use crate::{Error, Result};

/// Grows with every change of the form; another version is refused.
pub const VERSION: u8 = 2;

/// The result of one aggregation of one shard, or of several shards merged. Children are in the order of the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Partial {
    Moments(Moments),
    Count(u64),
    Single(Single),
    Terms(Box<terms::Result>),
    Histogram(Box<histogram::Result>),
    Fixed(Box<Fixed>),
    Cardinality(Box<Distinct>),
    Percentiles(Box<percentiles::Digest>),
    Hits(Box<top_hits::Found>),
    Composite(Box<composite::Result>),
}

/// One bucket: of filter, global, missing, nested, or one of a fixed list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Single {
    pub count: u64,
    pub subs: Vec<Partial>,
}

/// Buckets whose number and order the plan fixes (filters, ranges).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fixed {
    pub format: Format,
    pub buckets: Vec<Single>,
}

/// Results in their form for the wire.
pub fn encode(partials: &[Partial]) -> Result<Vec<u8>> {
    let bytes = postcard::to_extend(partials, vec![VERSION]);
    bytes.map_err(|e| Error::new("serialization_exception", 500, format!("partial aggregations: {e}")))
}

pub fn decode(bytes: &[u8]) -> Result<Vec<Partial>> {
    let bad = |reason: String| Error::new("serialization_exception", 500, format!("partial aggregations: {reason}"));
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|e| bad(e.to_string())),
        Some((version, _)) => Err(bad(format!("version {version} is not known, this node reads version {VERSION}"))),
        None => Err(bad("empty".to_string())),
    }
}

/// Shards answered different kinds of results to one aggregation.
pub fn mismatch() -> Error {
    Error::new("serialization_exception", 500, "partial results do not belong to this aggregation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_versions_and_torn_bytes_are_refused() {
        let bytes = encode(&[Partial::Count(3)]).unwrap();
        assert!(matches!(decode(&bytes).unwrap()[..], [Partial::Count(3)]));
        let mut other = bytes.clone();
        other[0] = VERSION + 1;
        assert!(decode(&other).unwrap_err().reason.contains("is not known"));
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[]).is_err());
    }
}
