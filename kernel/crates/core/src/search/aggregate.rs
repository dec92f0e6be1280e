//! The seam between search and aggregations: the pass over a segment feeds them, their partial results ride in the blocks.

use std::fmt;

use serde_json::Value;
use tantivy::{DocId, DocSet};

use super::ops::Op;
use super::plan::Plan;
use super::query::{BoxQuery, Context, SegmentView};
use crate::aggs::sources::{Filter, Sources};
use crate::aggs::{self, AggPlan, RenderOptions, ShardCollector};
use crate::reader::ShardReader;
use crate::{Error, Result};

/// The compiled aggregations of a plan.
#[derive(Default)]
pub struct Compiled(Option<AggPlan>);

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "aggregations" } else { "no aggregations" })
    }
}

impl Compiled {
    /// `query` is the search's, for what hits of aggregations tell of it.
    pub fn new(aggs: Option<&Value>, query: Option<&Value>, max_buckets: Option<usize>) -> Result<Compiled> {
        let Some(aggs) = aggs else { return Ok(Compiled(None)) };
        let mut plan = match query {
            Some(query) => aggs::parse(&with_query(aggs, query))?,
            None => aggs::parse(aggs)?,
        };
        if let Some(limit) = max_buckets {
            plan.max_buckets = limit;
        }
        Ok(Compiled(Some(plan)))
    }

    fn get(&self) -> Result<&AggPlan> {
        self.0.as_ref().ok_or_else(|| Error::illegal_argument("the plan has no aggregations"))
    }
}

/// Gives the search's query to each `top_hits` over root documents: named queries, inner hits and explanations come from it.
fn with_query(aggs: &Value, query: &Value) -> Value {
    let mut aggs = aggs.clone();
    let Some(members) = aggs.as_object_mut() else { return aggs };
    for node in members.values_mut() {
        let kind = node.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        if kind == "top_hits"
            && let Some(params) = node.get_mut("params").and_then(Value::as_object_mut)
        {
            params.entry("query").or_insert_with(|| query.clone());
        }
        if kind != "nested"
            && let Some(subs) = node.get_mut("aggs")
        {
            *subs = with_query(subs, query);
        }
    }
    aggs
}

/// Sub-filters for aggregations on one shard.
pub struct ShardSources<'a> {
    shard: &'a ShardReader,
}

struct BoundFilter<'a> {
    shard: &'a ShardReader,
    query: BoxQuery,
}

impl Filter for BoundFilter<'_> {
    fn docs(&self, segment_ord: usize) -> Result<Box<dyn DocSet>> {
        Ok(Box::new(self.query.scorer(&SegmentView::new(self.shard, segment_ord))?))
    }
}

impl Sources for ShardSources<'_> {
    fn filter<'f>(&'f self, op: &Value, scope: Option<&str>) -> Result<Box<dyn Filter + 'f>> {
        let op: Op = serde_json::from_value(op.clone())
            .map_err(|e| Error::new("parsing_exception", 400, format!("filter of an aggregation: {e}")))?;
        let mut context = Context::new(self.shard, false);
        if let Some(path) = scope {
            context = context.inside(path);
        }
        let query = op.bind(&context, 1.0)?;
        Ok(Box::new(BoundFilter { shard: self.shard, query }))
    }
}

impl<'a> ShardSources<'a> {
    pub fn new(shard: &'a ShardReader) -> Self {
        ShardSources { shard }
    }
}

/// Collects the aggregations of a plan on one shard.
pub struct Collector<'a> {
    collector: ShardCollector<'a>,
    scores: bool,
}

impl<'a> Collector<'a> {
    pub fn new(shard: &'a ShardReader, plan: &'a Plan, sources: &'a ShardSources<'a>) -> Result<Self> {
        let aggs = plan.compiled_aggs.get()?;
        Ok(Collector { collector: ShardCollector::new(aggs, shard, sources)?, scores: aggs.needs_scores() })
    }

    pub fn needs_scores(&self) -> bool {
        self.scores
    }

    pub fn begin(&mut self, segment: &SegmentView<'_>) -> Result<()> {
        self.collector.begin_segment(segment.ord)
    }

    pub fn collect(&mut self, docs: &[DocId], scores: Option<&[f32]>) -> Result<()> {
        self.collector.collect(docs, if self.scores { scores } else { None })
    }

    /// All documents of the segment begun, none deleted or nested; false if they have to be collected one by one.
    pub fn collect_all(&mut self) -> Result<bool> {
        Ok(!self.scores && self.collector.collect_all()?)
    }

    pub fn finish(self) -> Result<Vec<u8>> {
        self.collector.into_partial()
    }
}

/// The partial results of several shards as one that goes on to be merged with others.
pub fn reduce(plan: &Plan, blocks: &[&[u8]]) -> Result<Vec<u8>> {
    aggs::reduce(plan.compiled_aggs.get()?, blocks)
}

/// The finished aggregations as the inside of the answer's `aggregations` object, from the partial results of all shards.
pub fn merge(plan: &Plan, blocks: &[&[u8]]) -> Result<Vec<u8>> {
    let aggs = plan.compiled_aggs.get()?;
    let merged = aggs::merge(aggs, blocks)?;
    let object =
        aggs::render(aggs, &merged, RenderOptions { typed_keys: plan.typed_keys, total_as_int: plan.total_as_int });
    Ok(object.as_bytes()[1..object.len() - 1].to_vec())
}
