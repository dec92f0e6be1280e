//! Stored fields of a document: id, routing, source.

use tantivy::DocId;

use super::cached;
use crate::Result;
use crate::reader::StoredDocument;
use crate::search::query::SegmentView;

/// Decompressed blocks kept per segment.
const CACHED_BLOCKS: usize = 64;

/// Reads the stored fields of a document.
pub fn stored(view: &SegmentView<'_>, doc: DocId) -> Result<StoredDocument> {
    let store = cached(view.segment, "store", || Ok(view.segment.reader.get_store_reader(CACHED_BLOCKS)?))?;
    StoredDocument::read(&store, doc)
}
