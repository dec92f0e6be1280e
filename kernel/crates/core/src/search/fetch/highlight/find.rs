//! Which tokens of a text the marks of a query match.

use rustc_hash::{FxHashMap, FxHashSet};

use super::text::{FieldText, TextToken};
use crate::search::ops::{Mark, MarkKind, Near};
use crate::{Result, interrupt};

/// A matched token.
#[derive(Debug, Clone, PartialEq)]
pub struct TextHit {
    pub start: usize,
    pub end: usize,
    pub term: String,
    pub position: u32,
    pub boost: f32,
}

/// The matched tokens in the order of the text.
pub fn hits(text: &FieldText, marks: &[Mark]) -> Result<Vec<TextHit>> {
    let mut matched: FxHashMap<usize, f32> = FxHashMap::default();
    let terms = terms(marks);
    let mut keep = |at: usize, boost: f32| {
        let best = matched.entry(at).or_insert(boost);
        *best = best.max(boost);
    };
    if !terms.is_empty() {
        for (at, token) in text.tokens.iter().enumerate() {
            if let Some(boost) = terms.get(text.term(token)) {
                keep(at, *boost);
            }
        }
    }
    for mark in marks {
        interrupt::check_cancelled()?;
        match &mark.what {
            MarkKind::Term(_) => {}
            MarkKind::Pattern(pattern) => {
                each(text, &mut |token| pattern.matches(text.term(token)), mark.boost, &mut keep)
            }
            MarkKind::Fuzzy { text: wanted, edits, prefix, transpositions } => {
                let near = Near::new(wanted, *edits, *prefix, *transpositions);
                each(text, &mut |token| near.distance(text.term(token)).is_some(), mark.boost, &mut keep);
            }
            MarkKind::Phrase { terms, slop, prefix } => {
                for at in phrase(text, terms, *slop, *prefix) {
                    keep(at, mark.boost);
                }
            }
        }
    }
    let mut hits: Vec<TextHit> = matched
        .into_iter()
        .map(|(at, boost)| {
            let token = &text.tokens[at];
            let term = text.term(token).to_owned();
            TextHit { start: token.start, end: token.end, term, position: token.position, boost }
        })
        .collect();
    hits.sort_by_key(|hit| (hit.start, hit.end));
    Ok(hits)
}

/// The terms to mark, all found in one pass over the text, with the greatest of their boosts.
fn terms(marks: &[Mark]) -> FxHashMap<&str, f32> {
    let mut terms = FxHashMap::default();
    for mark in marks {
        if let MarkKind::Term(term) = &mark.what {
            let boost = terms.entry(term.as_str()).or_insert(mark.boost);
            *boost = mark.boost.max(*boost);
        }
    }
    terms
}

fn each(text: &FieldText, matches: &mut dyn FnMut(&TextToken) -> bool, boost: f32, keep: &mut dyn FnMut(usize, f32)) {
    for (at, token) in text.tokens.iter().enumerate() {
        if matches(token) {
            keep(at, boost);
        }
    }
}

/// The occurrence nearest to a place that no other term of the phrase took; of two as near the first. The places ascend.
fn nearest(places: &[(i64, usize)], wanted: i64, taken: &[usize]) -> Option<(i64, usize)> {
    let middle = places.partition_point(|(place, _)| *place < wanted);
    let free = |(_, at): &&(i64, usize)| !taken.contains(at);
    let before = places[..middle].iter().rev().find(free).map(|(place, _)| *place);
    // Of several at one place the first, as they stand in the text.
    let before = before.and_then(|found| {
        let from = places.partition_point(|(place, _)| *place < found);
        places[from..middle].iter().find(free)
    });
    let after = places[middle..].iter().find(free);
    match (before, after) {
        (Some(a), Some(b)) => Some(if wanted - a.0 <= b.0 - wanted { *a } else { *b }),
        (a, b) => a.or(b).copied(),
    }
}

/// Tokens that belong to an occurrence of a phrase.
fn phrase(text: &FieldText, terms: &[(u32, Vec<String>)], slop: u32, prefix: bool) -> FxHashSet<usize> {
    let first = terms.iter().map(|(position, _)| *position).min().unwrap_or(0);
    let mut found = FxHashSet::default();
    let mut places: Vec<Vec<(i64, usize)>> = Vec::with_capacity(terms.len());
    for (n, (position, alternatives)) in terms.iter().enumerate() {
        let begins = prefix && n + 1 == terms.len();
        let offset = i64::from(position - first);
        let matches = |token: &TextToken| {
            alternatives
                .iter()
                .any(|term| if begins { text.term(token).starts_with(term.as_str()) } else { text.term(token) == term })
        };
        places.push(
            text.tokens
                .iter()
                .enumerate()
                .filter(|(_, token)| matches(token))
                .map(|(at, token)| (i64::from(token.position) - offset, at))
                .collect(),
        );
    }
    let Some((lead, others)) = places.split_first() else { return found };
    for (start, at) in lead {
        let mut chosen = vec![*at];
        let (mut low, mut high) = (*start, *start);
        for other in others {
            let Some((place, at)) = nearest(other, *start, &chosen) else { break };
            low = low.min(place);
            high = high.max(place);
            chosen.push(at);
        }
        if chosen.len() == terms.len() && high - low <= i64::from(slop) {
            found.extend(chosen);
        }
    }
    found
}
