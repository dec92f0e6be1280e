//! Collection of combinations on one shard.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::source::Source;
use super::{Bucket, Composite, Part, Result as CompositeResult};
use crate::Result;
use crate::aggs::buckets::REJECTED;
use crate::aggs::budget::Budget;
use crate::aggs::collect::{Block, Collector, Fall, SegmentCtx, ShardCtx, Subs};
use crate::aggs::histogram::multi_bucket;
use crate::aggs::partial::Partial;
use crate::aggs::plan::KeyPath;

/// Numbers of the values of a combination, one for each source.
type Combination = SmallVec<[u32; 4]>;

pub struct CompositeCollector<'a> {
    agg: &'a Composite,
    sources: Vec<Source<'a>>,
    after: Option<Vec<Part>>,
    /// The distinct values of each source.
    known: Vec<FxHashMap<Part, u32>>,
    values: Vec<Vec<Part>>,
    map: FxHashMap<(u32, Combination), u32>,
    combinations: Vec<(u32, Combination)>,
    counts: Vec<u64>,
    fall: Fall,
    budget: Budget,
    subs: Subs<'a>,
}

impl<'a> CompositeCollector<'a> {
    pub fn new(
        agg: &'a Composite,
        sources: Vec<Source<'a>>,
        after: Option<Vec<Part>>,
        ctx: &ShardCtx<'a>,
        subs: Subs<'a>,
    ) -> Self {
        CompositeCollector {
            agg,
            known: sources.iter().map(|_| FxHashMap::default()).collect(),
            values: sources.iter().map(|_| Vec::new()).collect(),
            sources,
            after,
            map: FxHashMap::default(),
            combinations: Vec::new(),
            counts: Vec::new(),
            fall: Fall::default(),
            budget: ctx.budget.clone(),
            subs,
        }
    }

    fn number(&mut self, source: usize, part: &Part) -> u32 {
        if let Some(number) = self.known[source].get(part) {
            return *number;
        }
        let number = self.values[source].len() as u32;
        self.known[source].insert(part.clone(), number);
        self.values[source].push(part.clone());
        number
    }

    fn key(&self, combination: &[u32]) -> Vec<Part> {
        combination.iter().zip(&self.values).map(|(number, values)| values[*number as usize].clone()).collect()
    }

    /// The bucket of a combination; those that are not after the key asked for are turned away.
    fn bucket(&mut self, owner: u32, combination: &Combination) -> Result<u32> {
        if let Some(bucket) = self.map.get(&(owner, combination.clone())) {
            return Ok(*bucket);
        }
        self.budget.add(96)?;
        let wanted = self.after.as_ref().is_none_or(|after| self.agg.compare(&self.key(combination), after).is_gt());
        let bucket = if wanted {
            self.combinations.push((owner, combination.clone()));
            self.counts.push(0);
            self.counts.len() as u32 - 1
        } else {
            REJECTED
        };
        self.map.insert((owner, combination.clone()), bucket);
        Ok(bucket)
    }

    /// All combinations of the values of a document.
    fn combine(&mut self, parts: &[SmallVec<[u32; 2]>], block: &Block<'_>, at: usize) -> Result<()> {
        let mut choice: SmallVec<[usize; 4]> = SmallVec::from_elem(0, parts.len());
        loop {
            let combination: Combination = choice.iter().zip(parts).map(|(c, p)| p[*c]).collect();
            let bucket = self.bucket(block.owner(at), &combination)?;
            if bucket != REJECTED {
                self.counts[bucket as usize] += 1;
                self.fall.push(block, at, bucket);
            }
            let mut place = parts.len();
            loop {
                if place == 0 {
                    return Ok(());
                }
                place -= 1;
                choice[place] += 1;
                if choice[place] < parts[place].len() {
                    break;
                }
                choice[place] = 0;
            }
        }
    }
}

impl Collector for CompositeCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.sources.iter_mut().try_for_each(|s| s.begin(segment))?;
        self.subs.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.fall.clear();
        let mut found = Vec::new();
        for (at, doc) in block.docs.iter().enumerate() {
            let mut parts: SmallVec<[SmallVec<[u32; 2]>; 4]> = SmallVec::new();
            for source in 0..self.sources.len() {
                self.sources[source].parts(*doc, &mut found)?;
                parts.push(found.iter().map(|part| self.number(source, part)).collect());
                if found.is_empty() {
                    break;
                }
            }
            if parts.iter().all(|p| !p.is_empty()) {
                self.combine(&parts, block, at)?;
            }
        }
        if self.subs.is_empty() || self.fall.is_empty() {
            return Ok(());
        }
        self.fall.hand_on(&mut self.subs, self.counts.len() as u32)
    }

    fn end(&mut self) -> Result<()> {
        self.subs.end()
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        let mut grouped: FxHashMap<&Combination, Vec<u32>> = FxHashMap::default();
        for (bucket, (owner, combination)) in self.combinations.iter().enumerate() {
            if owners.contains(owner) {
                grouped.entry(combination).or_default().push(bucket as u32);
            }
        }
        let mut found: Vec<(Vec<Part>, Vec<u32>)> = grouped.into_iter().map(|(c, ids)| (self.key(c), ids)).collect();
        found.sort_by(|a, b| self.agg.compare(&a.0, &b.0));
        found.truncate(self.agg.size);
        let mut buckets = Vec::with_capacity(found.len());
        for (key, ids) in found {
            let count = ids.iter().map(|id| self.counts[*id as usize]).sum();
            buckets.push(Bucket { key, count, subs: self.subs.build(&ids)? });
        }
        let formats = self.sources.iter().map(|s| s.format.clone()).collect();
        Ok(Partial::Composite(Box::new(CompositeResult { formats, buckets })))
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> Result<f64> {
        Err(multi_bucket(path))
    }
}
