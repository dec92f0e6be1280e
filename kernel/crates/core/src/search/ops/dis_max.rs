//! `dis_max`: the best of several queries, plus a part of the others.

use tantivy::DocId;
use tantivy::query::Scorer;

use super::{Op, Operation};
use crate::Result;
use crate::reader::ShardReader;
use crate::search::explain::Explanation;
use crate::search::query::{BoxQuery, Context, Query, SegmentView};
use crate::search::score::{Combine, Union};

operation! {
    /// The score is the best clause's plus `tie_breaker` times the others'.
    pub struct DisMax {
        pub queries: Vec<Op>,
        #[serde(default)]
        pub tie_breaker: f32,
    }
}

impl Operation for DisMax {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let queries: Result<Vec<_>> = self.queries.iter().map(|op| op.bind(context, boost)).collect();
        let mut queries = queries?;
        if queries.len() == 1
            && let Some(only) = queries.pop()
        {
            return Ok(only);
        }
        Ok(Box::new(BestOf { queries, tie_breaker: self.tie_breaker, scoring: context.scoring }))
    }

    fn children(&self) -> Vec<&Op> {
        self.queries.iter().collect()
    }
}

pub struct BestOf {
    pub queries: Vec<BoxQuery>,
    pub tie_breaker: f32,
    pub scoring: bool,
}

impl Query for BestOf {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        let clauses: Result<Vec<_>> = self.queries.iter().map(|query| query.scorer(segment)).collect();
        let combine = if self.scoring { Combine::Best { tie_breaker: self.tie_breaker } } else { Combine::Nothing };
        Ok(Union::build(clauses?, combine, 1))
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let (mut matched, mut failed) = (Vec::new(), Vec::new());
        let (mut best, mut others) = (0f32, 0f64);
        for query in &self.queries {
            let explanation = query.explain(segment, doc)?;
            if explanation.matched {
                let score = explanation.score();
                if score >= best {
                    others += f64::from(best);
                    best = score;
                } else {
                    others += f64::from(score);
                }
                matched.push(explanation);
            } else {
                failed.push(explanation);
            }
        }
        if matched.is_empty() {
            return Ok(Explanation::no_match_with("No matching clause", failed));
        }
        let score = (f64::from(best) + others * f64::from(self.tie_breaker)) as f32;
        let text = if self.tie_breaker == 0.0 {
            "max of:".to_owned()
        } else {
            format!("max plus {} times others of:", self.tie_breaker)
        };
        Ok(Explanation::with(score, text, matched))
    }

    fn describe(&self) -> String {
        let parts: Vec<String> = self.queries.iter().map(|query| query.describe()).collect();
        let tie = if self.tie_breaker == 0.0 { String::new() } else { format!("~{}", self.tie_breaker) };
        format!("({}){tie}", parts.join(" | "))
    }

    fn is_empty(&self) -> bool {
        self.queries.iter().all(|query| query.is_empty())
    }

    fn cost(&self, shard: &ShardReader) -> u64 {
        self.queries.iter().map(|query| query.cost(shard)).sum()
    }
}
