//! From text to tokens.

pub mod chars;
pub mod classic;
pub mod ngram;
pub mod path;
pub mod pattern;
pub mod standard;
pub mod url;

use std::sync::LazyLock;

use super::tokens::Tokens;

/// Cuts text into tokens. Offsets are bytes of `text`.
pub trait Tokenizer: Send + Sync {
    fn tokenize(&self, text: &str, out: &mut Tokens);
}

/// General categories that settings speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    Punctuation,
    Symbol,
}

/// Whether a character is of a general category.
pub fn category(c: char, category: Category) -> bool {
    static PUNCTUATION: LazyLock<regex::Regex> =
        LazyLock::new(|| regex::Regex::new(r"^\p{P}$").expect("a fixed pattern"));
    static SYMBOL: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(r"^\p{S}$").expect("a fixed pattern"));
    let mut buffer = [0; 4];
    let text = c.encode_utf8(&mut buffer);
    match category {
        Category::Punctuation => PUNCTUATION.is_match(text),
        Category::Symbol => SYMBOL.is_match(text),
    }
}
