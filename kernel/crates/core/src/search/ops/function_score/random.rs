//! `random_score`: reproducible by seed and field, or by seed and document.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tantivy::DocId;
use tantivy::columnar::Column;

use crate::Result;
use crate::search::docs::str_column;
use crate::search::query::{Context, SegmentView};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomScore {
    /// None: another order each time.
    #[serde(default)]
    pub seed: Option<i64>,
    #[serde(default)]
    pub field: Option<String>,
}

pub struct BoundRandom {
    seed: u64,
    field: Option<String>,
}

pub struct SegmentRandom {
    seed: u64,
    values: Option<Column<u64>>,
    /// Distinguishes documents of different segments.
    base: u64,
}

impl RandomScore {
    pub fn bind(&self, _context: &Context<'_>) -> Result<BoundRandom> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        Ok(BoundRandom { seed: self.seed.map_or_else(now, |seed| seed as u64), field: self.field.clone() })
    }
}

impl BoundRandom {
    pub fn open(&self, segment: &SegmentView<'_>) -> Result<SegmentRandom> {
        let values = match self.field.as_deref() {
            None => None,
            Some(name) => match segment.segment.reader.fast_fields().u64_lenient(name)? {
                Some((column, _)) => Some(column),
                None => str_column(segment.segment, name)?.map(|column| column.ords().clone()),
            },
        };
        let base: u64 =
            segment.shard.segments[..segment.ord].iter().map(|segment| u64::from(segment.reader.max_doc())).sum();
        Ok(SegmentRandom { seed: self.seed, values, base })
    }
}

impl SegmentRandom {
    /// In [0, 1).
    pub fn score(&self, doc: DocId) -> f64 {
        let value = match &self.values {
            Some(column) => column.first(doc).unwrap_or(0),
            None => self.base + u64::from(doc),
        };
        let hash = mix(value ^ mix(self.seed));
        (hash & 0x00ff_ffff) as f64 / f64::from(1 << 24)
    }
}

/// The finaliser of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
