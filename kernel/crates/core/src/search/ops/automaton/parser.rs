//! Lucene's syntax of regular expressions.

use super::arena::{ANYTHING, Arena, EMPTY, EPSILON, NodeId};
use crate::{Error, Result};

/// Nesting that a pattern may have.
const DEPTH: usize = 250;

struct Parser<'a> {
    arena: &'a mut Arena,
    chars: Vec<char>,
    at: usize,
    depth: usize,
    case_insensitive: bool,
    intersection: bool,
    complement: bool,
    empty: bool,
    any_string: bool,
    interval: bool,
}

/// Builds the nodes of an expression.
pub fn parse(arena: &mut Arena, text: &str, flags: &str, case_insensitive: bool) -> Result<NodeId> {
    let names: Vec<&str> = flags.split('|').collect();
    let has = |name: &str| names.contains(&"ALL") || names.contains(&name);
    let mut parser = Parser {
        chars: text.chars().collect(),
        at: 0,
        depth: 0,
        case_insensitive,
        intersection: has("INTERSECTION"),
        complement: has("COMPLEMENT"),
        empty: has("EMPTY"),
        any_string: has("ANYSTRING"),
        interval: has("INTERVAL"),
        arena,
    };
    if parser.chars.is_empty() {
        return Ok(EPSILON);
    }
    let node = parser.union()?;
    if parser.at < parser.chars.len() {
        return Err(parser.fail("end-of-string expected"));
    }
    Ok(node)
}

impl Parser<'_> {
    fn fail(&self, what: &str) -> Error {
        Error::illegal_argument(format!("{what} at position {}", self.at))
    }

    fn more(&self) -> bool {
        self.at < self.chars.len()
    }

    fn peek(&self, wanted: &str) -> bool {
        self.chars.get(self.at).is_some_and(|c| wanted.contains(*c))
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.chars.get(self.at) == Some(&wanted);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<char> {
        let c = self.chars.get(self.at).copied().ok_or_else(|| Error::illegal_argument("unexpected end-of-string"))?;
        self.at += 1;
        Ok(c)
    }

    fn union(&mut self) -> Result<NodeId> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.fail("expression nested too deeply"));
        }
        let mut items = vec![self.intersection()?];
        while self.take('|') {
            items.push(self.intersection()?);
        }
        self.depth -= 1;
        Ok(self.arena.or(items))
    }

    fn intersection(&mut self) -> Result<NodeId> {
        let mut items = vec![self.concatenation()?];
        while self.intersection && self.take('&') {
            items.push(self.concatenation()?);
        }
        Ok(self.arena.and(items))
    }

    fn concatenation(&mut self) -> Result<NodeId> {
        let mut items = vec![self.repetition()?];
        while self.more() && !self.peek(")|") && !(self.intersection && self.peek("&")) {
            items.push(self.repetition()?);
        }
        Ok(self.arena.sequence(&items))
    }

    fn repetition(&mut self) -> Result<NodeId> {
        let mut node = self.complemented()?;
        loop {
            node = if self.take('?') {
                self.arena.or(vec![node, EPSILON])
            } else if self.take('*') {
                self.arena.star(node)
            } else if self.take('+') {
                self.arena.repeat(node, 1, None)
            } else if self.take('{') {
                let (low, high) = self.bounds()?;
                self.arena.repeat(node, low, high)
            } else {
                return Ok(node);
            };
        }
    }

    fn bounds(&mut self) -> Result<(usize, Option<usize>)> {
        let low = self.integer()?;
        let high =
            if self.take(',') { if self.peek("0123456789") { Some(self.integer()?) } else { None } } else { Some(low) };
        if !self.take('}') {
            return Err(self.fail("expected '}'"));
        }
        if high.is_some_and(|high| low > high) {
            return Err(Error::illegal_argument(format!(
                "invalid repetition range(out of order): {low}..{}",
                high.unwrap_or(0)
            )));
        }
        Ok((low, high))
    }

    fn integer(&mut self) -> Result<usize> {
        let start = self.at;
        while self.peek("0123456789") {
            self.at += 1;
        }
        let digits: String = self.chars[start..self.at].iter().collect();
        digits.parse().map_err(|_| self.fail("integer expected"))
    }

    fn complemented(&mut self) -> Result<NodeId> {
        if self.complement && self.take('~') {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err(self.fail("expression nested too deeply"));
            }
            let inner = self.complemented()?;
            self.depth -= 1;
            return Ok(self.arena.not(inner));
        }
        if self.take('[') {
            let negated = self.take('^');
            let mut ranges = self.classes()?;
            if negated {
                ranges = inverse(ranges);
            }
            if !self.take(']') {
                return Err(self.fail("expected ']'"));
            }
            return Ok(self.arena.class(ranges));
        }
        self.simple()
    }

    fn classes(&mut self) -> Result<Vec<(u32, u32)>> {
        let mut ranges = Vec::new();
        self.class(&mut ranges)?;
        while self.more() && !self.peek("]") {
            self.class(&mut ranges)?;
        }
        Ok(ranges)
    }

    fn class(&mut self, ranges: &mut Vec<(u32, u32)>) -> Result<()> {
        if let Some(known) = self.predefined() {
            ranges.extend(known);
            return Ok(());
        }
        let low = self.literal()?;
        let high = if self.take('-') { self.literal()? } else { low };
        if low > high {
            return Err(self.fail("invalid range: from higher than to"));
        }
        ranges.push((low as u32, high as u32));
        if self.case_insensitive {
            for c in 'a'..='z' {
                let upper = c.to_ascii_uppercase();
                if (low..=high).contains(&c) || (low..=high).contains(&upper) {
                    ranges.push((c as u32, c as u32));
                    ranges.push((upper as u32, upper as u32));
                }
            }
        }
        Ok(())
    }

    /// `\d` and its like.
    fn predefined(&mut self) -> Option<Vec<(u32, u32)>> {
        if self.chars.get(self.at) != Some(&'\\') {
            return None;
        }
        let digits = vec![('0' as u32, '9' as u32)];
        let spaces = vec![(9, 10), (13, 13), (32, 32)];
        let words = vec![
            ('0' as u32, '9' as u32),
            ('A' as u32, 'Z' as u32),
            ('_' as u32, '_' as u32),
            ('a' as u32, 'z' as u32),
        ];
        let ranges = match self.chars.get(self.at + 1)? {
            'd' => digits,
            'D' => inverse(digits),
            's' => spaces,
            'S' => inverse(spaces),
            'w' => words,
            'W' => inverse(words),
            _ => return None,
        };
        self.at += 2;
        Some(ranges)
    }

    fn literal(&mut self) -> Result<char> {
        self.take('\\');
        self.next()
    }

    fn simple(&mut self) -> Result<NodeId> {
        if let Some(known) = self.predefined() {
            return Ok(self.arena.class(known));
        }
        if self.take('.') {
            return Ok(self.arena.any_char());
        }
        if self.empty && self.take('#') {
            return Ok(EMPTY);
        }
        if self.any_string && self.take('@') {
            return Ok(ANYTHING);
        }
        if self.take('"') {
            return self.quoted();
        }
        if self.take('(') {
            if self.take(')') {
                return Ok(EPSILON);
            }
            let inner = self.union()?;
            if !self.take(')') {
                return Err(self.fail("expected ')'"));
            }
            return Ok(inner);
        }
        if self.interval && self.take('<') {
            return self.numbers();
        }
        let c = self.literal()?;
        Ok(self.arena.character(c, self.case_insensitive))
    }

    fn quoted(&mut self) -> Result<NodeId> {
        let mut items = Vec::new();
        while self.more() && !self.peek("\"") {
            let c = self.next()?;
            items.push(self.arena.character(c, self.case_insensitive));
        }
        if !self.take('"') {
            return Err(self.fail("expected '\"'"));
        }
        Ok(self.arena.sequence(&items))
    }

    /// `<n-m>`: numbers in a range; with equal numbers of digits, of that many digits.
    fn numbers(&mut self) -> Result<NodeId> {
        let start = self.at;
        while self.more() && !self.peek(">") {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        if !self.take('>') {
            return Err(self.fail("expected '>'"));
        }
        let fail = || Error::illegal_argument(format!("interval syntax error at position {}", start.saturating_sub(1)));
        let (low, high) = text.split_once('-').ok_or_else(fail)?;
        let (mut a, mut b): (u64, u64) = (low.parse().map_err(|_| fail())?, high.parse().map_err(|_| fail())?);
        if a > b {
            std::mem::swap(&mut a, &mut b);
        }
        if low.len() == high.len() {
            return Ok(self.digits(&pad(a, low.len()), &pad(b, low.len())));
        }
        let mut items = Vec::new();
        for width in a.to_string().len()..=b.to_string().len() {
            let smallest = if width == 1 { 0 } else { 10u64.pow(width as u32 - 1) };
            let largest = (smallest.max(1) as u128 * 10 - 1).min(u128::from(u64::MAX)) as u64;
            let largest = if width == 1 { 9 } else { largest };
            items.push(self.digits(&pad(a.max(smallest), width), &pad(b.min(largest), width)));
        }
        let number = self.arena.or(items);
        let zero = self.arena.character('0', false);
        let zeros = self.arena.star(zero);
        Ok(self.arena.concat(zeros, number))
    }

    /// Digit strings of one length between two.
    fn digits(&mut self, low: &[u8], high: &[u8]) -> NodeId {
        let (Some(first), Some(last)) = (low.first(), high.first()) else { return EPSILON };
        let digit = |arena: &mut Arena, from: u8, to: u8| arena.class(vec![(u32::from(from), u32::from(to))]);
        if first == last {
            let head = digit(self.arena, *first, *first);
            let rest = self.digits(&low[1..], &high[1..]);
            return self.arena.concat(head, rest);
        }
        let (nines, zeros) = (vec![b'9'; low.len() - 1], vec![b'0'; low.len() - 1]);
        let mut items = Vec::with_capacity(3);
        for (from, to, below, above) in [
            (*first, *first, &low[1..], nines.as_slice()),
            (first + 1, last - 1, zeros.as_slice(), nines.as_slice()),
            (*last, *last, zeros.as_slice(), &high[1..]),
        ] {
            if from > to {
                continue;
            }
            let head = digit(self.arena, from, to);
            let any = below == zeros.as_slice() && above == nines.as_slice();
            let rest = if any {
                let one = digit(self.arena, b'0', b'9');
                self.arena.repeat(one, below.len(), Some(below.len()))
            } else {
                self.digits(below, above)
            };
            items.push(self.arena.concat(head, rest));
        }
        self.arena.or(items)
    }
}

fn pad(number: u64, width: usize) -> Vec<u8> {
    format!("{number:0width$}").into_bytes()
}

fn inverse(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut out = Vec::with_capacity(ranges.len() + 1);
    let mut next = 0u32;
    for (low, high) in ranges {
        if low > next {
            out.push((next, low - 1));
        }
        next = next.max(high.saturating_add(1));
    }
    if next <= char::MAX as u32 {
        out.push((next, char::MAX as u32));
    }
    out
}
