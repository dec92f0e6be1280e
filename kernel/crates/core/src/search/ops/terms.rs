//! `terms`: any of several values, constant score.

use serde_json::Value;
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::query::{BitSetDocSet, ConstScorer, Scorer};
use tantivy::schema::{Field, IndexRecordOption, Term};
use tantivy::{BitSet, DocSet, TERMINATED};

use super::constant::{ConstantQuery, NoneQuery};
use super::range::{self, Bounds};
use super::values::{self, Exact};
use super::{Mark, MarkKind, Operation};
use crate::Result;
use crate::interrupt::Patience;
use crate::reader::ShardReader;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, nothing};
use crate::search::score::{Combine, Union};

operation! {
    /// Documents that have one of the values.
    pub struct Terms {
        pub field: String,
        pub values: Vec<Value>,
    }
}

impl Operation for Terms {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        if self.field == "_id" {
            let ids: Vec<String> = self.values.iter().map(values::text).collect();
            return super::ids::bind_ids(context, &ids, boost);
        }
        let system = &context.mapping().system;
        let metadata = match self.field.as_str() {
            "_routing" => Some(system.routing),
            "_ignored" => Some(system.ignored),
            _ => None,
        };
        if let Some(field) = metadata {
            let terms = self.values.iter().map(|value| Term::from_field_text(field, &values::text(value))).collect();
            return AnyTerm::bind(context, &self.field, field, terms, boost);
        }
        let Some(def) = context.field(&self.field) else { return Ok(NoneQuery::unmapped(&self.field)) };
        let mut exact: Vec<Exact> = Vec::with_capacity(self.values.len());
        for value in &self.values {
            exact.extend(values::exact(def, value)?);
        }
        match def.field.filter(|_| values::has_terms(def)) {
            Some(field) => {
                AnyTerm::bind(context, &def.path, field, exact.iter().map(|value| value.term(field)).collect(), boost)
            }
            None => {
                let clauses: Result<Vec<BoxQuery>> = exact
                    .into_iter()
                    .map(|value| range::bind_bounds(context, def, Bounds::exactly(value), 1.0))
                    .collect();
                Ok(Box::new(ConstantQuery { inner: Box::new(AnyOf(clauses?)), score: boost, wrapped: false }))
            }
        }
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        for value in &self.values {
            out.push(Mark { field: self.field.clone(), what: MarkKind::Term(values::text(value)), boost: self.boost });
        }
    }
}

/// Any of several terms of one field, scores alike.
pub struct AnyTerm {
    /// In Lucene's notation.
    text: String,
    field: Field,
    /// Per segment the terms that it has.
    found: Vec<Vec<TermInfo>>,
    score: f32,
}

impl AnyTerm {
    pub fn bind(context: &Context<'_>, path: &str, field: Field, mut terms: Vec<Term>, score: f32) -> Result<BoxQuery> {
        terms.sort_unstable();
        terms.dedup();
        let mut found = Vec::with_capacity(context.shard.segments.len());
        for segment in &context.shard.segments {
            let index = segment.reader.inverted_index(field)?;
            let mut infos = Vec::new();
            for term in &terms {
                infos.extend(index.get_term_info(term)?);
            }
            found.push(infos);
        }
        let shown: Vec<String> =
            terms.iter().take(32).filter_map(|term| term.value().as_str().map(str::to_owned)).collect();
        Ok(Box::new(AnyTerm { text: format!("{path}:({})", shown.join(" ")), field, found, score }))
    }

    /// Of terms that were found already, by segment.
    pub fn found(text: &str, field: Field, found: Vec<Vec<TermInfo>>, score: f32) -> Self {
        AnyTerm { text: text.to_owned(), field, found, score }
    }
}

/// Up to this many postings are merged lazily; more go through a bit set.
const LAZY: usize = 16;

impl Query for AnyTerm {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        let infos = &self.found[segment.ord];
        if infos.is_empty() {
            return Ok(nothing());
        }
        let index = segment.segment.reader.inverted_index(self.field)?;
        if infos.len() <= LAZY {
            let mut clauses: Vec<Box<dyn Scorer>> = Vec::with_capacity(infos.len());
            for info in infos {
                clauses.push(Box::new(ConstScorer::new(
                    index.read_postings_from_terminfo(info, IndexRecordOption::Basic)?,
                    self.score,
                )));
            }
            if clauses.len() == 1
                && let Some(only) = clauses.pop()
            {
                return Ok(only);
            }
            return Ok(Box::new(ConstScorer::new(Union::build(clauses, Combine::Nothing, 1), self.score)));
        }
        let mut bits = BitSet::with_max_value(segment.max_doc());
        let mut postings = BlockSegmentPostings::empty();
        let mut patience = Patience::default();
        for (at, info) in infos.iter().enumerate() {
            patience.turn()?;
            // Opening a cursor costs more than most of the postings: one serves all terms.
            if at == 0 {
                postings = index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
            } else {
                index.reset_block_postings_from_terminfo(info, &mut postings)?;
            }
            while !postings.docs().is_empty() {
                for doc in postings.docs() {
                    bits.insert(*doc);
                }
                postings.advance();
            }
        }
        let docs = BitSetDocSet::from(bits);
        if docs.doc() >= TERMINATED {
            return Ok(nothing());
        }
        Ok(Box::new(ConstScorer::new(docs, self.score)))
    }

    fn describe(&self) -> String {
        self.text.clone()
    }

    fn count(&self, segment: &SegmentView<'_>) -> Result<Option<u32>> {
        Ok(match self.found[segment.ord].as_slice() {
            [] => Some(0),
            [only] => Some(only.doc_freq),
            _ => None,
        })
    }

    fn constant(&self) -> Option<f32> {
        Some(self.score)
    }

    fn is_empty(&self) -> bool {
        self.found.iter().all(Vec::is_empty)
    }

    fn cost(&self, _shard: &ShardReader) -> u64 {
        self.found.iter().flatten().map(|info| u64::from(info.doc_freq)).sum()
    }
}

/// Any of several queries, unscored.
pub struct AnyOf(pub Vec<BoxQuery>);

impl Query for AnyOf {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        let clauses: Result<Vec<_>> = self.0.iter().map(|query| query.scorer(segment)).collect();
        Ok(Union::build(clauses?, Combine::Nothing, 1))
    }

    fn describe(&self) -> String {
        self.0.iter().map(|query| query.describe()).collect::<Vec<_>>().join(" ")
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|query| query.is_empty())
    }
}
