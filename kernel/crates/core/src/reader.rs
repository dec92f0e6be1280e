//! A point in time of one shard, as searches see it. The engine makes it, `search` and `aggs` read it.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tantivy::SegmentReader;
use tantivy::directory::OwnedBytes;
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
    /// Tokens of text fields where the files hold an estimate only.
    pub tokens: Arc<BTreeMap<String, u64>>,
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
    /// Name of the index, and which of its shards this is.
    pub index: Arc<str>,
    pub shard: u32,
    /// Grows with every refresh that changed something.
    pub generation: u64,
    pub segments: Vec<Arc<Segment>>,
    pub mapping: Arc<Mapping>,
    /// Living root documents.
    pub doc_count: u64,
}

/// The stored fields of one document, as pieces of the decompressed block.
#[derive(Debug, Clone)]
pub struct StoredDocument {
    pub id: OwnedBytes,
    pub routing: Option<OwnedBytes>,
    /// As it came in; None: `_source` is not kept.
    pub source: Option<OwnedBytes>,
}

impl StoredDocument {
    /// Reads what the engine stored: `_id`, `_source` and `_routing`, in this order.
    pub fn read(store: &tantivy::store::StoreReader, doc: tantivy::DocId) -> crate::Result<Self> {
        let bytes = store.get_document_bytes(doc)?;
        Self::parse(bytes)
            .ok_or_else(|| crate::Error::corruption("stored document", u64::from(doc), "it cannot be read"))
    }

    /// tantivy's layout: VInt(count), then per value u32 field, u8 type (0 text, 4 bytes), VInt(length), bytes.
    fn parse(bytes: OwnedBytes) -> Option<Self> {
        let mut at = 0;
        let count = vint(&bytes, &mut at)?;
        let (mut text, mut source) = (Vec::with_capacity(2), None);
        for _ in 0..count {
            let field = u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
            let kind = *bytes.get(at + 4)?;
            at += 5;
            let len = vint(&bytes, &mut at)? as usize;
            let value = (at + len <= bytes.len()).then(|| bytes.slice(at..at + len))?;
            at += len;
            match kind {
                0 => text.push((field, value)),
                4 => source = Some(value),
                _ => return None,
            }
        }
        // `_id` has the lower field number.
        text.sort_by_key(|(field, _)| *field);
        let mut text = text.into_iter().map(|(_, value)| value);
        Some(Self { id: text.next()?, routing: text.next(), source })
    }

    pub fn id(&self) -> &str {
        std::str::from_utf8(self.id.as_slice()).unwrap_or_default()
    }

    pub fn routing(&self) -> Option<&str> {
        self.routing.as_ref().and_then(|routing| std::str::from_utf8(routing.as_slice()).ok())
    }
}

fn vint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 != 0 {
            return Some(value);
        }
    }
    None
}
