//! Character classes of word segmentation (UAX #29), in one two-stage table made at first use.

use std::sync::OnceLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    Other,
    Letter,
    Hangul,
    Hebrew,
    Numeric,
    Katakana,
    ExtendNumLet,
    MidLetter,
    MidNum,
    MidNumLet,
    SingleQuote,
    DoubleQuote,
    /// Extend, Format and zero-width joiner: part of whatever stands before.
    Extend,
    Ideographic,
    Hiragana,
    SoutheastAsian,
    Regional,
    Emoji,
}

const BLOCK: usize = 256;

struct Table {
    index: Vec<u16>,
    blocks: Vec<[Class; BLOCK]>,
}

/// Later lines win.
const SETS: [(&str, Class); 20] = [
    (r"\p{WB=ALetter}", Class::Letter),
    (r"[\p{WB=ALetter}&&\p{Script=Hangul}]", Class::Hangul),
    (r"\p{WB=Hebrew_Letter}", Class::Hebrew),
    (r"[\p{WB=Numeric}\u{FF10}-\u{FF19}]", Class::Numeric),
    (r"\p{WB=Katakana}", Class::Katakana),
    (r"\p{WB=ExtendNumLet}", Class::ExtendNumLet),
    (r"\p{WB=MidLetter}", Class::MidLetter),
    (r"\p{WB=MidNum}", Class::MidNum),
    (r"\p{WB=MidNumLet}", Class::MidNumLet),
    (r"\p{Script=Han}", Class::Ideographic),
    (r"\p{Script=Hiragana}", Class::Hiragana),
    (
        r"[[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tai_Le}\p{Script=New_Tai_Lue}\p{Script=Tai_Tham}\p{Script=Tai_Viet}]&&[\p{L}\p{M}]]",
        Class::SoutheastAsian,
    ),
    (r"[\p{Extended_Pictographic}&&\p{Emoji}]", Class::Emoji),
    (
        r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}--[\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]]",
        Class::Extend,
    ),
    (r"\p{WB=Regional_Indicator}", Class::Regional),
    (r"'", Class::SingleQuote),
    ("\"", Class::DoubleQuote),
    // MidLetter of the Unicode version that Lucene's grammar was made from.
    (r":", Class::MidLetter),
    (r"[\u{3005}\u{3007}]", Class::Ideographic),
    (r"[\u{30FC}\u{FF70}]", Class::Katakana),
];

fn build() -> Table {
    let mut flat = vec![Class::Other; 0x11_0000];
    for (pattern, class) in SETS {
        let hir = regex_syntax::parse(pattern).expect("a fixed pattern");
        let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(set)) = hir.kind() else {
            if let regex_syntax::hir::HirKind::Literal(literal) = hir.kind() {
                flat[usize::from(literal.0[0])] = class;
            }
            continue;
        };
        for range in set.ranges() {
            flat[range.start() as usize..=range.end() as usize].fill(class);
        }
    }
    compress(&flat)
}

fn compress(flat: &[Class]) -> Table {
    let mut table = Table { index: vec![], blocks: vec![] };
    let mut known: std::collections::HashMap<Vec<u8>, u16> = std::collections::HashMap::new();
    for chunk in flat.chunks(BLOCK) {
        let key: Vec<u8> = chunk.iter().map(|c| *c as u8).collect();
        let number = *known.entry(key).or_insert_with(|| {
            table.blocks.push(chunk.try_into().expect("a whole block"));
            (table.blocks.len() - 1) as u16
        });
        table.index.push(number);
    }
    table
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(build)
}

const fn ascii_classes() -> [Class; 128] {
    let mut classes = [Class::Other; 128];
    let mut c = 0;
    while c < 128 {
        let b = c as u8;
        classes[c] = if b.is_ascii_digit() {
            Class::Numeric
        } else if b.is_ascii_alphabetic() {
            Class::Letter
        } else {
            match b {
                b'_' => Class::ExtendNumLet,
                b'.' => Class::MidNumLet,
                b',' | b';' => Class::MidNum,
                b':' => Class::MidLetter,
                b'\'' => Class::SingleQuote,
                b'"' => Class::DoubleQuote,
                _ => Class::Other,
            }
        };
        c += 1;
    }
    classes
}

pub static ASCII: [Class; 128] = ascii_classes();

/// Class of a character.
#[inline]
pub fn class_of(c: char) -> Class {
    let code = c as usize;
    if code < 128 {
        return ASCII[code];
    }
    let table = table();
    table.blocks[usize::from(table.index[code / BLOCK])][code % BLOCK]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_sample_characters() {
        for (c, class) in [
            ('é', Class::Letter),
            ('я', Class::Letter),
            ('א', Class::Hebrew),
            ('漢', Class::Ideographic),
            ('ひ', Class::Hiragana),
            ('カ', Class::Katakana),
            ('ー', Class::Katakana),
            ('한', Class::Hangul),
            ('ไ', Class::SoutheastAsian),
            ('\u{301}', Class::Extend),
            ('\u{200D}', Class::Extend),
            ('😀', Class::Emoji),
            ('🇩', Class::Regional),
            ('’', Class::MidNumLet),
            ('·', Class::MidLetter),
            ('٣', Class::Numeric),
            ('—', Class::Other),
        ] {
            assert_eq!(class_of(c), class, "{c}");
        }
    }
}
