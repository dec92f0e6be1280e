//! Merging the blocks of shards: by score or sort values, equals by shard and then by document, as OpenSearch does.

use std::cmp::Ordering;

use super::aggregate;
use super::block::{Merged, MergedHit, ShardResult};
use super::plan::{Plan, TrackTotal};
use super::sort::{compare, plan_order};
use crate::Result;

/// Merges results in the order of shards.
pub fn merge(plan: &Plan, shards: Vec<ShardResult>) -> Result<Merged> {
    let mut merged = Merged::default();
    let mut blocks = Vec::new();
    let mut lists = Vec::with_capacity(shards.len());
    for (ord, mut shard) in shards.into_iter().enumerate() {
        merged.total += shard.total;
        merged.at_least |= shard.at_least;
        merged.timed_out |= shard.timed_out;
        merged.max_score = match (merged.max_score, shard.max_score) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        merged.terminated_early = match (merged.terminated_early, shard.terminated_early) {
            (Some(a), Some(b)) => Some(a || b),
            (a, b) => a.or(b),
        };
        blocks.extend(shard.aggs.take());
        lists.push((ord as u32, shard.hits));
    }
    merged.hits = merge_hits(plan, lists);
    if plan.has_aggs() && !blocks.is_empty() {
        let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        merged.aggs = Some(aggregate::merge(plan, &blocks)?);
    }
    if let TrackTotal::UpTo(limit) = plan.track_total_hits
        && merged.total > limit
    {
        merged.total = limit;
        merged.at_least = true;
    }
    Ok(merged)
}

fn merge_hits(plan: &Plan, mut lists: Vec<(u32, Vec<super::block::Hit>)>) -> Vec<MergedHit> {
    let page = |hits: Box<dyn Iterator<Item = MergedHit> + '_>| hits.skip(plan.from).take(plan.size).collect();
    if lists.len() == 1
        && let Some((shard, hits)) = lists.pop()
    {
        return page(Box::new(hits.into_iter().map(move |hit| MergedHit { shard, hit })));
    }
    let mut all: Vec<MergedHit> =
        lists.into_iter().flat_map(|(shard, hits)| hits.into_iter().map(move |hit| MergedHit { shard, hit })).collect();
    match &plan.sort {
        // The sort is stable: equals stay in the order of shards and documents.
        None => all.sort_by(|a, b| b.hit.score.total_cmp(&a.hit.score)),
        Some(keys) => {
            let order = plan_order(keys);
            all.sort_by(|a, b| match compare(order.iter().copied(), &a.hit.sort, &b.hit.sort) {
                Ordering::Equal => a.shard.cmp(&b.shard),
                other => other,
            });
        }
    }
    page(Box::new(all.into_iter()))
}
