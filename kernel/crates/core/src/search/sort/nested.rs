//! Sorting by values of nested documents: those of a path, below the hit, that a filter lets pass.

use std::sync::Arc;

use tantivy::{BitSet, DocId, DocSet, TERMINATED};

use crate::Result;
use crate::search::docs::{children_of, roots};
use crate::search::ops::Op;
use crate::search::plan::NestedSort;
use crate::search::query::{BoxQuery, Context, SegmentView};

/// Which nested documents give a hit its values.
pub struct NestedKey {
    path: String,
    filters: Vec<BoxQuery>,
}

impl NestedKey {
    pub fn bind(context: &Context<'_>, spec: &NestedSort) -> Result<Self> {
        let mut filters = Vec::new();
        let mut innermost = spec;
        loop {
            if let Some(filter) = &innermost.filter {
                filters.push(filter.bind(&context.unscored(), 1.0)?);
            }
            match &innermost.nested {
                Some(inner) => innermost = inner,
                None => break,
            }
        }
        Ok(NestedKey { path: innermost.path.clone(), filters })
    }

    pub fn of_path(context: &Context<'_>, path: &str, filter: Option<&Op>) -> Result<Self> {
        let filters: Result<Vec<_>> = filter.into_iter().map(|op| op.bind(&context.unscored(), 1.0)).collect();
        Ok(NestedKey { path: path.to_owned(), filters: filters? })
    }

    /// The nested documents of a segment that count.
    pub fn open(&self, segment: &SegmentView<'_>) -> Result<Children> {
        let Some(children) = children_of(segment, &self.path)? else { return Ok(Children { bits: None, roots: None }) };
        let mut bits = (*children).clone();
        for filter in &self.filters {
            let mut kept = BitSet::with_max_value(segment.max_doc());
            let mut scorer = filter.scorer(segment)?;
            while scorer.doc() < TERMINATED {
                if bits.contains(scorer.doc()) {
                    kept.insert(scorer.doc());
                }
                scorer.advance();
            }
            bits = kept;
        }
        Ok(Children { bits: Some(bits), roots: roots(segment)? })
    }
}

/// Nested documents by the root they belong to.
pub struct Children {
    bits: Option<BitSet>,
    roots: Option<Arc<BitSet>>,
}

impl Children {
    /// Calls back for each counted nested document of a root.
    pub fn of(&self, root: DocId, mut visit: impl FnMut(DocId)) {
        let (Some(bits), Some(roots)) = (&self.bits, &self.roots) else { return };
        let mut first = root;
        while first > 0 && !roots.contains(first - 1) {
            first -= 1;
        }
        (first..root).filter(|doc| bits.contains(*doc)).for_each(&mut visit);
    }
}
