//! `term`: one value. BM25 on text, keyword and boolean, constant on the rest.

use std::sync::Arc;

use serde_json::Value;
use tantivy::DocId;
use tantivy::query::{ConstScorer, Scorer};
use tantivy::schema::{IndexRecordOption, Term};

use super::constant::{NoneQuery, boost_suffix};
use super::range::{self, Bounds};
use super::values::{self, Exact};
use super::{Mark, MarkKind, Operation};
use crate::Result;
use crate::mapping::{FieldDef, FieldKind};
use crate::reader::ShardReader;
use crate::search::collect::Prunable;
use crate::search::explain::Explanation;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, matches, nothing};
use crate::search::score::{Bm25, TermScorer, TermStates, norms};

operation! {
    /// Documents that have the value.
    pub struct TermOp {
        pub field: String,
        pub value: Value,
    }
}

impl Operation for TermOp {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        bind_term(context, &self.field, &self.value, boost)
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        out.push(Mark {
            field: self.field.clone(),
            what: MarkKind::Term(values::text(&self.value)),
            boost: self.boost,
        });
    }
}

/// A term query on any field.
pub fn bind_term(context: &Context<'_>, path: &str, value: &Value, boost: f32) -> Result<BoxQuery> {
    if let Some(query) = system_term(context, path, value, boost)? {
        return Ok(query);
    }
    let Some(def) = context.field(path) else { return Ok(NoneQuery::unmapped(path)) };
    let Some(exact) = values::exact(def, value)? else {
        return Ok(NoneQuery::boxed(format!("MatchNoDocsQuery(\"Value [{value}] is out of range\")")));
    };
    let Some(field) = def.field.filter(|_| values::has_terms(def)) else {
        return range::bind_bounds(context, def, Bounds::exactly(exact), boost);
    };
    let term = exact.term(field);
    match &exact {
        Exact::Text(text) if context.scoring => {
            let states = context.states(&term)?;
            Ok(Box::new(TermQuery::scored(context, def, term, text.clone(), states, boost)?))
        }
        // Lucene keeps booleans as the terms T and F, and scores them.
        Exact::Bool(value) if context.scoring => {
            let states = context.states(&term)?;
            let text = if *value { "T" } else { "F" };
            Ok(Box::new(TermQuery::scored(context, def, term, text.to_owned(), states, boost)?))
        }
        _ => {
            let states = context.states(&term)?;
            Ok(Box::new(TermQuery {
                path: def.path.clone(),
                text: values::text(value),
                term,
                states,
                norms: false,
                similarity: Err(boost),
            }))
        }
    }
}

/// Terms of metadata fields.
fn system_term(context: &Context<'_>, path: &str, value: &Value, boost: f32) -> Result<Option<BoxQuery>> {
    let system = &context.mapping().system;
    let field = match path {
        "_id" => system.id,
        "_routing" => system.routing,
        "_ignored" => system.ignored,
        "_nested_path" => system.nested,
        "_field_names" => system.field_names,
        _ => return Ok(None),
    };
    let text = values::text(value);
    let term = Term::from_field_text(field, &text);
    let states = context.states(&term)?;
    Ok(Some(Box::new(TermQuery { path: path.to_owned(), text, term, states, norms: false, similarity: Err(boost) })))
}

/// A term of the inverted index.
pub struct TermQuery {
    path: String,
    text: String,
    pub term: Term,
    pub states: TermStates,
    norms: bool,
    /// Or the constant score.
    pub similarity: Result<Arc<Bm25>, f32>,
}

impl TermQuery {
    pub fn scored(
        context: &Context<'_>,
        def: &FieldDef,
        term: Term,
        text: String,
        states: TermStates,
        boost: f32,
    ) -> Result<Self> {
        let frequency = states.doc_freq;
        Self::blended(context, def, term, text, states, frequency, boost)
    }

    /// With a frequency that is not the term's own.
    pub fn blended(
        context: &Context<'_>,
        def: &FieldDef,
        term: Term,
        text: String,
        states: TermStates,
        frequency: u64,
        boost: f32,
    ) -> Result<Self> {
        let statistics = context.statistics(def, term.field())?;
        let similarity = Bm25::new(boost, &statistics, &[(frequency, &text)]);
        let norms = def.norms && def.kind == FieldKind::Text;
        Ok(TermQuery { path: def.path.clone(), text, term, states, norms, similarity: Ok(Arc::new(similarity)) })
    }

    fn term_scorer(&self, segment: &SegmentView<'_>, similarity: &Arc<Bm25>) -> Result<Option<TermScorer>> {
        let Some(info) = &self.states.infos[segment.ord] else { return Ok(None) };
        let index = segment.segment.reader.inverted_index(self.term.field())?;
        let postings = index.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
        Ok(Some(TermScorer::new(postings, norms(segment, self.term.field(), self.norms)?, Arc::clone(similarity))))
    }
}

impl Query for TermQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        match &self.similarity {
            Ok(similarity) => Ok(match self.term_scorer(segment, similarity)? {
                Some(scorer) => Box::new(scorer),
                None => nothing(),
            }),
            Err(score) => {
                let Some(info) = &self.states.infos[segment.ord] else { return Ok(nothing()) };
                let index = segment.segment.reader.inverted_index(self.term.field())?;
                let postings = index.read_postings_from_terminfo(info, IndexRecordOption::Basic)?;
                Ok(Box::new(ConstScorer::new(postings, *score)))
            }
        }
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        match &self.similarity {
            Ok(similarity) => {
                let Some(mut scorer) =
                    self.term_scorer(segment, similarity)?.filter(|scorer| tantivy::DocSet::doc(scorer) <= doc)
                else {
                    return Ok(Explanation::no_match("no matching term"));
                };
                if !matches(&mut scorer, doc) {
                    return Ok(Explanation::no_match("no matching term"));
                }
                let description =
                    format!("weight({}:{} in {doc}) [PerFieldSimilarity], result of:", self.path, self.text);
                let text = "freq, occurrences of term within document";
                Ok(similarity.explain(scorer.frequency() as f32, text, scorer.length(), &description))
            }
            Err(score) => {
                let mut scorer = self.scorer(segment)?;
                if !matches(scorer.as_mut(), doc) {
                    return Ok(Explanation::no_match("no matching term"));
                }
                Ok(Explanation::new(*score, format!("ConstantScore({}){}", self.describe(), boost_suffix(*score))))
            }
        }
    }

    fn describe(&self) -> String {
        format!("{}:{}", self.path, self.text)
    }

    fn count(&self, segment: &SegmentView<'_>) -> Result<Option<u32>> {
        Ok(Some(self.states.infos[segment.ord].as_ref().map_or(0, |info| info.doc_freq)))
    }

    fn constant(&self) -> Option<f32> {
        self.similarity.as_ref().err().copied()
    }

    fn prunable(&self) -> Option<Prunable<'_>> {
        (self.norms && self.similarity.is_ok()).then(|| Prunable { terms: vec![self], required: false })
    }

    fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    fn cost(&self, _shard: &ShardReader) -> u64 {
        self.states.doc_freq
    }
}
