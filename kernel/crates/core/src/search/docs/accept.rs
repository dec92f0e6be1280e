//! Which documents of a segment a search may show: living ones that are no nested children.

use std::sync::Arc;

use tantivy::fastfield::AliveBitSet;
use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{BitSet, DocId, DocSet, TERMINATED};

use super::cached;
use crate::Result;
use crate::reader::Segment;
use crate::search::query::SegmentView;

/// The visible documents of a segment.
#[derive(Clone)]
pub struct Accept {
    alive: Option<Arc<AliveBitSet>>,
    roots: Option<Arc<BitSet>>,
}

impl Accept {
    pub fn new(view: &SegmentView<'_>) -> Result<Self> {
        Ok(Accept { alive: view.segment.alive.clone(), roots: roots(view)? })
    }

    /// Living documents, nested ones included.
    pub fn living(view: &SegmentView<'_>) -> Self {
        Accept { alive: view.segment.alive.clone(), roots: None }
    }

    /// Whether everything is visible.
    pub fn all(&self) -> bool {
        self.alive.is_none() && self.roots.is_none()
    }

    #[inline]
    pub fn contains(&self, doc: DocId) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.is_alive(doc))
            && self.roots.as_ref().is_none_or(|roots| roots.contains(doc))
    }

    /// Keeps the visible documents of a sorted block; returns how many.
    pub fn retain(&self, docs: &mut [DocId]) -> usize {
        if self.all() {
            return docs.len();
        }
        let mut kept = 0;
        for i in 0..docs.len() {
            let doc = docs[i];
            docs[kept] = doc;
            kept += usize::from(self.contains(doc));
        }
        kept
    }
}

/// Root documents; None if the segment has no nested documents.
pub fn roots(view: &SegmentView<'_>) -> Result<Option<Arc<BitSet>>> {
    let caches = &view.segment.caches;
    if let Some(known) = caches.roots.get() {
        return Ok(known.clone());
    }
    let found = find_roots(view)?.map(Arc::new);
    Ok(caches.roots.get_or_init(|| found).clone())
}

fn find_roots(view: &SegmentView<'_>) -> Result<Option<BitSet>> {
    let index = view.segment.reader.inverted_index(view.mapping().system.nested)?;
    if index.terms().num_terms() == 0 {
        return Ok(None);
    }
    let mut roots = BitSet::with_max_value_and_full(view.max_doc());
    let mut terms = index.terms().stream()?;
    while terms.advance() {
        let mut postings = index.read_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            roots.remove(postings.doc());
            postings.advance();
        }
    }
    Ok(Some(roots))
}

/// Nested documents of a path; None if the segment has none.
pub fn children_of(view: &SegmentView<'_>, path: &str) -> Result<Option<Arc<BitSet>>> {
    let key = format!("children/{path}");
    let found = cached(view.segment, &key, || find_children(view.segment, view, path))?;
    Ok((*found).clone())
}

fn find_children(segment: &Segment, view: &SegmentView<'_>, path: &str) -> Result<Option<Arc<BitSet>>> {
    let field = view.mapping().system.nested;
    let index = segment.reader.inverted_index(field)?;
    let Some(mut postings) = index.read_postings(&Term::from_field_text(field, path), IndexRecordOption::Basic)? else {
        return Ok(None);
    };
    let mut children = BitSet::with_max_value(segment.reader.max_doc());
    while postings.doc() != TERMINATED {
        children.insert(postings.doc());
        postings.advance();
    }
    Ok(Some(Arc::new(children)))
}
