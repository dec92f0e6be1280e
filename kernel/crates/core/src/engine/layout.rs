//! The shard's list of segments with what is deleted in them. Operations look here under a read lock; refresh, merge and a
//! builder that becomes a segment change it under the write lock, for a short time and all at once.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tantivy::columnar::Column;
use tantivy::fastfield::AliveBitSet;
use tantivy::schema::IndexRecordOption;
use tantivy::store::StoreReader;
use tantivy::{DocSet, InvertedIndexReader, SegmentReader, TERMINATED, Term};

use super::alive::Alive;
use super::segment::OpenSegment;
use crate::mapping::{Mapping, SystemFields};
use crate::reader::{Segment, StoredDocument};
use crate::{Error, Result};

/// Number of a builder, kept by the segment that becomes of it.
pub type Container = u64;

/// A root document that an operation replaced or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub container: Container,
    pub doc: u32,
}

/// The deletions that a builder's operations carry: they take effect together with its documents.
#[derive(Debug, Default)]
pub struct Deletions(pub Mutex<Vec<Target>>);

pub struct Layout {
    /// Of the shard, for its readers.
    pub index: Arc<str>,
    pub shard: u32,
    pub mapping: Arc<Mapping>,
    pub segments: Vec<LiveSegment>,
    /// Builders that are not segments yet, and their deletions.
    pub builders: HashMap<Container, Arc<Deletions>>,
    /// Deletions whose target is still in a builder.
    pub pending: HashMap<Container, Vec<u32>>,
    /// Something changed since the last refresh.
    pub changed: bool,
}

pub struct LiveSegment {
    pub container: Container,
    pub open: OpenSegment,
    pub columns: Arc<Columns>,
    /// None: all live.
    pub alive: Option<Alive>,
    pub deleted_roots: u32,
    /// `alive` as the last refresh published it.
    published: Option<Arc<AliveBitSet>>,
    stale: bool,
    /// A merge is reading it.
    pub merging: bool,
    segment: Option<Arc<Segment>>,
}

/// What look-ups by id need, opened when first needed.
pub struct Columns {
    ids: Arc<InvertedIndexReader>,
    versions: OnceLock<VersionColumns>,
    store: OnceLock<StoreReader>,
    id_field: tantivy::schema::Field,
}

struct VersionColumns {
    seq_no: Column<u64>,
    primary_term: Column<u64>,
    version: Column<u64>,
}

#[derive(Debug, Clone, Copy)]
pub struct StoredVersion {
    pub seq_no: i64,
    pub primary_term: u64,
    pub version: u64,
}

/// Blocks of stored documents kept decompressed per segment for look-ups by id.
const STORE_CACHE: usize = 4;

impl LiveSegment {
    pub fn new(container: Container, open: OpenSegment, system: SystemFields, alive: Option<Alive>) -> Result<Self> {
        let columns = Columns::open(&open.reader, system)?;
        let mut segment = Self {
            container,
            open,
            columns: Arc::new(columns),
            alive: None,
            deleted_roots: 0,
            published: None,
            stale: true,
            merging: false,
            segment: None,
        };
        if let Some(alive) = alive {
            segment.deleted_roots = segment.count_dead_roots(&alive)?;
            segment.alive = Some(alive);
        }
        Ok(segment)
    }

    fn max_doc(&self) -> u32 {
        self.open.manifest.max_doc
    }

    fn has_children(&self) -> bool {
        self.open.manifest.roots != self.max_doc()
    }

    fn count_dead_roots(&self, alive: &Alive) -> Result<u32> {
        if !self.has_children() {
            return Ok(alive.deleted());
        }
        let seq_nos = &self.columns.versions(&self.open.reader)?.seq_no;
        Ok((0..self.max_doc()).filter(|doc| !alive.is_alive(*doc) && seq_nos.first(*doc).is_some()).count() as u32)
    }

    pub fn is_alive(&self, doc: u32) -> bool {
        self.alive.as_ref().is_none_or(|alive| alive.is_alive(doc))
    }

    pub fn live_roots(&self) -> u32 {
        self.open.manifest.roots - self.deleted_roots
    }

    pub fn live_docs(&self) -> u32 {
        self.max_doc() - self.deleted_docs()
    }

    pub fn deleted_docs(&self) -> u32 {
        self.alive.as_ref().map_or(0, Alive::deleted)
    }

    /// Removes a root document and its children.
    pub fn kill(&mut self, root: u32) -> Result<()> {
        if !self.is_alive(root) {
            return Ok(());
        }
        let first = self.first_child(root)?;
        let max_doc = self.max_doc();
        let alive = self.alive.get_or_insert_with(|| Alive::full(max_doc));
        for doc in first..=root {
            alive.kill(doc);
        }
        self.deleted_roots += 1;
        self.stale = true;
        Ok(())
    }

    /// Removes exactly this document; [`LiveSegment::recount_roots`] follows.
    pub fn kill_one(&mut self, doc: u32) {
        let max_doc = self.max_doc();
        self.alive.get_or_insert_with(|| Alive::full(max_doc)).kill(doc);
        self.stale = true;
    }

    pub fn recount_roots(&mut self) -> Result<()> {
        self.deleted_roots = self.alive.as_ref().map_or(Ok(0), |alive| self.count_dead_roots(alive))?;
        Ok(())
    }

    fn first_child(&self, root: u32) -> Result<u32> {
        if !self.has_children() {
            return Ok(root);
        }
        let seq_nos = &self.columns.versions(&self.open.reader)?.seq_no;
        let mut first = root;
        while first > 0 && seq_nos.first(first - 1).is_none() {
            first -= 1;
        }
        Ok(first)
    }

    /// The living root document with this id.
    pub fn find(&self, id: &str) -> Result<Option<u32>> {
        self.columns.find(id, |doc| self.is_alive(doc)).map_err(|e| self.damaged(e))
    }

    /// All living root documents with this id: more than one while a builder that replaces them is no segment yet.
    pub fn find_all(&self, id: &str) -> Result<Vec<u32>> {
        self.columns.find_all(id, |doc| self.is_alive(doc)).map_err(|e| self.damaged(e))
    }

    pub fn version(&self, doc: u32) -> Result<StoredVersion> {
        self.columns.version(&self.open.reader, doc).map_err(|e| self.damaged(e))
    }

    /// The stored fields of a document.
    pub fn stored(&self, doc: u32) -> Result<StoredDocument> {
        self.columns.stored(&self.open.reader, doc).map_err(|e| self.damaged(e))
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::corruption(format!("segment {}", self.open.id), 0, what)
    }

    /// As searches see it.
    pub fn publish(&mut self) -> Arc<Segment> {
        if self.stale || self.segment.is_none() {
            self.published = self.alive.as_ref().map(|alive| Arc::new(alive.to_tantivy()));
            self.segment = Some(Arc::new(Segment {
                reader: self.open.reader.clone(),
                id: self.open.id.clone(),
                alive: self.published.clone(),
                tokens: Arc::new(self.open.manifest.tokens.clone()),
                caches: self.open.caches.clone(),
            }));
            self.stale = false;
        }
        self.segment.clone().expect("it was just made")
    }

    /// Goes over to another opening of the same files.
    pub fn replace_open(&mut self, open: OpenSegment, system: SystemFields) -> Result<()> {
        let fresh = Self::new(self.container, open, system, None)?;
        self.open = fresh.open;
        self.columns = fresh.columns;
        self.segment = None;
        Ok(())
    }
}

impl Columns {
    pub fn open(reader: &SegmentReader, system: SystemFields) -> Result<Self> {
        let ids = reader.inverted_index(system.id)?;
        Ok(Self { ids, versions: OnceLock::new(), store: OnceLock::new(), id_field: system.id })
    }

    /// All root documents with this id that are accepted.
    pub fn find_all(&self, id: &str, accept: impl Fn(u32) -> bool) -> Result<Vec<u32>> {
        let found = std::cell::RefCell::new(Vec::new());
        self.find(id, |doc| {
            if accept(doc) {
                found.borrow_mut().push(doc);
            }
            false
        })?;
        Ok(found.into_inner())
    }

    /// The root document with this id that is accepted.
    pub fn find(&self, id: &str, accept: impl Fn(u32) -> bool) -> Result<Option<u32>> {
        let term = Term::from_field_text(self.id_field, id);
        let Some(info) = self.ids.get_term_info(&term)? else { return Ok(None) };
        let mut postings = self.ids.read_postings_from_terminfo(&info, IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            if accept(postings.doc()) {
                return Ok(Some(postings.doc()));
            }
            postings.advance();
        }
        Ok(None)
    }

    pub fn version(&self, reader: &SegmentReader, doc: u32) -> Result<StoredVersion> {
        let columns = self.versions(reader)?;
        let read = |column: &Column<u64>| {
            let missing = || Error::io("version", "a document has no sequence number, term or version");
            column.first(doc).ok_or_else(missing)
        };
        Ok(StoredVersion {
            seq_no: read(&columns.seq_no)? as i64,
            primary_term: read(&columns.primary_term)?,
            version: read(&columns.version)?,
        })
    }

    pub fn stored(&self, reader: &SegmentReader, doc: u32) -> Result<StoredDocument> {
        let store = match self.store.get() {
            Some(store) => store,
            None => {
                let opened = reader.get_store_reader(STORE_CACHE)?;
                self.store.get_or_init(|| opened)
            }
        };
        StoredDocument::read(store, doc)
    }

    fn versions(&self, reader: &SegmentReader) -> Result<&VersionColumns> {
        if let Some(columns) = self.versions.get() {
            return Ok(columns);
        }
        let fast = reader.fast_fields();
        let columns = VersionColumns {
            seq_no: fast.u64("_seq_no")?,
            primary_term: fast.u64("_primary_term")?,
            version: fast.u64("_version")?,
        };
        Ok(self.versions.get_or_init(|| columns))
    }
}

impl Layout {
    pub fn new(index: Arc<str>, shard: u32, mapping: Arc<Mapping>) -> Self {
        Self {
            index,
            shard,
            mapping,
            segments: Vec::new(),
            builders: HashMap::new(),
            pending: HashMap::new(),
            changed: true,
        }
    }

    pub fn segment(&self, container: Container) -> Option<&LiveSegment> {
        self.segments.iter().find(|segment| segment.container == container)
    }

    fn segment_mut(&mut self, container: Container) -> Option<&mut LiveSegment> {
        self.segments.iter_mut().find(|segment| segment.container == container)
    }

    /// A builder is done: its segment (None: it only deleted) joins, its deletions take effect.
    pub fn settle(&mut self, container: Container, segment: Option<LiveSegment>) -> Result<()> {
        let deletions = self.builders.remove(&container);
        let pending = self.pending.remove(&container).unwrap_or_default();
        if let Some(mut segment) = segment {
            for doc in pending {
                segment.kill(doc)?;
            }
            self.segments.push(segment);
        }
        for target in deletions.iter().flat_map(|deletions| std::mem::take(&mut *deletions.0.lock())) {
            self.apply(target)?;
        }
        self.changed = true;
        Ok(())
    }

    fn apply(&mut self, target: Target) -> Result<()> {
        if let Some(segment) = self.segment_mut(target.container) {
            segment.kill(target.doc)
        } else {
            if self.builders.contains_key(&target.container) {
                self.pending.entry(target.container).or_default().push(target.doc);
            }
            Ok(())
        }
    }
}
