//! From text to tokens.

pub mod standard;

use super::tokens::Tokens;

/// Cuts text into tokens. Offsets are bytes of `text`.
pub trait Tokenizer: Send + Sync {
    fn tokenize(&self, text: &str, out: &mut Tokens);
}
