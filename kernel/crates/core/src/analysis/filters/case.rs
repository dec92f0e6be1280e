//! `lowercase` and `uppercase`, with the rules of Greek, Irish and Turkish.

use super::Filter;
use crate::analysis::tokens::Tokens;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Any,
    Greek,
    Irish,
    Turkish,
}

pub struct Lowercase(pub Language);

pub struct Uppercase;

impl Filter for Lowercase {
    fn apply(&self, tokens: &mut Tokens) {
        if self.0 == Language::Any && tokens.arena.is_ascii() {
            // Every term lies in the arena; what lies there unused does not mind.
            tokens.arena.make_ascii_lowercase();
            return;
        }
        for i in 0..tokens.toks.len() {
            let term = tokens.term(i);
            if self.0 == Language::Any && !term.bytes().any(|b| b.is_ascii_uppercase() || b >= 128) {
                continue;
            }
            let lower = match self.0 {
                Language::Any => lower(term),
                Language::Greek => greek(term),
                Language::Irish => irish(term),
                Language::Turkish => turkish(term),
            };
            if lower != tokens.term(i) {
                tokens.set_term(i, &lower);
            }
        }
    }

    fn normalizes(&self) -> bool {
        true
    }
}

/// As Java's `Character.toLowerCase`: one character for one, no context (`İ` gives `i`, no final sigma).
pub fn lower_char(c: char) -> char {
    match c {
        '\u{130}' => 'i',
        _ => c.to_lowercase().next().unwrap_or(c),
    }
}

pub fn lower(term: &str) -> String {
    term.chars().map(lower_char).collect()
}

fn upper_char(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(u), None) => u,
        // No single upper-case character (ß, ligatures): Java leaves these alone.
        _ => c,
    }
}

fn greek(term: &str) -> String {
    let fold = |c: char| match c {
        'Ά' | 'ά' => 'α',
        'Έ' | 'έ' => 'ε',
        'Ή' | 'ή' => 'η',
        'Ί' | 'Ϊ' | 'ί' | 'ϊ' | 'ΐ' => 'ι',
        'Ύ' | 'Ϋ' | 'ύ' | 'ϋ' | 'ΰ' => 'υ',
        'Ό' | 'ό' => 'ο',
        'Ώ' | 'ώ' => 'ω',
        'ς' => 'σ',
        '\u{3A2}' => 'ς',
        _ => lower_char(c),
    };
    term.chars().map(fold).collect()
}

fn irish(term: &str) -> String {
    let mut chars = term.chars();
    let (first, second) = (chars.next(), chars.next());
    let vowel = |c: char| matches!(c, 'A' | 'E' | 'I' | 'O' | 'U' | 'Á' | 'É' | 'Í' | 'Ó' | 'Ú');
    match (first, second) {
        (Some(n @ ('n' | 't')), Some(v)) if vowel(v) => {
            let rest = &term[n.len_utf8()..];
            format!("{n}-{}", lower(rest))
        }
        _ => lower(term),
    }
}

fn turkish(term: &str) -> String {
    let mut out = String::with_capacity(term.len());
    let mut chars = term.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            'I' if chars.peek() == Some(&'\u{307}') => {
                chars.next();
                out.push('i');
            }
            'I' => out.push('ı'),
            'İ' => out.push('i'),
            _ => out.push(lower_char(c)),
        }
    }
    out
}

impl Filter for Uppercase {
    fn apply(&self, tokens: &mut Tokens) {
        if tokens.arena.is_ascii() {
            tokens.arena.make_ascii_uppercase();
            return;
        }
        for i in 0..tokens.toks.len() {
            let upper: String = tokens.term(i).chars().map(upper_char).collect();
            tokens.set_term(i, &upper);
        }
    }

    fn normalizes(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_rules() {
        assert_eq!(lower("ÄÖÜ İSTANBUL ΣΑΣ"), "äöü istanbul σασ");
        assert_eq!(turkish("ISPARTA İZMİR I\u{307}"), "ısparta izmir i");
        assert_eq!(greek("Μάϊος ΜΆΪΟΣ"), "μαιοσ μαιοσ");
        assert_eq!(irish("nAthair"), "n-athair");
        assert_eq!(irish("Siopadóireacht"), "siopadóireacht");
        assert_eq!("straße".chars().map(upper_char).collect::<String>(), "STRAßE");
    }
}
