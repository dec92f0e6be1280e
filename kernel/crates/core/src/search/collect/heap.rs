//! The best hits by score.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tantivy::DocId;

use super::after::{After, Tie};
use crate::Result;
use crate::search::block::Hit;
use crate::search::query::SegmentView;

/// Takes what a pass finds, in the order of documents.
pub trait Top {
    fn begin(&mut self, segment: &SegmentView<'_>) -> Result<()>;
    fn collect(&mut self, docs: &[DocId], scores: &[f32]);
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
    /// No further document of any segment can matter.
    fn satisfied(&self) -> bool {
        false
    }
}

/// Wants no hits.
pub struct Nothing;

impl Top for Nothing {
    fn begin(&mut self, _segment: &SegmentView<'_>) -> Result<()> {
        Ok(())
    }

    fn collect(&mut self, _docs: &[DocId], _scores: &[f32]) {}
}

/// Greatest is worst: lowest score, then latest document.
#[derive(Clone, Copy, PartialEq)]
struct Entry {
    score: f32,
    segment: u32,
    doc: DocId,
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| (self.segment, self.doc).cmp(&(other.segment, other.doc)))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The k best by score; of equals the earlier documents.
pub struct ScoreHeap {
    limit: usize,
    heap: BinaryHeap<Entry>,
    segment: u32,
    threshold: f32,
    after: Option<(f32, Tie)>,
}

impl ScoreHeap {
    /// Takes only what comes behind the page before.
    pub fn after(mut self, after: Option<&After>) -> Self {
        self.after = after.map(|after| (after.score(), after.tie));
        self
    }

    pub fn new(limit: usize) -> Self {
        ScoreHeap {
            limit,
            heap: BinaryHeap::with_capacity(limit.min(10_000) + 1),
            segment: 0,
            threshold: f32::NEG_INFINITY,
            after: None,
        }
    }

    /// A score that a later document must exceed.
    pub fn threshold(&self) -> f32 {
        if self.limit == 0 { f32::INFINITY } else { self.threshold }
    }

    pub fn segment(&mut self, ord: usize) {
        self.segment = ord as u32;
    }

    #[inline]
    pub fn push(&mut self, doc: DocId, score: f32) {
        if let Some((last, tie)) = self.after
            && !(score < last || (score == last && tie.admits(self.segment, doc)))
        {
            return;
        }
        if self.heap.len() < self.limit {
            self.heap.push(Entry { score, segment: self.segment, doc });
            if self.heap.len() == self.limit {
                self.threshold = self.heap.peek().map_or(f32::NEG_INFINITY, |worst| worst.score);
            }
        } else if score > self.threshold {
            if let Some(mut worst) = self.heap.peek_mut() {
                *worst = Entry { score, segment: self.segment, doc };
            }
            self.threshold = self.heap.peek().map_or(f32::NEG_INFINITY, |worst| worst.score);
        }
    }

    pub fn into_hits(self) -> Vec<Hit> {
        let entries = self.heap.into_sorted_vec();
        entries
            .into_iter()
            .map(|entry| Hit { segment: entry.segment, doc: entry.doc, score: entry.score, sort: Vec::new() })
            .collect()
    }
}

impl Top for ScoreHeap {
    fn begin(&mut self, segment: &SegmentView<'_>) -> Result<()> {
        self.segment = segment.ord as u32;
        Ok(())
    }

    fn collect(&mut self, docs: &[DocId], scores: &[f32]) {
        if self.limit == 0 {
            return;
        }
        for (doc, score) in docs.iter().zip(scores) {
            if *score > self.threshold || self.heap.len() < self.limit {
                self.push(*doc, *score);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scores_keep_document_order() {
        let mut heap = ScoreHeap::new(3);
        heap.collect(&[1, 2, 3, 4, 5], &[1.0, 2.0, 1.0, 2.0, 1.0]);
        let docs: Vec<u32> = heap.into_hits().iter().map(|hit| hit.doc).collect();
        assert_eq!(docs, [2, 4, 1]);
    }
}
