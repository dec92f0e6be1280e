//! Bucket numbers of aggregations that make buckets as keys appear (terms, histograms).

use rustc_hash::FxHashMap;

use super::budget::Budget;
use super::collect::{Fall, Owners};
use super::source::Loaded;
use crate::Result;

const NONE: u32 = u32::MAX;
/// Marks keys that a filter (include/exclude, hard bounds) turned away.
pub const REJECTED: u32 = u32::MAX - 1;
/// Slots of the direct table, at most.
const TABLE_MAX: usize = 1 << 21;
/// Bytes a bucket takes here, for the budget.
const BUCKET_BYTES: usize = 56;

/// Bucket numbers by (owner, key). Keys that are dense within a segment are found through a table, others through a hash map.
pub struct Buckets {
    map: FxHashMap<(u32, u64), u32>,
    table: Vec<u32>,
    span: usize,
    pub keys: Vec<u64>,
    pub owners: Vec<u32>,
    pub counts: Vec<u64>,
    /// Bucket numbers grouped by owner, made when results are built.
    grouped: Option<(Vec<u32>, Vec<u32>)>,
    /// Keys mean the same in every segment, so buckets live on from one to the next.
    lasting: bool,
    budget: Budget,
}

impl Buckets {
    /// `lasting`: keys mean the same in every segment; otherwise every segment gets buckets of its own.
    pub fn new(budget: Budget, lasting: bool) -> Buckets {
        Buckets {
            map: FxHashMap::default(),
            table: Vec::new(),
            span: 0,
            keys: Vec::new(),
            owners: Vec::new(),
            counts: Vec::new(),
            grouped: None,
            lasting,
            budget,
        }
    }

    pub fn len(&self) -> u32 {
        self.keys.len() as u32
    }

    /// Starts a segment whose keys have `span` dense slots (0: keys are not dense).
    pub fn begin(&mut self, span: usize) {
        self.table.clear();
        self.span = if span <= TABLE_MAX { span } else { 0 };
        self.grouped = None;
        if !self.lasting {
            self.map.clear();
        }
    }

    /// Makes room in the table for these owners; whether the table can be used.
    pub fn reserve(&mut self, owners: u32) -> Result<bool> {
        let slots = self.span * owners as usize;
        if self.span == 0 || slots > TABLE_MAX {
            self.span = 0;
            return Ok(false);
        }
        if slots > self.table.len() {
            self.budget.add((slots - self.table.len()) * 4)?;
            self.table.resize(slots, NONE);
        }
        Ok(true)
    }

    /// The bucket in a table slot; `slow` tells the key (None: rejected) the first time.
    #[inline(always)]
    pub fn dense(&mut self, owner: u32, slot: u32, slow: impl FnOnce() -> Option<u64>) -> Result<u32> {
        let at = owner as usize * self.span + slot as usize;
        let bucket = self.table[at];
        if bucket != NONE {
            return Ok(bucket);
        }
        let bucket = match slow() {
            Some(key) if self.lasting => self.sparse(owner, key, || true)?,
            Some(key) => self.push(owner, key)?,
            None => REJECTED,
        };
        self.table[at] = bucket;
        Ok(bucket)
    }

    /// The bucket of a key; `accept` is asked the first time.
    #[inline]
    pub fn sparse(&mut self, owner: u32, key: u64, accept: impl FnOnce() -> bool) -> Result<u32> {
        if let Some(found) = self.map.get(&(owner, key)) {
            return Ok(*found);
        }
        let bucket = if accept() { self.push(owner, key)? } else { REJECTED };
        self.map.insert((owner, key), bucket);
        Ok(bucket)
    }

    fn push(&mut self, owner: u32, key: u64) -> Result<u32> {
        self.budget.add(BUCKET_BYTES)?;
        self.keys.push(key);
        self.owners.push(owner);
        self.counts.push(0);
        Ok(self.keys.len() as u32 - 1)
    }

    /// Buckets of an owner.
    pub fn of(&mut self, owner: u32) -> &[u32] {
        let (order, starts) = self.grouped.get_or_insert_with(|| group(&self.owners));
        let owner = owner as usize;
        if owner + 1 >= starts.len() {
            return &[];
        }
        &order[starts[owner] as usize..starts[owner + 1] as usize]
    }

    /// Buckets of the owners as (key, bucket), sorted by key.
    pub fn sorted(&mut self, owners: &[u32]) -> Vec<(u64, u32)> {
        let mut found = Vec::new();
        for owner in owners {
            let buckets = self.of(*owner).to_vec();
            found.extend(buckets.into_iter().map(|b| (self.keys[b as usize], b)));
        }
        found.sort_unstable();
        found
    }

    pub fn count(&self, buckets: &[u32]) -> u64 {
        buckets.iter().map(|b| self.counts[*b as usize]).sum()
    }
}

/// Sorts bucket numbers by owner: (numbers, start of each owner).
fn group(owners: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let bound = owners.iter().max().map_or(0, |max| *max as usize + 1);
    let mut starts = vec![0u32; bound + 1];
    for owner in owners {
        starts[*owner as usize + 1] += 1;
    }
    for i in 1..starts.len() {
        starts[i] += starts[i - 1];
    }
    let mut next = starts.clone();
    let mut order = vec![0u32; owners.len()];
    for (bucket, owner) in owners.iter().enumerate() {
        let at = &mut next[*owner as usize];
        order[*at as usize] = bucket as u32;
        *at += 1;
    }
    (order, starts)
}

/// Runs of (key, buckets) out of what [`Buckets::sorted`] gives.
pub fn runs(sorted: &[(u64, u32)]) -> impl Iterator<Item = (u64, Vec<u32>)> + '_ {
    sorted.chunk_by(|a, b| a.0 == b.0).map(|run| (run[0].0, run.iter().map(|(_, b)| *b).collect()))
}

/// The slot and the key of a value.
pub trait Keyer {
    /// Dense slots of the values of a block; only called if [`Buckets::begin`] was given a span.
    fn slots(&mut self, raw: &[u64], out: &mut Vec<u32>);
    fn key_of_slot(&self, slot: u32) -> u64;
    fn keys(&mut self, raw: &[u64], out: &mut Vec<u64>);
    fn accept(&self, key: u64) -> bool;
}

/// Buffers of [`distribute`].
#[derive(Default)]
pub struct Scratch {
    pub fall: Fall,
    slots: Vec<u32>,
    keys: Vec<u64>,
}

/// Where all documents of a block went.
pub enum Went {
    /// One bucket, each document exactly once.
    Whole(u32),
    Nowhere,
    /// As the scratch's `fall` tells, if `keep` was asked for.
    Spread,
}

/// Puts the values of a block into buckets and counts; a document counts once per bucket. `keep`: the children need the documents.
pub fn distribute(
    buckets: &mut Buckets,
    keyer: &mut impl Keyer,
    block: &super::collect::Block<'_>,
    loaded: Loaded<'_>,
    scratch: &mut Scratch,
    keep: bool,
) -> Result<Went> {
    scratch.fall.clear();
    if loaded.raw.is_empty() {
        return Ok(Went::Nowhere);
    }
    if buckets.reserve(block.bound)? {
        scratch.slots.clear();
        keyer.slots(loaded.raw, &mut scratch.slots);
        if let (Owners::One(owner), None, Some(slot)) = (block.owners, loaded.pos, constant(&scratch.slots)) {
            return whole(buckets, keyer, owner, slot, loaded.raw.len());
        }
        let slots = std::mem::take(&mut scratch.slots);
        spread(block, loaded, &slots, &mut scratch.fall, keep, buckets, |buckets, owner, slot| {
            buckets.dense(owner, slot, || Some(keyer.key_of_slot(slot)).filter(|key| keyer.accept(*key)))
        })?;
        scratch.slots = slots;
    } else {
        scratch.keys.clear();
        keyer.keys(loaded.raw, &mut scratch.keys);
        let keys = std::mem::take(&mut scratch.keys);
        spread(block, loaded, &keys, &mut scratch.fall, keep, buckets, |buckets, owner, key| {
            buckets.sparse(owner, key, || keyer.accept(key))
        })?;
        scratch.keys = keys;
    }
    Ok(Went::Spread)
}

fn whole(buckets: &mut Buckets, keyer: &impl Keyer, owner: u32, slot: u32, docs: usize) -> Result<Went> {
    let bucket = buckets.dense(owner, slot, || Some(keyer.key_of_slot(slot)).filter(|key| keyer.accept(*key)))?;
    if bucket == REJECTED {
        return Ok(Went::Nowhere);
    }
    buckets.counts[bucket as usize] += docs as u64;
    Ok(Went::Whole(bucket))
}

fn constant(slots: &[u32]) -> Option<u32> {
    let (first, last) = (*slots.first()?, *slots.last()?);
    (first == last && slots.iter().all(|s| *s == first)).then_some(first)
}

#[inline(always)]
fn spread<K: Copy + PartialEq>(
    block: &super::collect::Block<'_>,
    loaded: Loaded<'_>,
    keys: &[K],
    fall: &mut Fall,
    keep: bool,
    buckets: &mut Buckets,
    mut bucket_of: impl FnMut(&mut Buckets, u32, K) -> Result<u32>,
) -> Result<()> {
    let mut previous = usize::MAX;
    for (i, key) in keys.iter().enumerate() {
        let at = loaded.at(i);
        // Values of a document ascend, so the same key can only stand right before.
        if at == previous && keys[i - 1] == *key {
            continue;
        }
        previous = at;
        let bucket = bucket_of(buckets, block.owner(at), *key)?;
        if bucket == REJECTED {
            continue;
        }
        buckets.counts[bucket as usize] += 1;
        if keep {
            fall.push(block, at, bucket);
        }
    }
    Ok(())
}
