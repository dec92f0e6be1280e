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
        let words = window.iter().filter(|slot| slot.tok.is_some()).count();
        let unigrams = self.unigrams || (self.unigrams_if_none && words < self.min.max(2));
        tokens.toks.clear();
        tokens.end_inc = 0;
        for from in 0..window.len() {
            if !tokens.has_room(words) {
                break;
            }
            self.at(from, &window, unigrams, tokens);
        }
    }

    fn disables_graph(&self) -> bool {
        self.unigrams || self.min != self.max
    }
}

/// A token, or a hole where one was; holes lie at the start of the token behind them.
struct Slot {
    tok: Option<Tok>,
    start: u32,
    end: u32,
}

impl Shingle {
    /// The tokens with a hole for every one that was dropped, at most so many at the end as a shingle can reach.
    fn with_fillers(&self, tokens: &Tokens) -> Vec<Slot> {
        let mut window = vec![];
        let holes = |window: &mut Vec<Slot>, count: usize, at: u32| {
            window.extend(
                std::iter::repeat_with(|| Slot { tok: None, start: at, end: at }).take(count.min(self.max - 1)),
            );
        };
        for tok in &tokens.toks {
            holes(&mut window, (tok.inc.max(1) - 1) as usize, tok.start);
            window.push(Slot { tok: Some(*tok), start: tok.start, end: tok.end });
        }
        holes(&mut window, tokens.end_inc as usize, tokens.text_len);
        window
    }

    fn at(&self, from: usize, window: &[Slot], unigrams: bool, tokens: &mut Tokens) {
        let mut inc = 1;
        if let (Some(tok), true) = (window[from].tok, unigrams) {
            tokens.toks.push(Tok { inc, pos_len: 1, ..tok });
            inc = 0;
        }
        for size in self.min..=self.max.min(window.len() - from) {
            if tokens.overflowed {
                return;
            }
            let parts = &window[from..from + size];
            let Some(first) = parts.iter().find_map(|slot| slot.tok) else {
                continue;
            };
            let mut term = String::new();
            for (n, part) in parts.iter().enumerate() {
                if n > 0 {
                    term.push_str(&self.separator);
                }
                term.push_str(part.tok.as_ref().map_or(&self.filler, |tok| tokens.text(tok)));
            }
            let (start, end) = (parts[0].start, parts[size - 1].end);
            let pos_len = if unigrams { size } else { size - self.min + 1 } as u32;
            let (at, len) = tokens.store(&term);
            tokens.toks.push(Tok { at, len, start, end, inc, pos_len, kind: Kind::Shingle, ..first });
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
