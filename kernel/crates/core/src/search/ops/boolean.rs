//! `bool`: clauses that must, filter, should and must not match.

use tantivy::DocId;
use tantivy::query::{AllScorer, Scorer};

use super::constant::{AllQuery, NoneQuery};
use super::{Op, Operation};
use crate::Result;
use crate::reader::ShardReader;
use crate::search::collect::Prunable;
use crate::search::explain::Explanation;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, nothing};
use crate::search::score::{Combine, Conjunction, Union, WithOptional, Without};

operation! {
    /// A boolean combination. Without `minimum_should_match`, a `should` must match only where nothing else has to.
    pub struct Bool {
        #[serde(default)]
        pub must: Vec<Op>,
        #[serde(default)]
        pub filter: Vec<Op>,
        #[serde(default)]
        pub should: Vec<Op>,
        #[serde(default)]
        pub must_not: Vec<Op>,
        #[serde(default)]
        pub minimum_should_match: Option<i64>,
    }
}

impl Bool {
    /// The one clause that decides alone.
    pub fn only_required(&self) -> Option<&Op> {
        if self.minimum() > 0 {
            return None;
        }
        match (self.must.as_slice(), self.filter.as_slice()) {
            ([only], []) | ([], [only]) if self.should.is_empty() && self.must_not.is_empty() => Some(only),
            _ => None,
        }
    }

    fn minimum(&self) -> usize {
        let default = i64::from(self.must.is_empty() && self.filter.is_empty() && !self.should.is_empty());
        let minimum = self.minimum_should_match.unwrap_or(default).max(0) as usize;
        if self.must.is_empty() && self.filter.is_empty() && !self.should.is_empty() { minimum.max(1) } else { minimum }
    }
}

impl Operation for Bool {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        if self.must.is_empty() && self.filter.is_empty() && self.should.is_empty() && self.must_not.is_empty() {
            return Ok(Box::new(AllQuery { score: boost }));
        }
        let filters = context.unscored();
        let bind = |ops: &[Op], context: &Context<'_>| -> Result<Vec<BoxQuery>> {
            ops.iter().map(|op| op.bind(context, boost)).collect()
        };
        let must = bind(&self.must, context)?;
        let filter: Result<Vec<_>> = self.filter.iter().map(|op| op.bind(&filters, 1.0)).collect();
        let minimum = self.minimum();
        // In a filter, an optional clause has no effect.
        let should = if minimum == 0 && !context.scoring { Vec::new() } else { bind(&self.should, context)? };
        if should.is_empty() && minimum > 0 {
            return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"minimum_should_match without should\")"));
        }
        let must_not: Result<Vec<_>> = self.must_not.iter().map(|op| op.bind(&filters, 1.0)).collect();
        let mut query =
            BoolQuery { must, filter: filter?, should, must_not: must_not?, minimum, scoring: context.scoring, boost };
        query.must_not.retain(|clause| !clause.is_empty());
        if query.must.len() + query.should.len() == 1 && query.filter.is_empty() && query.must_not.is_empty() {
            let only = if query.must.is_empty() {
                (query.minimum <= 1).then(|| query.should.pop()).flatten()
            } else {
                query.must.pop()
            };
            if let Some(only) = only {
                return Ok(only);
            }
        }
        Ok(Box::new(query))
    }

    fn children(&self) -> Vec<&Op> {
        self.must.iter().chain(&self.filter).chain(&self.should).chain(&self.must_not).collect()
    }

    fn highlighted(&self) -> Vec<&Op> {
        self.must.iter().chain(&self.filter).chain(&self.should).collect()
    }
}

/// Any of the clauses, their scores added.
pub fn sum_of(mut clauses: Vec<BoxQuery>, scoring: bool) -> BoxQuery {
    if clauses.len() == 1
        && let Some(only) = clauses.pop()
    {
        return only;
    }
    Box::new(BoolQuery {
        must: Vec::new(),
        filter: Vec::new(),
        should: clauses,
        must_not: Vec::new(),
        minimum: 1,
        scoring,
        boost: 1.0,
    })
}

pub struct BoolQuery {
    must: Vec<BoxQuery>,
    filter: Vec<BoxQuery>,
    should: Vec<BoxQuery>,
    must_not: Vec<BoxQuery>,
    minimum: usize,
    scoring: bool,
    boost: f32,
}

impl BoolQuery {
    fn required(&self, segment: &SegmentView<'_>) -> Result<Vec<(Box<dyn Scorer>, bool)>> {
        let mut clauses = Vec::with_capacity(self.must.len() + self.filter.len() + 1);
        for query in &self.must {
            clauses.push((query.scorer(segment)?, self.scoring));
        }
        for query in &self.filter {
            let scorer = query.scorer(segment)?;
            // A filter that everything passes need not be asked.
            if !(scorer.is::<AllScorer>() && self.must.len() + self.filter.len() > 1 && !clauses.is_empty()) {
                clauses.push((scorer, false));
            }
        }
        Ok(clauses)
    }

    fn included(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        if self.minimum > self.should.len() {
            return Ok(nothing());
        }
        let mut required = self.required(segment)?;
        if self.should.is_empty() {
            if required.is_empty() {
                return Ok(Box::new(crate::search::score::Unscored(Box::new(AllScorer::new(segment.max_doc())))));
            }
            return Ok(Conjunction::build(required));
        }
        let should: Result<Vec<_>> = self.should.iter().map(|query| query.scorer(segment)).collect();
        let combine = if self.scoring { Combine::Sum } else { Combine::Nothing };
        let should = Union::build(should?, combine, self.minimum);
        if required.is_empty() {
            return Ok(should);
        }
        if self.minimum > 0 {
            required.push((should, self.scoring));
            return Ok(Conjunction::build(required));
        }
        let required = Conjunction::build(required);
        Ok(Box::new(WithOptional::new(required, should)))
    }

    fn explain_clauses(
        &self,
        segment: &SegmentView<'_>,
        doc: DocId,
    ) -> Result<(Vec<Explanation>, Vec<Explanation>, usize)> {
        let (mut matched, mut failed, mut should) = (Vec::new(), Vec::new(), 0);
        for query in &self.must {
            let explanation = query.explain(segment, doc)?;
            if explanation.matched {
                matched.push(explanation);
            } else {
                failed.push(Explanation::no_match_with(
                    format!("no match on required clause ({})", query.describe()),
                    vec![explanation],
                ));
            }
        }
        for query in &self.must_not {
            let explanation = query.explain(segment, doc)?;
            if explanation.matched {
                failed.push(Explanation::no_match_with(
                    format!("match on prohibited clause ({})", query.describe()),
                    vec![explanation],
                ));
            }
        }
        for query in &self.should {
            let explanation = query.explain(segment, doc)?;
            if explanation.matched {
                should += 1;
                matched.push(explanation);
            }
        }
        for query in &self.filter {
            let explanation = query.explain(segment, doc)?;
            if explanation.matched {
                matched.push(Explanation::with(
                    0.0,
                    "match on required clause, product of:",
                    vec![Explanation::new(0.0, "# clause"), explanation],
                ));
            } else {
                failed.push(Explanation::no_match_with(
                    format!("no match on required clause ({})", query.describe()),
                    vec![explanation],
                ));
            }
        }
        Ok((matched, failed, should))
    }
}

impl Query for BoolQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        let mut scorer = self.included(segment)?;
        for query in &self.must_not {
            scorer = Without::build(scorer, query.scorer(segment)?);
        }
        Ok(scorer)
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let (matched, mut failed, should) = self.explain_clauses(segment, doc)?;
        if !failed.is_empty() {
            return Ok(Explanation::no_match_with(
                "Failure to meet condition(s) of required/prohibited clause(s)",
                failed.split_off(0),
            ));
        }
        if matched.is_empty() && self.must.is_empty() && self.filter.is_empty() && !self.should.is_empty() {
            return Ok(Explanation::no_match("No matching clauses"));
        }
        if should < self.minimum {
            return Ok(Explanation::no_match_with(
                format!("Failure to match minimum number of optional clauses: {}", self.minimum),
                matched,
            ));
        }
        let mut scorer = self.scorer(segment)?;
        let score = if crate::search::query::matches(scorer.as_mut(), doc) { scorer.score() } else { 0.0 };
        Ok(Explanation::with(score, "sum of:", matched))
    }

    fn describe(&self) -> String {
        let mut parts = Vec::new();
        for (sign, clauses) in [("+", &self.must), ("", &self.should), ("#", &self.filter), ("-", &self.must_not)] {
            parts.extend(clauses.iter().map(|query| {
                let text = query.describe();
                if text.contains(' ') && !text.starts_with('"') {
                    format!("{sign}({text})")
                } else {
                    format!("{sign}{text}")
                }
            }));
        }
        let text = parts.join(" ");
        let minimum = if self.minimum > 1 { format!("~{}", self.minimum) } else { String::new() };
        if self.boost == 1.0 && minimum.is_empty() {
            text
        } else {
            format!("({text}){minimum}{}", super::constant::boost_suffix(self.boost))
        }
    }

    fn count(&self, segment: &SegmentView<'_>) -> Result<Option<u32>> {
        if self.must_not.is_empty() && self.should.is_empty() && self.must.len() + self.filter.len() == 1 {
            return self.must.iter().chain(&self.filter).next().map_or(Ok(None), |query| query.count(segment));
        }
        Ok(None)
    }

    fn constant(&self) -> Option<f32> {
        if self.should.is_empty() && (self.must.is_empty() || !self.scoring) {
            return Some(0.0);
        }
        if self.should.is_empty() {
            return self.must.iter().map(|query| query.constant()).try_fold(0f32, |sum, score| Some(sum + score?));
        }
        None
    }

    fn prunable(&self) -> Option<Prunable<'_>> {
        if !self.filter.is_empty() || !self.must_not.is_empty() || !self.scoring {
            return None;
        }
        let (clauses, required) = match (self.must.as_slice(), self.should.as_slice()) {
            ([], should) if self.minimum <= 1 => (should, false),
            (must, []) => (must, true),
            _ => return None,
        };
        let mut terms = Vec::with_capacity(clauses.len());
        for clause in clauses {
            let inner = clause.prunable()?;
            if inner.terms.len() != 1 {
                return None;
            }
            terms.extend(inner.terms);
        }
        Some(Prunable { terms, required })
    }

    fn is_empty(&self) -> bool {
        self.must.iter().chain(&self.filter).any(|query| query.is_empty())
            || (self.minimum > 0 && self.should.iter().all(|query| query.is_empty()))
    }

    fn cost(&self, shard: &ShardReader) -> u64 {
        let required = self.must.iter().chain(&self.filter).map(|query| query.cost(shard)).min();
        required.unwrap_or_else(|| {
            if self.should.is_empty() {
                shard.segments.iter().map(|segment| u64::from(segment.reader.max_doc())).sum()
            } else {
                self.should.iter().map(|query| query.cost(shard)).sum()
            }
        })
    }
}
