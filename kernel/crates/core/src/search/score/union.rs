//! At least some of the clauses must match. Works through the documents in windows, clause by clause.

use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, SeekDangerResult, TERMINATED};

const WORDS: usize = 64;
const WINDOW: u32 = WORDS as u32 * 64;
/// After a seek few of the following documents may be wanted.
const SEEK_WINDOW: u32 = 64;

/// How the scores of matching clauses make one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Combine {
    /// Filters: no score.
    Nothing,
    Sum,
    /// The best, and a part of the others.
    Best {
        tie_breaker: f32,
    },
}

#[derive(Clone, Copy, Default)]
struct Cell {
    sum: f64,
    best: f32,
    count: u32,
}

/// A union with a minimum of matching clauses.
pub struct Union {
    clauses: Vec<Box<dyn Scorer>>,
    combine: Combine,
    minimum: u32,
    bits: Box<[u64; WORDS]>,
    cells: Vec<Cell>,
    /// First document of the window.
    start: DocId,
    /// End of what the window holds.
    end: DocId,
    window: u32,
    doc: DocId,
}

impl Union {
    /// `minimum` of the clauses (at least one) must match.
    pub fn build(mut clauses: Vec<Box<dyn Scorer>>, combine: Combine, minimum: usize) -> Box<dyn Scorer> {
        clauses.retain(|clause| clause.doc() < TERMINATED);
        let minimum = minimum.max(1);
        if clauses.len() < minimum {
            return crate::search::query::nothing();
        }
        if clauses.len() == 1
            && let Some(only) = clauses.pop()
        {
            return only;
        }
        if clauses.len() == minimum && matches!(combine, Combine::Sum | Combine::Nothing) {
            return super::Conjunction::build(clauses.into_iter().map(|clause| (clause, true)).collect());
        }
        let counted = minimum > 1;
        let cells =
            if combine == Combine::Nothing && !counted { Vec::new() } else { vec![Cell::default(); WINDOW as usize] };
        let mut union = Union {
            clauses,
            combine,
            minimum: minimum as u32,
            bits: Box::new([0; WORDS]),
            cells,
            start: 0,
            end: 0,
            window: WINDOW,
            doc: 0,
        };
        union.refill();
        Box::new(union)
    }

    /// Fills the next window that has matching documents and stands on its first.
    fn refill(&mut self) -> DocId {
        loop {
            let first = self.clauses.iter().map(|clause| clause.doc()).min().unwrap_or(TERMINATED);
            if first >= TERMINATED {
                self.doc = TERMINATED;
                return TERMINATED;
            }
            self.start = first;
            self.end = first.saturating_add(self.window).min(TERMINATED);
            self.window = (self.window * 4).min(WINDOW);
            self.bits.fill(0);
            self.collect_window();
            if self.minimum > 1 {
                self.drop_rare();
            }
            if let Some(doc) = self.next_set(self.start) {
                self.doc = doc;
                return doc;
            }
        }
    }

    fn collect_window(&mut self) {
        let (start, end) = (self.start, self.end);
        let plain = self.cells.is_empty();
        for clause in &mut self.clauses {
            let mut doc = clause.doc();
            while doc < end {
                let at = (doc - start) as usize;
                let (word, bit) = (at / 64, 1u64 << (at % 64));
                if !plain {
                    let cell = &mut self.cells[at];
                    if self.bits[word] & bit == 0 {
                        *cell = Cell::default();
                        cell.best = f32::NEG_INFINITY;
                    }
                    cell.count += 1;
                    if self.combine != Combine::Nothing {
                        let score = clause.score();
                        cell.sum += f64::from(score);
                        cell.best = cell.best.max(score);
                    }
                }
                self.bits[word] |= bit;
                doc = clause.advance();
            }
        }
        self.clauses.retain(|clause| clause.doc() < TERMINATED);
    }

    fn drop_rare(&mut self) {
        for word in 0..WORDS {
            let mut rest = self.bits[word];
            while rest != 0 {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                if self.cells[word * 64 + bit].count < self.minimum {
                    self.bits[word] &= !(1u64 << bit);
                }
            }
        }
    }

    /// First document of the window from `doc` on.
    #[inline]
    fn next_set(&self, doc: DocId) -> Option<DocId> {
        if doc >= self.end {
            return None;
        }
        let at = (doc - self.start) as usize;
        let mut word = at / 64;
        let mut bits = self.bits[word] & (u64::MAX << (at % 64));
        while bits == 0 {
            word += 1;
            if word == WORDS {
                return None;
            }
            bits = self.bits[word];
        }
        Some(self.start + (word * 64) as u32 + bits.trailing_zeros())
    }

    fn seek_clauses(&mut self, target: DocId) {
        for clause in &mut self.clauses {
            if clause.doc() < target {
                clause.seek(target);
            }
        }
        self.clauses.retain(|clause| clause.doc() < TERMINATED);
    }
}

impl DocSet for Union {
    #[inline]
    fn advance(&mut self) -> DocId {
        if self.doc >= TERMINATED {
            return TERMINATED;
        }
        match self.next_set(self.doc + 1) {
            Some(doc) => {
                self.doc = doc;
                doc
            }
            None => self.refill(),
        }
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc >= target {
            return self.doc;
        }
        if target < self.end
            && let Some(doc) = self.next_set(target)
        {
            self.doc = doc;
            return doc;
        }
        if target >= self.end {
            self.seek_clauses(target);
            self.window = SEEK_WINDOW;
        }
        self.refill()
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        if target >= TERMINATED {
            return SeekDangerResult::SeekLowerBound(TERMINATED);
        }
        let doc = self.seek(target);
        if doc == target { SeekDangerResult::Found } else { SeekDangerResult::SeekLowerBound(doc) }
    }

    #[inline]
    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.clauses.iter().map(|clause| clause.size_hint()).max().unwrap_or(0)
    }

    fn cost(&self) -> u64 {
        self.clauses.iter().map(|clause| clause.cost()).sum()
    }
}

impl Scorer for Union {
    fn score(&mut self) -> f32 {
        let Some(cell) = self.cells.get((self.doc.wrapping_sub(self.start)) as usize) else { return 0.0 };
        match self.combine {
            Combine::Nothing => 0.0,
            Combine::Sum => cell.sum as f32,
            Combine::Best { tie_breaker } => {
                (f64::from(cell.best) + (cell.sum - f64::from(cell.best)) * f64::from(tie_breaker)) as f32
            }
        }
    }
}
