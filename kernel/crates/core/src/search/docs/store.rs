//! Stored fields of a document: id, routing, source.

use std::sync::Arc;

use tantivy::DocId;
use tantivy::store::StoreReader;

use super::cached;
use crate::Result;
use crate::reader::StoredDocument;
use crate::search::query::SegmentView;

/// Decompressed blocks kept per segment.
const CACHED_BLOCKS: usize = 128;

/// The stored documents of a segment, opened once.
pub fn store(view: &SegmentView<'_>) -> Result<Arc<StoreReader>> {
    cached(view.segment, "store", || Ok(view.segment.reader.get_store_reader(CACHED_BLOCKS)?))
}

/// Reads the stored fields of a document.
pub fn stored(view: &SegmentView<'_>, doc: DocId) -> Result<StoredDocument> {
    StoredDocument::read(&*store(view)?, doc)
}
