//! A point in time of one shard, as searches see it. The engine makes it, `search` and `aggs` read it.

use std::sync::{Arc, OnceLock};

use tantivy::SegmentReader;
use tantivy::fastfield::AliveBitSet;

use crate::mapping::Mapping;

/// An immutable segment and what is alive in it at one point in time.
pub struct Segment {
    /// Opened without deletes: `alive` is the truth.
    pub reader: SegmentReader,
    /// Of the segment's folder, stable across refreshes.
    pub id: Arc<str>,
    /// None: all documents live. Nested children die with their root.
    pub alive: Option<Arc<AliveBitSet>>,
    /// Things derived from the immutable files, shared by all points in time of this segment.
    pub caches: Arc<SegmentCaches>,
}

/// Lazily derived, valid as long as the segment's files.
#[derive(Default)]
pub struct SegmentCaches {
    /// Root documents; None inside: the segment has no nested documents at all.
    pub roots: OnceLock<Option<Arc<tantivy::BitSet>>>,
    /// Anything else, by key (number of documents with norms per field, filter bit sets…).
    pub other: parking_lot::RwLock<rustc_hash::FxHashMap<String, Arc<dyn std::any::Any + Send + Sync>>>,
}

impl Segment {
    #[inline]
    pub fn is_alive(&self, doc: tantivy::DocId) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.is_alive(doc))
    }
}

/// A point in time of a shard.
pub struct ShardReader {
    /// Grows with every refresh that changed something.
    pub generation: u64,
    pub segments: Vec<Arc<Segment>>,
    pub mapping: Arc<Mapping>,
    /// Living root documents.
    pub doc_count: u64,
}
