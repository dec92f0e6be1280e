//! `nested` and `reverse_nested`: from root documents to their children and back. Children stand right before their root;
//! a child's `_nested` term tells its path.

use std::sync::Arc;

use tantivy::postings::Postings;
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, DocId, DocSet, TERMINATED, Term};

use super::collect::{Block, Collector, SegmentCtx};
use super::partial::Partial;
use super::plan::KeyPath;
use super::single::{State, one_bucket};
use crate::{Error, Result};

/// Root documents of a segment; None if all documents are roots.
pub fn roots(segment: &SegmentCtx<'_>) -> Result<Option<Arc<BitSet>>> {
    let caches = &segment.segment.caches;
    if let Some(known) = caches.roots.get() {
        return Ok(known.clone());
    }
    let made = find_roots(segment)?;
    Ok(caches.roots.get_or_init(|| made).clone())
}

fn find_roots(segment: &SegmentCtx<'_>) -> Result<Option<Arc<BitSet>>> {
    let reader = &segment.segment.reader;
    let index = reader.inverted_index(segment.reader.mapping.system.nested)?;
    let mut terms = index.terms().stream()?;
    let mut paths = Vec::new();
    while terms.advance() {
        paths.push(terms.value().clone());
    }
    if paths.is_empty() {
        return Ok(None);
    }
    let mut roots = BitSet::with_max_value_and_full(reader.max_doc());
    for info in paths {
        let mut children = index.read_postings_from_terminfo(&info, IndexRecordOption::Basic)?;
        while children.doc() != TERMINATED {
            roots.remove(children.doc());
            children.advance();
        }
    }
    Ok(Some(Arc::new(roots)))
}

/// The documents at a nested path, kept with the segment.
pub fn at_path(segment: &SegmentCtx<'_>, path: &str) -> Result<Option<Arc<BitSet>>> {
    let key = format!("aggs:nested:{path}");
    if let Some(found) = segment.segment.caches.other.read().get(&key)
        && let Some(found) = found.downcast_ref::<Option<Arc<BitSet>>>()
    {
        return Ok(found.clone());
    }
    let reader = &segment.segment.reader;
    let nested = segment.reader.mapping.system.nested;
    let index = reader.inverted_index(nested)?;
    let found = match index.read_postings(&Term::from_field_text(nested, path), IndexRecordOption::Basic)? {
        None => None,
        Some(mut children) => {
            let mut set = BitSet::with_max_value(reader.max_doc());
            while children.doc() != TERMINATED {
                set.insert(children.doc());
                children.advance();
            }
            let _ = children.term_freq();
            Some(Arc::new(set))
        }
    };
    segment.segment.caches.other.write().insert(key, Arc::new(found.clone()));
    Ok(found)
}

/// The nearest set bit before `doc`.
fn previous(set: &BitSet, doc: DocId) -> Option<DocId> {
    if doc == 0 {
        return None;
    }
    let last = doc - 1;
    let mut bucket = last / 64;
    let mut word = word(set, bucket) & (u64::MAX >> (63 - last % 64));
    loop {
        if word != 0 {
            return Some(bucket * 64 + 63 - word.leading_zeros());
        }
        if bucket == 0 {
            return None;
        }
        bucket -= 1;
        word = self::word(set, bucket);
    }
}

/// The nearest set bit at or after `doc`.
fn next(set: &BitSet, doc: DocId) -> Option<DocId> {
    if doc >= set.max_value() {
        return None;
    }
    let mut bucket = doc / 64;
    let mut word = word(set, bucket) & (u64::MAX << (doc % 64));
    loop {
        if word != 0 {
            return Some(bucket * 64 + word.trailing_zeros());
        }
        bucket = set.first_non_empty_bucket(bucket + 1)?;
        word = self::word(set, bucket);
    }
}

fn word(set: &BitSet, bucket: u32) -> u64 {
    u64::from_le_bytes(set.tinyset(bucket).into_bytes())
}

/// Children at `path` of the documents collected, which may be roots or themselves nested.
pub fn children<'a>(path: &str, state: State<'a>) -> Box<dyn Collector + 'a> {
    Box::new(NestedCollector {
        path: path.to_string(),
        roots: None,
        parents: Vec::new(),
        children: None,
        owners: Vec::new(),
        state,
    })
}

struct NestedCollector<'a> {
    path: String,
    roots: Option<Arc<BitSet>>,
    /// Sets that documents above the children may be in: the levels between root and path.
    parents: Vec<Arc<BitSet>>,
    children: Option<Arc<BitSet>>,
    owners: Vec<u32>,
    state: State<'a>,
}

impl NestedCollector<'_> {
    /// The first document that may be a child of `doc`: right after the document before it on its own or a higher level.
    fn first_child(&self, roots: &BitSet, doc: DocId) -> DocId {
        let mut first = previous(roots, doc).map_or(0, |d| d + 1);
        if roots.contains(doc) {
            return first;
        }
        // A nested document: siblings at its level and documents of the levels above end its range.
        for level in &self.parents {
            if let Some(before) = previous(level, doc) {
                first = first.max(before + 1);
            }
            if level.contains(doc) {
                break;
            }
        }
        first
    }
}

impl Collector for NestedCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.roots = roots(segment)?;
        self.children = at_path(segment, &self.path)?;
        self.parents.clear();
        for path in &segment.reader.mapping.nested_paths {
            if self.path.starts_with(&format!("{path}."))
                && let Some(level) = at_path(segment, path)?
            {
                self.parents.push(level);
            }
        }
        self.state.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        let (Some(roots), Some(children)) = (self.roots.clone(), self.children.clone()) else { return Ok(()) };
        self.state.fall.clear();
        self.owners.clear();
        for (at, doc) in block.docs.iter().enumerate() {
            let owner = block.owner(at);
            let mut child = self.first_child(&roots, *doc);
            while let Some(found) = next(&children, child).filter(|c| c < doc) {
                self.state.fall.push_doc(found, owner);
                self.owners.push(owner);
                child = found + 1;
            }
        }
        self.state.fallen(self.owners.iter().copied(), block.bound)
    }

    one_bucket!(nested);
}

/// From nested documents up to the documents at `path`, or to the roots.
pub fn parents<'a>(path: Option<&str>, state: State<'a>) -> Result<Box<dyn Collector + 'a>> {
    if let Some(path) = path
        && !state.ctx.reader.mapping.nested_paths.iter().any(|p| p == path)
    {
        return Err(Error::new(
            "aggregation_execution_exception",
            500,
            format!("[reverse_nested] nested path [{path}] is not nested"),
        ));
    }
    Ok(Box::new(ReverseCollector {
        path: path.map(str::to_string),
        targets: None,
        all_roots: false,
        last: Vec::new(),
        owners: Vec::new(),
        state,
    }))
}

struct ReverseCollector<'a> {
    path: Option<String>,
    targets: Option<Arc<BitSet>>,
    /// The segment has no nested documents: every document is its own root.
    all_roots: bool,
    /// The parent that was last counted for an owner, plus one.
    last: Vec<DocId>,
    owners: Vec<u32>,
    state: State<'a>,
}

impl Collector for ReverseCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.targets = match &self.path {
            Some(path) => at_path(segment, path)?,
            None => roots(segment)?,
        };
        self.all_roots = self.path.is_none() && self.targets.is_none();
        self.last.fill(0);
        self.state.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.state.fall.clear();
        self.owners.clear();
        if self.last.len() < block.bound as usize {
            self.last.resize(block.bound as usize, 0);
        }
        for (at, doc) in block.docs.iter().enumerate() {
            let parent = match &self.targets {
                Some(targets) => next(targets, *doc),
                None => self.all_roots.then_some(*doc),
            };
            let owner = block.owner(at);
            if let Some(parent) = parent.filter(|p| self.last[owner as usize] != p + 1) {
                self.last[owner as usize] = parent + 1;
                self.state.fall.push_doc(parent, owner);
                self.owners.push(owner);
            }
        }
        self.state.fallen(self.owners.iter().copied(), block.bound)
    }

    one_bucket!(reverse_nested);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_a_bit_set() {
        let mut set = BitSet::with_max_value(300);
        for doc in [3, 64, 200, 255] {
            set.insert(doc);
        }
        assert_eq!(previous(&set, 3), None);
        assert_eq!(previous(&set, 4), Some(3));
        assert_eq!(previous(&set, 64), Some(3));
        assert_eq!(previous(&set, 299), Some(255));
        assert_eq!(next(&set, 0), Some(3));
        assert_eq!(next(&set, 4), Some(64));
        assert_eq!(next(&set, 65), Some(200));
        assert_eq!(next(&set, 256), None);
    }
}
