//! Documents with a value of a column within bounds, found block by block.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use tantivy::columnar::Column;
use tantivy::{DocId, DocSet, SeekDangerResult, TERMINATED};

const SMALLEST: u32 = 128;
const LARGEST: u32 = 8192;

/// A scan of a column; a seek restarts it with a small block.
pub struct RangeDocs<T> {
    bounds: RangeInclusive<T>,
    column: Column<T>,
    num_docs: u32,
    /// First document not looked at yet.
    next: u32,
    step: u32,
    found: Vec<u32>,
    at: usize,
}

impl<T: PartialOrd + Copy + Debug + Send + Sync + 'static> RangeDocs<T> {
    pub fn new(column: Column<T>, bounds: RangeInclusive<T>) -> Self {
        let num_docs = column.num_docs();
        let mut docs = RangeDocs { bounds, num_docs, column, next: 0, step: SMALLEST, found: Vec::new(), at: 0 };
        docs.fill();
        docs
    }

    fn fill(&mut self) {
        self.found.clear();
        self.at = 0;
        while self.found.is_empty() && self.next < self.num_docs {
            let end = (self.next + self.step).min(self.num_docs);
            self.column.get_docids_for_value_range(self.bounds.clone(), self.next..end, &mut self.found);
            // A document with several values within bounds comes once for each.
            self.found.dedup();
            self.next = end;
            self.step = (self.step * 2).min(LARGEST);
        }
    }
}

impl<T: PartialOrd + Copy + Debug + Send + Sync + 'static> DocSet for RangeDocs<T> {
    #[inline]
    fn advance(&mut self) -> DocId {
        self.at += 1;
        if self.at >= self.found.len() {
            self.fill();
        }
        self.doc()
    }

    #[inline]
    fn doc(&self) -> DocId {
        self.found.get(self.at).copied().unwrap_or(TERMINATED)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc() >= target {
            return self.doc();
        }
        if target >= self.next {
            self.step = SMALLEST;
            self.next = target;
            self.fill();
            return self.doc();
        }
        self.at += self.found[self.at..].partition_point(|doc| *doc < target);
        if self.at >= self.found.len() {
            self.fill();
        }
        self.doc()
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        if target >= self.num_docs {
            return SeekDangerResult::SeekLowerBound(TERMINATED);
        }
        if self.column.values_for_doc(target).any(|value| self.bounds.contains(&value)) {
            self.found.clear();
            self.found.push(target);
            self.at = 0;
            self.next = target + 1;
            self.step = SMALLEST;
            return SeekDangerResult::Found;
        }
        SeekDangerResult::SeekLowerBound(target + 1)
    }

    fn size_hint(&self) -> u32 {
        self.num_docs / 10
    }

    fn cost(&self) -> u64 {
        u64::from(self.num_docs) * 8 / 10
    }
}
