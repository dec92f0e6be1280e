//! Merging what shards found: by score or sort values, equals by shard and then by document, as OpenSearch does.

use std::cmp::Ordering;

use super::aggregate;
use super::block::{Merged, MergedHit, ShardResult};
use super::plan::{Plan, TrackTotal};
use super::sort::{compare, plan_order};
use crate::Result;

/// All that shards found but their hits and aggregations, with the partial aggregations beside.
fn sum(shards: Vec<(u32, ShardResult)>) -> (ShardResult, Vec<MergedHit>, Vec<Vec<u8>>) {
    let mut all = ShardResult::default();
    let mut hits = Vec::new();
    let mut blocks = Vec::new();
    for (place, mut shard) in shards {
        all.total += shard.total;
        all.at_least |= shard.at_least;
        all.timed_out |= shard.timed_out;
        all.max_score = match (all.max_score, shard.max_score) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        all.terminated_early = match (all.terminated_early, shard.terminated_early) {
            (Some(a), Some(b)) => Some(a || b),
            (a, b) => a.or(b),
        };
        blocks.extend(shard.aggs.take());
        let places = shard.places.into_iter().chain(std::iter::repeat(place));
        hits.extend(shard.hits.into_iter().zip(places).map(|(hit, shard)| MergedHit { shard, hit }));
    }
    (all, hits, blocks)
}

fn borrowed(blocks: &[Vec<u8>]) -> Vec<&[u8]> {
    blocks.iter().map(Vec::as_slice).collect()
}

/// The final result of all shards, each with its place among those that are searched.
pub fn merge(plan: &Plan, shards: Vec<(u32, ShardResult)>) -> Result<Merged> {
    let several = shards.len() > 1;
    let (all, mut hits, blocks) = sum(shards);
    if several {
        order(plan, &mut hits);
    }
    let mut merged = Merged {
        total: all.total,
        at_least: all.at_least,
        max_score: all.max_score,
        hits: hits.into_iter().skip(plan.from).take(plan.size).collect(),
        aggs: None,
        timed_out: all.timed_out,
        terminated_early: all.terminated_early,
    };
    if plan.has_aggs() && !blocks.is_empty() {
        merged.aggs = Some(aggregate::merge(plan, &borrowed(&blocks))?);
    }
    if let TrackTotal::UpTo(limit) = plan.track_total_hits
        && merged.total > limit
    {
        merged.total = limit;
        merged.at_least = true;
    }
    Ok(merged)
}

/// What some of the shards found as one result, which is merged with the others' later: no more hits than the page needs, each
/// bucket once.
pub fn reduce(plan: &Plan, shards: Vec<(u32, ShardResult)>) -> Result<ShardResult> {
    let (mut all, mut hits, blocks) = sum(shards);
    order(plan, &mut hits);
    hits.truncate(plan.top());
    (all.places, all.hits) = hits.into_iter().map(|found| (found.shard, found.hit)).unzip();
    if !blocks.is_empty() {
        all.aggs = Some(aggregate::reduce(plan, &borrowed(&blocks))?);
    }
    Ok(all)
}

/// Best first. The sort is stable: what is equal stays in the order of documents within its shard.
fn order(plan: &Plan, hits: &mut [MergedHit]) {
    match &plan.sort {
        None => hits.sort_by(|a, b| b.hit.score.total_cmp(&a.hit.score).then(a.shard.cmp(&b.shard))),
        Some(keys) => {
            let order = plan_order(keys);
            hits.sort_by(|a, b| match compare(order.iter().copied(), &a.hit.sort, &b.hit.sort) {
                Ordering::Equal => a.shard.cmp(&b.shard),
                other => other,
            });
        }
    }
}
