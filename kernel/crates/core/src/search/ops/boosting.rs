//! `boosting`: a query whose matches are demoted where another matches too.

use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, SeekDangerResult};

use super::{Op, Operation};
use crate::Result;
use crate::reader::ShardReader;
use crate::search::explain::Explanation;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, matches};

operation! {
    /// Scores of `positive`, times `negative_boost` where `negative` matches.
    pub struct Boosting {
        pub positive: Box<Op>,
        pub negative: Box<Op>,
        pub negative_boost: f32,
    }
}

impl Operation for Boosting {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let positive = self.positive.bind(context, boost)?;
        if !context.scoring {
            return Ok(positive);
        }
        let negative = self.negative.bind(&context.unscored(), 1.0)?;
        Ok(Box::new(Demoted { positive, negative, factor: self.negative_boost }))
    }

    fn children(&self) -> Vec<&Op> {
        vec![&self.positive, &self.negative]
    }

    fn highlighted(&self) -> Vec<&Op> {
        vec![&self.positive]
    }
}

struct Demoted {
    positive: BoxQuery,
    negative: BoxQuery,
    factor: f32,
}

impl Query for Demoted {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        let (positive, negative) = (self.positive.scorer(segment)?, self.negative.scorer(segment)?);
        Ok(Box::new(DemotedScorer { positive, negative, factor: self.factor }))
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let inner = self.positive.explain(segment, doc)?;
        if !inner.matched {
            return Ok(inner);
        }
        let mut negative = self.negative.scorer(segment)?;
        let factor = if matches(negative.as_mut(), doc) { self.factor } else { 1.0 };
        let text = format!("weight({}) in {doc}, product of:", self.describe());
        Ok(Explanation::with(inner.score() * factor, text, vec![inner, Explanation::new(factor, "negative boost")]))
    }

    fn describe(&self) -> String {
        format!(
            "FunctionScoreQuery({}, scored by boost(queryboost({})^{}))",
            self.positive.describe(),
            self.negative.describe(),
            self.factor
        )
    }

    fn is_empty(&self) -> bool {
        self.positive.is_empty()
    }

    fn cost(&self, shard: &ShardReader) -> u64 {
        self.positive.cost(shard)
    }
}

struct DemotedScorer {
    positive: Box<dyn Scorer>,
    negative: Box<dyn Scorer>,
    factor: f32,
}

impl DocSet for DemotedScorer {
    fn advance(&mut self) -> DocId {
        self.positive.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.positive.seek(target)
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        self.positive.seek_danger(target)
    }

    fn doc(&self) -> DocId {
        self.positive.doc()
    }

    fn size_hint(&self) -> u32 {
        self.positive.size_hint()
    }

    fn cost(&self) -> u64 {
        self.positive.cost()
    }
}

impl Scorer for DemotedScorer {
    fn score(&mut self) -> f32 {
        let score = self.positive.score();
        if matches(self.negative.as_mut(), self.positive.doc()) { score * self.factor } else { score }
    }
}
