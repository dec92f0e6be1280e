//! `classic`: Lucene's older grammar, with companies, acronyms, hosts, e-mail addresses and product numbers. The longest match wins, of
//! equals the first.

use std::sync::LazyLock;

use regex::Regex;

use super::Tokenizer;
use crate::analysis::tokens::{Kind, Tokens};

pub struct Classic {
    pub max_token_length: usize,
}

static RULES: LazyLock<Vec<(Kind, Regex)>> = LazyLock::new(|| {
    let alpha = r"[\p{L}--\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]";
    let word = r"[\p{L}\p{Nd}--\p{Han}\p{Hiragana}\p{Katakana}]";
    let part = format!("[{word}]+");
    let digits = format!(r"[{word}]*\p{{Nd}}[{word}]*");
    let p = "[-_/.,]";
    let rules = [
        (Kind::Alphanum, part.clone()),
        (Kind::Apostrophe, format!("[{alpha}]+(?:'[{alpha}]+)+")),
        (Kind::Acronym, format!(r"[{alpha}]\.(?:[{alpha}]\.)+")),
        (Kind::Company, format!("[{alpha}]+[&@][{alpha}]+")),
        (Kind::Email, format!(r"{part}(?:[._-]{part})*@{part}(?:[.-]{part})+")),
        (Kind::Host, format!(r"{part}(?:\.{part})+")),
        (Kind::Num, format!("{part}{p}{digits}")),
        (Kind::Num, format!("{digits}{p}{part}")),
        (Kind::Num, format!("{part}(?:{p}{digits}{p}{part})+")),
        (Kind::Num, format!("{digits}(?:{p}{part}{p}{digits})+")),
        (Kind::Num, format!("{part}{p}{digits}(?:{p}{part}{p}{digits})+")),
        (Kind::Num, format!("{digits}{p}{part}(?:{p}{digits}{p}{part})+")),
        (Kind::Cj, r"[\p{Han}\p{Hiragana}\p{Katakana}]".to_owned()),
    ];
    rules
        .into_iter()
        .map(|(kind, rule)| (kind, Regex::new(&format!("^(?:{rule})")).expect("a fixed pattern")))
        .collect()
});

impl Tokenizer for Classic {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        let (mut at, mut holes) = (0, 0);
        while let Some(c) = text[at..].chars().next() {
            if !c.is_alphanumeric() {
                at += c.len_utf8();
                continue;
            }
            // What could belong to a token ends at the next space: rules need not look further.
            let rest = &text[at..];
            let near = &rest[..rest.find(char::is_whitespace).unwrap_or(rest.len())];
            let mut best: Option<(usize, Kind)> = None;
            for (kind, rule) in RULES.iter() {
                let len = rule.find(near).map_or(0, |found| found.end());
                if len > best.map_or(0, |(longest, _)| longest) {
                    best = Some((len, *kind));
                }
            }
            let Some((len, kind)) = best else {
                at += c.len_utf8();
                continue;
            };
            // A token that is too long leaves a hole.
            if text[at..at + len].encode_utf16().count() <= self.max_token_length {
                out.push(&text[at..at + len], at, at + len, kind);
                if let Some(tok) = out.toks.last_mut() {
                    tok.inc += std::mem::take(&mut holes);
                }
            } else {
                holes += 1;
            }
            at += len;
        }
    }
}
