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
    Letter,
    Punctuation,
    Symbol,
}

/// Whether a character is of a general category.
pub fn category(c: char, category: Category) -> bool {
    static LETTER: LazyLock<Ranges> = LazyLock::new(|| ranges(r"\p{L}"));
    static PUNCTUATION: LazyLock<Ranges> = LazyLock::new(|| ranges(r"\p{P}"));
    static SYMBOL: LazyLock<Ranges> = LazyLock::new(|| ranges(r"\p{S}"));
    let ranges = match category {
        Category::Letter => &LETTER,
        Category::Punctuation => &PUNCTUATION,
        Category::Symbol => &SYMBOL,
    };
    let at = ranges.partition_point(|(_, end)| *end < c);
    ranges.get(at).is_some_and(|(start, _)| *start <= c)
}

/// First and last characters, ascending.
type Ranges = Vec<(char, char)>;

/// The characters of a class in the notation of regular expressions.
fn ranges(class: &str) -> Ranges {
    let hir = regex_syntax::parse(class).expect("a fixed pattern");
    match hir.kind() {
        regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(set)) => {
            set.ranges().iter().map(|range| (range.start(), range.end())).collect()
        }
        _ => vec![],
    }
}
