//! The partial result of one shard: what the query phase found, in memory and as versioned bytes.

use serde::{Deserialize, Serialize};

use super::sort::SortValue;
use crate::{Error, Result};

/// First byte of every block.
const VERSION: u8 = 2;

/// A document found, valid for the reader that found it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hit {
    pub segment: u32,
    pub doc: u32,
    /// Not a number where scores were not computed.
    pub score: f32,
    /// Values of the sort keys; empty when sorted by score alone.
    pub sort: Vec<SortValue>,
}

/// What one shard found, or several together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ShardResult {
    pub total: u64,
    /// The total is a lower bound.
    pub at_least: bool,
    pub max_score: Option<f32>,
    /// Best first.
    pub hits: Vec<Hit>,
    /// Where several shards are together: the place of each hit's shard among all that are searched.
    pub places: Vec<u32>,
    pub aggs: Option<Vec<u8>>,
    pub timed_out: bool,
    /// None where the search had no `terminate_after`.
    pub terminated_early: Option<bool>,
}

/// A hit of the merged list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MergedHit {
    /// Place of its shard among all that are searched.
    pub shard: u32,
    pub hit: Hit,
}

/// The blocks of all shards, merged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Merged {
    pub total: u64,
    pub at_least: bool,
    pub max_score: Option<f32>,
    /// From `from` on, `size` at most.
    pub hits: Vec<MergedHit>,
    /// JSON, ready to be put into the answer.
    pub aggs: Option<Vec<u8>>,
    pub timed_out: bool,
    pub terminated_early: Option<bool>,
}

/// The hits that one shard has to fetch, with their places in the answer.
pub type Refs = Vec<(u32, Hit)>;

/// What a shard fetched: the JSON of hits by their places.
pub type Fetched = Vec<(u32, Vec<u8>)>;

/// Versioned bytes of a partial result.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_extend(value, vec![VERSION])
        .map_err(|e| Error::new("serialization_exception", 500, format!("partial result: {e}")))
}

/// Reads what [`encode`] wrote; refuses other versions.
pub fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest)
            .map_err(|e| Error::new("serialization_exception", 500, format!("partial result: {e}"))),
        Some((version, _)) => Err(Error::new(
            "serialization_exception",
            500,
            format!("partial result of version {version}, this node reads version {VERSION}"),
        )),
        None => Err(Error::new("serialization_exception", 500, "empty partial result")),
    }
}
