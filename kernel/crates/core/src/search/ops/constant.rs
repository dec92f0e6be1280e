//! `all`, `none`, `const`, and queries whose matches all score the same.

use tantivy::DocId;
use tantivy::query::{AllScorer, ConstScorer, Scorer};

use super::{Op, Operation};
use crate::Result;
use crate::reader::ShardReader;
use crate::search::explain::Explanation;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, nothing};

operation! {
    /// Every document.
    pub struct All {}
}

operation! {
    /// No document.
    pub struct Nothing {}
}

operation! {
    /// What the inner operation matches, with the boost as score.
    pub struct Const {
        pub query: Box<Op>,
    }
}

impl Operation for All {
    fn bind(&self, _context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        Ok(Box::new(AllQuery { score: boost }))
    }
}

pub struct AllQuery {
    pub score: f32,
}

impl Query for AllQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(Box::new(ConstScorer::new(AllScorer::new(segment.max_doc()), self.score)))
    }

    fn describe(&self) -> String {
        "*:*".to_owned() + &boost_suffix(self.score)
    }

    fn count(&self, segment: &SegmentView<'_>) -> Result<Option<u32>> {
        Ok(Some(segment.max_doc()))
    }

    fn window(&self, _segment: &SegmentView<'_>, docs: std::ops::Range<DocId>, out: &mut Vec<DocId>) -> Result<bool> {
        out.extend(docs);
        Ok(true)
    }

    fn constant(&self) -> Option<f32> {
        Some(self.score)
    }
}

impl Operation for Nothing {
    fn bind(&self, _context: &Context<'_>, _boost: f32) -> Result<BoxQuery> {
        Ok(Box::new(NoneQuery { reason: "MatchNoDocsQuery(\"\")".to_owned() }))
    }
}

/// Matches nothing, for a reason.
pub struct NoneQuery {
    pub reason: String,
}

impl NoneQuery {
    pub fn boxed(reason: impl Into<String>) -> BoxQuery {
        Box::new(NoneQuery { reason: reason.into() })
    }

    /// What a query on an unmapped field is.
    pub fn unmapped(field: &str) -> BoxQuery {
        Self::boxed(format!("MatchNoDocsQuery(\"unmapped field [{field}]\")"))
    }
}

impl Query for NoneQuery {
    fn scorer(&self, _segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(nothing())
    }

    fn describe(&self) -> String {
        self.reason.clone()
    }

    fn count(&self, _segment: &SegmentView<'_>) -> Result<Option<u32>> {
        Ok(Some(0))
    }

    fn constant(&self) -> Option<f32> {
        Some(0.0)
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn cost(&self, _shard: &ShardReader) -> u64 {
        0
    }
}

impl Operation for Const {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let inner = self.query.bind(&context.unscored(), 1.0)?;
        Ok(Box::new(ConstantQuery { inner, score: boost, wrapped: context.scoring }))
    }

    fn children(&self) -> Vec<&Op> {
        vec![&self.query]
    }
}

/// Gives all matches one score.
pub struct ConstantQuery {
    pub inner: BoxQuery,
    pub score: f32,
    /// Shown as ConstantScore(…).
    pub wrapped: bool,
}

impl Query for ConstantQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(Box::new(ConstScorer::new(self.inner.scorer(segment)?, self.score)))
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let mut scorer = self.inner.scorer(segment)?;
        let text = self.describe();
        if !crate::search::query::matches(scorer.as_mut(), doc) {
            return Ok(Explanation::no_match(format!("{text} doesn't match id {doc}")));
        }
        Ok(Explanation::new(self.score, text))
    }

    fn describe(&self) -> String {
        let inner = self.inner.describe();
        let text = if self.wrapped { format!("ConstantScore({inner})") } else { inner };
        text + &boost_suffix(self.score)
    }

    fn count(&self, segment: &SegmentView<'_>) -> Result<Option<u32>> {
        self.inner.count(segment)
    }

    fn window(&self, segment: &SegmentView<'_>, docs: std::ops::Range<DocId>, out: &mut Vec<DocId>) -> Result<bool> {
        self.inner.window(segment, docs, out)
    }

    fn constant(&self) -> Option<f32> {
        Some(self.score)
    }

    fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    fn cost(&self, shard: &ShardReader) -> u64 {
        self.inner.cost(shard)
    }
}

/// `^2.0`, as Lucene writes boosts.
pub fn boost_suffix(boost: f32) -> String {
    if boost == 1.0 {
        return String::new();
    }
    let mut out = vec![b'^'];
    crate::search::json::write_f32(&mut out, boost);
    String::from_utf8(out).unwrap_or_default()
}
