//! The narrowing chain of a query: an operation of the plan, bound to a shard, opened on a segment.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tantivy::query::{EmptyScorer, Scorer};
use tantivy::schema::{Field, Term};
use tantivy::{DocId, TERMINATED};

use super::dfs::Purpose;
use super::explain::Explanation;
use super::faults::Faults;
use super::score::{FieldStatistics, TermStates};
use crate::Result;
use crate::mapping::{FieldDef, Mapping};
use crate::reader::{Segment, ShardReader};

/// One segment of the shard that is searched.
#[derive(Clone, Copy)]
pub struct SegmentView<'a> {
    pub shard: &'a ShardReader,
    pub ord: usize,
    pub segment: &'a Segment,
}

impl<'a> SegmentView<'a> {
    pub fn new(shard: &'a ShardReader, ord: usize) -> Self {
        SegmentView { shard, ord, segment: &shard.segments[ord] }
    }

    pub fn all(shard: &'a ShardReader) -> impl Iterator<Item = SegmentView<'a>> {
        (0..shard.segments.len()).map(move |ord| SegmentView::new(shard, ord))
    }

    pub fn mapping(&self) -> &'a Mapping {
        &self.shard.mapping
    }

    pub fn max_doc(&self) -> DocId {
        self.segment.reader.max_doc()
    }
}

/// A query bound to a shard: its statistics are known, its terms looked up.
pub trait Query: Send + Sync {
    /// Cursor over the matching documents of a segment, deleted and nested ones included.
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>>;

    /// Lucene's account of a document's score. Called only for documents that match.
    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let mut scorer = self.scorer(segment)?;
        if scorer.doc() > doc || scorer.seek(doc) != doc {
            return Ok(Explanation::no_match("no matching clause"));
        }
        Ok(Explanation::new(scorer.score(), self.describe()))
    }

    /// The query in Lucene's notation, for explanations.
    fn describe(&self) -> String;

    /// Number of matching documents, deleted and nested ones included, where that costs next to nothing.
    fn count(&self, _segment: &SegmentView<'_>) -> Result<Option<u32>> {
        Ok(None)
    }

    /// Appends the matching documents of a window, ascending; false where that is no cheaper than a scorer.
    fn window(&self, _segment: &SegmentView<'_>, _docs: std::ops::Range<DocId>, _out: &mut Vec<DocId>) -> Result<bool> {
        Ok(false)
    }

    /// The one score of all matching documents, if there is such.
    fn constant(&self) -> Option<f32> {
        None
    }

    /// The scored terms whose sum is the score, if best hits can be found by block maxima.
    fn prunable(&self) -> Option<super::collect::Prunable<'_>> {
        None
    }

    /// Whether no document of the shard can match.
    fn is_empty(&self) -> bool {
        false
    }

    /// Rough number of documents to visit.
    fn cost(&self, shard: &ShardReader) -> u64 {
        shard.segments.iter().map(|segment| u64::from(segment.reader.max_doc())).sum()
    }
}

pub type BoxQuery = Box<dyn Query>;

/// What operations are bound to.
#[derive(Clone)]
pub struct Context<'a> {
    pub shard: &'a ShardReader,
    /// False in filters: scores will not be asked for.
    pub scoring: bool,
    /// Path of the nested documents that are matched; None: roots.
    pub scope: Option<Arc<str>>,
    statistics: Arc<Statistics>,
    /// What goes wrong while documents are scored.
    pub faults: Arc<Faults>,
    /// The shard is only asked whether anything can match: the bounds of columns are looked at.
    pub probing: bool,
    dfs: Option<Purpose>,
}

#[derive(Default)]
struct Statistics {
    fields: parking_lot::Mutex<FxHashMap<Field, Arc<FieldStatistics>>>,
}

impl<'a> Context<'a> {
    pub fn new(shard: &'a ShardReader, scoring: bool) -> Self {
        let dfs = Purpose::current();
        Context { shard, scoring, scope: None, statistics: Arc::default(), faults: Arc::default(), probing: false, dfs }
    }

    /// To learn whether anything of the shard can match.
    pub fn probe(shard: &'a ShardReader) -> Self {
        Context { probing: true, ..Self::new(shard, false) }
    }

    /// The same shard, in filter context.
    pub fn unscored(&self) -> Context<'a> {
        self.scored(false)
    }

    /// The same, with or without scores.
    pub fn scored(&self, scoring: bool) -> Context<'a> {
        Context { scoring, ..self.clone() }
    }

    /// The same shard, matching nested documents of a path.
    pub fn inside(&self, path: &str) -> Context<'a> {
        Context { scope: Some(path.into()), ..self.clone() }
    }

    pub fn mapping(&self) -> &'a Mapping {
        &self.shard.mapping
    }

    /// The leaf at a path, through alias fields.
    pub fn field(&self, path: &str) -> Option<&'a Arc<FieldDef>> {
        lookup(self.mapping(), path)
    }

    pub fn segments(&self) -> impl Iterator<Item = SegmentView<'a>> {
        SegmentView::all(self.shard)
    }

    /// Lucene's collection statistics of a field over the whole shard.
    pub fn statistics(&self, def: &FieldDef, field: Field) -> Result<Arc<FieldStatistics>> {
        let mut fields = self.statistics.fields.lock();
        if let Some(known) = fields.get(&field) {
            return Ok(Arc::clone(known));
        }
        let own = FieldStatistics::count(self.shard, def, field)?;
        let counts = self.dfs.as_ref().map_or(own, |dfs| dfs.counts(&def.path, own));
        let statistics = Arc::new(FieldStatistics::of(counts));
        fields.insert(field, Arc::clone(&statistics));
        Ok(statistics)
    }

    /// Where a term stands, and how many documents have it.
    pub fn states(&self, term: &Term) -> Result<TermStates> {
        let mut states = TermStates::find(self.shard, term)?;
        if let Some(dfs) = self.dfs.as_ref().filter(|_| self.scoring) {
            let field = self.mapping().schema.get_field_name(term.field());
            states.doc_freq = dfs.frequency(field, term, states.doc_freq);
        }
        Ok(states)
    }
}

/// The leaf at a path, through alias fields.
pub fn lookup<'m>(mapping: &'m Mapping, path: &str) -> Option<&'m Arc<FieldDef>> {
    mapping.fields.get(path).or_else(|| mapping.aliases.get(path).and_then(|target| mapping.fields.get(target)))
}

/// A scorer over nothing.
pub fn nothing() -> Box<dyn Scorer> {
    Box::new(EmptyScorer)
}

/// Whether a scorer that stands at or before `doc` matches it.
pub fn matches(scorer: &mut dyn Scorer, doc: DocId) -> bool {
    if doc >= TERMINATED || scorer.doc() > doc {
        return false;
    }
    scorer.doc() == doc || scorer.seek(doc) == doc
}
