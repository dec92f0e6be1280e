//! Lucene's StandardTokenizer: words by UAX #29, single ideographs and hiragana, emoji sequences.

use super::Tokenizer;
use crate::analysis::classes::{ASCII, Class, class_of};
use crate::analysis::tokens::{Kind, Tokens};

/// `max_token_length`: longer words are cut at that many UTF-16 units.
#[derive(Debug, Clone)]
pub struct Standard {
    pub max_token_length: usize,
}

impl Default for Standard {
    fn default() -> Self {
        Self { max_token_length: 255 }
    }
}

impl Tokenizer for Standard {
    fn tokenize(&self, text: &str, out: &mut Tokens) {
        let mut i = 0;
        let far = self.max_token_length.saturating_mul(4);
        while let Some((start, end, kind)) = next_word_within(text, i, far) {
            if end - start <= self.max_token_length {
                out.push(&text[start..end], start, end, kind);
                i = end;
            } else {
                i = self.long_word(text, start, end, kind, out);
            }
        }
    }
}

impl Standard {
    /// A word that may be too long: cut off at the limit, what follows is looked at anew. Answers where that begins.
    fn long_word(&self, text: &str, start: usize, end: usize, kind: Kind, out: &mut Tokens) -> usize {
        let mut units = 0;
        let fits = text[start..end].chars().take_while(|c| {
            units += c.len_utf16();
            units <= self.max_token_length
        });
        let cut = start + fits.map(char::len_utf8).sum::<usize>().max(1);
        if cut >= end {
            out.push(&text[start..end], start, end, kind);
            return end;
        }
        let cut = (cut..end).find(|at| text.is_char_boundary(*at)).unwrap_or(end);
        let (_, piece_end, kind) = next_word(&text[..cut], start).unwrap_or((start, cut, kind));
        out.push(&text[start..piece_end], start, piece_end, kind);
        piece_end
    }
}

/// Adds a word, in pieces if it is longer than allowed.
pub(super) fn emit(out: &mut Tokens, text: &str, start: usize, end: usize, kind: Kind, max: usize) {
    if end - start <= max {
        out.push(&text[start..end], start, end, kind);
        return;
    }
    let (mut from, mut units) = (start, 0);
    for (at, c) in text[start..end].char_indices() {
        if units + c.len_utf16() > max && units > 0 {
            out.push(&text[from..start + at], from, start + at, kind);
            (from, units) = (start + at, 0);
        }
        units += c.len_utf16();
    }
    out.push(&text[from..end], from, end, kind);
}

/// Class and length of the character at `i`.
#[inline]
pub(super) fn class_at(text: &str, i: usize) -> Option<(Class, usize)> {
    let b = *text.as_bytes().get(i)?;
    if b < 128 {
        return Some((ASCII[usize::from(b)], 1));
    }
    let c = text[i..].chars().next()?;
    Some((class_of(c), c.len_utf8()))
}

/// Skips what attaches to the character before.
#[inline]
fn skip_extend(text: &str, mut i: usize) -> usize {
    while let Some((Class::Extend, len)) = class_at(text, i) {
        i += len;
    }
    i
}

/// The next token at or after `i`: start, end, type.
#[inline]
pub(super) fn next_word(text: &str, i: usize) -> Option<(usize, usize, Kind)> {
    next_word_within(text, i, usize::MAX)
}

/// The same, but what is longer than `far` bytes may end anywhere behind them: it is cut in pieces, and the rest is looked at once
/// for each.
#[inline]
fn next_word_within(text: &str, mut i: usize, far: usize) -> Option<(usize, usize, Kind)> {
    loop {
        i = skip_ascii(text.as_bytes(), i);
        if let Some(found) = ascii_word(text.as_bytes(), i, far) {
            return Some(found);
        }
        let (class, len) = class_at(text, i)?;
        let found = match class {
            Class::Letter | Class::Hangul | Class::Hebrew | Class::Numeric | Class::Katakana | Class::ExtendNumLet => {
                word(text, i, far)
            }
            Class::Ideographic => Some((skip_extend(text, i + len), Kind::Ideographic)),
            Class::Hiragana => Some((skip_extend(text, i + len), Kind::Hiragana)),
            Class::SoutheastAsian => Some((southeast_asian(text, i, far), Kind::SoutheastAsian)),
            Class::Emoji | Class::Regional => emoji(text, i, class).map(|end| (end, Kind::Emoji)),
            _ => keycap(text, i).map(|end| (end, Kind::Emoji)),
        };
        match found {
            Some((end, kind)) => return Some((i, end, kind)),
            None if class == Class::ExtendNumLet => i = skip_run(text, i),
            None => i += len,
        }
    }
}

/// Past ASCII that begins no token. What stands before another script is left to the rules in full.
#[inline]
fn skip_ascii(bytes: &[u8], mut i: usize) -> usize {
    while let Some(b) = bytes.get(i) {
        let plain = *b < 128 && !b.is_ascii_alphanumeric() && *b != b'_';
        if !plain || bytes.get(i + 1).is_some_and(|next| *next >= 128) {
            break;
        }
        i += 1;
    }
    i
}

/// The word of ASCII letters and digits at `i`, if it touches nothing else.
#[inline]
fn ascii_word(bytes: &[u8], start: usize, far: usize) -> Option<(usize, usize, Kind)> {
    if !bytes.get(start)?.is_ascii_alphanumeric() {
        return None;
    }
    let mut i = start;
    let mut letters = false;
    loop {
        while let Some(b) = bytes.get(i).filter(|b| b.is_ascii_alphanumeric() || **b == b'_') {
            letters |= b.is_ascii_alphabetic();
            i += 1;
            if i - start > far {
                break;
            }
        }
        if i - start > far {
            break;
        }
        match bytes.get(i) {
            Some(128..) => return None,
            Some(middle @ (b'.' | b'\'' | b':' | b',' | b';')) => match bytes.get(i + 1) {
                Some(128..) => return None,
                Some(next) if bridges(ascii_class(bytes[i - 1]), ascii_class(*middle), ascii_class(*next)) => i += 1,
                _ => break,
            },
            _ => break,
        }
    }
    Some((start, i, if letters { Kind::Alphanum } else { Kind::Num }))
}

#[inline]
fn ascii_class(b: u8) -> Class {
    ASCII[usize::from(b & 127)]
}

/// After a run of underscores that belongs to no word.
fn skip_run(text: &str, mut i: usize) -> usize {
    while let Some((Class::ExtendNumLet | Class::Extend, len)) = class_at(text, i) {
        i += len;
    }
    i
}

fn is_letter(class: Class) -> bool {
    matches!(class, Class::Letter | Class::Hangul | Class::Hebrew)
}

/// What a word is made of so far, for its type.
#[derive(Default)]
struct Seen {
    letter: bool,
    hangul: bool,
    number: bool,
    katakana: bool,
    connector: bool,
}

impl Seen {
    fn add(&mut self, class: Class) {
        match class {
            Class::Letter | Class::Hebrew => self.letter = true,
            Class::Hangul => self.hangul = true,
            Class::Numeric => self.number = true,
            Class::Katakana => self.katakana = true,
            _ => self.connector = true,
        }
    }

    fn kind(&self) -> Option<Kind> {
        match (self.letter, self.hangul, self.number, self.katakana) {
            (false, false, false, false) => None,
            (false, false, true, false) => Some(Kind::Num),
            (false, true, false, false) if !self.connector => Some(Kind::Hangul),
            (false, false, false, true) if !self.connector => Some(Kind::Katakana),
            _ => Some(Kind::Alphanum),
        }
    }
}

/// End and type of the word that starts at `start`; None for connectors alone.
fn word(text: &str, start: usize, far: usize) -> Option<(usize, Kind)> {
    if let Some(end) = keycap(text, start) {
        return Some((end, Kind::Emoji));
    }
    let mut seen = Seen::default();
    let (mut last, len) = class_at(text, start)?;
    seen.add(last);
    let mut end = skip_extend(text, start + len);
    while let Some((class, len)) = class_at(text, end) {
        let next = if joins(last, class) {
            last = class;
            skip_extend(text, end + len)
        } else {
            let after = skip_extend(text, end + len);
            match class_at(text, after) {
                Some((follower, follower_len)) if bridges(last, class, follower) => {
                    last = follower;
                    skip_extend(text, after + follower_len)
                }
                _ if last == Class::Hebrew && class == Class::SingleQuote => {
                    end = after;
                    break;
                }
                _ => break,
            }
        };
        seen.add(last);
        end = next;
        if end - start > far {
            break;
        }
    }
    seen.kind().map(|kind| (end, kind))
}

/// No break between two neighbours.
#[inline]
fn joins(left: Class, right: Class) -> bool {
    let wordy = |c| is_letter(c) || c == Class::Numeric;
    match right {
        Class::ExtendNumLet => true,
        Class::Katakana => matches!(left, Class::Katakana | Class::ExtendNumLet),
        _ => wordy(right) && (wordy(left) || left == Class::ExtendNumLet),
    }
}

/// No break around `middle` between two letters or two digits.
#[inline]
fn bridges(left: Class, middle: Class, right: Class) -> bool {
    match middle {
        Class::MidLetter => is_letter(left) && is_letter(right),
        Class::MidNum => left == Class::Numeric && right == Class::Numeric,
        Class::MidNumLet | Class::SingleQuote => {
            (is_letter(left) && is_letter(right)) || (left == Class::Numeric && right == Class::Numeric)
        }
        Class::DoubleQuote => left == Class::Hebrew && right == Class::Hebrew,
        _ => false,
    }
}

fn southeast_asian(text: &str, start: usize, far: usize) -> usize {
    let mut i = start;
    while let Some((Class::SoutheastAsian | Class::Extend, len)) = class_at(text, i) {
        i += len;
        if i - start > far {
            break;
        }
    }
    i
}

/// `#`, `*` or a digit, a variation selector, the keycap mark.
fn keycap(text: &str, i: usize) -> Option<usize> {
    let rest = text.get(i + 1..)?;
    let end = i + 1 + rest.starts_with('\u{FE0F}').then_some(3)? + rest[3..].starts_with('\u{20E3}').then_some(3)?;
    matches!(text.as_bytes()[i], b'#' | b'*' | b'0'..=b'9').then_some(end)
}

/// A flag, or an emoji with its modifiers and whatever zero-width joiners append.
fn emoji(text: &str, start: usize, class: Class) -> Option<usize> {
    let (_, len) = class_at(text, start)?;
    let mut i = start + len;
    if class == Class::Regional {
        return match class_at(text, i) {
            Some((Class::Regional, len)) => Some(skip_extend(text, i + len)),
            _ => None,
        };
    }
    loop {
        let after = skip_extend(text, i);
        let joined = text[i..after].ends_with('\u{200D}');
        i = after;
        match class_at(text, i) {
            Some((Class::Emoji, len)) if joined => i += len,
            _ => return Some(i),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<(String, &'static str)> {
        let mut out = Tokens::default();
        Standard::default().tokenize(text, &mut out);
        out.toks.iter().map(|t| (out.text(t).to_owned(), t.kind.name())).collect()
    }

    fn terms(text: &str) -> Vec<String> {
        words(text).into_iter().map(|(term, _)| term).collect()
    }

    #[test]
    fn latin_words_and_numbers() {
        assert_eq!(
            terms("The 2 QUICK Brown-Foxes, dog's bone."),
            ["The", "2", "QUICK", "Brown", "Foxes", "dog's", "bone"]
        );
        assert_eq!(
            terms("foo_bar __ _a_ a.b 1.5 1,000 1.a a.1 3:4 a:b can't 'x'"),
            ["foo_bar", "_a_", "a.b", "1.5", "1,000", "1", "a", "a", "1", "3", "4", "a:b", "can't", "x"]
        );
        assert_eq!(
            terms("joe@example.com http://x.org/a?b=c C++ C#"),
            ["joe", "example.com", "http", "x.org", "a", "b", "c", "C", "C"]
        );
        assert_eq!(words("1.5 a1")[0].1, "<NUM>");
        assert_eq!(words("1.5 a1")[1].1, "<ALPHANUM>");
    }

    #[test]
    fn scripts() {
        assert_eq!(
            terms("日本語 ひらがな カタカナ 한국어"),
            ["日", "本", "語", "ひ", "ら", "が", "な", "カタカナ", "한국어"]
        );
        assert_eq!(words("日")[0].1, "<IDEOGRAPHIC>");
        assert_eq!(words("ひ")[0].1, "<HIRAGANA>");
        assert_eq!(words("カナ")[0].1, "<KATAKANA>");
        assert_eq!(words("한국")[0].1, "<HANGUL>");
        assert_eq!(words("การที่ได้"), [("การที่ได้".to_owned(), "<SOUTHEAST_ASIAN>")]);
        assert_eq!(terms("e\u{301}te\u{301} Ćwierć"), ["e\u{301}te\u{301}", "Ćwierć"]);
    }

    #[test]
    fn emoji() {
        assert_eq!(terms("💩 💩💩 👩‍❤️‍👩 👨🏼‍⚕️ 🇺🇸🇺🇸 #️⃣ 3️⃣x"), ["💩", "💩", "💩", "👩‍❤️‍👩", "👨🏼‍⚕️", "🇺🇸", "🇺🇸", "#️⃣", "3️⃣", "x"]);
        assert_eq!(words("💩")[0].1, "<EMOJI>");
    }

    #[test]
    fn long_words_are_cut() {
        let mut out = Tokens::default();
        Standard { max_token_length: 5 }.tokenize("The 2 QUICK jumped", &mut out);
        let terms: Vec<_> = out.toks.iter().map(|t| out.text(t)).collect();
        assert_eq!(terms, ["The", "2", "QUICK", "jumpe", "d"]);
    }

    #[test]
    fn a_word_of_megabytes_is_cut_in_one_pass() {
        for letter in ["a", "1", "б", "ก", "a\u{301}", "カ", "_a", "a.b"] {
            let text = letter.repeat((4 << 20) / letter.len());
            let mut out = Tokens::default();
            Standard::default().tokenize(&text, &mut out);
            assert!(out.toks.len() > text.chars().count() / 256, "{letter}");
            assert!(out.toks.iter().all(|t| out.text(t).chars().count() <= 255), "{letter}");
        }
    }

    proptest! {
        #[test]
        fn tokens_are_pieces_of_the_text_in_order(text in "\\PC{0,80}") {
            let mut out = Tokens::default();
            Standard::default().tokenize(&text, &mut out);
            let mut last = 0;
            for tok in &out.toks {
                prop_assert!(tok.start as usize >= last && tok.end > tok.start);
                prop_assert_eq!(&text[tok.start as usize..tok.end as usize], out.text(tok));
                last = tok.end as usize;
            }
        }
    }
}
