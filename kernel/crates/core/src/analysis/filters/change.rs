//! Filters that change each term by itself: trim, truncate, reverse, elision, apostrophe, pattern_replace.

use fancy_regex::Regex;

use super::Filter;
use super::select::Words;
use crate::analysis::regex::expand;
use crate::analysis::tokens::{Kind, Tokens};

/// Applies `change` to every term; None leaves it.
fn each(tokens: &mut Tokens, mut change: impl FnMut(&str) -> Option<String>) {
    for i in 0..tokens.toks.len() {
        if let Some(term) = change(tokens.term(i)) {
            tokens.set_term(i, &term);
        }
    }
}

pub struct Trim;

impl Filter for Trim {
    fn apply(&self, tokens: &mut Tokens) {
        let blank = |c: char| c <= ' ' || super::super::tokenizers::chars::is_whitespace(c);
        for i in 0..tokens.toks.len() {
            let term = tokens.term(i);
            let front = term.len() - term.trim_start_matches(blank).len();
            let len = term.trim_matches(blank).len();
            let tok = &mut tokens.toks[i];
            tok.at += front as u32;
            tok.len = len as u32;
        }
    }

    fn normalizes(&self) -> bool {
        true
    }
}

/// To so many UTF-16 units.
pub struct Truncate(pub usize);

impl Filter for Truncate {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            let mut units = 0;
            let fits = tokens.term(i).chars().take_while(|c| {
                units += c.len_utf16();
                units <= self.0
            });
            tokens.toks[i].len = fits.map(char::len_utf8).sum::<usize>() as u32;
        }
    }
}

pub struct Reverse;

impl Filter for Reverse {
    fn apply(&self, tokens: &mut Tokens) {
        each(tokens, |term| Some(term.chars().rev().collect()));
    }
}

/// Cuts off articles: `l'avion` gives `avion`.
pub struct Elision(pub Words);

impl Filter for Elision {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            let term = tokens.term(i);
            let Some((at, mark)) = term.char_indices().find(|(_, c)| matches!(c, '\'' | '’')) else {
                continue;
            };
            if self.0.contains(&term[..at]) {
                let cut = (at + mark.len_utf8()) as u32;
                tokens.toks[i].at += cut;
                tokens.toks[i].len -= cut;
            }
        }
    }

    fn normalizes(&self) -> bool {
        true
    }
}

/// Cuts off an apostrophe and what follows it.
pub struct Apostrophe;

impl Filter for Apostrophe {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            if let Some(at) = tokens.term(i).find(['\'', '’']) {
                tokens.toks[i].len = at as u32;
            }
        }
    }
}

/// What `classic` marks: `'s` of a word with an apostrophe goes, and the dots of an acronym.
pub struct Classic;

impl Filter for Classic {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            let term = tokens.term(i);
            match tokens.toks[i].kind {
                Kind::Apostrophe if term.ends_with("'s") || term.ends_with("'S") => tokens.toks[i].len -= 2,
                Kind::Acronym => {
                    let bare = term.replace('.', "");
                    tokens.set_term(i, &bare);
                }
                _ => {}
            }
        }
    }
}

/// Cuts off a delimiter and what follows it: a payload, which nothing here reads.
pub struct Payload(pub char);

impl Filter for Payload {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            if let Some(at) = tokens.term(i).find(self.0) {
                tokens.toks[i].len = at as u32;
            }
        }
    }
}

/// English `'s`.
pub struct Possessive;

impl Filter for Possessive {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            let term = tokens.term(i);
            let Some(stem) = term.strip_suffix(['s', 'S']) else {
                continue;
            };
            if let Some(bare) = stem.strip_suffix(['\'', '’', '＇']) {
                tokens.toks[i].len = bare.len() as u32;
            }
        }
    }
}

pub struct PatternReplace {
    pub regex: Regex,
    pub replacement: String,
    pub all: bool,
}

impl PatternReplace {
    /// None: nothing matches.
    pub fn replace(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        let mut from = 0;
        let mut found = false;
        for captures in self.regex.captures_iter(text).map_while(Result::ok) {
            let Some(whole) = captures.get(0) else { break };
            found = true;
            out.push_str(&text[from..whole.start()]);
            expand(&self.replacement, &captures, &mut out);
            from = whole.end();
            if !self.all {
                break;
            }
        }
        out.push_str(&text[from..]);
        found.then_some(out)
    }
}

impl Filter for PatternReplace {
    fn apply(&self, tokens: &mut Tokens) {
        each(tokens, |term| self.replace(term));
    }

    fn normalizes(&self) -> bool {
        true
    }
}
