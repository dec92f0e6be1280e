//! `mapping`: replaces strings, the longest match first.

use rustc_hash::FxHashMap;

use super::{CharFilter, Rewriter};
use crate::analysis::tokens::OffsetMap;
use crate::{Error, Result};

pub struct Mapping {
    rules: FxHashMap<String, String>,
    longest: usize,
}

impl Mapping {
    /// From rules `from => to`.
    pub fn parse(lines: &[String]) -> Result<Self> {
        let mut rules = FxHashMap::default();
        for (number, line) in lines.iter().flat_map(|l| l.lines()).enumerate() {
            let invalid = || {
                Error::new("runtime_exception", 500, format!("Line [{}]: Invalid mapping rule : [{line}]", number + 1))
            };
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (from, to) = line.rsplit_once("=>").ok_or_else(invalid)?;
            let (from, to) = (unescape(from.trim()).ok_or_else(invalid)?, unescape(to.trim()).ok_or_else(invalid)?);
            if from.is_empty() {
                return Err(Error::illegal_argument("cannot match the empty string"));
            }
            if rules.contains_key(&from) {
                return Err(Error::illegal_argument(format!("match \"{from}\" was already added")));
            }
            rules.insert(from, to);
        }
        let longest = rules.keys().map(String::len).max().unwrap_or(0);
        Ok(Self { rules, longest })
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => {
                let hex: String = chars.by_ref().take(4).collect();
                out.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
            }
            other => out.push(other),
        }
    }
    Some(out)
}

impl CharFilter for Mapping {
    fn filter(&self, text: &str) -> (String, OffsetMap) {
        let mut rewriter = Rewriter::default();
        let mut at = 0;
        while let Some(c) = text[at..].chars().next() {
            if rewriter.is_full() {
                rewriter.keep(&text[at..]);
                break;
            }
            let most = self.longest.min(text.len() - at);
            let found = (1..=most).rev().find_map(|n| Some((n, self.rules.get(text.get(at..at + n)?)?)));
            match found {
                Some((n, to)) => {
                    rewriter.replace(n, to);
                    at += n;
                }
                None => {
                    rewriter.keep(&text[at..at + c.len_utf8()]);
                    at += c.len_utf8();
                }
            }
        }
        rewriter.done()
    }

    fn normalizes(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_match_and_offsets() {
        let rules = ["٠ => 0", ":) => _happy_", ":))=>x", "ph => f"].map(str::to_owned);
        let mapping = Mapping::parse(&rules).expect("rules");
        let (text, map) = mapping.filter("٠ :)) :) graph!");
        assert_eq!(text, "0 x _happy_ graf!");
        assert_eq!(map.correct(0), 0);
        assert_eq!(map.correct(text.len() as u32), "٠ :)) :) graph!".len() as u32);
        assert!(Mapping::parse(&["a=b".to_owned()]).is_err());
    }
}
