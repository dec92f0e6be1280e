//! `uax_url_email`: the standard tokenizer that keeps URLs and e-mail addresses whole.

use std::sync::LazyLock;

use regex::Regex;

use super::Tokenizer;
use super::standard::{emit, next_word};
use crate::analysis::tokens::{Kind, Tokens};

pub struct UaxUrlEmail {
    pub max_token_length: usize,
}

static URL: LazyLock<Regex> = LazyLock::new(|| {
    let host = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]";
    let rest = r"(?::\d{1,5})?(?:/[^\s<>\x22]*)?(?:\?[^\s<>\x22#]*)?(?:#[^\s<>\x22]*)?";
    Regex::new(&format!(r"(?i)(?:(?:https?|ftp|file)://[a-z0-9\[/][^\s<>\x22]*|(?:{host}){rest})"))
        .expect("a fixed pattern")
});

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-z0-9!#$%&'*+/=?^_`{|}~.-]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")
        .expect("a fixed pattern")
});

impl Tokenizer for UaxUrlEmail {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        let mut at = 0;
        while at < text.len() {
            match special(text, at) {
                Some((start, end, kind)) => {
                    words(text, at, start, self.max_token_length, out);
                    out.push(&text[start..end], start, end, kind);
                    at = end;
                }
                None => {
                    words(text, at, text.len(), self.max_token_length, out);
                    return;
                }
            }
        }
    }
}

/// The next address at or after `at`.
fn special(text: &str, at: usize) -> Option<(usize, usize, Kind)> {
    let url = URL.find_at(text, at).map(|m| (m.start(), m.end(), Kind::Url));
    let email = EMAIL.find_at(text, at).map(|m| (m.start(), m.end(), Kind::Email));
    match (url, email) {
        (Some(u), Some(e)) if e.0 <= u.0 || (e.0 < u.1 && e.1 >= u.1) => Some(trimmed(text, e)),
        (Some(u), _) => Some(trimmed(text, u)),
        (None, e) => e.map(|e| trimmed(text, e)),
    }
}

/// Punctuation at the end of a host or path belongs to the sentence, in part; in a query or fragment it belongs to the address. A name
/// that stands alone, and an e-mail address, may end with the dot of the root.
fn trimmed(text: &str, (start, end, kind): (usize, usize, Kind)) -> (usize, usize, Kind) {
    let found = &text[start..end];
    let (scheme, rest) = found.split_once("://").map_or((false, found), |(_, rest)| (true, rest));
    let kept = if kind == Kind::Email || (!scheme && !rest.contains(['/', '?', '#', ':'])) {
        found.len() + usize::from(text[end..].starts_with('.'))
    } else if rest.contains(['?', '#']) {
        found.len()
    } else if rest.contains('/') {
        found.trim_end_matches([',', '!', ')', '\'']).len()
    } else {
        found.trim_end_matches(['.', ',', ';', ':', '!', ')', '\'']).len()
    };
    (start, start + kept.max(1), kind)
}

fn words(text: &str, from: usize, to: usize, max: usize, out: &mut Tokens) {
    let piece = &text[..to];
    let mut at = from;
    while let Some((start, end, kind)) = next_word(piece, at) {
        emit(out, piece, start, end, kind, max);
        at = end;
    }
}
