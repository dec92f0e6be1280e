//! A stream of tokens as Lucene defines it (position increments and lengths, offsets, types), held as one flat batch.
//!
//! Terms live in one arena, so that a stage neither allocates per token nor copies what it does not change.

/// Lucene's type attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Word,
    Alphanum,
    Num,
    SoutheastAsian,
    Ideographic,
    Hiragana,
    Katakana,
    Hangul,
    Emoji,
    Synonym,
    Shingle,
    Double,
    Single,
    Url,
    Email,
    Apostrophe,
    Acronym,
    Company,
    Host,
    Fingerprint,
    Gram,
    Cj,
}

const KIND_NAMES: [(Kind, &str); 22] = [
    (Kind::Word, "word"),
    (Kind::Alphanum, "<ALPHANUM>"),
    (Kind::Num, "<NUM>"),
    (Kind::SoutheastAsian, "<SOUTHEAST_ASIAN>"),
    (Kind::Ideographic, "<IDEOGRAPHIC>"),
    (Kind::Hiragana, "<HIRAGANA>"),
    (Kind::Katakana, "<KATAKANA>"),
    (Kind::Hangul, "<HANGUL>"),
    (Kind::Emoji, "<EMOJI>"),
    (Kind::Synonym, "SYNONYM"),
    (Kind::Shingle, "shingle"),
    (Kind::Double, "<DOUBLE>"),
    (Kind::Single, "<SINGLE>"),
    (Kind::Url, "<URL>"),
    (Kind::Email, "<EMAIL>"),
    (Kind::Apostrophe, "<APOSTROPHE>"),
    (Kind::Acronym, "<ACRONYM>"),
    (Kind::Company, "<COMPANY>"),
    (Kind::Host, "<HOST>"),
    (Kind::Fingerprint, "fingerprint"),
    (Kind::Gram, "gram"),
    (Kind::Cj, "<CJ>"),
];

impl Kind {
    pub fn name(self) -> &'static str {
        KIND_NAMES.iter().find(|(kind, _)| *kind == self).map_or("word", |(_, name)| name)
    }

    pub fn from_name(name: &str) -> Option<Kind> {
        KIND_NAMES.iter().find(|(_, n)| *n == name).map(|(kind, _)| *kind)
    }
}

/// One token; its term is a piece of the batch's arena.
#[derive(Debug, Clone, Copy)]
pub struct Tok {
    /// Where the term starts in the arena, and its length in bytes.
    pub at: u32,
    pub len: u32,
    /// Byte offsets in the text as it was given.
    pub start: u32,
    pub end: u32,
    pub inc: u32,
    pub pos_len: u32,
    pub kind: Kind,
    /// Stemmers leave it alone.
    pub keyword: bool,
}

/// Bytes of terms that one text may have: beyond, tokens are left out.
const MAX_BYTES: usize = 128 << 20;
/// Tokens that a stage may make of none, beside 64 for each that it got.
const MAX_EXPANSION: usize = 4 << 20;

#[derive(Debug, Clone, Default)]
pub struct Tokens {
    pub arena: String,
    /// More came than there is room for: an analyzer that multiplies (n-grams, shingles, synonyms) met a text too long for it.
    pub overflowed: bool,
    pub toks: Vec<Tok>,
    /// Increments of tokens removed at the end: they widen the gap to the next value.
    pub end_inc: u32,
    /// Length in bytes of the text that was cut.
    pub text_len: u32,
}

impl Tokens {
    /// Empty, with room for the tokens of an ordinary text.
    pub fn with_room_for(text: &str) -> Self {
        Self { arena: String::with_capacity(text.len()), toks: Vec::with_capacity(text.len() / 6), ..Self::default() }
    }

    pub fn clear(&mut self) {
        self.arena.clear();
        self.overflowed = false;
        self.toks.clear();
        self.end_inc = 0;
        self.text_len = 0;
    }

    /// Whether a stage that got `given` tokens may add more.
    #[inline]
    pub fn has_room(&mut self, given: usize) -> bool {
        self.overflowed |= self.toks.len() > MAX_EXPANSION + 64 * given;
        !self.overflowed
    }

    #[inline]
    fn has_bytes(&mut self, more: usize) -> bool {
        self.overflowed |= self.arena.len() + more > MAX_BYTES;
        !self.overflowed
    }

    #[inline]
    pub fn text(&self, tok: &Tok) -> &str {
        &self.arena[tok.at as usize..(tok.at + tok.len) as usize]
    }

    #[inline]
    pub fn term(&self, i: usize) -> &str {
        self.text(&self.toks[i])
    }

    /// Adds a token of increment 1.
    #[inline]
    pub fn push(&mut self, term: &str, start: usize, end: usize, kind: Kind) {
        if !self.has_bytes(term.len()) {
            return;
        }
        let at = self.arena.len() as u32;
        self.arena.push_str(term);
        self.toks.push(Tok {
            at,
            len: term.len() as u32,
            start: start as u32,
            end: end as u32,
            inc: 1,
            pos_len: 1,
            kind,
            keyword: false,
        });
    }

    /// Puts a term into the arena; the answer goes into `Tok::at` and `Tok::len`. Nothing where there is no room.
    #[inline]
    pub fn store(&mut self, term: &str) -> (u32, u32) {
        if !self.has_bytes(term.len()) {
            return (0, 0);
        }
        let at = self.arena.len() as u32;
        self.arena.push_str(term);
        (at, term.len() as u32)
    }

    pub fn set_term(&mut self, i: usize, term: &str) {
        let (at, len) = self.store(term);
        self.toks[i].at = at;
        self.toks[i].len = len;
    }

    /// Keeps the tokens for which `keep` holds; the increments of the others pass to their followers.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Tok) -> bool) {
        let Tokens { arena, toks, end_inc, .. } = self;
        let mut carried = 0;
        toks.retain_mut(|tok| {
            if keep(&arena[tok.at as usize..(tok.at + tok.len) as usize], tok) {
                tok.inc += carried;
                carried = 0;
                true
            } else {
                carried += tok.inc;
                false
            }
        });
        *end_inc += carried;
    }

    /// (token, position) in order; the first position is that of the first increment less one.
    pub fn positions(&self) -> impl Iterator<Item = (&Tok, u32)> {
        let mut next = 0u32;
        self.toks.iter().map(move |tok| {
            next += tok.inc;
            (tok, next.saturating_sub(1))
        })
    }
}

/// Maps offsets of filtered text back to the text as it was given.
#[derive(Debug, Clone, Default)]
pub struct OffsetMap {
    /// (offset in the output, difference to add from there on), ascending.
    diffs: Vec<(u32, i64)>,
}

impl OffsetMap {
    /// From the output offset `at` on, input = output + `diff`.
    pub fn add(&mut self, at: usize, diff: i64) {
        match self.diffs.last_mut() {
            Some(last) if last.0 == at as u32 => last.1 = diff,
            Some(last) if last.1 == diff => {}
            _ => self.diffs.push((at as u32, diff)),
        }
    }

    pub fn correct(&self, offset: u32) -> u32 {
        let i = self.diffs.partition_point(|(at, _)| *at <= offset);
        let diff = if i == 0 { 0 } else { self.diffs[i - 1].1 };
        (i64::from(offset) + diff).max(0) as u32
    }

    pub fn is_empty(&self) -> bool {
        self.diffs.is_empty()
    }
}
