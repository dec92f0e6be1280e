//! `ngram`, `edge_ngram` and `pattern_capture`: several terms at the position of one.

use fancy_regex::Regex;

use super::Filter;
use crate::analysis::tokens::{Tok, Tokens};

pub struct Grams {
    pub min: usize,
    pub max: usize,
    pub edges_only: bool,
    /// Edges at the end instead of the start.
    pub from_back: bool,
    pub preserve_original: bool,
}

impl Filter for Grams {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        let mut carried = 0;
        let given = old.len();
        for tok in old {
            if !tokens.has_room(given) {
                break;
            }
            carried += tok.inc;
            let mut emit = |at: u32, len: u32| {
                tokens.toks.push(Tok { at, len, inc: std::mem::take(&mut carried), ..tok });
            };
            let term = &tokens.arena[tok.at as usize..(tok.at + tok.len) as usize];
            let mut bounds: Vec<u32> = term.char_indices().map(|(i, _)| i as u32).collect();
            bounds.push(tok.len);
            let count = bounds.len() - 1;
            self.spans(count, |from, len| emit(tok.at + bounds[from], bounds[from + len] - bounds[from]));
            if self.preserve_original && !(self.min..=self.max).contains(&count) {
                emit(tok.at, tok.len);
            }
        }
        tokens.end_inc += carried;
    }
}

impl Grams {
    fn spans(&self, count: usize, mut span: impl FnMut(usize, usize)) {
        if self.edges_only {
            for len in self.min..=self.max.min(count) {
                span(if self.from_back { count - len } else { 0 }, len);
            }
            return;
        }
        for from in 0..count {
            for len in self.min..=self.max.min(count - from) {
                span(from, len);
            }
        }
    }
}

pub struct PatternCapture {
    pub patterns: Vec<Regex>,
    pub preserve_original: bool,
}

impl Filter for PatternCapture {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        for tok in old {
            let found = self.captures(&tokens.arena[tok.at as usize..(tok.at + tok.len) as usize]);
            let mut inc = tok.inc;
            if self.preserve_original || found.is_empty() {
                tokens.toks.push(tok);
                inc = 0;
            }
            for (from, to) in found {
                if self.preserve_original && (from, to) == (0, tok.len) {
                    continue;
                }
                tokens.toks.push(Tok { at: tok.at + from, len: to - from, inc: std::mem::take(&mut inc), ..tok });
            }
        }
    }
}

impl PatternCapture {
    /// Where the groups of all matches lie, in the order of their starts.
    fn captures(&self, term: &str) -> Vec<(u32, u32)> {
        let mut found = vec![];
        for regex in &self.patterns {
            for captures in regex.captures_iter(term).map_while(Result::ok) {
                let groups = (1..captures.len()).filter_map(|n| captures.get(n));
                found.extend(groups.filter(|m| m.end() > m.start()).map(|m| (m.start() as u32, m.end() as u32)));
            }
        }
        found.sort_by_key(|(start, _)| *start);
        found
    }
}
