//! The scorer of one term.

use std::sync::Arc;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::query::Scorer;
use tantivy::schema::Field;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet};

use super::Bm25;
use crate::Result;
use crate::search::query::SegmentView;

/// Postings of a term with Lucene's BM25.
pub struct TermScorer {
    postings: SegmentPostings,
    norms: FieldNormReader,
    similarity: Arc<Bm25>,
}

impl TermScorer {
    pub fn new(postings: SegmentPostings, norms: FieldNormReader, similarity: Arc<Bm25>) -> Self {
        TermScorer { postings, norms, similarity }
    }

    pub fn frequency(&self) -> u32 {
        self.postings.term_freq()
    }

    pub fn length(&self) -> u8 {
        self.norms.fieldnorm_id(self.postings.doc())
    }
}

/// Norms of a field; constant 1 where there are none.
pub fn norms(segment: &SegmentView<'_>, field: Field, has_norms: bool) -> Result<FieldNormReader> {
    if has_norms && let Some(norms) = segment.segment.reader.fieldnorms_readers().get_field(field)? {
        return Ok(norms);
    }
    Ok(FieldNormReader::constant(segment.max_doc(), 1))
}

impl DocSet for TermScorer {
    #[inline]
    fn advance(&mut self) -> DocId {
        self.postings.advance()
    }

    #[inline]
    fn seek(&mut self, target: DocId) -> DocId {
        self.postings.seek(target)
    }

    #[inline]
    fn doc(&self) -> DocId {
        self.postings.doc()
    }

    fn fill_buffer(&mut self, buffer: &mut [DocId; COLLECT_BLOCK_BUFFER_LEN]) -> usize {
        self.postings.fill_buffer(buffer)
    }

    fn size_hint(&self) -> u32 {
        self.postings.size_hint()
    }
}

impl Scorer for TermScorer {
    #[inline]
    fn score(&mut self) -> f32 {
        self.similarity.score(self.postings.term_freq() as f32, self.norms.fieldnorm_id(self.postings.doc()))
    }
}
