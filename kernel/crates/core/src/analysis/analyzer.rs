//! An analyzer: char filters, one tokenizer, token filters; and its face towards tantivy.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashSet;
use tantivy::tokenizer::{PreTokenizedString, Token, TokenStream};

use super::charfilters::CharFilter;
use super::filters::Filter;
use super::tokenizers::Tokenizer;
use super::tokens::{OffsetMap, Tokens};

/// Default gap between two values of a text field.
pub const POSITION_GAP: u32 = 100;

#[derive(Clone)]
pub struct Analyzer {
    pub name: String,
    pub char_filters: Vec<(String, Arc<dyn CharFilter>)>,
    pub tokenizer: (String, Arc<dyn Tokenizer>),
    pub filters: Vec<(String, Arc<dyn Filter>)>,
    pub position_increment_gap: u32,
}

/// A token as queries and `_analyze` want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOut {
    pub term: String,
    pub position: u32,
    pub position_length: u32,
    /// In UTF-16 units, as Java counts.
    pub start: u32,
    pub end: u32,
    pub kind: &'static str,
    pub keyword: bool,
}

impl Analyzer {
    /// Runs all stages; offsets are bytes of `text`.
    pub fn run(&self, text: &str, out: &mut Tokens) {
        out.clear();
        self.tokenize(text, out);
        out.text_len = text.len() as u32;
        for (_, filter) in &self.filters {
            filter.apply(out);
        }
    }

    /// Char filters and tokenizer only.
    pub fn tokenize(&self, text: &str, out: &mut Tokens) {
        if self.char_filters.is_empty() {
            return self.tokenizer.1.tokenize(text, out);
        }
        let (filtered, maps) = self.filter_chars(text);
        self.tokenizer.1.tokenize(&filtered, out);
        for tok in &mut out.toks {
            for map in maps.iter().rev() {
                tok.start = map.correct(tok.start);
                tok.end = map.correct(tok.end);
            }
            tok.start = floor_char(text, tok.start);
            tok.end = floor_char(text, tok.end).max(tok.start);
        }
    }

    /// The text behind all char filters, and the way back of the offsets.
    pub fn filter_chars<'a>(&self, text: &'a str) -> (Cow<'a, str>, Vec<OffsetMap>) {
        let mut current = Cow::Borrowed(text);
        let mut maps = Vec::with_capacity(self.char_filters.len());
        for (_, filter) in &self.char_filters {
            let (next, map) = filter.filter(&current);
            current = Cow::Owned(next);
            maps.push(map);
        }
        (current, maps)
    }

    /// The tokens for a query. Shingles of several sizes do not line up as a graph: their lengths are left out, as in OpenSearch.
    pub fn tokens(&self, text: &str) -> Vec<TokenOut> {
        let mut tokens = Tokens::default();
        self.run(text, &mut tokens);
        let mut out = tokens_out(&tokens, text);
        if self.filters.iter().any(|(_, filter)| filter.disables_graph()) {
            out.iter_mut().for_each(|token| token.position_length = 1);
        }
        out
    }

    /// Several values of one field as one stream, `gap` positions between them. Offsets count on from value to value.
    pub fn join(&self, values: &[&str], gap: u32) -> PreTokenizedString {
        let mut joined = PreTokenizedString { text: String::new(), tokens: vec![] };
        let mut batch = Tokens::default();
        let (mut next, mut offset) = (0usize, 0usize);
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                next += gap as usize;
                offset += 1;
            }
            self.run(value, &mut batch);
            for tok in &batch.toks {
                next += tok.inc as usize;
                joined.tokens.push(Token {
                    offset_from: offset + tok.start as usize,
                    offset_to: offset + tok.end as usize,
                    position: next.saturating_sub(1),
                    text: batch.text(tok).to_owned(),
                    position_length: tok.pos_len as usize,
                });
            }
            next += batch.end_inc as usize;
            offset += value.len();
        }
        joined
    }

    /// The one term that a normalizer makes of a value; also what is done to the terms of prefix and wildcard queries.
    pub fn normalize(&self, text: &str) -> String {
        let mut tokens = Tokens::default();
        let (filtered, _) = self.filter_chars(text);
        tokens.push(&filtered, 0, text.len(), super::tokens::Kind::Word);
        for (_, filter) in self.filters.iter().filter(|(_, f)| f.normalizes()) {
            filter.apply(&mut tokens);
        }
        match tokens.toks.first() {
            Some(tok) => tokens.text(tok).to_owned(),
            None => String::new(),
        }
    }
}

fn floor_char(text: &str, offset: u32) -> u32 {
    let mut at = (offset as usize).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at as u32
}

/// Tokens with absolute positions and UTF-16 offsets.
pub fn tokens_out(tokens: &Tokens, text: &str) -> Vec<TokenOut> {
    let utf16 = Utf16Offsets::new(text);
    let one = |(tok, position): (&super::tokens::Tok, u32)| TokenOut {
        term: tokens.text(tok).to_owned(),
        position,
        position_length: tok.pos_len,
        start: utf16.of(tok.start),
        end: utf16.of(tok.end),
        kind: tok.kind.name(),
        keyword: tok.keyword,
    };
    tokens.positions().map(one).collect()
}

/// From byte offsets to UTF-16 offsets.
struct Utf16Offsets {
    /// (byte offset after a non-ASCII character, bytes that UTF-16 does not count so far).
    shifts: Vec<(u32, u32)>,
}

impl Utf16Offsets {
    fn new(text: &str) -> Self {
        let mut shifts = vec![];
        let mut lost = 0;
        if !text.is_ascii() {
            for (at, c) in text.char_indices().filter(|(_, c)| !c.is_ascii()) {
                lost += (c.len_utf8() - c.len_utf16()) as u32;
                shifts.push(((at + c.len_utf8()) as u32, lost));
            }
        }
        Self { shifts }
    }

    fn of(&self, byte: u32) -> u32 {
        let i = self.shifts.partition_point(|(at, _)| *at <= byte);
        if i == 0 { byte } else { byte - self.shifts[i - 1].1 }
    }
}

/// Tokens of the document at hand, and how many of them lie over the one before.
#[derive(Debug, Default)]
pub struct TokenCounts {
    all: AtomicU32,
    overlapping: AtomicU32,
    /// The distinct terms, where they alone make the length.
    distinct: Option<Mutex<FxHashSet<String>>>,
}

impl TokenCounts {
    /// Of a field whose index knows documents only: there Lucene counts distinct terms.
    pub fn distinct() -> Self {
        Self { distinct: Some(Mutex::default()), ..Self::default() }
    }

    fn add(&self, tokens: &Tokens) {
        let overlapping = tokens.toks.iter().filter(|tok| tok.inc == 0).count();
        self.all.fetch_add(tokens.toks.len() as u32, Ordering::Relaxed);
        self.overlapping.fetch_add(overlapping as u32, Ordering::Relaxed);
        if let Some(distinct) = &self.distinct {
            distinct.lock().extend(tokens.toks.iter().map(|tok| tokens.text(tok).to_owned()));
        }
    }

    /// The length of the field as Lucene counts it (overlaps discounted), where that is not the number of tokens; starts anew.
    pub fn discounted(&self) -> Option<u32> {
        if let Some(distinct) = &self.distinct {
            let count = std::mem::take(&mut *distinct.lock()).len() as u32;
            return (count > 0).then_some(count);
        }
        let all = self.all.swap(0, Ordering::Relaxed);
        let overlapping = self.overlapping.swap(0, Ordering::Relaxed);
        (overlapping > 0).then_some(all - overlapping)
    }
}

/// An analyzer as tantivy's indexer calls it; keeps its buffers from text to text.
#[derive(Clone)]
pub struct IndexTokenizer {
    analyzer: Arc<Analyzer>,
    tokens: Tokens,
    token: Token,
    counts: Arc<TokenCounts>,
}

impl IndexTokenizer {
    /// `counts` are added to with every text.
    pub fn new(analyzer: Arc<Analyzer>, counts: Arc<TokenCounts>) -> Self {
        Self { analyzer, tokens: Tokens::default(), token: Token::default(), counts }
    }
}

impl tantivy::tokenizer::Tokenizer for IndexTokenizer {
    type TokenStream<'a> = IndexStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> IndexStream<'a> {
        self.analyzer.run(text, &mut self.tokens);
        self.counts.add(&self.tokens);
        self.token.reset();
        IndexStream { tokens: &self.tokens, token: &mut self.token, next: 0, position: 0 }
    }
}

pub struct IndexStream<'a> {
    tokens: &'a Tokens,
    token: &'a mut Token,
    next: usize,
    /// Of the token to come, less its increment.
    position: usize,
}

impl TokenStream for IndexStream<'_> {
    #[inline]
    fn advance(&mut self) -> bool {
        let Some(tok) = self.tokens.toks.get(self.next) else {
            return false;
        };
        self.next += 1;
        self.position += tok.inc as usize;
        self.token.text.clear();
        self.token.text.push_str(self.tokens.text(tok));
        self.token.offset_from = tok.start as usize;
        self.token.offset_to = tok.end as usize;
        self.token.position = self.position.saturating_sub(1);
        self.token.position_length = tok.pos_len as usize;
        true
    }

    #[inline]
    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
