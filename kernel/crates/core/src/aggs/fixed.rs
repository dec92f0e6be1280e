//! What aggregations with a fixed list of buckets share: bucket number = owner × buckets + position.

use super::budget::Budget;
use super::collect::{Block, Fall, SegmentCtx, Subs};
use super::format::Format;
use super::partial::{Fixed, Partial, Single, mismatch};
use super::plan::AggNode;
use super::reduce::ReduceCtx;
use crate::Result;

pub struct Slots<'a> {
    pub len: u32,
    counts: Vec<u64>,
    fall: Fall,
    subs: Subs<'a>,
    budget: Budget,
    bound: u32,
}

impl<'a> Slots<'a> {
    pub fn new(len: usize, subs: Subs<'a>, budget: Budget) -> Slots<'a> {
        Slots { len: len as u32, counts: Vec::new(), fall: Fall::default(), subs, budget, bound: 0 }
    }

    pub fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.subs.begin(segment)
    }

    pub fn end(&mut self) -> Result<()> {
        self.subs.end()
    }

    /// Starts a block.
    pub fn open(&mut self, block: &Block<'_>) -> Result<()> {
        self.fall.clear();
        self.bound = block.bound * self.len;
        let bound = self.bound as usize;
        if bound > self.counts.len() {
            self.budget.add((bound - self.counts.len()) * 8)?;
            self.counts.resize(bound, 0);
        }
        Ok(())
    }

    /// Document `at` of the block is in bucket `slot` of its owner.
    #[inline(always)]
    pub fn put(&mut self, block: &Block<'_>, at: usize, slot: u32) {
        let bucket = block.owner(at) * self.len + slot;
        self.counts[bucket as usize] += 1;
        if !self.subs.is_empty() {
            self.fall.push(block, at, bucket);
        }
    }

    /// Ends a block: the children get what was put.
    pub fn close(&mut self) -> Result<()> {
        if self.subs.is_empty() || self.fall.is_empty() {
            return Ok(());
        }
        self.fall.hand_on(&mut self.subs, self.bound)
    }

    pub fn build(&mut self, owners: &[u32], format: &Format) -> Result<Partial> {
        let mut buckets = Vec::with_capacity(self.len as usize);
        for slot in 0..self.len {
            let ids: Vec<u32> = owners.iter().map(|o| o * self.len + slot).collect();
            let count = ids.iter().filter_map(|id| self.counts.get(*id as usize)).sum();
            buckets.push(Single { count, subs: self.subs.build(&ids)? });
        }
        Ok(Partial::Fixed(Box::new(Fixed { format: format.clone(), buckets })))
    }
}

/// Merges lists of buckets position by position.
pub fn reduce(parts: Vec<Partial>, len: usize, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
    let mut columns: Vec<Vec<Single>> = (0..len).map(|_| Vec::new()).collect();
    let mut format = Format::Raw;
    for part in parts {
        let Partial::Fixed(part) = part else { return Err(mismatch()) };
        if part.buckets.len() != len {
            return Err(mismatch());
        }
        if format.is_raw() {
            format = part.format;
        }
        for (column, bucket) in columns.iter_mut().zip(part.buckets) {
            column.push(bucket);
        }
    }
    ctx.consume(len)?;
    let buckets = columns.into_iter().map(|c| ctx.singles(&node.subs, c)).collect::<Result<Vec<_>>>()?;
    Ok(Partial::Fixed(Box::new(Fixed { format, buckets })))
}
