//! Merging the results of shards into the final ones.

use super::partial::{self, Partial, Single};
use super::plan::{AggNode, AggPlan};
use crate::{Error, Result, interrupt};

/// Counts the buckets of the answer.
pub struct ReduceCtx {
    buckets: usize,
    limit: usize,
    /// Nothing else will be merged with this: buckets are cut off, and gaps filled.
    pub last: bool,
}

impl ReduceCtx {
    pub fn new(limit: usize) -> ReduceCtx {
        ReduceCtx { buckets: 0, limit, last: true }
    }

    /// For results that are merged with others later: all buckets are kept, and not counted yet.
    pub fn unfinished() -> ReduceCtx {
        ReduceCtx { buckets: 0, limit: usize::MAX, last: false }
    }

    /// `more` buckets will be part of the answer.
    pub fn consume(&mut self, more: usize) -> Result<()> {
        self.buckets += more;
        if self.buckets <= self.limit {
            return Ok(());
        }
        Err(Error::new(
            "too_many_buckets_exception",
            503,
            format!(
                "Trying to create too many buckets. Must be less than or equal to: [{}] but was [{}]. This limit can be set by \
                 changing the [search.max_buckets] cluster level setting.",
                self.limit, self.buckets
            ),
        )
        .with_detail(serde_json::json!({"max_buckets": self.limit})))
    }

    /// A request for more buckets than there may be.
    pub fn check(&self, wanted: usize) -> Result<()> {
        ReduceCtx::new(self.limit).consume(wanted)
    }

    /// Buckets counted before turned out not to be part of the answer.
    pub fn give_back(&mut self, buckets: usize) {
        self.buckets = self.buckets.saturating_sub(buckets);
    }

    pub fn consumed(&self) -> usize {
        self.buckets
    }

    /// Merges the children of buckets that are the same: one list of children's results per bucket.
    pub fn subs(&mut self, nodes: &[AggNode], parts: Vec<Vec<Partial>>) -> Result<Vec<Partial>> {
        if nodes.is_empty() {
            return Ok(Vec::new());
        }
        interrupt::check_cancelled()?;
        let mut columns: Vec<Vec<Partial>> = nodes.iter().map(|_| Vec::with_capacity(parts.len())).collect();
        for subs in parts {
            if subs.len() != nodes.len() {
                return Err(partial::mismatch());
            }
            for (column, part) in columns.iter_mut().zip(subs) {
                column.push(part);
            }
        }
        nodes.iter().zip(columns).map(|(node, parts)| node.kind.reduce(parts, node, self)).collect()
    }

    /// Merges buckets that are the same.
    pub fn singles(&mut self, nodes: &[AggNode], parts: Vec<Single>) -> Result<Single> {
        let count = parts.iter().map(|p| p.count).sum();
        let subs = self.subs(nodes, parts.into_iter().map(|p| p.subs).collect())?;
        Ok(Single { count, subs })
    }
}

/// Merges shard results (from [`ShardCollector::into_partial`](super::ShardCollector::into_partial)) into the final ones.
pub fn merge(plan: &AggPlan, blocks: &[&[u8]]) -> Result<Vec<Partial>> {
    if blocks.is_empty() {
        return Ok(Vec::new());
    }
    ReduceCtx::new(plan.max_buckets).subs(&plan.aggs, decoded(blocks)?)
}

/// Merges results of some of the shards into one of the same kind: merged with the others it answers what all at once would
/// (OpenSearch's partial reduce, `batched_reduce_size`).
pub fn reduce(plan: &AggPlan, blocks: &[&[u8]]) -> Result<Vec<u8>> {
    partial::encode(&ReduceCtx::unfinished().subs(&plan.aggs, decoded(blocks)?)?)
}

fn decoded(blocks: &[&[u8]]) -> Result<Vec<Vec<Partial>>> {
    blocks.iter().map(|block| partial::decode(block)).collect()
}
