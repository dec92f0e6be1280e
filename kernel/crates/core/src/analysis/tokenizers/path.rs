//! `path_hierarchy`: `/a/b` gives `/a` and `/a/b`.

use super::Tokenizer;
use crate::analysis::tokens::{Kind, Tokens};

pub struct PathHierarchy {
    pub delimiter: char,
    pub replacement: char,
    pub reverse: bool,
    pub skip: usize,
}

impl Tokenizer for PathHierarchy {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        if text.is_empty() {
            return;
        }
        if self.reverse { self.backward(text, out) } else { self.forward(text, out) }
    }
}

impl PathHierarchy {
    fn push(&self, text: &str, start: usize, end: usize, out: &mut Tokens) {
        if start >= end {
            return;
        }
        let term = text[start..end].replace(self.delimiter, self.replacement.encode_utf8(&mut [0; 4]));
        out.push(&term, start, end, Kind::Word);
    }

    fn forward(&self, text: &str, out: &mut Tokens) {
        // Delimiters end pieces; one that stands first belongs to the piece behind it.
        let cuts: Vec<usize> = text
            .char_indices()
            .filter(|(at, c)| *c == self.delimiter && *at > 0)
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let start = match self.skip {
            0 => 0,
            n => match cuts.get(n - 1) {
                Some(cut) => *cut,
                None => return,
            },
        };
        let mut last = start;
        for cut in cuts.into_iter().filter(|cut| *cut > start) {
            // A path that ends with its delimiter has no further piece.
            if cut == text.len() && text[last..].chars().eq([self.delimiter]) && last > 0 {
                self.push(text, start, cut, out);
                return;
            }
            self.push(text, start, cut, out);
            last = cut;
        }
    }

    fn backward(&self, text: &str, out: &mut Tokens) {
        let width = self.delimiter.len_utf8();
        let mut starts: Vec<usize> = vec![0];
        starts.extend(text.char_indices().filter(|(_, c)| *c == self.delimiter).map(|(at, _)| at + width));
        starts.retain(|at| *at < text.len());
        let kept = starts.len().saturating_sub(self.skip);
        let end = starts.get(kept).copied().unwrap_or(text.len());
        for start in &starts[..kept] {
            self.push(text, *start, end, out);
        }
    }
}
