//! `nested`: a query on nested documents that finds the documents they belong to (Lucene's block join).

use std::sync::Arc;

use serde::Deserialize;
use tantivy::query::{BitSetDocSet, ConstScorer, Scorer};
use tantivy::{BitSet, DocId, DocSet, TERMINATED};

use super::{Op, Operation};
use crate::Result;
use crate::reader::ShardReader;
use crate::search::docs::{children_of, roots};
use crate::search::explain::Explanation;
use crate::search::plan::InnerHits;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, nothing};
use crate::search::score::Conjunction;

/// How the scores of nested documents make that of their parent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NestedMode {
    #[default]
    Avg,
    Sum,
    Min,
    Max,
    None,
}

operation! {
    /// Parents of nested documents of a path that match.
    pub struct Nested {
        pub path: String,
        pub query: Box<Op>,
        #[serde(default)]
        pub score_mode: NestedMode,
        #[serde(default)]
        pub inner_hits: Option<InnerHits>,
    }
}

impl Operation for Nested {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let scored = context.scoring && self.score_mode != NestedMode::None;
        let mut inside = context.inside(&self.path);
        inside.scoring = scored;
        let child = self.query.bind(&inside, boost)?;
        Ok(Box::new(JoinQuery {
            child,
            path: self.path.clone(),
            parent: context.scope.clone(),
            mode: self.score_mode,
            scored,
        }))
    }

    fn children(&self) -> Vec<&Op> {
        vec![&self.query]
    }

    fn inner_hits(&self) -> Option<(&str, &Op, &InnerHits)> {
        self.inner_hits.as_ref().map(|inner| (self.path.as_str(), self.query.as_ref(), inner))
    }
}

struct JoinQuery {
    child: BoxQuery,
    path: String,
    /// Path of the nested documents that are found; None: roots.
    parent: Option<Arc<str>>,
    mode: NestedMode,
    scored: bool,
}

/// Documents of a path that a query on them matches.
pub fn matching_children(
    segment: &SegmentView<'_>,
    path: &str,
    query: &dyn Query,
    scored: bool,
) -> Result<Box<dyn Scorer>> {
    let Some(children) = children_of(segment, path)? else { return Ok(nothing()) };
    let children = BitSetDocSet::from((*children).clone());
    if children.doc() >= TERMINATED {
        return Ok(nothing());
    }
    let clauses: Vec<(Box<dyn Scorer>, bool)> =
        vec![(query.scorer(segment)?, scored), (Box::new(ConstScorer::new(children, 0.0)), false)];
    Ok(Conjunction::build(clauses))
}

impl JoinQuery {
    fn parents(&self, segment: &SegmentView<'_>) -> Result<Option<Arc<BitSet>>> {
        match &self.parent {
            None => roots(segment),
            Some(path) => children_of(segment, path),
        }
    }

    fn open(&self, segment: &SegmentView<'_>) -> Result<Option<JoinScorer>> {
        let Some(parents) = self.parents(segment)? else { return Ok(None) };
        let child = matching_children(segment, &self.path, self.child.as_ref(), self.scored)?;
        let mut scorer =
            JoinScorer { child, parents, mode: self.mode, scored: self.scored, doc: 0, tally: Tally::default() };
        scorer.next();
        Ok(Some(scorer))
    }
}

impl Query for JoinQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(match self.open(segment)? {
            Some(scorer) if scorer.doc < TERMINATED => Box::new(scorer),
            _ => nothing(),
        })
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let Some(mut scorer) = self.open(segment)? else { return Ok(Explanation::no_match("Not a match")) };
        if !crate::search::query::matches(&mut scorer, doc) {
            return Ok(Explanation::no_match("Not a match"));
        }
        let (first, last, count) = (first_child(&scorer.parents, doc), doc.saturating_sub(1), scorer.tally.count);
        let score = scorer.score();
        let mode = format!("{:?}", self.mode);
        let text =
            format!("Score based on {count} child docs in range from {first} to {last}, using score mode {mode}");
        let best = self.child.explain(segment, scorer.tally.best)?;
        Ok(Explanation::with(score, text, vec![best]))
    }

    fn describe(&self) -> String {
        format!("ToParentBlockJoinQuery ({})", self.child.describe())
    }

    fn is_empty(&self) -> bool {
        self.child.is_empty()
    }

    fn cost(&self, shard: &ShardReader) -> u64 {
        self.child.cost(shard)
    }
}

/// Of the children of the current parent.
#[derive(Default, Clone, Copy)]
struct Tally {
    count: u32,
    sum: f64,
    min: f32,
    max: f32,
    best: DocId,
}

struct JoinScorer {
    child: Box<dyn Scorer>,
    parents: Arc<BitSet>,
    mode: NestedMode,
    scored: bool,
    doc: DocId,
    tally: Tally,
}

/// First parent from a document on.
pub fn parent_of(parents: &BitSet, doc: DocId) -> DocId {
    let mut bucket = doc / 64;
    let mut bits = parents.tinyset(bucket);
    loop {
        while let Some(low) = bits.pop_lowest() {
            if bucket * 64 + low >= doc {
                return bucket * 64 + low;
            }
        }
        match parents.first_non_empty_bucket(bucket + 1) {
            Some(next) => bucket = next,
            None => return TERMINATED,
        }
        bits = parents.tinyset(bucket);
    }
}

/// The document behind the last parent before this one.
pub fn first_child(parents: &BitSet, parent: DocId) -> DocId {
    let mut doc = parent;
    while doc > 0 && !parents.contains(doc - 1) {
        doc -= 1;
    }
    doc
}

impl JoinScorer {
    /// Goes to the parent of the child that comes next, and takes all its children.
    fn next(&mut self) -> DocId {
        let child = self.child.doc();
        if child >= TERMINATED {
            self.doc = TERMINATED;
            return TERMINATED;
        }
        self.doc = parent_of(&self.parents, child);
        let mut tally = Tally { min: f32::INFINITY, max: f32::NEG_INFINITY, ..Tally::default() };
        while self.child.doc() < self.doc {
            let doc = self.child.doc();
            let score = if self.scored { self.child.score() } else { 0.0 };
            tally.count += 1;
            tally.sum += f64::from(score);
            if score > tally.max {
                tally.best = doc;
            }
            tally.min = tally.min.min(score);
            tally.max = tally.max.max(score);
            self.child.advance();
        }
        self.tally = tally;
        self.doc
    }
}

impl DocSet for JoinScorer {
    fn advance(&mut self) -> DocId {
        self.next()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc >= target {
            return self.doc;
        }
        if target >= TERMINATED {
            self.child.seek(TERMINATED);
        } else {
            let first = first_child(&self.parents, target.min(self.parents.max_value()));
            if self.child.doc() < first {
                self.child.seek(first);
            }
        }
        self.next()
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.child.size_hint()
    }

    fn cost(&self) -> u64 {
        self.child.cost()
    }
}

impl Scorer for JoinScorer {
    fn score(&mut self) -> f32 {
        if !self.scored {
            return 0.0;
        }
        match self.mode {
            NestedMode::Avg => (self.tally.sum / f64::from(self.tally.count.max(1))) as f32,
            NestedMode::Sum => self.tally.sum as f32,
            NestedMode::Min => self.tally.min,
            NestedMode::Max => self.tally.max,
            NestedMode::None => 0.0,
        }
    }
}
