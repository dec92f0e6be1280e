//! The values of a field as one text, and its tokens.

use crate::analysis::tokens::Tokens;
use crate::mapping::{FieldDef, FieldKind, Mapping};

/// Stands between values; never shown.
pub const SEPARATOR: char = '\0';

/// A token of the text; offsets are characters.
#[derive(Debug, Clone)]
pub struct TextToken {
    pub term: String,
    pub position: u32,
    pub start: usize,
    pub end: usize,
}

/// All values, a separator between them.
pub struct FieldText {
    pub chars: Vec<char>,
    /// In the order of positions.
    pub tokens: Vec<TextToken>,
    /// Where each value stands.
    pub values: Vec<(usize, usize)>,
}

impl FieldText {
    /// Analyses as at index time.
    pub fn analyse(mapping: &Mapping, def: &FieldDef, values: &[String]) -> FieldText {
        let mut text = FieldText { chars: Vec::new(), tokens: Vec::new(), values: Vec::new() };
        let mut next = 0u32;
        for (n, value) in values.iter().enumerate() {
            if n > 0 {
                text.chars.push(SEPARATOR);
                next += def.position_increment_gap;
            }
            let base = text.chars.len();
            text.chars.extend(value.chars());
            text.values.push((base, text.chars.len()));
            if def.kind == FieldKind::Text {
                text.push_tokens(mapping, def, value, base, &mut next);
            } else {
                let normalizer = def.analyzer.as_deref().and_then(|name| mapping.analyzers.normalizer(name));
                let term = normalizer.map_or_else(|| value.clone(), |normalizer| normalizer.normalize(value));
                let end = text.chars.len();
                text.tokens.push(TextToken { term, position: next, start: base, end });
                next += 1;
            }
        }
        text
    }

    fn push_tokens(&mut self, mapping: &Mapping, def: &FieldDef, value: &str, base: usize, next: &mut u32) {
        let name = def.analyzer.as_deref().unwrap_or(mapping.analyzers.default_name());
        let Some(analyzer) = mapping.analyzers.get(name) else { return };
        let mut tokens = Tokens::default();
        analyzer.run(value, &mut tokens);
        // Byte offsets become those of characters.
        let mut places = vec![0usize; value.len() + 1];
        let mut count = 0;
        for (at, _) in value.char_indices() {
            places[at] = count;
            count += 1;
        }
        places[value.len()] = count;
        let place = |offset: u32| base + places.get(offset as usize).copied().unwrap_or(count);
        for tok in &tokens.toks {
            *next += tok.inc;
            let position = next.saturating_sub(1);
            self.tokens.push(TextToken {
                term: tokens.text(tok).to_owned(),
                position,
                start: place(tok.start),
                end: place(tok.end),
            });
        }
        *next += tokens.end_inc;
    }
}
