//! `asciifolding` with Lucene's table, `decimal_digit`, `cjk_width`.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use tantivy::tokenizer::{AsciiFoldingFilter, RawTokenizer, TextAnalyzer, TokenStream};

use super::Filter;
use crate::analysis::tokens::Tokens;

/// What each character becomes that is not ASCII and has a form in it. tantivy's filter holds Lucene's table: it is asked once for all characters.
static TABLE: LazyLock<FxHashMap<char, Box<str>>> = LazyLock::new(|| {
    let originals: Vec<char> = ('\u{80}'..'\u{FFFF}').collect();
    let text: String = originals.iter().flat_map(|c| [*c, '\n']).collect();
    let mut analyzer = TextAnalyzer::builder(RawTokenizer::default()).filter(AsciiFoldingFilter).build();
    let mut stream = analyzer.token_stream(&text);
    let mut table = FxHashMap::default();
    if stream.advance() {
        for (c, folded) in originals.iter().zip(stream.token().text.split('\n')) {
            if folded.is_ascii() {
                table.insert(*c, folded.into());
            }
        }
    }
    table
});

/// The text in ASCII as far as it has such a form.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match TABLE.get(&c) {
            Some(folded) if !c.is_ascii() => out.push_str(folded),
            _ => out.push(c),
        }
    }
    out
}

pub struct AsciiFolding {
    pub preserve_original: bool,
}

impl Filter for AsciiFolding {
    fn apply(&self, tokens: &mut Tokens) {
        if tokens.arena.is_ascii() {
            return;
        }
        let mut i = 0;
        while i < tokens.toks.len() {
            if !tokens.term(i).is_ascii() {
                let folded = fold(tokens.term(i));
                if folded != tokens.term(i) {
                    let original = tokens.toks[i];
                    tokens.set_term(i, &folded);
                    if self.preserve_original {
                        i += 1;
                        tokens.toks.insert(i, crate::analysis::tokens::Tok { inc: 0, ..original });
                    }
                }
            }
            i += 1;
        }
    }

    fn normalizes(&self) -> bool {
        true
    }
}

/// A filter that replaces single characters.
pub struct MapChars(pub fn(char) -> char);

impl Filter for MapChars {
    fn apply(&self, tokens: &mut Tokens) {
        for i in 0..tokens.toks.len() {
            if tokens.term(i).chars().any(|c| (self.0)(c) != c) {
                let mapped: String = tokens.term(i).chars().map(self.0).collect();
                tokens.set_term(i, &mapped);
            }
        }
    }

    fn normalizes(&self) -> bool {
        true
    }
}

/// Any decimal digit to 0-9: digits come in runs of ten whose first has value zero.
pub fn decimal_digit(c: char) -> char {
    static RUNS: LazyLock<Vec<(u32, u32)>> = LazyLock::new(|| {
        let hir = regex_syntax::parse(r"\p{Nd}").expect("a fixed pattern");
        match hir.kind() {
            regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(set)) => {
                set.ranges().iter().map(|r| (r.start() as u32, r.end() as u32)).collect()
            }
            _ => vec![],
        }
    });
    if c.is_ascii() {
        return c;
    }
    let code = c as u32;
    let i = RUNS.partition_point(|(_, end)| *end < code);
    match RUNS.get(i) {
        Some((start, _)) if *start <= code => char::from(b'0' + ((code - start) % 10) as u8),
        _ => c,
    }
}

/// Full-width ASCII to ASCII; half-width katakana to full width, with their voice marks joined.
pub fn cjk_width(term: &str) -> Option<String> {
    const KATAKANA: &str = "ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゙゚";
    let mut out = String::with_capacity(term.len());
    for c in term.chars() {
        let joined = match c {
            '\u{FF9E}' => out.chars().last().and_then(voiced),
            '\u{FF9F}' => out.chars().last().and_then(half_voiced),
            _ => None,
        };
        if let Some(joined) = joined {
            out.pop();
            out.push(joined);
            continue;
        }
        out.push(match c as u32 {
            code @ 0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(c),
            code @ 0xFF66..=0xFF9F => KATAKANA.chars().nth((code - 0xFF66) as usize).unwrap_or(c),
            _ => c,
        });
    }
    (out != term).then_some(out)
}

/// A katakana with the voiced sound mark.
fn voiced(c: char) -> Option<char> {
    match c {
        'ウ' => Some('ヴ'),
        'ワ' => Some('ヷ'),
        'ヰ' => Some('ヸ'),
        'ヱ' => Some('ヹ'),
        'ヲ' => Some('ヺ'),
        'ヽ' => Some('ヾ'),
        'カ' | 'キ' | 'ク' | 'ケ' | 'コ' | 'サ' | 'シ' | 'ス' | 'セ' | 'ソ' | 'タ' | 'チ' | 'ツ' | 'テ' | 'ト'
        | 'ハ' | 'ヒ' | 'フ' | 'ヘ' | 'ホ' => char::from_u32(c as u32 + 1),
        _ => None,
    }
}

/// A katakana with the half-voiced sound mark.
fn half_voiced(c: char) -> Option<char> {
    matches!(c, 'ハ' | 'ヒ' | 'フ' | 'ヘ' | 'ホ').then(|| char::from_u32(c as u32 + 2)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding() {
        assert_eq!(fold("Des mot clés À LA CHAÎNE æ œ ß ﬁ Ⅷ ｆｕｌｌ"), "Des mot cles A LA CHAINE ae oe ss fi Ⅷ full");
        assert_eq!("٣४7".chars().map(decimal_digit).collect::<String>(), "347");
        assert_eq!(cjk_width("ＡＢ１ｶﾅｶﾞﾊﾟ").as_deref(), Some("AB1カナガパ"));
    }
}
