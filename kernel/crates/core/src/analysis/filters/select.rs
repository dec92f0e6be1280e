//! Filters that drop tokens: stop, keep, keep_types, length, limit, unique.

use rustc_hash::FxHashSet;

use super::Filter;
use super::case::lower;
use crate::analysis::tokens::{Kind, Tokens};

/// A set of words, perhaps without regard to case.
#[derive(Default, Clone)]
pub struct Words {
    words: FxHashSet<Box<str>>,
    ignore_case: bool,
}

impl Words {
    pub fn new<S: AsRef<str>>(words: impl IntoIterator<Item = S>, ignore_case: bool) -> Self {
        let own = |w: S| if ignore_case { lower(w.as_ref()).into() } else { w.as_ref().into() };
        Self { words: words.into_iter().map(own).collect(), ignore_case }
    }

    pub fn contains(&self, word: &str) -> bool {
        if self.ignore_case { self.words.contains(lower(word).as_str()) } else { self.words.contains(word) }
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

pub struct Stop {
    pub words: Words,
    /// False: a stop word that ends the text may be the beginning of a longer word, and stays.
    pub remove_trailing: bool,
}

impl Filter for Stop {
    fn apply(&self, tokens: &mut Tokens) {
        let last = tokens.toks.last().map(|t| t.at);
        tokens.retain(|term, tok| !self.words.contains(term) || (!self.remove_trailing && Some(tok.at) == last));
    }
}

pub struct Keep(pub Words);

impl Filter for Keep {
    fn apply(&self, tokens: &mut Tokens) {
        tokens.retain(|term, _| self.0.contains(term));
    }
}

pub struct KeepTypes {
    pub types: Vec<Kind>,
    pub exclude: bool,
}

impl Filter for KeepTypes {
    fn apply(&self, tokens: &mut Tokens) {
        tokens.retain(|_, tok| self.types.contains(&tok.kind) != self.exclude);
    }
}

/// In UTF-16 units.
pub struct Length {
    pub min: usize,
    pub max: usize,
}

impl Filter for Length {
    fn apply(&self, tokens: &mut Tokens) {
        tokens.retain(|term, _| (self.min..=self.max).contains(&utf16_len(term)));
    }
}

pub fn utf16_len(term: &str) -> usize {
    if term.is_ascii() { term.len() } else { term.encode_utf16().count() }
}

pub struct Limit(pub usize);

impl Filter for Limit {
    fn apply(&self, tokens: &mut Tokens) {
        if tokens.toks.len() > self.0 {
            tokens.toks.truncate(self.0);
            tokens.end_inc = 0;
        }
    }
}

/// Drops what came before, in the whole stream or at one position.
pub struct Unique {
    pub only_on_same_position: bool,
}

impl Filter for Unique {
    fn apply(&self, tokens: &mut Tokens) {
        let mut seen: FxHashSet<String> = FxHashSet::default();
        let Tokens { arena, toks, .. } = tokens;
        toks.retain(|tok| {
            if self.only_on_same_position && tok.inc > 0 {
                seen.clear();
            }
            seen.insert(arena[tok.at as usize..(tok.at + tok.len) as usize].to_owned())
        });
    }
}
