//! `phrase` and `phrase_prefix`: terms next to one another, exactly or within a slop.

mod exact;
mod postings;
mod scorer;
mod sloppy;

use std::sync::Arc;

use tantivy::DocId;
use tantivy::query::Scorer;
use tantivy::schema::{Field, Term};

use self::postings::TermPositions;
use self::scorer::PhraseScorer;
use super::constant::NoneQuery;
use super::{Mark, MarkKind, Operation};
use crate::mapping::{FieldDef, FieldKind};
use crate::reader::ShardReader;
use crate::search::explain::Explanation;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, matches, nothing};
use crate::search::score::{Bm25, TermStates, norms};
use crate::{Error, Result};

operation! {
    /// Terms by position: any of the terms may stand at its position.
    pub struct Phrase {
        pub field: String,
        pub terms: Vec<(u32, Vec<String>)>,
        #[serde(default)]
        pub slop: u32,
    }
}

fn fifty() -> usize {
    50
}

operation! {
    /// A phrase whose last position is a prefix.
    pub struct PhrasePrefix {
        pub field: String,
        pub terms: Vec<(u32, Vec<String>)>,
        #[serde(default)]
        pub slop: u32,
        #[serde(default = "fifty")]
        pub max_expansions: usize,
    }
}

impl Operation for Phrase {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        bind_phrase(context, &self.field, &self.terms, self.slop, boost)
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        let what = MarkKind::Phrase { terms: self.terms.clone(), slop: self.slop, prefix: false };
        out.push(Mark { field: self.field.clone(), what, boost: self.boost });
    }
}

impl Operation for PhrasePrefix {
    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let Some(def) = context.field(&self.field) else { return Ok(NoneQuery::unmapped(&self.field)) };
        let field = positions_of(def)?;
        let mut terms = self.terms.clone();
        let Some((_, last)) = terms.last_mut() else {
            return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"empty phrase\")"));
        };
        *last = expand_prefixes(context.shard, field, last, self.max_expansions)?;
        if last.is_empty() {
            return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"no prefix matches\")"));
        }
        bind_phrase(context, &self.field, &terms, self.slop, boost)
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        let what = MarkKind::Phrase { terms: self.terms.clone(), slop: self.slop, prefix: true };
        out.push(Mark { field: self.field.clone(), what, boost: self.boost });
    }
}

/// The terms of a shard that begin with one of the prefixes, in order, segment by segment, up to a number.
fn expand_prefixes(shard: &ShardReader, field: Field, prefixes: &[String], limit: usize) -> Result<Vec<String>> {
    let mut found = std::collections::BTreeSet::new();
    for segment in &shard.segments {
        let index = segment.reader.inverted_index(field)?;
        for prefix in prefixes {
            let mut taken = 0;
            let mut stream = index.terms().range().ge(prefix.as_bytes()).into_stream()?;
            while taken < limit && stream.advance() && stream.key().starts_with(prefix.as_bytes()) {
                if let Ok(term) = std::str::from_utf8(stream.key()) {
                    found.insert(term.to_owned());
                }
                taken += 1;
            }
        }
    }
    Ok(found.into_iter().take(limit).collect())
}

fn positions_of(def: &FieldDef) -> Result<Field> {
    match def.field {
        Some(field) if def.kind == FieldKind::Text && def.indexed => Ok(field),
        _ => Err(Error::query_shard(format!(
            "failed to create query: field:[{}] was indexed without position data; cannot run PhraseQuery",
            def.path
        ))),
    }
}

fn bind_phrase(
    context: &Context<'_>,
    path: &str,
    terms: &[(u32, Vec<String>)],
    slop: u32,
    boost: f32,
) -> Result<BoxQuery> {
    let Some(def) = context.field(path) else { return Ok(NoneQuery::unmapped(path)) };
    let field = positions_of(def)?;
    if terms.is_empty() {
        return Ok(NoneQuery::boxed("MatchNoDocsQuery(\"empty phrase\")"));
    }
    let first = terms.iter().map(|(position, _)| *position).min().unwrap_or(0);
    let mut positions = Vec::with_capacity(terms.len());
    for (position, alternatives) in terms {
        let mut states = Vec::with_capacity(alternatives.len());
        for text in alternatives {
            let term = Term::from_field_text(field, text);
            states.push((text.clone(), context.states(&term)?));
        }
        positions.push(Position { offset: position - first, terms: states });
    }
    let statistics = context.statistics(def, field)?;
    let frequencies: Vec<(u64, &str)> = positions
        .iter()
        .flat_map(|position| &position.terms)
        .filter(|(_, states)| states.doc_freq > 0)
        .map(|(text, states)| (states.doc_freq, text.as_str()))
        .collect();
    let similarity = Arc::new(Bm25::new(boost, &statistics, &frequencies));
    Ok(Box::new(PhraseQuery { path: def.path.clone(), field, norms: def.norms, positions, slop, similarity }))
}

/// What may stand at one position of a phrase.
pub struct Position {
    offset: u32,
    terms: Vec<(String, TermStates)>,
}

struct PhraseQuery {
    path: String,
    field: Field,
    norms: bool,
    positions: Vec<Position>,
    slop: u32,
    similarity: Arc<Bm25>,
}

impl PhraseQuery {
    fn phrase_scorer(&self, segment: &SegmentView<'_>) -> Result<Option<PhraseScorer>> {
        let index = segment.segment.reader.inverted_index(self.field)?;
        let mut postings = Vec::with_capacity(self.positions.len());
        for position in &self.positions {
            match TermPositions::open(&index, position, segment.ord)? {
                Some(positions) => postings.push(positions),
                None => return Ok(None),
            }
        }
        let norms = norms(segment, self.field, self.norms)?;
        Ok(Some(PhraseScorer::new(postings, self.slop, norms, Arc::clone(&self.similarity))))
    }
}

impl Query for PhraseQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        Ok(match self.phrase_scorer(segment)? {
            Some(scorer) => Box::new(scorer),
            None => nothing(),
        })
    }

    fn explain(&self, segment: &SegmentView<'_>, doc: DocId) -> Result<Explanation> {
        let Some(mut scorer) = self.phrase_scorer(segment)? else {
            return Ok(Explanation::no_match("no matching terms"));
        };
        if !matches(&mut scorer, doc) {
            return Ok(Explanation::no_match("no matching phrase"));
        }
        let description = format!("weight({} in {doc}) [PerFieldSimilarity], result of:", self.describe());
        Ok(self
            .similarity
            .explain(scorer.frequency(), "phraseFreq=", scorer.length(), &description)
            .rename_frequency(scorer.frequency()))
    }

    fn describe(&self) -> String {
        let mut text = format!("{}:\"", self.path);
        for (i, position) in self.positions.iter().enumerate() {
            if i > 0 {
                text.push(' ');
            }
            match position.terms.as_slice() {
                [(term, _)] => text.push_str(term),
                terms => {
                    let names: Vec<&str> = terms.iter().map(|(term, _)| term.as_str()).collect();
                    text.push_str(&format!("({})", names.join(" ")));
                }
            }
        }
        text.push('"');
        if self.slop > 0 {
            text.push_str(&format!("~{}", self.slop));
        }
        text
    }

    fn is_empty(&self) -> bool {
        self.positions.iter().any(|position| position.terms.iter().all(|(_, states)| states.is_empty()))
    }

    fn cost(&self, _shard: &ShardReader) -> u64 {
        let rarest = self
            .positions
            .iter()
            .map(|position| position.terms.iter().map(|(_, states)| states.doc_freq).sum::<u64>())
            .min();
        rarest.unwrap_or(0) * 8
    }
}
