//! Spelling normalizers of single languages, `keyword_repeat` and `remove_duplicates`.

use super::{Filter, scripts};
use crate::analysis::tokens::{Tok, Tokens};

/// A normalizer that rewrites a term, or leaves it.
pub struct Rewrite(pub fn(&str) -> Option<String>);

impl Filter for Rewrite {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            if let Some(term) = (self.0)(tokens.term(i)) {
                tokens.set_term(i, &term);
            }
        }
    }

    fn normalizes(&self) -> bool {
        true
    }
}

/// The normalizers of languages by the names of their filters.
pub fn by_name(name: &str) -> Option<fn(&str) -> Option<String>> {
    Some(match name {
        "arabic_normalization" => scripts::arabic,
        "bengali_normalization" => scripts::bengali,
        "german_normalization" => german,
        "hindi_normalization" => scripts::hindi,
        "indic_normalization" => scripts::indic,
        "persian_normalization" => scripts::persian,
        "romanian_normalization" => scripts::romanian,
        "scandinavian_folding" => scandinavian_folding,
        "scandinavian_normalization" => scandinavian_normalization,
        "serbian_normalization" => scripts::serbian,
        "sorani_normalization" => scripts::sorani,
        _ => return None,
    })
}

/// `ä` and `ae` to `a`, `ß` to `ss`, after the German2 rules of Snowball.
pub fn german(term: &str) -> Option<String> {
    #[derive(PartialEq)]
    enum State {
        Normal,
        /// A `u` here is no umlaut's beginning.
        Vowel,
        /// An `e` here is the umlaut's second letter.
        Umlaut,
    }
    let mut state = State::Normal;
    let mut out = String::with_capacity(term.len());
    for c in term.chars() {
        let (written, next) = match c {
            'a' | 'o' => (Some(c), State::Umlaut),
            'u' => (Some(c), if state == State::Normal { State::Umlaut } else { State::Vowel }),
            'e' => ((state != State::Umlaut).then_some('e'), State::Vowel),
            'i' | 'q' | 'y' => (Some(c), State::Vowel),
            'ä' => (Some('a'), State::Vowel),
            'ö' => (Some('o'), State::Vowel),
            'ü' => (Some('u'), State::Vowel),
            'ß' => {
                out.push('s');
                (Some('s'), State::Normal)
            }
            _ => (Some(c), State::Normal),
        };
        out.extend(written);
        state = next;
    }
    (out != term).then_some(out)
}

/// åäæÄÆ to a, öøÖØ to o, and the double vowels aa, ae, ao, oe, oo without their second letter.
pub fn scandinavian_folding(term: &str) -> Option<String> {
    let mut out = String::with_capacity(term.len());
    let mut chars = term.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            'å' | 'ä' | 'æ' => out.push('a'),
            'Å' | 'Ä' | 'Æ' => out.push('A'),
            'ö' | 'ø' => out.push('o'),
            'Ö' | 'Ø' => out.push('O'),
            'a' | 'A' if chars.next_if(|n| matches!(n, 'a' | 'A' | 'e' | 'E' | 'o' | 'O')).is_some() => out.push(c),
            'o' | 'O' if chars.next_if(|n| matches!(n, 'e' | 'E' | 'o' | 'O')).is_some() => out.push(c),
            _ => out.push(c),
        }
    }
    (out != term).then_some(out)
}

/// æÆäÄ to æ, öÖøØ to ø, aa to å, ae to æ, ao to å, oe and oo to ø.
pub fn scandinavian_normalization(term: &str) -> Option<String> {
    let mut out = String::with_capacity(term.len());
    let mut chars = term.chars().peekable();
    while let Some(c) = chars.next() {
        let pair = match (c, chars.peek()) {
            ('a', Some('a' | 'A' | 'o' | 'O')) => Some('å'),
            ('A', Some('a' | 'A' | 'o' | 'O')) => Some('Å'),
            ('a', Some('e' | 'E')) => Some('æ'),
            ('A', Some('e' | 'E')) => Some('Æ'),
            ('o', Some('e' | 'E' | 'o' | 'O')) => Some('ø'),
            ('O', Some('e' | 'E' | 'o' | 'O')) => Some('Ø'),
            _ => None,
        };
        if let Some(joined) = pair {
            chars.next();
            out.push(joined);
            continue;
        }
        out.push(match c {
            'ä' => 'æ',
            'Ä' => 'Æ',
            'ö' => 'ø',
            'Ö' => 'Ø',
            _ => c,
        });
    }
    (out != term).then_some(out)
}

/// Every token twice, first as keyword.
pub struct KeywordRepeat;

impl Filter for KeywordRepeat {
    fn apply(&self, tokens: &mut Tokens) {
        let old = std::mem::take(&mut tokens.toks);
        for tok in old {
            tokens.toks.push(Tok { keyword: true, ..tok });
            tokens.toks.push(Tok { keyword: false, inc: 0, ..tok });
        }
    }

    fn sees_keywords(&self) -> bool {
        true
    }
}
