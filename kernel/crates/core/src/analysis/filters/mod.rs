//! From tokens to tokens.

pub mod brazilian;
pub mod case;
pub mod change;
pub mod cjk;
pub mod compound;
pub mod endings;
pub mod fold;
pub mod grams;
pub mod greek;
pub mod indonesian;
pub mod light;
pub mod normal;
pub mod porter;
pub mod rslp;
pub mod scripts;
pub mod select;
pub mod shingle;
pub mod stem;
pub mod synonym;
pub mod word_delimiter;

use super::tokens::Tokens;

/// Changes a batch of tokens in place.
pub trait Filter: Send + Sync {
    fn apply(&self, tokens: &mut Tokens);

    /// Makes tokens whose lengths are no graph to make queries from.
    fn disables_graph(&self) -> bool {
        false
    }

    /// Looks at the mark of keywords; `_analyze` shows the mark from such a filter on.
    fn sees_keywords(&self) -> bool {
        false
    }

    /// Applies to normalizers and to the terms of prefix, wildcard and similar queries too.
    fn normalizes(&self) -> bool {
        false
    }
}
