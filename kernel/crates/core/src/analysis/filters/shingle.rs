//! `shingle` (word n-grams) and `fingerprint`.

use super::Filter;
use crate::analysis::tokens::{Kind, Tok, Tokens};

pub struct Shingle {
    pub min: usize,
    pub max: usize,
    pub unigrams: bool,
    pub unigrams_if_none: bool,
    pub separator: String,
    pub filler: String,
}

impl Filter for Shingle {
    fn apply(&self, tokens: &mut Tokens) {
        let window = self.with_fillers(tokens);
        let words = window.iter().flatten().count();
        let unigrams = self.unigrams || (self.unigrams_if_none && words < self.min.max(2));
        tokens.toks.clear();
        tokens.end_inc = 0;
        for from in 0..window.len() {
            self.at(from, &window, unigrams, tokens);
        }
    }
}

impl Shingle {
    /// The tokens with None for every hole, at most so many at the end as a shingle can reach.
    fn with_fillers(&self, tokens: &Tokens) -> Vec<Option<Tok>> {
        let mut window = vec![];
        for (n, tok) in tokens.toks.iter().enumerate() {
            // Increments of zero are positions of their own to a shingle, as are those before the first token.
            let holes = (tok.inc.max(1) - 1) as usize;
            window.extend(std::iter::repeat_n(None, if n == 0 { holes.min(self.max - 1) } else { holes.min(1000) }));
            window.push(Some(*tok));
        }
        let trailing = (tokens.end_inc as usize).min(self.max - 1);
        window.extend(std::iter::repeat_n(None, trailing));
        window
    }

    fn at(&self, from: usize, window: &[Option<Tok>], unigrams: bool, tokens: &mut Tokens) {
        let mut inc = 1;
        if let (Some(tok), true) = (window[from], unigrams) {
            tokens.toks.push(Tok { inc, pos_len: 1, ..tok });
            inc = 0;
        }
        for size in self.min..=self.max.min(window.len() - from) {
            let parts = &window[from..from + size];
            let Some(first) = parts.iter().flatten().next() else {
                continue;
            };
            let mut term = String::new();
            for (n, part) in parts.iter().enumerate() {
                if n > 0 {
                    term.push_str(&self.separator);
                }
                term.push_str(part.as_ref().map_or(&self.filler, |tok| tokens.text(tok)));
            }
            let end = parts.iter().flatten().map(|t| t.end).max().unwrap_or(first.end);
            let (at, len) = tokens.store(&term);
            tokens.toks.push(Tok { at, len, end, inc, pos_len: size as u32, kind: Kind::Shingle, ..*first });
            inc = 0;
        }
    }
}

/// All distinct terms, sorted, as one token; none if that is longer than allowed.
pub struct Fingerprint {
    pub max_output_size: usize,
    pub separator: String,
}

impl Filter for Fingerprint {
    fn apply(&self, tokens: &mut Tokens) {
        if tokens.toks.is_empty() {
            return;
        }
        let mut terms: Vec<&str> = tokens.toks.iter().map(|t| tokens.text(t)).collect();
        terms.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        terms.dedup();
        let joined = terms.join(&self.separator);
        let end = tokens.text_len.max(tokens.toks.last().map_or(0, |t| t.end));
        tokens.toks.clear();
        tokens.end_inc = 0;
        if joined.chars().count() <= self.max_output_size {
            tokens.push(&joined, 0, end as usize, Kind::Fingerprint);
        }
    }
}
