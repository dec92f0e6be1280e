//! `synonyms`: terms of one field scored as one, and `blended`: terms of several fields scored as if equally frequent.

use std::sync::Arc;

use tantivy::query::Scorer;
use tantivy::schema::{Field, Term};
use tantivy::{DocId, DocSet, TERMINATED};

use super::boolean::sum_of;
use super::constant::NoneQuery;
use super::dis_max::BestOf;
use super::term::{TermQuery, bind_term};
use super::{Mark, MarkKind, Operation};
use crate::Result;
use crate::mapping::FieldKind;
use crate::reader::ShardReader;
use crate::search::explain::Explanation;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, matches, nothing};
use crate::search::score::{Bm25, TermScorer, TermStates, norms};

operation! {
    /// Any of the terms; their frequencies add up, the most frequent one's statistics count.
    pub struct Synonyms {
        pub field: String,
        pub terms: Vec<String>,
    }
}

/// One of the terms of `blended`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlendedTerm {
    pub field: String,
    pub value: String,
    #[serde(default = "super::one")]
    pub boost: f32,
}

operation! {
    /// The best of the terms' scores, with statistics levelled across fields.
    pub struct Blended {
        pub terms: Vec<BlendedTerm>,
        #[serde(default)]
        pub tie_breaker: f32,
    }
}

impl Operation for Synonyms {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let Some(def) = context.field(&self.field) else { return Ok(NoneQuery::unmapped(&self.field)) };
        let terms = self.terms.iter().map(|text| serde_json::Value::String(text.clone()));
        let (Some(field), FieldKind::Text, true) = (def.field, def.kind, context.scoring) else {
            let clauses: Result<Vec<_>> = terms.map(|value| bind_term(context, &self.field, &value, boost)).collect();
            return Ok(sum_of(clauses?, context.scoring));
        };
        let mut states = Vec::with_capacity(self.terms.len());
        for text in &self.terms {
            states.push((text.clone(), context.states(&Term::from_field_text(field, text))?));
        }
        let most = states.iter().map(|(_, states)| states.doc_freq).max().unwrap_or(0);
        let statistics = context.statistics(def, field)?;
        let similarity = Arc::new(Bm25::new(boost, &statistics, &[(most, "")]));
        Ok(Box::new(SynonymQuery { path: def.path.clone(), field, norms: def.norms, states, similarity }))
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        for text in &self.terms {
            out.push(Mark { field: self.field.clone(), what: MarkKind::Term(text.clone()), boost: self.boost });
        }
    }
}

struct SynonymQuery {
    path: String,
    field: Field,
    norms: bool,
    states: Vec<(String, TermStates)>,
    similarity: Arc<Bm25>,
}

impl SynonymQuery {
    fn open(&self, segment: &SegmentView<'_>) -> Result<Option<SynonymScorer>> {
        let index = segment.segment.reader.inverted_index(self.field)?;
        let norms = norms(segment, self.field, self.norms)?;
        let mut terms = Vec::new();
        for (_, states) in &self.states {
            if let Some(info) = &states.infos[segment.ord] {
                let postings =
                    index.read_postings_from_terminfo(info, tantivy::schema::IndexRecordOption::WithFreqs)?;
                terms.push(TermScorer::new(postings, norms.clone(), Arc::clone(&self.similarity)));
            }
        }
        if terms.is_empty() {
            return Ok(None);
        }
        let mut scorer = SynonymScorer { terms, similarity: Arc::clone(&self.similarity), doc: 0 };
        scorer.update();
        Ok(Some(scorer))
    }
}

impl Query for SynonymQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(match self.open(segment)? {
            Some(scorer) => Box::new(scorer),
            None => nothing(),
        })
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let Some(mut scorer) = self.open(segment)? else { return Ok(Explanation::no_match("no matching term")) };
        if !matches(&mut scorer, doc) {
            return Ok(Explanation::no_match("no matching term"));
        }
        let (frequency, length) = scorer.frequency();
        let description = format!("weight({} in {doc}) [PerFieldSimilarity], result of:", self.describe());
        Ok(self
            .similarity
            .explain(frequency as f32, "termFreq=", length, &description)
            .rename_frequency(frequency as f32))
    }

    fn describe(&self) -> String {
        let terms: Vec<String> = self.states.iter().map(|(text, _)| format!("{}:{text}", self.path)).collect();
        format!("Synonym({})", terms.join(" "))
    }

    fn is_empty(&self) -> bool {
        self.states.iter().all(|(_, states)| states.is_empty())
    }

    fn cost(&self, _shard: &ShardReader) -> u64 {
        self.states.iter().map(|(_, states)| states.doc_freq).sum()
    }
}

struct SynonymScorer {
    terms: Vec<TermScorer>,
    similarity: Arc<Bm25>,
    doc: DocId,
}

impl SynonymScorer {
    fn update(&mut self) -> DocId {
        self.doc = self.terms.iter().map(DocSet::doc).min().unwrap_or(TERMINATED);
        self.doc
    }

    /// Sum of the frequencies, and the length byte.
    fn frequency(&self) -> (u32, u8) {
        let mut sum = 0;
        let mut length = 0;
        for term in self.terms.iter().filter(|term| term.doc() == self.doc) {
            sum += term.frequency();
            length = term.length();
        }
        (sum, length)
    }
}

impl DocSet for SynonymScorer {
    fn advance(&mut self) -> DocId {
        let doc = self.doc;
        for term in self.terms.iter_mut().filter(|term| term.doc() == doc) {
            term.advance();
        }
        self.update()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        for term in self.terms.iter_mut().filter(|term| term.doc() < target) {
            term.seek(target);
        }
        self.update()
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.terms.iter().map(DocSet::size_hint).sum()
    }
}

impl Scorer for SynonymScorer {
    fn score(&mut self) -> f32 {
        let (frequency, length) = self.frequency();
        self.similarity.score(frequency as f32, length)
    }
}

/// A term that some document has.
struct Found<'t> {
    term: &'t BlendedTerm,
    index_term: Term,
    states: TermStates,
    frequency: u64,
}

impl Operation for Blended {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let mut found = Vec::with_capacity(self.terms.len());
        let mut others: Vec<BoxQuery> = Vec::new();
        for term in &self.terms {
            let Some(def) = context.field(&term.field) else { continue };
            match def.field {
                Some(field) if matches!(def.kind, FieldKind::Text | FieldKind::Keyword) && def.indexed => {
                    let index_term = Term::from_field_text(field, &term.value);
                    let states = context.states(&index_term)?;
                    if !states.is_empty() {
                        found.push(Found { term, index_term, frequency: states.doc_freq, states });
                    }
                }
                _ => others.push(bind_term(context, &term.field, &term.value.clone().into(), boost * term.boost)?),
            }
        }
        level(&mut found, context.shard);
        let mut queries = others;
        for Found { term, index_term, states, frequency } in found {
            if let Some(def) = context.field(&term.field) {
                let text = term.value.clone();
                queries.push(Box::new(TermQuery::blended(
                    context,
                    def,
                    index_term,
                    text,
                    states,
                    frequency,
                    boost * term.boost,
                )?));
            }
        }
        if queries.is_empty() {
            return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"no term of the blend exists\")"));
        }
        if queries.len() == 1
            && let Some(only) = queries.pop()
        {
            return Ok(only);
        }
        Ok(Box::new(BestOf { queries, tie_breaker: self.tie_breaker, scoring: context.scoring }))
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        for term in &self.terms {
            let what = MarkKind::Term(term.value.clone());
            out.push(Mark { field: term.field.clone(), what, boost: self.boost * term.boost });
        }
    }
}

/// All terms get the frequency of the most frequent; each rarer one a little more, so that ties break as they did.
fn level(found: &mut [Found<'_>], shard: &ShardReader) {
    let all: u64 = shard.segments.iter().map(|segment| u64::from(segment.reader.max_doc())).sum();
    found.sort_by_key(|term| std::cmp::Reverse(term.states.doc_freq));
    let Some(first) = found.first() else { return };
    let mut previous = first.states.doc_freq;
    let mut level = previous;
    for term in found {
        let own = term.states.doc_freq;
        if previous > own {
            level += 1;
        }
        previous = own;
        term.frequency = level.min(all);
    }
}
