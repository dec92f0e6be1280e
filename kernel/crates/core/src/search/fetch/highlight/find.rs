//! Which tokens of a text the marks of a query match.

use rustc_hash::{FxHashMap, FxHashSet};

use super::text::{FieldText, TextToken};
use crate::search::ops::{Mark, MarkKind, Near};

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
pub fn hits(text: &FieldText, marks: &[Mark]) -> Vec<TextHit> {
    let mut matched: FxHashMap<usize, f32> = FxHashMap::default();
    let mut keep = |at: usize, boost: f32| {
        let best = matched.entry(at).or_insert(boost);
        *best = best.max(boost);
    };
    for mark in marks {
        match &mark.what {
            MarkKind::Term(term) => each(text, &mut |token| text.term(token) == term, mark.boost, &mut keep),
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
    hits
}

fn each(text: &FieldText, matches: &mut dyn FnMut(&TextToken) -> bool, boost: f32, keep: &mut dyn FnMut(usize, f32)) {
    for (at, token) in text.tokens.iter().enumerate() {
        if matches(token) {
            keep(at, boost);
        }
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
            // The nearest occurrence that no other term of the phrase took.
            let nearest =
                other.iter().filter(|(_, at)| !chosen.contains(at)).min_by_key(|(place, _)| (place - start).abs());
            let Some((place, at)) = nearest else { break };
            low = low.min(*place);
            high = high.max(*place);
            chosen.push(*at);
        }
        if chosen.len() == terms.len() && high - low <= i64::from(slop) {
            found.extend(chosen);
        }
    }
    found
}
