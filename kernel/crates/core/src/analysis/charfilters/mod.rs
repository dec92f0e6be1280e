//! From text to text, before it is cut into tokens.

use super::tokens::OffsetMap;

pub trait CharFilter: Send + Sync {
    /// The new text and the way back of its offsets.
    fn filter(&self, text: &str) -> (String, OffsetMap);
}
