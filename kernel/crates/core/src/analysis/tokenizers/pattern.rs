//! `pattern` (split at matches or take a group), `simple_pattern` (take matches), `simple_pattern_split`.

use fancy_regex::Regex;

use super::Tokenizer;
use crate::analysis::tokens::{Kind, Tokens};

pub struct Pattern {
    pub regex: Regex,
    /// None: what stands between the matches.
    pub group: Option<usize>,
}

impl Tokenizer for Pattern {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        match self.group {
            None => self.split(text, out),
            Some(group) => {
                // A pattern that runs out of its budget ends the stream.
                for captures in self.regex.captures_iter(text).map_while(Result::ok) {
                    if let Some(found) = captures.get(group).filter(|m| !m.as_str().is_empty()) {
                        out.push(found.as_str(), found.start(), found.end(), Kind::Word);
                    }
                }
            }
        }
    }
}

impl Pattern {
    fn split(&self, text: &str, out: &mut Tokens) {
        let mut from = 0;
        for found in self.regex.find_iter(text).map_while(Result::ok) {
            if found.start() > from {
                out.push(&text[from..found.start()], from, found.start(), Kind::Word);
            }
            from = found.end();
        }
        if from < text.len() {
            out.push(&text[from..], from, text.len(), Kind::Word);
        }
    }
}
