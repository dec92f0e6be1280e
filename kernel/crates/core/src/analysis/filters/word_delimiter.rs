//! `word_delimiter` and `word_delimiter_graph`: splits words at punctuation, changes of case and between letters and digits.

use super::Filter;
use super::select::Words;
use crate::analysis::tokens::{Tok, Tokens};

const LOWER: u8 = 1;
const UPPER: u8 = 2;
const DIGIT: u8 = 4;
const DELIMITER: u8 = 8;
const ALPHA: u8 = LOWER | UPPER;
const ALPHANUM: u8 = ALPHA | DIGIT;

pub struct WordDelimiter {
    pub generate_word_parts: bool,
    pub generate_number_parts: bool,
    pub catenate_words: bool,
    pub catenate_numbers: bool,
    pub catenate_all: bool,
    pub preserve_original: bool,
    pub split_on_case_change: bool,
    pub split_on_numerics: bool,
    pub stem_english_possessive: bool,
    pub adjust_offsets: bool,
    pub ignore_keywords: bool,
    pub protected: Words,
    /// Overrides of the class of single characters.
    pub types: Vec<(char, u8)>,
    /// The newer filter: position lengths, longer pieces first.
    pub graph: bool,
}

/// One part of a word: where it lies in the term, and its class.
#[derive(Debug, Clone, Copy)]
struct Part {
    from: usize,
    to: usize,
    class: u8,
}

/// A piece to put out: the parts it spans, and where it lies.
struct Piece {
    first: usize,
    last: usize,
    term: String,
    from: usize,
    to: usize,
    original: bool,
}

/// The class named in `type_table`.
pub fn class_named(name: &str) -> Option<u8> {
    Some(match name {
        "LOWER" => LOWER,
        "UPPER" => UPPER,
        "ALPHA" => ALPHA,
        "DIGIT" => DIGIT,
        "ALPHANUM" => ALPHANUM,
        "SUBWORD_DELIM" => DELIMITER,
        _ => return None,
    })
}

impl WordDelimiter {
    fn class(&self, c: char) -> u8 {
        if let Some((_, class)) = self.types.iter().find(|(typed, _)| *typed == c) {
            return *class;
        }
        if c.is_lowercase() {
            LOWER
        } else if c.is_uppercase() {
            UPPER
        } else if c.is_alphabetic() {
            ALPHA
        } else if c.is_numeric() {
            DIGIT
        } else {
            DELIMITER
        }
    }

    fn breaks(&self, last: u8, now: u8) -> bool {
        if last & now != 0 {
            return false;
        }
        let letters = |c: u8| c & ALPHA != 0;
        if !self.split_on_case_change && letters(last) && letters(now) {
            return false;
        }
        // Upper before lower is the start of a capitalised word.
        if last == UPPER && letters(now) {
            return false;
        }
        self.split_on_numerics || !((letters(last) && now & DIGIT != 0) || (last & DIGIT != 0 && letters(now)))
    }

    fn parts(&self, term: &str) -> Vec<Part> {
        let chars: Vec<(usize, u8)> = term.char_indices().map(|(at, c)| (at, self.class(c))).collect();
        let at = |i: usize| chars.get(i).map_or(term.len(), |(at, _)| *at);
        let mut parts = vec![];
        let mut i = 0;
        while i < chars.len() {
            if chars[i].1 == DELIMITER {
                i += 1;
                continue;
            }
            let start = i;
            let mut last = chars[i].1;
            i += 1;
            while i < chars.len() && chars[i].1 != DELIMITER && !self.breaks(last, chars[i].1) {
                last = chars[i].1;
                i += 1;
            }
            parts.push(Part { from: at(start), to: at(i), class: chars[start].1 });
            if self.stem_english_possessive
                && chars[i - 1].1 & ALPHA != 0
                && possessive(&term[at(i)..], |c| self.class(c))
            {
                i += 2;
            }
        }
        parts
    }

    fn generates(&self, class: u8) -> bool {
        (class & ALPHA != 0 && self.generate_word_parts) || (class & DIGIT != 0 && self.generate_number_parts)
    }

    /// What a term becomes; empty: it goes out as it is.
    fn pieces(&self, term: &str, parts: &[Part]) -> Vec<Piece> {
        let mut pieces = vec![];
        let mut add = |first: usize, last: usize| {
            let joined = parts[first..=last].iter().map(|p| &term[p.from..p.to]).collect();
            pieces.push(Piece {
                first,
                last,
                term: joined,
                from: parts[first].from,
                to: parts[last].to,
                original: false,
            });
        };
        if parts.len() == 1 {
            // A word that only has delimiters around it always goes out.
            add(0, 0);
            return pieces;
        }
        let mut i = 0;
        while i < parts.len() {
            let word = parts[i].class & ALPHA != 0;
            let same = |p: &Part| (p.class & ALPHA != 0) == word;
            let end = i + parts[i..].iter().take_while(|p| same(p)).count();
            let catenate = if word { self.catenate_words } else { self.catenate_numbers };
            for (n, part) in parts.iter().enumerate().take(end).skip(i) {
                if self.generates(part.class) {
                    add(n, n);
                }
            }
            if catenate && (end - i > 1 || !self.generates(parts[i].class)) {
                add(i, end - 1);
            }
            i = end;
        }
        let last = parts.len() - 1;
        let run_is_all = parts.iter().all(|p| (p.class & ALPHA != 0) == (parts[0].class & ALPHA != 0))
            && self.catenates(parts[0].class);
        if self.catenate_all && !run_is_all {
            add(0, last);
        }
        pieces
    }

    fn catenates(&self, class: u8) -> bool {
        if class & ALPHA != 0 { self.catenate_words } else { self.catenate_numbers }
    }

    fn token(&self, tok: &Tok, carried: &mut u32, tokens: &mut Tokens) {
        let term = tokens.text(tok).to_owned();
        *carried += tok.inc;
        let parts = self.parts(&term);
        if parts.is_empty() && !self.graph && !self.preserve_original && tok.inc == 1 && !tokens.toks.is_empty() {
            // The older filter leaves no hole for a word of delimiters.
            *carried -= 1;
            return;
        }
        let whole = parts.len() == 1 && parts[0].from == 0 && parts[0].to == term.len();
        let left_alone = whole || self.protected.contains(&term) || (self.ignore_keywords && tok.keyword);
        if left_alone {
            tokens.toks.push(Tok { inc: std::mem::take(carried), ..*tok });
            return;
        }
        let mut pieces = if parts.is_empty() { vec![] } else { self.pieces(&term, &parts) };
        if self.preserve_original {
            let last = parts.len().saturating_sub(1);
            let original = Piece { first: 0, last, term: term.clone(), from: 0, to: term.len(), original: true };
            pieces.insert(0, original);
        }
        self.put(tok, &term, pieces, carried, tokens);
    }

    fn put(&self, tok: &Tok, term: &str, mut pieces: Vec<Piece>, carried: &mut u32, tokens: &mut Tokens) {
        // Positions count the parts that are put out, or begin something that is.
        let mut starts: Vec<usize> = pieces.iter().map(|p| p.first).collect();
        starts.sort_unstable();
        starts.dedup();
        if self.graph {
            pieces.sort_by_key(|p| (p.first, std::cmp::Reverse(p.last), !p.original));
        } else {
            pieces.sort_by_key(|p| (p.first, !p.original, p.last));
        }
        let literal = (tok.end - tok.start) as usize == term.len() && self.adjust_offsets;
        let mut last_node = None;
        for piece in pieces {
            let node = starts.partition_point(|s| *s < piece.first);
            let behind = starts.partition_point(|s| *s <= piece.last).max(node + 1);
            let inc = match last_node {
                None => std::mem::take(carried),
                Some(last) => (node - last) as u32,
            };
            last_node = Some(node);
            let (start, end) = if literal {
                (tok.start + piece.from as u32, tok.start + piece.to as u32)
            } else {
                (tok.start, tok.end)
            };
            let (at, len) = tokens.store(&piece.term);
            let pos_len = if self.graph { (behind - node) as u32 } else { 1 };
            tokens.toks.push(Tok { at, len, start, end, inc, pos_len, ..*tok });
        }
    }
}

/// `'s` at the end of a word or before a delimiter.
fn possessive(rest: &str, class: impl Fn(char) -> u8) -> bool {
    let mut chars = rest.chars();
    chars.next() == Some('\'')
        && matches!(chars.next(), Some('s' | 'S'))
        && chars.next().is_none_or(|c| class(c) == DELIMITER)
}

impl Filter for WordDelimiter {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        let mut carried = 0;
        for tok in old {
            self.token(&tok, &mut carried, tokens);
        }
        tokens.end_inc += carried;
    }

    fn sees_keywords(&self) -> bool {
        true
    }
}
