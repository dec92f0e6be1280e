//! The values of a field as one text, and its tokens.

use crate::analysis::tokens::Tokens;
use crate::mapping::{FieldDef, FieldKind, Mapping};

/// Stands between values; never shown.
pub const SEPARATOR: char = '\0';

/// A token of the text; offsets are characters.
#[derive(Debug, Clone)]
pub struct TextToken {
    /// Where its term stands in the terms of all tokens.
    term: (usize, usize),
    pub position: u32,
    pub start: usize,
    pub end: usize,
}

/// All values, a separator between them.
#[derive(Default)]
pub struct FieldText {
    pub chars: Vec<char>,
    /// In the order of positions.
    pub tokens: Vec<TextToken>,
    /// One behind the other: a text has many tokens, few are shown.
    terms: String,
    /// Where each value stands.
    pub values: Vec<(usize, usize)>,
}

impl FieldText {
    /// Analyses as at index time.
    pub fn analyse(mapping: &Mapping, def: &FieldDef, values: &[String]) -> FieldText {
        let mut text = FieldText::default();
        let mut next = 0u32;
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                text.chars.push(SEPARATOR);
                next += def.position_increment_gap;
            }
            let base = text.chars.len();
            text.chars.reserve(value.len());
            text.chars.extend(value.chars());
            text.values.push((base, text.chars.len()));
            if def.kind == FieldKind::Text {
                text.push_tokens(mapping, def, value, base, &mut next);
            } else {
                let normalizer = def.analyzer.as_deref().and_then(|name| mapping.analyzers.normalizer(name));
                let term = normalizer.map_or_else(|| value.clone(), |normalizer| normalizer.normalize(value));
                let end = text.chars.len();
                text.push(&term, next, base, end);
                next += 1;
            }
        }
        text
    }

    fn push_tokens(&mut self, mapping: &Mapping, def: &FieldDef, value: &str, base: usize, next: &mut u32) {
        let name = def.analyzer.as_deref().unwrap_or(mapping.analyzers.default_name());
        let Some(analyzer) = mapping.analyzers.get(name) else { return };
        let mut tokens = Tokens::with_room_for(value);
        analyzer.run(value, &mut tokens);
        let places = CharPlaces::new(value);
        self.tokens.reserve(tokens.toks.len());
        self.terms.reserve(tokens.arena.len());
        for tok in &tokens.toks {
            *next += tok.inc;
            let (start, end) = (base + places.of(tok.start), base + places.of(tok.end));
            self.push(tokens.text(tok), next.saturating_sub(1), start, end);
        }
        *next += tokens.end_inc;
    }

    pub fn push(&mut self, term: &str, position: u32, start: usize, end: usize) {
        let at = self.terms.len();
        self.terms.push_str(term);
        self.tokens.push(TextToken { term: (at, self.terms.len()), position, start, end });
    }

    #[inline]
    pub fn term(&self, token: &TextToken) -> &str {
        &self.terms[token.term.0..token.term.1]
    }
}

/// From offsets of bytes to those of characters.
struct CharPlaces {
    /// Empty where both are the same.
    places: Vec<usize>,
    count: usize,
}

impl CharPlaces {
    fn new(value: &str) -> Self {
        if value.is_ascii() {
            return CharPlaces { places: Vec::new(), count: value.len() };
        }
        let mut places = vec![0usize; value.len() + 1];
        let mut count = 0;
        for (at, _) in value.char_indices() {
            places[at] = count;
            count += 1;
        }
        places[value.len()] = count;
        CharPlaces { places, count }
    }

    fn of(&self, byte: u32) -> usize {
        let byte = byte as usize;
        if self.places.is_empty() { byte.min(self.count) } else { self.places.get(byte).copied().unwrap_or(self.count) }
    }
}
