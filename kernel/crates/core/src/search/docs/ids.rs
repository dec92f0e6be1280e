//! The ids of a segment's documents by document: they are terms, turned round once for who sorts by them.

use std::sync::Arc;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, InvertedIndexReader, TERMINATED};

use super::cached;
use crate::reader::Segment;
use crate::{Error, Result};

/// Ids as ordinals of the dictionary, in whose order ids are.
pub struct IdColumn {
    index: Arc<InvertedIndexReader>,
    /// By document; `u32::MAX` for those without an id.
    ords: Vec<u32>,
}

/// The ids of a segment, read when they are first asked for.
pub fn id_column(segment: &Segment) -> Result<Arc<IdColumn>> {
    cached(segment, "ids", || {
        let field = segment.reader.schema().get_field("_id")?;
        let index = segment.reader.inverted_index(field)?;
        let mut ords = vec![u32::MAX; segment.reader.max_doc() as usize];
        let mut terms = index.terms().stream()?;
        while terms.advance() {
            let ord = terms.term_ord() as u32;
            let mut postings = index.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while postings.doc() != TERMINATED {
                ords[postings.doc() as usize] = ord;
                postings.advance();
            }
        }
        Ok(IdColumn { index, ords })
    })
}

impl IdColumn {
    pub fn ord(&self, doc: DocId) -> Option<u64> {
        self.ords.get(doc as usize).filter(|ord| **ord != u32::MAX).map(|ord| u64::from(*ord))
    }

    pub fn id(&self, ord: u64) -> Result<String> {
        let mut id = Vec::new();
        self.index.terms().ord_to_term(ord, &mut id)?;
        String::from_utf8(id).map_err(|_| Error::corruption("term dictionary", ord, "an id is no UTF-8"))
    }

    /// The ordinal of an id and true, or that of the first behind it and false.
    pub fn find(&self, id: &str) -> Result<(u64, bool)> {
        let mut terms = self.index.terms().range().ge(id.as_bytes()).into_stream()?;
        Ok(if terms.advance() {
            (terms.term_ord(), terms.key() == id.as_bytes())
        } else {
            (self.index.terms().num_terms() as u64, false)
        })
    }
}
