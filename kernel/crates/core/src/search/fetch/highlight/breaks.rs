//! Boundaries of sentences and words in a text, as Java's break iterators place them, as far as passages need it.

use super::text::SEPARATOR;

/// Sorted offsets, the start and the end of the text among them.
pub struct Breaks(Vec<usize>);

impl Breaks {
    /// Between sentences, and around values.
    pub fn sentences(chars: &[char]) -> Breaks {
        let mut offsets = vec![0];
        let mut at = 0;
        while at < chars.len() {
            let c = chars[at];
            at += 1;
            if c == SEPARATOR {
                offsets.push(at - 1);
                offsets.push(at);
                continue;
            }
            if c == '\u{2029}' {
                offsets.push(at);
                continue;
            }
            if !matches!(c, '.' | '!' | '?' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}') {
                continue;
            }
            let mut end = at;
            let mut sure = c != '.';
            while end < chars.len()
                && matches!(chars[end], '.' | '!' | '?' | ')' | ']' | '}' | '"' | '\'' | '\u{201d}' | '\u{2019}')
            {
                sure |= matches!(chars[end], '!' | '?');
                end += 1;
            }
            let spaces = end;
            while end < chars.len() && chars[end].is_whitespace() {
                end += 1;
            }
            let wide = c as u32 > 0x2000;
            if end == spaces && !wide && end < chars.len() {
                continue;
            }
            let next = chars[end..].iter().find(|c| !matches!(c, '(' | '[' | '"' | '\'' | '\u{201c}'));
            if sure || wide || next.is_none_or(|c| !c.is_lowercase() && !c.is_ascii_digit()) {
                offsets.push(end);
                at = end;
            }
        }
        Breaks::of(offsets, chars.len())
    }

    /// Around words; everything else stands alone, runs of blanks together.
    pub fn words(chars: &[char]) -> Breaks {
        let words = Words(chars);
        let mut offsets = vec![0];
        offsets.extend((1..chars.len()).filter(|at| words.divides(*at)));
        Breaks::of(offsets, chars.len())
    }

    /// Around values only.
    pub fn values(chars: &[char]) -> Breaks {
        let mut offsets = vec![0];
        offsets.extend(chars.iter().enumerate().filter(|(_, c)| **c == SEPARATOR).map(|(at, _)| at + 1));
        Breaks::of(offsets, chars.len())
    }

    fn of(mut offsets: Vec<usize>, end: usize) -> Breaks {
        offsets.push(end);
        offsets.sort_unstable();
        offsets.dedup();
        Breaks(offsets)
    }

    /// Last boundary before an offset; the start if there is none.
    pub fn preceding(&self, offset: usize) -> usize {
        let at = self.0.partition_point(|boundary| *boundary < offset);
        if at == 0 { 0 } else { self.0[at - 1] }
    }

    /// First boundary behind an offset; None at the end.
    pub fn following(&self, offset: usize) -> Option<usize> {
        self.0.get(self.0.partition_point(|boundary| *boundary <= offset)).copied()
    }
}

/// The boundaries of [`Breaks::words`], looked for where they are needed.
pub struct Words<'c>(pub &'c [char]);

impl Words<'_> {
    fn is_inside(&self, at: usize) -> bool {
        let chars = self.0;
        let c = chars[at];
        if c.is_alphanumeric() || c == '_' {
            return true;
        }
        let between = at > 0 && at + 1 < chars.len();
        let letters = || between && chars[at - 1].is_alphabetic() && chars[at + 1].is_alphabetic();
        let digits = || between && chars[at - 1].is_numeric() && chars[at + 1].is_numeric();
        match c {
            '-' | '\u{ad}' | '\u{2010}'..='\u{2015}' => letters(),
            '\'' | '"' | '.' | '\u{2027}' => letters() || digits(),
            ',' => digits(),
            _ => false,
        }
    }

    /// Whether there is a boundary at an offset within the text.
    fn divides(&self, at: usize) -> bool {
        let chars = self.0;
        let together = (self.is_inside(at - 1) && self.is_inside(at))
            || (chars[at - 1].is_whitespace() && chars[at].is_whitespace());
        !together
    }

    /// As [`Breaks::preceding`].
    pub fn preceding(&self, offset: usize) -> usize {
        let end = self.0.len();
        if offset > end {
            return end;
        }
        (1..offset).rev().find(|at| self.divides(*at)).unwrap_or(0)
    }

    /// As [`Breaks::following`].
    pub fn following(&self, offset: usize) -> Option<usize> {
        let end = self.0.len();
        (offset + 1..end).find(|at| self.divides(*at)).or_else(|| (offset < end).then_some(end))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_are_found_where_they_are(text in "[ab1,.'_ \\-\u{e9}\u{2014}]{0,40}") {
            let chars: Vec<char> = text.chars().collect();
            let (all, words) = (Breaks::words(&chars), Words(&chars));
            for offset in 0..chars.len() + 3 {
                prop_assert_eq!(words.preceding(offset), all.preceding(offset));
                prop_assert_eq!(words.following(offset), all.following(offset));
            }
        }
    }
}
