//! Choice of a shard's best buckets.

use std::cmp::Ordering;

use super::{Bucket, Key, Terms};
use crate::Result;
use crate::aggs::collect::Subs;

/// A bucket that may be part of the shard's answer: `ids[first..first + len]` are its numbers.
#[derive(Clone, Copy)]
struct Candidate {
    count: u64,
    /// Orders as the terms do.
    key: u64,
    first: u32,
    len: u32,
    /// Position of its values of order paths.
    values: u32,
}

/// A shard's chosen buckets, and the documents of all others.
pub struct Chosen {
    pub buckets: Vec<Bucket>,
    pub other: u64,
}

/// Chooses among the buckets `pairs` = (key, bucket number), sorted by key. `zeros`: keys wanted even without a bucket, ascending.
/// `term` gives the term of each chosen key.
pub fn choose(
    agg: &Terms,
    pairs: &[(u64, u32)],
    counts: &[u64],
    zeros: &[u64],
    subs: &mut Subs<'_>,
    term: impl FnOnce(&[u64]) -> Result<Vec<Key>>,
) -> Result<Chosen> {
    let ids: Vec<u32> = pairs.iter().map(|(_, id)| *id).collect();
    let mut candidates = candidates(pairs, counts, zeros);
    let total: u64 = candidates.iter().map(|c| c.count).sum();
    let least = agg.thresholds.shard_min_doc_count;
    candidates.retain(|c| c.count >= least);
    let paths: Vec<_> = agg.order.paths().cloned().collect();
    let mut values: Vec<f64> = Vec::with_capacity(candidates.len() * paths.len());
    if !paths.is_empty() {
        for candidate in &mut candidates {
            candidate.values = values.len() as u32;
            for path in &paths {
                values.push(subs.value(owners(&ids, candidate), path)?);
            }
        }
    }
    let compare = |a: &Candidate, b: &Candidate| -> Ordering {
        let of = |c: &Candidate| &values[c.values as usize..c.values as usize + paths.len()];
        agg.order.compare((a.count, of(a)), (b.count, of(b)), || a.key.cmp(&b.key))
    };
    let keep = agg.thresholds.shard_size;
    if candidates.len() > keep {
        candidates.select_nth_unstable_by(keep, compare);
        candidates.truncate(keep);
    }
    candidates.sort_unstable_by(compare);
    let other = total - candidates.iter().map(|c| c.count).sum::<u64>();
    let keys = term(&candidates.iter().map(|c| c.key).collect::<Vec<_>>())?;
    let mut buckets = Vec::with_capacity(candidates.len());
    for (candidate, key) in candidates.iter().zip(keys) {
        let subs = subs.build(owners(&ids, candidate))?;
        buckets.push(Bucket { key, count: candidate.count, error: 0, subs });
    }
    Ok(Chosen { buckets, other })
}

fn owners<'i>(ids: &'i [u32], candidate: &Candidate) -> &'i [u32] {
    &ids[candidate.first as usize..(candidate.first + candidate.len) as usize]
}

fn candidates(pairs: &[(u64, u32)], counts: &[u64], zeros: &[u64]) -> Vec<Candidate> {
    let mut found = Vec::with_capacity(pairs.len().max(zeros.len()));
    let mut zeros = zeros.iter().copied().peekable();
    let mut first = 0;
    for run in pairs.chunk_by(|a, b| a.0 == b.0) {
        let key = run[0].0;
        while let Some(key) = zeros.next_if(|zero| *zero < key) {
            found.push(Candidate { count: 0, key, first: 0, len: 0, values: 0 });
        }
        zeros.next_if_eq(&key);
        let count = run.iter().map(|(_, id)| counts[*id as usize]).sum();
        found.push(Candidate { count, key, first, len: run.len() as u32, values: 0 });
        first += run.len() as u32;
    }
    found.extend(zeros.map(|key| Candidate { count: 0, key, first: 0, len: 0, values: 0 }));
    found
}
