//! The best hits by sort keys. Each segment keeps its own best, which are then merged by value.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use tantivy::DocId;

use super::after::After;
use super::heap::Top;
use super::windows::{self, Bounded};
use super::{Job, Tally};
use crate::Result;
use crate::reader::ShardReader;
use crate::search::aggregate::Collector;
use crate::search::block::Hit;
use crate::search::plan::Order;
use crate::search::query::SegmentView;
use crate::search::sort::{BoundSort, KeyKind, SegmentKeys};

/// Runs a sorted search.
pub(super) fn run<'s>(
    job: &'s Job<'_>,
    shard: &ShardReader,
    sort: &'s BoundSort,
    counted: bool,
    tally: &mut Tally,
    aggs: Option<&mut Collector<'_>>,
) -> Result<Vec<Hit>> {
    let width: usize = sort.keys.iter().map(|key| if key.kind == KeyKind::Ip { 2 } else { 1 }).sum();
    match width {
        1 => collect::<1>(job, shard, sort, counted, tally, aggs),
        2 => collect::<2>(job, shard, sort, counted, tally, aggs),
        3 | 4 => collect::<4>(job, shard, sort, counted, tally, aggs),
        _ => collect::<16>(job, shard, sort, counted, tally, aggs),
    }
}

fn collect<'s, const N: usize>(
    job: &'s Job<'_>,
    shard: &ShardReader,
    sort: &'s BoundSort,
    counted: bool,
    tally: &mut Tally,
    aggs: Option<&mut Collector<'_>>,
) -> Result<Vec<Hit>> {
    let mut top = KeyedTop::<N> {
        sort,
        limit: job.top,
        after: job.after.as_ref(),
        after_numbers: None,
        keys: None,
        heap: BinaryHeap::with_capacity(job.top.min(10_000) + 1),
        segment: 0,
        best: Vec::new(),
        scored: job.scoring,
        in_order: matches!(sort.keys.as_slice(), [key, ..] if key.kind == KeyKind::Doc && key.order == Order::Asc),
    };
    if N == 1
        && aggs.is_none()
        && job.plain()
        && !job.scoring
        && windows::sortable(sort)
        && windows::run(job, shard, sort, &mut top)?
    {
        if !counted {
            // The hits are known: what is left is to count.
            job.pass(shard, tally, None, &mut Counting, job.plan.track_total_hits.limit())?;
        }
        return Ok(top.best);
    }
    job.pass_counted(shard, tally, aggs, &mut top, counted)?;
    Ok(top.best)
}

/// Needs no documents, only their number.
struct Counting;

impl Top for Counting {
    fn begin(&mut self, _segment: &SegmentView<'_>) -> Result<()> {
        Ok(())
    }

    fn collect(&mut self, _docs: &[DocId], _scores: &[f32]) {}

    fn satisfied(&self) -> bool {
        true
    }
}

impl<const N: usize> Bounded for KeyedTop<'_, N> {
    fn wants(&self, number: u64) -> bool {
        self.limit > 0
            && (self.heap.len() < self.limit || self.heap.peek().is_some_and(|worst| number <= worst.numbers[0]))
    }
}

/// Greatest is worst.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Entry<const N: usize> {
    numbers: [u64; N],
    doc: DocId,
    score: u32,
}

struct KeyedTop<'s, const N: usize> {
    sort: &'s BoundSort,
    limit: usize,
    after: Option<&'s After>,
    after_numbers: Option<[u64; N]>,
    keys: Option<SegmentKeys<'s>>,
    heap: BinaryHeap<Entry<N>>,
    segment: u32,
    /// Of the segments that are through, best first.
    best: Vec<Hit>,
    scored: bool,
    /// Sorted by document alone: the first are the best.
    in_order: bool,
}

impl<const N: usize> KeyedTop<'_, N> {
    /// Whether a document comes behind the page before.
    #[inline]
    fn is_behind(&self, numbers: &[u64; N], doc: DocId) -> bool {
        match (&self.after_numbers, self.after) {
            (Some(last), Some(after)) => numbers > last || (numbers == last && after.tie.admits(self.segment, doc)),
            _ => true,
        }
    }

    fn offer(&mut self, numbers: [u64; N], doc: DocId, score: f32) {
        if self.heap.len() < self.limit {
            self.heap.push(Entry { numbers, doc, score: score.to_bits() });
        } else if let Some(mut worst) = self.heap.peek_mut()
            && (numbers, doc) < (worst.numbers, worst.doc)
        {
            *worst = Entry { numbers, doc, score: score.to_bits() };
        }
    }

    fn merge(&mut self, found: Vec<Hit>) {
        if self.best.is_empty() {
            self.best = found;
            return;
        }
        let mut merged = Vec::with_capacity((self.best.len() + found.len()).min(self.limit));
        let (mut old, mut new) = (std::mem::take(&mut self.best).into_iter().peekable(), found.into_iter().peekable());
        while merged.len() < self.limit {
            let take_old = match (old.peek(), new.peek()) {
                (None, None) => break,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(a), Some(b)) => self.sort.compare(&a.sort, &b.sort) != Ordering::Greater,
            };
            merged.extend(if take_old { old.next() } else { new.next() });
        }
        self.best = merged;
    }
}

impl<const N: usize> Top for KeyedTop<'_, N> {
    fn begin(&mut self, segment: &SegmentView<'_>) -> Result<()> {
        self.segment = segment.ord as u32;
        let keys = self.sort.segment(segment)?;
        self.after_numbers = match &self.after {
            None => None,
            Some(after) => {
                let mut numbers = [0; N];
                let given = keys.numbers(&after.values)?;
                numbers[..given.len()].copy_from_slice(&given);
                Some(numbers)
            }
        };
        self.keys = Some(keys);
        Ok(())
    }

    fn collect(&mut self, docs: &[DocId], scores: &[f32]) {
        if self.limit == 0 {
            return;
        }
        let Some(mut keys) = self.keys.take() else { return };
        for (doc, score) in docs.iter().zip(scores) {
            let mut numbers = [0u64; N];
            keys.read(*doc, *score, &mut numbers);
            if self.is_behind(&numbers, *doc) {
                self.offer(numbers, *doc, *score);
            }
        }
        self.keys = Some(keys);
    }

    fn satisfied(&self) -> bool {
        self.in_order && self.heap.len() + self.best.len() >= self.limit
    }

    fn end(&mut self) -> Result<()> {
        let Some(keys) = self.keys.take() else { return Ok(()) };
        let entries = std::mem::take(&mut self.heap).into_sorted_vec();
        let mut found = Vec::with_capacity(entries.len());
        for entry in entries {
            let score = if self.scored { f32::from_bits(entry.score) } else { f32::NAN };
            found.push(Hit { segment: self.segment, doc: entry.doc, score, sort: keys.values(&entry.numbers)? });
        }
        self.merge(found);
        Ok(())
    }
}
