//! Positions of the terms that may stand at one position of a phrase.

use tantivy::postings::{Postings, SegmentPostings};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, InvertedIndexReader, TERMINATED};

use super::Position;
use crate::Result;

/// Postings of one or several terms, as if they were one term.
pub struct TermPositions {
    postings: Vec<SegmentPostings>,
    /// Position within the phrase.
    pub offset: u32,
    /// For finding terms that the phrase repeats.
    pub texts: Vec<String>,
    doc: DocId,
}

impl TermPositions {
    /// None if the segment has none of the terms.
    pub fn open(index: &InvertedIndexReader, position: &Position, segment: usize) -> Result<Option<Self>> {
        let mut postings = Vec::with_capacity(position.terms.len());
        for (_, states) in &position.terms {
            if let Some(info) = &states.infos[segment] {
                postings.push(index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqsAndPositions)?);
            }
        }
        if postings.is_empty() {
            return Ok(None);
        }
        let texts = position.terms.iter().map(|(text, _)| text.clone()).collect();
        let mut positions = TermPositions { postings, offset: position.offset, texts, doc: 0 };
        positions.update();
        Ok(Some(positions))
    }

    fn update(&mut self) {
        self.doc = self.postings.iter().map(SegmentPostings::doc).min().unwrap_or(TERMINATED);
    }

    #[inline]
    pub fn doc(&self) -> DocId {
        self.doc
    }

    pub fn advance(&mut self) -> DocId {
        let doc = self.doc;
        for postings in &mut self.postings {
            if postings.doc() == doc {
                postings.advance();
            }
        }
        self.update();
        self.doc
    }

    pub fn seek(&mut self, target: DocId) -> DocId {
        for postings in &mut self.postings {
            if postings.doc() < target {
                postings.seek(target);
            }
        }
        self.update();
        self.doc
    }

    pub fn size_hint(&self) -> u32 {
        self.postings.iter().map(|postings| postings.size_hint()).sum()
    }

    /// Positions in the current document, sorted; as often as terms stand there.
    pub fn read(&mut self, out: &mut Vec<u32>) {
        out.clear();
        if let [only] = self.postings.as_mut_slice() {
            return only.positions(out);
        }
        for postings in &mut self.postings {
            if postings.doc() == self.doc {
                postings.append_positions_with_offset(0, out);
            }
        }
        out.sort_unstable();
    }
}
