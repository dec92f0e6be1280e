//! Where a page of hits begins: behind the last hit of the page before.

use serde::{Deserialize, Serialize};
use tantivy::DocId;

use crate::search::block::{Merged, MergedHit};
use crate::search::sort::SortValue;

/// What to do with documents that equal the last hit in all sort values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tie {
    /// They were shown, or are not wanted.
    Skip,
    /// Those behind this one (segment, document) are next.
    Behind(u32, DocId),
    /// None was shown yet.
    Take,
}

impl Tie {
    #[inline]
    pub fn admits(self, segment: u32, doc: DocId) -> bool {
        match self {
            Tie::Skip => false,
            Tie::Behind(last_segment, last) => (segment, doc) > (last_segment, last),
            Tie::Take => true,
        }
    }
}

/// Where one shard goes on.
#[derive(Debug, Clone)]
pub struct After {
    /// Of the sort keys; the score alone where the search is not sorted.
    pub values: Vec<SortValue>,
    pub tie: Tie,
}

impl After {
    pub fn score(&self) -> f32 {
        match self.values.first() {
            Some(SortValue::Score(score)) => *score,
            _ => f32::INFINITY,
        }
    }
}

/// Where a scroll goes on: the last hit, and what the first page found out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor {
    values: Vec<SortValue>,
    shard: u32,
    segment: u32,
    doc: DocId,
    pub total: u64,
    pub at_least: bool,
    pub max_score: Option<f32>,
}

impl Cursor {
    /// Behind the last hit of a page; an empty page leaves the cursor where it was.
    pub fn of(merged: &Merged, previous: Option<&Cursor>) -> Option<Cursor> {
        let Some(MergedHit { shard, hit }) = merged.hits.last() else { return previous.cloned() };
        let values = if hit.sort.is_empty() { vec![SortValue::Score(hit.score)] } else { hit.sort.clone() };
        Some(Cursor {
            values,
            shard: *shard,
            segment: hit.segment,
            doc: hit.doc,
            total: merged.total,
            at_least: merged.at_least,
            max_score: merged.max_score,
        })
    }

    /// Where the shard at this place goes on: equals stand in the order of shards, then documents.
    pub fn shard(&self, place: usize) -> After {
        let tie = match (place as u32).cmp(&self.shard) {
            std::cmp::Ordering::Less => Tie::Skip,
            std::cmp::Ordering::Equal => Tie::Behind(self.segment, self.doc),
            std::cmp::Ordering::Greater => Tie::Take,
        };
        After { values: self.values.clone(), tie }
    }
}
