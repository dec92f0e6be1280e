//! The best hits by score.

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

/// A document with its score as one number, so that comparing costs next to nothing. The lowest is the best: by the highest score, then by
/// the earliest document.
fn entry(score: f32, segment: u32, doc: DocId) -> u128 {
    let bits = score.to_bits();
    // Ascending as the scores are: negative ones all turned round, of the others the sign.
    let ascending = bits ^ if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
    u128::from(!ascending) << 64 | u128::from(segment) << 32 | u128::from(doc)
}

fn score_of(entry: u128) -> f32 {
    let ascending = !((entry >> 64) as u32);
    f32::from_bits(ascending ^ if ascending >> 31 == 1 { 1 << 31 } else { u32::MAX })
}

/// The k best by score; of equals the earlier documents.
///
/// No heap: some more than k are taken, then all but the best k dropped at once. That costs much less for each of them where k is
/// large; the threshold is that of the last time.
pub struct TopScores {
    limit: usize,
    entries: Vec<u128>,
    /// k were taken: others must exceed the threshold.
    full: bool,
    segment: u32,
    threshold: f32,
    after: Option<(f32, Tie)>,
}

impl TopScores {
    /// Takes only what comes behind the page before.
    pub fn after(mut self, after: Option<&After>) -> Self {
        self.after = after.map(|after| (after.score(), after.tie));
        self
    }

    pub fn new(limit: usize) -> Self {
        let capacity = limit.min(10_000);
        TopScores {
            limit,
            entries: Vec::with_capacity(capacity + spare(capacity)),
            full: false,
            segment: 0,
            threshold: f32::NEG_INFINITY,
            after: None,
        }
    }

    /// A score that a later document must exceed; below the worst of the k best by what came since they were last found.
    #[inline]
    pub fn threshold(&self) -> f32 {
        if self.limit == 0 { f32::INFINITY } else { self.threshold }
    }

    pub fn segment(&mut self, ord: usize) {
        self.segment = ord as u32;
    }

    /// Takes a document that comes behind all that were taken.
    #[inline]
    pub fn push(&mut self, doc: DocId, score: f32) {
        if (self.full && (score <= self.threshold || score.is_nan())) || self.limit == 0 {
            return;
        }
        if let Some((last, tie)) = self.after
            && !(score < last || (score == last && tie.admits(self.segment, doc)))
        {
            return;
        }
        self.entries.push(entry(score, self.segment, doc));
        let most = if self.full { self.limit.saturating_add(spare(self.limit)) } else { self.limit };
        if self.entries.len() >= most {
            self.cut();
        }
    }

    /// Keeps the k best.
    #[cold]
    fn cut(&mut self) {
        let (_, worst, _) = self.entries.select_nth_unstable(self.limit - 1);
        self.threshold = score_of(*worst);
        self.entries.truncate(self.limit);
        self.full = true;
    }

    pub fn into_hits(mut self) -> Vec<Hit> {
        self.entries.sort_unstable();
        self.entries.truncate(self.limit);
        self.entries
            .into_iter()
            .map(|entry| Hit {
                segment: (entry >> 32) as u32,
                doc: entry as DocId,
                score: score_of(entry),
                sort: Vec::new(),
            })
            .collect()
    }
}

/// How many more than the k best are held: few keep the threshold sharp, many make a place in a long list cheap.
fn spare(limit: usize) -> usize {
    if limit < 64 { limit / 8 + 1 } else { limit / 2 }
}

impl Top for TopScores {
    fn begin(&mut self, segment: &SegmentView<'_>) -> Result<()> {
        self.segment = segment.ord as u32;
        Ok(())
    }

    fn collect(&mut self, docs: &[DocId], scores: &[f32]) {
        for (doc, score) in docs.iter().zip(scores) {
            self.push(*doc, *score);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_scores_keep_document_order() {
        let mut heap = TopScores::new(3);
        heap.collect(&[1, 2, 3, 4, 5], &[1.0, 2.0, 1.0, 2.0, 1.0]);
        let docs: Vec<u32> = heap.into_hits().iter().map(|hit| hit.doc).collect();
        assert_eq!(docs, [2, 4, 1]);
    }

    #[test]
    fn entries_are_in_the_order_of_hits() {
        let scores = [f32::INFINITY, 3.5, 1.0, f32::MIN_POSITIVE, 0.0, -0.0, -1.0, f32::NEG_INFINITY];
        for pair in scores.windows(2) {
            assert!(entry(pair[0], 9, 9) < entry(pair[1], 0, 0));
        }
        assert!(entry(1.0, 0, 9) < entry(1.0, 1, 0) && entry(1.0, 1, 0) < entry(1.0, 1, 1));
        assert!(scores.iter().all(|score| score_of(entry(*score, 7, 8)).to_bits() == score.to_bits()));
    }

    proptest! {
        #[test]
        fn the_best_are_those_of_a_sort(scores in prop::collection::vec(0u8..40, 0..300), limit in 0usize..40, split in 0usize..300) {
            let mut top = TopScores::new(limit);
            let mut all: Vec<(f32, u32, u32)> = Vec::new();
            for (at, score) in scores.iter().enumerate() {
                let segment = usize::from(at >= split);
                top.segment(segment);
                let before = top.threshold();
                top.push(at as u32, f32::from(*score));
                all.push((f32::from(*score), segment as u32, at as u32));
                // What is at or below the threshold is among none of the best.
                all.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
                if f32::from(*score) <= before {
                    prop_assert!(!all.iter().take(limit).any(|entry| entry.2 == at as u32));
                }
            }
            let expected: Vec<u32> = all.iter().take(limit).map(|entry| entry.2).collect();
            prop_assert_eq!(top.into_hits().iter().map(|hit| hit.doc).collect::<Vec<_>>(), expected);
        }
    }
}
