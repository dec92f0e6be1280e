//! `prefix`, `wildcard` and `regexp`: terms that a pattern accepts, constant score.

mod arena;
mod matcher;
mod parser;
mod walk;

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use tantivy::postings::TermInfo;
use tantivy::schema::Field;
use tantivy::termdict::TermDictionary;

pub use self::matcher::Pattern;
pub use self::walk::accepted_terms;
use super::boolean::Bool;
use super::constant::{Const, NoneQuery};
use super::range::{self, Bounds};
use super::term::TermOp;
use super::terms::AnyTerm;
use super::values;
use super::{Mark, MarkKind, Op, Operation};
use crate::interrupt::Patience;
use crate::mapping::{FieldDef, FieldKind};
use crate::search::query::{BoxQuery, Context};
use crate::{Error, Result, interrupt};

operation! {
    /// Terms that begin with a text.
    pub struct Prefix {
        pub field: String,
        pub value: String,
        #[serde(default)]
        pub case_insensitive: bool,
        /// How the terms found are scored; None: all alike.
        #[serde(default)]
        pub rewrite: Option<String>,
    }
}

operation! {
    /// Terms of a form with `?` for one character and `*` for any number.
    pub struct Wildcard {
        pub field: String,
        pub value: String,
        #[serde(default)]
        pub case_insensitive: bool,
        /// How the terms found are scored; None: all alike.
        #[serde(default)]
        pub rewrite: Option<String>,
    }
}

/// From this many terms on a column is scanned.
const MANY: usize = 256;

fn all_flags() -> String {
    "ALL".to_owned()
}

fn ten_thousand() -> usize {
    10_000
}

operation! {
    /// Terms that a Lucene regular expression matches as a whole.
    pub struct Regexp {
        pub field: String,
        pub value: String,
        #[serde(default = "all_flags")]
        pub flags: String,
        #[serde(default)]
        pub case_insensitive: bool,
        /// How the terms found are scored; None: all alike.
        #[serde(default)]
        pub rewrite: Option<String>,
        #[serde(default = "ten_thousand")]
        pub max_determinized_states: usize,
    }
}

impl Prefix {
    /// Where very many terms begin so, a scan of the column's ordinals is cheaper than all their postings.
    fn by_column(&self, context: &Context<'_>, field: Field, boost: f32) -> Result<Option<BoxQuery>> {
        let Some(def) = context.field(&self.field).filter(|def| def.column && def.kind == FieldKind::Keyword) else {
            return Ok(None);
        };
        let mut many = false;
        for segment in &context.shard.segments {
            let index = segment.reader.inverted_index(field)?;
            let mut stream = index.terms().range().ge(self.value.as_bytes()).into_stream()?;
            let mut count = 0;
            while count < MANY && stream.advance() && stream.key().starts_with(self.value.as_bytes()) {
                count += 1;
            }
            many |= count == MANY;
        }
        if !many {
            return Ok(None);
        }
        let lower = Bound::Included(self.value.clone());
        // No term has a character behind the last one that exists.
        let upper = Bound::Included(format!("{}{}", self.value, char::MAX));
        Ok(Some(range::bind_column(def, Bounds::Text(lower, upper), boost)))
    }

    fn pattern(&self) -> Pattern {
        Pattern::prefix(&self.value, self.case_insensitive)
    }
}

impl Regexp {
    fn pattern(&self) -> Result<Pattern> {
        Pattern::regexp(&self.value, &self.flags, self.case_insensitive, self.max_determinized_states)
    }
}

impl Operation for Prefix {
    fn expansion(&self, context: &Context<'_>) -> Result<u64> {
        if self.case_insensitive {
            return walk_cost(context, &self.field);
        }
        let Some((_, field)) = string_field(context, &self.field)? else { return Ok(0) };
        let mut terms = 0;
        for segment in &context.shard.segments {
            let index = segment.reader.inverted_index(field)?;
            terms += terms_with_prefix(index.terms(), self.value.as_bytes())?;
        }
        Ok(terms * COST_OF_TERM)
    }

    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let Some((path, field)) = string_field(context, &self.field)? else {
            return Ok(NoneQuery::unmapped(&self.field));
        };
        if let Some(rewrite) = &self.rewrite {
            return rewritten(context, &path, field, &self.pattern(), rewrite, boost);
        }
        if self.case_insensitive {
            return bind_pattern(context, &path, field, &self.pattern(), boost);
        }
        if let Some(query) = self.by_column(context, field, boost)? {
            return Ok(query);
        }
        let mut found = Vec::with_capacity(context.shard.segments.len());
        for segment in &context.shard.segments {
            let index = segment.reader.inverted_index(field)?;
            let mut stream = index.terms().range().ge(self.value.as_bytes()).into_stream()?;
            let mut infos = Vec::new();
            while stream.advance() && stream.key().starts_with(self.value.as_bytes()) {
                infos.push(stream.value().clone());
            }
            found.push(infos);
        }
        Ok(Box::new(AnyTerm::found(&format!("{path}:{}*", self.value), field, found, boost)))
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        out.push(Mark {
            field: self.field.clone(),
            what: MarkKind::Pattern(Arc::new(self.pattern())),
            boost: self.boost,
        });
    }
}

impl Operation for Wildcard {
    fn expansion(&self, context: &Context<'_>) -> Result<u64> {
        walk_cost(context, &self.field)
    }

    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let Some((path, field)) = string_field(context, &self.field)? else {
            return Ok(NoneQuery::unmapped(&self.field));
        };
        let pattern = Pattern::wildcard(&self.value, self.case_insensitive);
        if let Some(rewrite) = &self.rewrite {
            return rewritten(context, &path, field, &pattern, rewrite, boost);
        }
        bind_pattern(context, &path, field, &pattern, boost)
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        let pattern = Pattern::wildcard(&self.value, self.case_insensitive);
        out.push(Mark { field: self.field.clone(), what: MarkKind::Pattern(Arc::new(pattern)), boost: self.boost });
    }
}

impl Operation for Regexp {
    fn expansion(&self, context: &Context<'_>) -> Result<u64> {
        walk_cost(context, &self.field)
    }

    fn bind(&self, context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        let pattern =
            self.pattern().map_err(|fault| Error::query_shard(format!("failed to create query: {}", fault.reason)))?;
        let Some((path, field)) = string_field(context, &self.field)? else {
            return Ok(NoneQuery::unmapped(&self.field));
        };
        if let Some(rewrite) = &self.rewrite {
            return rewritten(context, &path, field, &pattern, rewrite, boost);
        }
        bind_pattern(context, &path, field, &pattern, boost)
    }

    fn marks(&self, out: &mut Vec<Mark>) {
        if let Ok(pattern) = self.pattern() {
            out.push(Mark { field: self.field.clone(), what: MarkKind::Pattern(Arc::new(pattern)), boost: self.boost });
        }
    }
}

/// Of a term with its postings, in documents.
const COST_OF_TERM: u64 = 64;
/// Of a term that a walk comes by.
const COST_OF_STEP: u64 = 4;

/// Of a walk through all terms of a field, in documents.
pub fn walk_cost(context: &Context<'_>, path: &str) -> Result<u64> {
    let Some((_, field)) = string_field(context, path)? else { return Ok(0) };
    let mut terms = 0;
    for segment in &context.shard.segments {
        terms += segment.reader.inverted_index(field)?.terms().num_terms() as u64;
    }
    Ok(terms * COST_OF_STEP)
}

/// The number of terms that begin so, from the places of the first of them and the first behind them.
fn terms_with_prefix(dictionary: &TermDictionary, prefix: &[u8]) -> Result<u64> {
    let place_of = |from: &[u8]| -> Result<u64> {
        let mut stream = dictionary.range().ge(from).into_stream()?;
        Ok(if stream.advance() { stream.term_ord() } else { dictionary.num_terms() as u64 })
    };
    // No term of UTF-8 has this byte.
    let behind = [prefix, &[0xff]].concat();
    Ok(place_of(&behind)? - place_of(prefix)?)
}

/// The path and terms of a field of strings.
pub fn string_field(context: &Context<'_>, path: &str) -> Result<Option<(String, Field)>> {
    let system = &context.mapping().system;
    match path {
        "_id" => return Ok(Some((path.to_owned(), system.id))),
        "_routing" => return Ok(Some((path.to_owned(), system.routing))),
        "_ignored" => return Ok(Some((path.to_owned(), system.ignored))),
        _ => {}
    }
    let Some(def) = context.field(path) else { return Ok(None) };
    checked(def).map(|field| Some((def.path.clone(), field)))
}

fn checked(def: &FieldDef) -> Result<Field> {
    if !matches!(def.kind, FieldKind::Text | FieldKind::Keyword) {
        return Err(Error::query_shard(format!(
            "Can only use queries on terms of keyword and text fields - not on [{}] which is of type [{}]",
            def.path,
            def.kind.name()
        )));
    }
    def.field.filter(|_| values::has_terms(def)).ok_or_else(|| {
        Error::query_shard(format!(
            "failed to create query: Cannot search on field [{}] since it is not indexed.",
            def.path
        ))
    })
}

/// Most clauses that OpenSearch lets a query grow to.
const MOST_CLAUSES: usize = 1024;

/// The terms that a pattern finds, each with its own score (`scoring_boolean`, `top_terms_N`), or with that of a constant
/// (`top_terms_boost_N`). Of too many the first in order are taken.
fn rewritten(
    context: &Context<'_>,
    path: &str,
    field: Field,
    pattern: &Pattern,
    rewrite: &str,
    boost: f32,
) -> Result<BoxQuery> {
    let most = rewrite.rsplit('_').next().and_then(|n| n.parse().ok());
    if rewrite.starts_with("top_terms_blended_freqs_") {
        return Err(Error::illegal_argument(format!("rewrite method [{rewrite}] is not supported")));
    }
    let mut found = BTreeSet::new();
    for segment in &context.shard.segments {
        let index = segment.reader.inverted_index(field)?;
        let mut stream = index.terms().search(pattern.automaton()).into_stream()?;
        while stream.advance() {
            found.insert(String::from_utf8_lossy(stream.key()).into_owned());
            if most.is_none() && found.len() > MOST_CLAUSES {
                return Err(Error::new("too_many_clauses", 400, format!("maxClauseCount is set to {MOST_CLAUSES}")));
            }
        }
        interrupt::check()?;
        pattern.check()?;
    }
    let constant = rewrite.starts_with("top_terms_boost_");
    let clause = |term: String| {
        let term = Op::Term(TermOp { field: path.to_owned(), value: term.into(), boost: 1.0, name: None });
        if constant { Op::Const(Const { query: Box::new(term), boost: 1.0, name: None }) } else { term }
    };
    let should: Vec<Op> = found.into_iter().take(most.unwrap_or(MOST_CLAUSES)).map(clause).collect();
    if should.is_empty() {
        return Ok(NoneQuery::unmapped(path));
    }
    let all = Bool {
        must: vec![],
        filter: vec![],
        should,
        must_not: vec![],
        minimum_should_match: Some(1),
        boost: 1.0,
        name: None,
    };
    all.bind(context, boost)
}

fn bind_pattern(context: &Context<'_>, path: &str, field: Field, pattern: &Pattern, boost: f32) -> Result<BoxQuery> {
    let mut found: Vec<Vec<TermInfo>> = Vec::with_capacity(context.shard.segments.len());
    let mut patience = Patience::default();
    for segment in &context.shard.segments {
        let index = segment.reader.inverted_index(field)?;
        let mut infos = Vec::new();
        let mut stream = index.terms().search(pattern.automaton()).into_stream()?;
        while stream.advance() {
            patience.turn()?;
            infos.push(stream.value().clone());
        }
        interrupt::check()?;
        found.push(infos);
        pattern.check()?;
    }
    Ok(Box::new(AnyTerm::found(&format!("{path}:{}", pattern.text()), field, found, boost)))
}
