//! Tokenizers that look at one character at a time: whitespace, letter, lowercase, keyword, char_group.

use super::Tokenizer;
use super::standard::emit;
use crate::analysis::filters::case::lower;
use crate::analysis::tokens::{Kind, Tokens};

/// Runs of characters that `keep` takes, cut at `max` UTF-16 units.
pub struct Runs<F> {
    pub keep: F,
    pub max: usize,
    pub lowercase: bool,
}

impl<F: Fn(char) -> bool + Send + Sync> Tokenizer for Runs<F> {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        let mut start = None;
        for (at, c) in text.char_indices() {
            match (start, (self.keep)(c)) {
                (None, true) => start = Some(at),
                (Some(from), false) => {
                    emit(out, text, from, at, Kind::Word, self.max);
                    start = None;
                }
                _ => {}
            }
        }
        if let Some(from) = start {
            emit(out, text, from, text.len(), Kind::Word, self.max);
        }
        if self.lowercase {
            for i in 0..out.toks.len() {
                let term = lower(out.term(i));
                out.set_term(i, &term);
            }
        }
    }
}

/// As Java's `Character.isWhitespace`: no-break spaces are none.
pub fn is_whitespace(c: char) -> bool {
    match c {
        '\u{A0}' | '\u{2007}' | '\u{202F}' | '\u{85}' => false,
        '\u{1C}'..='\u{1F}' => true,
        _ => c.is_whitespace(),
    }
}

/// As Java's `Character.isLetter`: the categories of letters, no marks or numbers.
pub fn is_letter(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphabetic()
    } else {
        c.is_alphabetic() && super::category(c, super::Category::Letter)
    }
}

pub fn whitespace(max: usize) -> impl Tokenizer {
    Runs { keep: |c| !is_whitespace(c), max, lowercase: false }
}

pub fn letter(lowercase: bool) -> impl Tokenizer {
    Runs { keep: is_letter, max: 255, lowercase }
}

/// The whole text as one token; of an empty text too.
pub struct Keyword;

impl Tokenizer for Keyword {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        out.push(text, 0, text.len(), Kind::Word);
    }
}

/// `tokenize_on_chars`: single characters and classes of them.
pub fn char_group(on: &[String], max: usize) -> crate::Result<impl Tokenizer + use<>> {
    let mut singles = vec![];
    let mut classes: Vec<fn(char) -> bool> = vec![];
    for item in on {
        match item.as_str() {
            "letter" => classes.push(is_letter),
            "digit" => classes.push(|c| c.is_numeric()),
            "whitespace" => classes.push(is_whitespace),
            "punctuation" => classes.push(is_punctuation),
            "symbol" => classes.push(is_symbol),
            "\\n" => singles.push('\n'),
            "\\r" => singles.push('\r'),
            "\\t" => singles.push('\t'),
            "\\f" => singles.push('\u{c}'),
            "\\b" => singles.push('\u{8}'),
            "\\0" => singles.push('\0'),
            other => {
                let bare = other.strip_prefix('\\').unwrap_or(other);
                let mut chars = bare.chars();
                match (chars.next(), chars.next()) {
                    (Some(c), None) => singles.push(c),
                    _ => return Err(crate::Error::illegal_argument(format!("Invalid escaped char in [{other}]"))),
                }
            }
        }
    }
    Ok(Runs { keep: move |c| !singles.contains(&c) && !classes.iter().any(|class| class(c)), max, lowercase: false })
}

pub fn is_punctuation(c: char) -> bool {
    super::category(c, super::Category::Punctuation)
}

pub fn is_symbol(c: char) -> bool {
    super::category(c, super::Category::Symbol)
}
