//! Sloppy phrase frequency as Lucene defines it: each match adds 1 / (1 + its edit distance).
//!
//! Every term of the phrase has a cursor at `position - offset`. The distance of a match is the spread of the cursors; the lowest
//! cursor moves on until it passes the next one, which minimises the spread. Cursors of terms that the phrase repeats may
//! not stand on the same position of the document.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::exact::Occurrences;

struct Cursor<'a> {
    positions: &'a [u32],
    at: usize,
    offset: i64,
    /// Position in the document minus the offset.
    position: i64,
    /// Group of terms that share a text, and the place within.
    group: Option<(usize, usize)>,
}

impl Cursor<'_> {
    fn next(&mut self) -> bool {
        self.at += 1;
        self.load()
    }

    fn load(&mut self) -> bool {
        match self.positions.get(self.at) {
            Some(position) => {
                self.position = i64::from(*position) - self.offset;
                true
            }
            None => false,
        }
    }

    fn in_document(&self) -> i64 {
        self.position + self.offset
    }
}

/// Lowest position first.
#[derive(PartialEq, Eq)]
struct Entry {
    position: i64,
    offset: i64,
    cursor: usize,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.position, other.offset, other.cursor).cmp(&(self.position, self.offset, self.cursor))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Matcher<'a> {
    cursors: Vec<Cursor<'a>>,
    groups: &'a [Vec<usize>],
    queue: BinaryHeap<Entry>,
    /// Highest position of all cursors.
    end: i64,
}

/// The sloppy frequency in one document; `groups` lists, for texts that the phrase repeats, the indices of their terms.
pub fn frequency(terms: &[Occurrences], groups: &[Vec<usize>], slop: u32, only_first: bool) -> f32 {
    let Some(mut matcher) = Matcher::start(terms, groups) else { return 0.0 };
    let mut frequency = 0f32;
    matcher.run(i64::from(slop), |distance| {
        frequency += 1.0 / (1.0 + distance as f32);
        !only_first
    });
    frequency
}

impl<'a> Matcher<'a> {
    fn start(terms: &'a [Occurrences], groups: &'a [Vec<usize>]) -> Option<Self> {
        let mut cursors = Vec::with_capacity(terms.len());
        for term in terms {
            let mut cursor =
                Cursor { positions: &term.positions, at: 0, offset: i64::from(term.offset), position: 0, group: None };
            if !cursor.load() {
                return None;
            }
            cursors.push(cursor);
        }
        for (group, members) in groups.iter().enumerate() {
            for (place, member) in members.iter().enumerate() {
                cursors[*member].group = Some((group, place));
            }
        }
        let mut matcher = Matcher { cursors, groups, queue: BinaryHeap::new(), end: i64::MIN };
        if !matcher.separate_all() {
            return None;
        }
        for cursor in 0..matcher.cursors.len() {
            matcher.end = matcher.end.max(matcher.cursors[cursor].position);
            matcher.enqueue(cursor);
        }
        Some(matcher)
    }

    /// Moves the first positions of repeated terms apart.
    fn separate_all(&mut self) -> bool {
        for members in self.groups {
            let mut i = 0;
            while i < members.len() {
                let mut restart = false;
                while let Some(other) = self.collision(members[i]) {
                    let lesser = self.lesser(members[i], other);
                    if !self.advance(lesser) {
                        return false;
                    }
                    if self.cursors[lesser].group.is_some_and(|(_, place)| place < i) {
                        restart = true;
                        break;
                    }
                }
                i = if restart { 0 } else { i + 1 };
            }
        }
        true
    }

    fn enqueue(&mut self, cursor: usize) {
        let Cursor { position, offset, .. } = self.cursors[cursor];
        self.queue.push(Entry { position, offset, cursor });
    }

    fn advance(&mut self, cursor: usize) -> bool {
        if !self.cursors[cursor].next() {
            return false;
        }
        self.end = self.end.max(self.cursors[cursor].position);
        true
    }

    /// Another cursor of the group on the same position of the document.
    fn collision(&self, cursor: usize) -> Option<usize> {
        let (group, _) = self.cursors[cursor].group?;
        let place = self.cursors[cursor].in_document();
        self.groups[group].iter().copied().find(|other| *other != cursor && self.cursors[*other].in_document() == place)
    }

    fn lesser(&self, a: usize, b: usize) -> usize {
        let (left, right) = (&self.cursors[a], &self.cursors[b]);
        if (left.position, left.offset) < (right.position, right.offset) { a } else { b }
    }

    /// Resolves collisions after a cursor moved; false when positions are used up.
    fn separate(&mut self, moved: usize) -> bool {
        if self.cursors[moved].group.is_none() {
            return true;
        }
        let mut current = moved;
        let mut stale = false;
        while let Some(other) = self.collision(current) {
            current = self.lesser(current, other);
            if !self.advance(current) {
                return false;
            }
            stale |= current != moved;
        }
        if stale {
            let queued: Vec<usize> = self.queue.drain().map(|entry| entry.cursor).collect();
            for cursor in queued {
                self.enqueue(cursor);
            }
        }
        true
    }

    /// Calls back with the distance of each match until it says false.
    fn run(&mut self, slop: i64, mut found: impl FnMut(i64) -> bool) {
        loop {
            let Some(lowest) = self.queue.pop() else { return };
            let current = lowest.cursor;
            let mut distance = self.end - self.cursors[current].position;
            let next = self.queue.peek().map_or(i64::MAX, |entry| entry.position);
            loop {
                if !self.advance(current) || !self.separate(current) {
                    if distance <= slop {
                        found(distance);
                    }
                    return;
                }
                if self.cursors[current].position > next {
                    break;
                }
                distance = distance.min(self.end - self.cursors[current].position);
            }
            self.enqueue(current);
            if distance <= slop && !found(distance) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(positions: &[&[u32]]) -> Vec<Occurrences> {
        positions.iter().enumerate().map(|(i, p)| Occurrences { offset: i as u32, positions: p.to_vec() }).collect()
    }

    #[test]
    fn distance_lowers_the_frequency() {
        assert_eq!(frequency(&terms(&[&[0], &[1]]), &[], 2, false), 1.0);
        assert_eq!(frequency(&terms(&[&[0], &[2]]), &[], 2, false), 0.5);
        // Swapped words cost two moves.
        assert_eq!(frequency(&terms(&[&[1], &[0]]), &[], 2, false), 1.0 / 3.0);
        assert_eq!(frequency(&terms(&[&[1], &[0]]), &[], 1, false), 0.0);
    }

    #[test]
    fn a_repeated_term_needs_two_places() {
        let groups = vec![vec![0, 1]];
        assert_eq!(frequency(&terms(&[&[3], &[3]]), &groups, 5, false), 0.0);
        assert!(frequency(&terms(&[&[3, 4], &[3, 4]]), &groups, 5, false) > 0.0);
    }
}
