//! Patterns over terms: as automata over the bytes of a term dictionary, and over single strings.

use std::cell::Cell;

use parking_lot::Mutex;

use super::arena::{ANYTHING, Arena, EMPTY, EPSILON, NodeId};
use super::parser;
use crate::{Error, Result, interrupt};

/// Nodes that patterns without a limit of their own may need, and the most that one may ask for.
const PLENTY: usize = 100_000;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    arena: Mutex<Arena>,
    start: NodeId,
    limit: usize,
}

impl Pattern {
    pub fn prefix(text: &str, case_insensitive: bool) -> Self {
        let mut arena = Arena::new(PLENTY);
        let mut items: Vec<NodeId> = text.chars().map(|c| arena.character(c, case_insensitive)).collect();
        items.push(ANYTHING);
        let start = arena.sequence(&items);
        Pattern { text: format!("{text}*"), arena: Mutex::new(arena), start, limit: PLENTY }
    }

    /// `?` one character, `*` any number, `\` takes the next as it is.
    pub fn wildcard(text: &str, case_insensitive: bool) -> Self {
        let mut arena = Arena::new(PLENTY);
        let mut items = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            items.push(match c {
                '?' => arena.any_char(),
                '*' => ANYTHING,
                '\\' => arena.character(chars.next().unwrap_or('\\'), case_insensitive),
                c => arena.character(c, case_insensitive),
            });
        }
        items.dedup_by(|a, b| *a == ANYTHING && *b == ANYTHING);
        let start = arena.sequence(&items);
        Pattern { text: text.to_owned(), arena: Mutex::new(arena), start, limit: PLENTY }
    }

    /// Lucene's syntax; `flags` are names joined by `|`.
    pub fn regexp(text: &str, flags: &str, case_insensitive: bool, limit: usize) -> Result<Self> {
        let limit = limit.saturating_mul(4).clamp(64, PLENTY);
        let mut arena = Arena::new(limit);
        let start = parser::parse(&mut arena, text, flags, case_insensitive)?;
        let pattern = Pattern { text: format!("/{text}/"), arena: Mutex::new(arena), start, limit };
        pattern.check()?;
        Ok(pattern)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Fails if the pattern needed more states than it may.
    pub fn check(&self) -> Result<()> {
        if !self.arena.lock().overflowed {
            return Ok(());
        }
        Err(Error::new(
            "too_complex_to_determinize_exception",
            400,
            format!("Determinizing {} would require more than {} states.", self.text, self.limit / 4),
        ))
    }

    pub fn matches(&self, text: &str) -> bool {
        let mut arena = self.arena.lock();
        let mut node = self.start;
        for c in text.chars() {
            node = arena.derivative(node, c as u32);
            if node == EMPTY {
                return false;
            }
        }
        arena.nullable(node)
    }

    pub fn automaton(&self) -> TermAutomaton<'_> {
        TermAutomaton { pattern: self, steps: Cell::new(0), stopped: Cell::new(false) }
    }
}

/// Over the bytes of terms, which are UTF-8. When the search has to stop, nothing matches any more.
pub struct TermAutomaton<'p> {
    pattern: &'p Pattern,
    steps: Cell<u32>,
    stopped: Cell<bool>,
}

/// Steps between two looks at whether the search goes on.
const STEPS: u32 = 1 << 14;

impl TermAutomaton<'_> {
    fn stopped(&self) -> bool {
        let steps = self.steps.get().wrapping_add(1);
        self.steps.set(steps);
        if steps.is_multiple_of(STEPS) && interrupt::check().is_err() {
            self.stopped.set(true);
        }
        self.stopped.get()
    }
}

/// A node, and the character that is being read: bits so far, bytes to come.
#[derive(Clone, Copy)]
pub struct State {
    node: NodeId,
    bits: u32,
    pending: u8,
}

const DEAD: State = State { node: EMPTY, bits: 0, pending: 0 };

impl tantivy_fst::Automaton for TermAutomaton<'_> {
    type State = State;

    fn start(&self) -> State {
        State { node: self.pattern.start, bits: 0, pending: 0 }
    }

    fn is_match(&self, state: &State) -> bool {
        state.pending == 0 && (state.node == EPSILON || self.pattern.arena.lock().nullable(state.node))
    }

    fn can_match(&self, state: &State) -> bool {
        state.node != EMPTY
    }

    fn will_always_match(&self, state: &State) -> bool {
        state.node == ANYTHING && state.pending == 0
    }

    fn accept(&self, state: &State, byte: u8) -> State {
        if state.node == EMPTY || self.stopped() {
            return DEAD;
        }
        let (bits, pending) = match (state.pending, byte) {
            (0, 0x00..=0x7f) => (u32::from(byte), 0),
            (0, 0xc0..=0xdf) => (u32::from(byte & 0x1f), 1),
            (0, 0xe0..=0xef) => (u32::from(byte & 0x0f), 2),
            (0, 0xf0..=0xf7) => (u32::from(byte & 0x07), 3),
            (pending @ 1..=3, 0x80..=0xbf) => (state.bits << 6 | u32::from(byte & 0x3f), pending - 1),
            _ => return DEAD,
        };
        if pending > 0 {
            return State { node: state.node, bits, pending };
        }
        State { node: self.pattern.arena.lock().derivative(state.node, bits), bits: 0, pending: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regexp(pattern: &str, text: &str) -> bool {
        Pattern::regexp(pattern, "ALL", false, 10_000).unwrap().matches(text)
    }

    #[test]
    fn wildcards_and_prefixes() {
        let wildcard = |pattern: &str, text: &str| Pattern::wildcard(pattern, false).matches(text);
        assert!(wildcard("a*c?", "abbcd") && wildcard("*", "") && wildcard("\\*x", "*x") && wildcard("ü?", "üß"));
        assert!(!wildcard("a?", "a") && !wildcard("\\*x", "ax"));
        assert!(Pattern::wildcard("AB*", true).matches("abc"));
        assert!(Pattern::prefix("qu", true).matches("QUick") && !Pattern::prefix("qu", false).matches("QUick"));
    }

    #[test]
    fn repetitions_take_no_more_than_their_share() {
        let regexp = |pattern: &str| Pattern::regexp(pattern, "ALL", false, usize::MAX);
        assert!(regexp("(){2147483647}").unwrap().matches(""));
        assert!(regexp("@{2147483647}").unwrap().matches("any"));
        assert!(!regexp("#{3}").unwrap().matches("") && regexp("#{0,3}").unwrap().matches(""));
        assert!(regexp("(a{20000}){2}b?").unwrap().matches(&"a".repeat(40_000)));
        let many = regexp("(a?){9999}b").unwrap();
        assert!(many.matches("aaab") && !many.matches("aac"));
        many.check().unwrap();
        assert_eq!(regexp("a{99999999}").unwrap_err().kind, "too_complex_to_determinize_exception");
    }

    #[test]
    fn lucene_syntax() {
        for (pattern, yes, no) in [
            ("ab+c?", "abb", "ac"),
            ("a|bc", "bc", "b"),
            ("a{2,3}", "aaa", "aaaa"),
            ("a{2}", "aa", "a"),
            ("a{2,}", "aaaaa", "a"),
            ("[a-cx]y", "by", "dy"),
            ("[^a-c]", "d", "b"),
            ("a.c", "abc", "ac"),
            ("(ab)*", "abab", "aba"),
            ("@&~(.*x.*)", "abc", "axc"),
            ("a~b", "ac", "ab"),
            ("<1-100>", "42", "101"),
            ("<01-31>", "07", "7"),
            ("\"a*b\"", "a*b", "aab"),
            ("\\.x", ".x", "ax"),
            ("a\\d+", "a12", "ab"),
            ("()", "", "a"),
        ] {
            assert!(regexp(pattern, yes), "{pattern} {yes}");
            assert!(!regexp(pattern, no), "{pattern} {no}");
        }
        assert!(!regexp("#", "") && !regexp("#", "#"));
        assert!(Pattern::regexp("a#b", "NONE", false, 100).unwrap().matches("a#b"));
        assert!(Pattern::regexp("AbC", "ALL", true, 100).unwrap().matches("aBc"));
    }

    #[test]
    fn bad_expressions_are_refused() {
        for pattern in ["(a", "[a", "a{", "a\\", "\"a"] {
            assert!(Pattern::regexp(pattern, "ALL", false, 1000).is_err(), "{pattern}");
        }
        assert!(Pattern::regexp("((a{1,50}){1,50}){1,50}", "ALL", false, 100).is_err());
    }
}
