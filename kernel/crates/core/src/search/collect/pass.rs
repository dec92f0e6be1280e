//! One pass over the matching documents of each segment, in blocks.

use tantivy::query::Scorer;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, TERMINATED};

use super::after::Tie;
use super::heap::Top;
use super::{Job, Tally};
use crate::reader::ShardReader;
use crate::search::aggregate::Collector;
use crate::search::docs::Accept;
use crate::search::plan::Order;
use crate::search::query::{SegmentView, matches};
use crate::search::sort::KeyKind;
use crate::{Result, interrupt};

const BLOCK: usize = COLLECT_BLOCK_BUFFER_LEN;
/// Blocks between two looks at the clock.
const PATIENCE: u32 = 64;

/// Visible documents that the query matches, up to a block full.
struct Block {
    docs: [DocId; BLOCK],
    scores: [f32; BLOCK],
    len: usize,
}

impl Job<'_> {
    /// Visits all matches. Counting beyond `limit` may stop where nothing else needs the documents.
    pub(super) fn pass(
        &self,
        shard: &ShardReader,
        tally: &mut Tally,
        mut aggs: Option<&mut Collector<'_>>,
        top: &mut dyn Top,
        limit: u64,
    ) -> Result<()> {
        for segment in SegmentView::all(shard) {
            if !tally.stopped() && interrupt::expired()? {
                tally.timed_out = true;
            }
            if tally.stopped() || tally.at_least {
                break;
            }
            if self.passed_segment(&segment) {
                continue;
            }
            top.begin(&segment)?;
            if let Some(aggs) = aggs.as_deref_mut() {
                aggs.begin(&segment)?;
                if self.takes_all(&segment)? && aggs.collect_all()? {
                    tally.total += u64::from(segment.max_doc());
                    continue;
                }
            }
            self.pass_segment(&segment, tally, aggs.as_deref_mut(), top, limit)?;
            top.end()?;
        }
        Ok(())
    }

    fn pass_segment(
        &self,
        segment: &SegmentView<'_>,
        tally: &mut Tally,
        mut aggs: Option<&mut Collector<'_>>,
        top: &mut dyn Top,
        limit: u64,
    ) -> Result<()> {
        if self.query.is_empty() {
            return Ok(());
        }
        let accept = Accept::new(segment)?;
        let mut scorer = self.query.scorer(segment)?;
        if let Some((last_segment, last)) = self.resume()
            && last_segment == segment.ord as u32
            && scorer.doc() <= last
        {
            scorer.seek(last + 1);
        }
        let mut filter = self.post_filter.as_ref().map(|filter| filter.scorer(segment)).transpose()?;
        let mut block = Block { docs: [0; BLOCK], scores: [0.0; BLOCK], len: 0 };
        let mut blocks = 0u32;
        loop {
            let done = self.fill(scorer.as_mut(), &accept, &mut block);
            self.cut(&mut block, tally);
            if let Some(aggs) = aggs.as_deref_mut() {
                let scores = if self.scoring { Some(&block.scores[..block.len]) } else { None };
                aggs.collect(&block.docs[..block.len], scores)?;
            }
            if let Some(filter) = &mut filter {
                keep(&mut block, filter.as_mut());
            }
            tally.total += block.len as u64;
            if self.plan.track_scores && self.scoring {
                let best = block.scores[..block.len].iter().copied().reduce(f32::max);
                tally.max_score = tally.max_score.into_iter().chain(best).reduce(f32::max);
            }
            top.collect(&block.docs[..block.len], &block.scores[..block.len]);
            if done || tally.terminated {
                return Ok(());
            }
            blocks += 1;
            if blocks.is_multiple_of(PATIENCE) && interrupt::expired()? {
                tally.timed_out = true;
                return Ok(());
            }
            if aggs.is_none() && tally.total > limit && top.satisfied() {
                tally.at_least = true;
                return Ok(());
            }
        }
    }

    /// Whether all documents of a segment match and are visible, and none of them is wanted as a hit.
    fn takes_all(&self, segment: &SegmentView<'_>) -> Result<bool> {
        Ok(self.top == 0
            && self.plain()
            && self.query.count(segment)? == Some(segment.max_doc())
            && Accept::new(segment)?.all())
    }

    /// Where a page in the order of documents goes on.
    fn resume(&self) -> Option<(u32, DocId)> {
        let after = self.after.as_ref()?;
        let sort = self.sort.as_ref()?;
        match (after.tie, sort.keys.first()?) {
            (Tie::Behind(segment, doc), key) if key.kind == KeyKind::Doc && key.order == Order::Asc => {
                Some((segment, doc))
            }
            _ => None,
        }
    }

    fn passed_segment(&self, segment: &SegmentView<'_>) -> bool {
        self.resume().is_some_and(|(last, _)| (segment.ord as u32) < last)
    }

    /// Fills the block; true at the end of the segment.
    fn fill(&self, scorer: &mut dyn Scorer, accept: &Accept, block: &mut Block) -> bool {
        if !self.scoring {
            let len = scorer.fill_buffer(&mut block.docs);
            block.len = accept.retain(&mut block.docs[..len]);
            return len < BLOCK;
        }
        block.len = 0;
        let mut doc = scorer.doc();
        let minimum = self.plan.min_score.unwrap_or(f32::NEG_INFINITY);
        while doc < TERMINATED {
            if accept.contains(doc) {
                let score = scorer.score();
                if score >= minimum {
                    block.docs[block.len] = doc;
                    block.scores[block.len] = score;
                    block.len += 1;
                }
            }
            doc = scorer.advance();
            if block.len == BLOCK {
                return doc >= TERMINATED;
            }
        }
        true
    }

    /// Keeps to `terminate_after`.
    fn cut(&self, block: &mut Block, tally: &mut Tally) {
        let Some(most) = self.plan.terminate_after.filter(|n| *n > 0) else { return };
        let room = most.saturating_sub(tally.collected);
        if block.len as u64 > room {
            // Only what is beyond makes the end an early one.
            tally.terminated = true;
            block.len = room as usize;
        }
        tally.collected += block.len as u64;
    }
}

fn keep(block: &mut Block, filter: &mut dyn Scorer) {
    let mut kept = 0;
    for i in 0..block.len {
        let doc = block.docs[i];
        if matches(filter, doc) {
            block.docs[kept] = doc;
            block.scores[kept] = block.scores[i];
            kept += 1;
        }
    }
    block.len = kept;
}
