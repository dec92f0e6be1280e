//! From tokens to tokens.

pub mod case;

use super::tokens::Tokens;

/// Changes a batch of tokens in place.
pub trait Filter: Send + Sync {
    fn apply(&self, tokens: &mut Tokens);

    /// Applies to normalizers and to the terms of prefix, wildcard and similar queries too.
    fn normalizes(&self) -> bool {
        false
    }
}
