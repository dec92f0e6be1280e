//! `function_score`: scores changed by functions of the document.

mod decay;
mod factor;
mod function;
mod random;

use std::sync::Arc;

use serde::Deserialize;
use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, TERMINATED};

use self::function::{BoundFunction, SegmentFunction};
use super::{Op, Operation};
use crate::mapping::java_double;
use crate::reader::ShardReader;
use crate::search::docs::Accept;
use crate::search::explain::Explanation;
use crate::search::faults::Faults;
use crate::search::query::{BoxQuery, Context, Query, SegmentView};
use crate::{Error, Result};

/// How the functions that apply make one factor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScoreMode {
    #[default]
    Multiply,
    Sum,
    Avg,
    First,
    Max,
    Min,
}

/// How the factor changes the query's score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BoostMode {
    #[default]
    Multiply,
    Replace,
    Sum,
    Avg,
    Max,
    Min,
}

operation! {
    /// What the query matches, with other scores.
    pub struct FunctionScore {
        pub query: Box<Op>,
        #[serde(default)]
        pub functions: Vec<function::Function>,
        #[serde(default)]
        pub score_mode: ScoreMode,
        #[serde(default)]
        pub boost_mode: BoostMode,
        #[serde(default)]
        pub max_boost: Option<f32>,
        #[serde(default)]
        pub min_score: Option<f32>,
    }
}

impl Operation for FunctionScore {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        if !context.scoring && self.min_score.is_none() {
            return self.query.bind(context, boost);
        }
        let needs = self.boost_mode != BoostMode::Replace || self.functions.is_empty();
        let query = self.query.bind(&context.scored(needs), boost)?;
        let functions: Result<Vec<_>> = self.functions.iter().map(|function| function.bind(context)).collect();
        Ok(Box::new(FunctionQuery {
            query,
            functions: functions?,
            score_mode: self.score_mode,
            boost_mode: self.boost_mode,
            max_boost: f64::from(self.max_boost.unwrap_or(f32::MAX)),
            min_score: self.min_score,
            scored: needs,
            nested: context.scope.is_some(),
            faults: Arc::clone(&context.faults),
        }))
    }

    fn children(&self) -> Vec<&Op> {
        std::iter::once(self.query.as_ref())
            .chain(self.functions.iter().filter_map(|function| function.filter.as_ref()))
            .collect()
    }

    fn highlighted(&self) -> Vec<&Op> {
        vec![&self.query]
    }
}

struct FunctionQuery {
    query: BoxQuery,
    functions: Vec<BoundFunction>,
    score_mode: ScoreMode,
    boost_mode: BoostMode,
    max_boost: f64,
    min_score: Option<f32>,
    scored: bool,
    nested: bool,
    faults: Arc<Faults>,
}

impl FunctionQuery {
    /// The documents that may be scored while the minimum score is looked for: others may lack what the functions need.
    fn accept(&self, segment: &SegmentView<'_>) -> Result<Option<Accept>> {
        Ok(match self.min_score {
            None => None,
            Some(_) if self.nested => Some(Accept::living(segment)),
            Some(_) => Some(Accept::new(segment)?),
        })
    }

    fn open(&self, segment: &SegmentView<'_>) -> Result<FunctionScorer> {
        let functions: Result<Vec<_>> = self.functions.iter().map(|function| function.open(segment)).collect();
        let mut scorer = FunctionScorer {
            inner: self.query.scorer(segment)?,
            functions: functions?,
            score_mode: self.score_mode,
            boost_mode: self.boost_mode,
            max_boost: self.max_boost,
            min_score: self.min_score,
            scored: self.scored,
            faults: Arc::clone(&self.faults),
            accept: self.accept(segment)?,
            known: None,
        };
        scorer.skip();
        Ok(scorer)
    }
}

impl Query for FunctionQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(Box::new(self.open(segment)?))
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let inner = self.query.explain(segment, doc)?;
        if !inner.matched {
            return Ok(inner);
        }
        let mut scorer = self.open(segment)?;
        if !crate::search::query::matches(&mut scorer, doc) {
            return Ok(Explanation::no_match_with("Score value is too low", vec![inner]));
        }
        let score = scorer.score();
        let query_score = inner.score();
        let factor = scorer.factor(doc, query_score);
        let mut details: Vec<Explanation> = Vec::new();
        for (function, bound) in scorer.functions.iter_mut().zip(&self.functions) {
            if function.applies(doc) {
                let value = function.score(doc, query_score) as f32;
                details.push(Explanation::with(
                    value,
                    "function score, product of:",
                    vec![Explanation::new(1.0, bound.filter_text()), Explanation::new(value, bound.describe())],
                ));
            }
        }
        let capped = Explanation::with(
            factor.min(self.max_boost) as f32,
            "min of:",
            vec![
                Explanation::with(
                    factor as f32,
                    format!("function score, score mode [{}]", name(&self.score_mode)),
                    details,
                ),
                Explanation::new(self.max_boost as f32, "maxBoost"),
            ],
        );
        Ok(Explanation::with(score, format!("function score, {} of:", combined(self.boost_mode)), vec![inner, capped]))
    }

    fn describe(&self) -> String {
        format!("function score ({}, functions: {})", self.query.describe(), self.functions.len())
    }

    fn is_empty(&self) -> bool {
        self.query.is_empty()
    }

    fn cost(&self, shard: &ShardReader) -> u64 {
        self.query.cost(shard)
    }
}

fn name(mode: &ScoreMode) -> String {
    format!("{mode:?}").to_lowercase()
}

fn combined(mode: BoostMode) -> &'static str {
    match mode {
        BoostMode::Multiply => "product",
        BoostMode::Replace => "replace",
        BoostMode::Sum => "sum",
        BoostMode::Avg => "avg",
        BoostMode::Max => "max",
        BoostMode::Min => "min",
    }
}

fn invalid(score: f32, doc: DocId) -> Error {
    let score = java_double(f64::from(score));
    Error::new("exception", 400, format!("function score query returned an invalid score: {score} for doc: {doc}"))
}

struct FunctionScorer {
    inner: Box<dyn Scorer>,
    functions: Vec<SegmentFunction>,
    score_mode: ScoreMode,
    boost_mode: BoostMode,
    max_boost: f64,
    min_score: Option<f32>,
    scored: bool,
    faults: Arc<Faults>,
    accept: Option<Accept>,
    /// Of the current document.
    known: Option<f32>,
}

impl FunctionScorer {
    fn factor(&mut self, doc: DocId, score: f32) -> f64 {
        let mode = self.score_mode;
        let (mut found, mut weights) = (0u32, 0f64);
        let mut factor = match mode {
            ScoreMode::Max => f64::NEG_INFINITY,
            ScoreMode::Min => f64::INFINITY,
            ScoreMode::Sum | ScoreMode::Avg => 0.0,
            ScoreMode::Multiply | ScoreMode::First => 1.0,
        };
        for function in &mut self.functions {
            if !function.applies(doc) {
                continue;
            }
            let value = function.score(doc, score);
            found += 1;
            weights += function.weight();
            match mode {
                ScoreMode::First => return value,
                ScoreMode::Max => factor = factor.max(value),
                ScoreMode::Min => factor = factor.min(value),
                ScoreMode::Multiply => factor *= value,
                ScoreMode::Sum | ScoreMode::Avg => factor += value,
            }
        }
        match mode {
            _ if found == 0 => 1.0,
            ScoreMode::Sum | ScoreMode::Avg if weights == 0.0 => 1.0,
            ScoreMode::Avg => factor / weights,
            _ => factor,
        }
    }

    fn compute(&mut self) -> f32 {
        let doc = self.inner.doc();
        let score = if self.scored { self.inner.score() } else { 0.0 };
        if self.functions.is_empty() {
            return score;
        }
        let factor = self.factor(doc, score);
        // `min` alone would hide what is no number.
        let factor = if factor.is_nan() { factor } else { factor.min(self.max_boost) };
        let query = f64::from(score);
        let combined = (match self.boost_mode {
            BoostMode::Multiply => query * factor,
            BoostMode::Replace => factor,
            BoostMode::Sum => query + factor,
            BoostMode::Avg => f64::midpoint(query, factor),
            BoostMode::Max => query.max(factor),
            BoostMode::Min => query.min(factor),
        }) as f32;
        if combined < 0.0 || combined.is_nan() {
            self.faults.record(|| invalid(combined, doc));
            return 0.0;
        }
        combined
    }

    /// Passes over documents below the minimum.
    fn skip(&mut self) -> DocId {
        self.known = None;
        let Some(minimum) = self.min_score else { return self.inner.doc() };
        while self.inner.doc() < TERMINATED {
            if self.accept.as_ref().is_some_and(|accept| !accept.contains(self.inner.doc())) {
                self.inner.advance();
                continue;
            }
            let score = self.compute();
            if score >= minimum {
                self.known = Some(score);
                break;
            }
            self.inner.advance();
        }
        self.inner.doc()
    }
}

impl DocSet for FunctionScorer {
    fn advance(&mut self) -> DocId {
        self.inner.advance();
        self.skip()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.inner.doc() >= target {
            return self.inner.doc();
        }
        self.inner.seek(target);
        self.skip()
    }

    fn doc(&self) -> DocId {
        self.inner.doc()
    }

    fn size_hint(&self) -> u32 {
        self.inner.size_hint()
    }

    fn cost(&self) -> u64 {
        self.inner.cost()
    }
}

impl Scorer for FunctionScorer {
    fn score(&mut self) -> f32 {
        match self.known {
            Some(score) => score,
            None => self.compute(),
        }
    }
}
