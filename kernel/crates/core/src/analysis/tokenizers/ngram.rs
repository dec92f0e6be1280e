//! `ngram` and `edge_ngram`: all pieces of certain lengths, within runs of the chosen classes of characters.

use super::Tokenizer;
use super::chars::{is_letter, is_punctuation, is_symbol, is_whitespace};
use crate::analysis::tokens::{Kind, Tokens};
use crate::{Error, Result};

pub struct NGram {
    pub min: usize,
    pub max: usize,
    pub edges_only: bool,
    pub classes: TokenChars,
}

/// `token_chars`; empty: every character.
#[derive(Default, Clone)]
pub struct TokenChars {
    classes: Vec<fn(char) -> bool>,
    custom: Vec<char>,
}

impl TokenChars {
    pub fn new(names: &[String], custom: Option<&str>) -> Result<Self> {
        let mut chars = Self::default();
        for name in names {
            let class: fn(char) -> bool = match name.to_ascii_lowercase().as_str() {
                "letter" => is_letter,
                "digit" => |c| c.is_numeric() && !c.is_alphabetic(),
                "whitespace" => is_whitespace,
                "punctuation" => is_punctuation,
                "symbol" => is_symbol,
                "custom" => {
                    let custom = custom.ok_or_else(|| {
                        Error::illegal_argument("Token type: 'custom' requires setting `custom_token_chars`")
                    })?;
                    chars.custom.extend(custom.chars());
                    continue;
                }
                other => {
                    return Err(Error::illegal_argument(format!(
                        "Unknown token type: '{other}', must be one of [custom, digit, letter, punctuation, symbol, whitespace]"
                    )));
                }
            };
            chars.classes.push(class);
        }
        Ok(chars)
    }

    fn takes(&self, c: char) -> bool {
        (self.classes.is_empty() && self.custom.is_empty())
            || self.classes.iter().any(|class| class(c))
            || self.custom.contains(&c)
    }
}

impl Tokenizer for NGram {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        let mut run: Vec<usize> = vec![];
        for (at, c) in text.char_indices() {
            if self.classes.takes(c) {
                run.push(at);
            } else {
                self.grams(text, &mut run, at, out);
            }
        }
        self.grams(text, &mut run, text.len(), out);
    }
}

impl NGram {
    /// `run`: where each character starts; `end`: where the last one ends.
    fn grams(&self, text: &str, run: &mut Vec<usize>, end: usize, out: &mut Tokens) {
        let count = run.len();
        run.push(end);
        let starts = if self.edges_only { count.min(1) } else { count };
        for from in 0..starts {
            if out.overflowed {
                break;
            }
            for len in self.min..=self.max.min(count - from) {
                let (start, end) = (run[from], run[from + len]);
                out.push(&text[start..end], start, end, Kind::Word);
            }
        }
        run.clear();
    }
}
