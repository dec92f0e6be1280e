//! From text to text, before it is cut into tokens.

pub mod html;
pub mod mapping;

use super::filters::change::PatternReplace;
use super::regex::expand;
use super::tokens::OffsetMap;

pub trait CharFilter: Send + Sync {
    /// The new text and the way back of its offsets.
    fn filter(&self, text: &str) -> (String, OffsetMap);

    /// Applies to normalizers too.
    fn normalizes(&self) -> bool {
        false
    }
}

/// Bytes by which replacements may lengthen a text.
const MAX_GROWTH: usize = 16 << 20;

/// Collects a text whose pieces are partly replaced.
#[derive(Default)]
pub(super) struct Rewriter {
    out: String,
    grown: usize,
    map: OffsetMap,
    diff: i64,
}

impl Rewriter {
    pub fn keep(&mut self, piece: &str) {
        self.out.push_str(piece);
    }

    /// `taken` bytes of the input become `replacement`.
    pub fn replace(&mut self, taken: usize, replacement: &str) {
        let before = self.out.len();
        self.out.push_str(replacement);
        let given = replacement.len();
        self.grown += given.saturating_sub(taken);
        if given < taken {
            self.diff += (taken - given) as i64;
            self.map.add(before + given, self.diff);
        }
        for extra in taken..given {
            self.diff -= 1;
            self.map.add(before + extra, self.diff);
        }
    }

    /// Whether replacements have made the text so much longer that no more of them are done.
    pub fn is_full(&self) -> bool {
        self.grown > MAX_GROWTH
    }

    pub fn done(self) -> (String, OffsetMap) {
        (self.out, self.map)
    }
}

impl CharFilter for PatternReplace {
    fn filter(&self, text: &str) -> (String, OffsetMap) {
        let mut rewriter = Rewriter::default();
        let mut from = 0;
        for captures in self.regex.captures_iter(text).map_while(Result::ok) {
            let Some(whole) = captures.get(0) else { break };
            if rewriter.is_full() {
                break;
            }
            rewriter.keep(&text[from..whole.start()]);
            let mut replacement = String::new();
            expand(&self.replacement, &captures, &mut replacement);
            rewriter.replace(whole.end() - whole.start(), &replacement);
            from = whole.end();
        }
        rewriter.keep(&text[from..]);
        rewriter.done()
    }

    fn normalizes(&self) -> bool {
        true
    }
}
