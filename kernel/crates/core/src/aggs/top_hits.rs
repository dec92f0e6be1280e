//! `top_hits`: the best documents of a bucket. The shard sorts and fetches them, the merge picks among those of all shards.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smallvec::SmallVec;
use tantivy::DocId;

use super::RenderOptions;
use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::order;
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use crate::Result;
use crate::search::block::Hit;
use crate::search::fetch::fetch;
use crate::search::json::write_f32;
use crate::search::plan::{Order, Plan, SortKey};
use crate::search::query::{Context, SegmentView};
use crate::search::sort::{BoundSort, SortValue, compare, plan_order};

/// Fetched hits of a bucket, best first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Found {
    pub total: u64,
    pub max_score: Option<f32>,
    pub hits: Vec<FoundHit>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FoundHit {
    score: f32,
    sort: Vec<SortValue>,
    /// The hit as JSON.
    json: String,
}

pub struct TopHits {
    /// Sort, size and fetch as a search has them; its query is not run.
    plan: Plan,
}

impl TopHits {
    pub fn parse(params: &Value) -> Result<TopHits> {
        let mut plan = params.clone();
        if let Some(plan) = plan.as_object_mut() {
            plan.entry("size").or_insert(json!(3));
        }
        Ok(TopHits { plan: Plan::parse(plan.to_string().as_bytes())? })
    }

    fn compare(&self, a: &FoundHit, b: &FoundHit) -> Ordering {
        self.compare_keys((a.score, &a.sort), (b.score, &b.sort))
    }

    fn compare_keys(&self, a: (f32, &[SortValue]), b: (f32, &[SortValue])) -> Ordering {
        match &self.plan.sort {
            None => b.0.total_cmp(&a.0),
            Some(keys) => compare(plan_order(keys).into_iter(), a.1, b.1),
        }
    }
}

impl AggKind for TopHits {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, _subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let mut context = Context::new(ctx.reader, true);
        if let Some(path) = &ctx.scope {
            context = context.inside(path);
        }
        let sort = match &self.plan.sort {
            Some(keys) => BoundSort::bind(&context, keys)?,
            None => BoundSort::bind(&context, &[SortKey::Score { order: Order::Desc }])?,
        };
        Ok(Box::new(HitsCollector {
            agg: self,
            sort,
            segment: 0,
            waiting: Vec::new(),
            tops: Vec::new(),
            touched: Vec::new(),
            scored: self.needs_scores(),
            ctx: ctx.clone(),
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, _node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
        let mut all = Found { total: 0, max_score: None, hits: Vec::new() };
        for part in parts {
            let Partial::Hits(part) = part else { return Err(mismatch()) };
            all.total += part.total;
            all.max_score = match (all.max_score, part.max_score) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
            all.hits.extend(part.hits);
        }
        all.hits.sort_by(|a, b| self.compare(a, b));
        all.hits.truncate(self.plan.top());
        if ctx.last {
            all.hits.drain(..self.plan.from.min(all.hits.len()));
        }
        Ok(Partial::Hits(Box::new(all)))
    }

    fn render(&self, partial: &Partial, _node: &AggNode, out: &mut Out, options: RenderOptions) {
        let Partial::Hits(found) = partial else { return };
        out.key("hits");
        out.begin_object();
        out.key("total");
        if options.total_as_int {
            out.unsigned(found.total);
        } else {
            out.begin_object();
            out.field_unsigned("value", found.total);
            out.field_string("relation", "eq");
            out.end_object();
        }
        out.key("max_score");
        match found.max_score {
            Some(score) => {
                let mut text = Vec::new();
                write_f32(&mut text, score);
                out.raw(&String::from_utf8_lossy(&text));
            }
            None => out.null(),
        }
        out.key("hits");
        out.begin_array();
        found.hits.iter().for_each(|hit| out.raw(&hit.json));
        out.end_array();
        out.end_object();
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "top_hits"
    }

    fn needs_scores(&self) -> bool {
        self.plan.wants_scores()
    }

    fn value(&self, _partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        Err(order::needs_metric(path))
    }
}

type Numbers = SmallVec<[u64; 2]>;

/// The best documents of a bucket: in the current segment by numbers, greatest is worst; in those before by value.
#[derive(Default)]
struct Top {
    total: u64,
    max_score: Option<f32>,
    heap: BinaryHeap<(Numbers, DocId, u32)>,
    best: Vec<Hit>,
}

struct HitsCollector<'a> {
    agg: &'a TopHits,
    sort: BoundSort,
    segment: u32,
    /// Documents of the segment whose keys were not read yet: owner, document, score.
    waiting: Vec<(u32, DocId, f32)>,
    tops: Vec<Option<Box<Top>>>,
    /// Owners with documents in the current segment.
    touched: Vec<u32>,
    scored: bool,
    ctx: ShardCtx<'a>,
}

impl HitsCollector<'_> {
    /// Reads the keys of the documents waiting; at the end of the segment its best get their values.
    fn drain(&mut self, end: bool) -> Result<()> {
        let sort = std::mem::replace(&mut self.sort, BoundSort { keys: Vec::new() });
        let drained = self.drain_by(&sort, end);
        self.sort = sort;
        drained
    }

    fn drain_by(&mut self, sort: &BoundSort, end: bool) -> Result<()> {
        let reader = self.ctx.reader;
        let mut keys = sort.segment(&SegmentView::new(reader, self.segment as usize))?;
        let width = keys.width();
        for (owner, doc, score) in std::mem::take(&mut self.waiting) {
            let mut numbers = Numbers::from_elem(0, width);
            keys.read(doc, score, &mut numbers);
            self.offer(owner, doc, score, numbers)?;
        }
        if !end {
            return Ok(());
        }
        for owner in std::mem::take(&mut self.touched) {
            let Some(top) = &mut self.tops[owner as usize] else { continue };
            for (numbers, doc, score) in std::mem::take(&mut top.heap).into_sorted_vec() {
                let sort = keys.values(&numbers)?;
                top.best.push(Hit { segment: self.segment, doc, score: f32::from_bits(score), sort });
            }
            top.best.sort_by(|a, b| sort.compare(&a.sort, &b.sort).then((a.segment, a.doc).cmp(&(b.segment, b.doc))));
            top.best.truncate(self.agg.plan.top());
        }
        Ok(())
    }

    fn offer(&mut self, owner: u32, doc: DocId, score: f32, numbers: Numbers) -> Result<()> {
        let limit = self.agg.plan.top();
        let slot = &mut self.tops[owner as usize];
        if slot.is_none() {
            self.ctx.budget.add(size_of::<Top>() + limit.min(100) * 64)?;
        }
        let top = slot.get_or_insert_default();
        top.total += 1;
        if self.scored && top.max_score.is_none_or(|best| score > best) {
            top.max_score = Some(score);
        }
        if limit == 0 {
            return Ok(());
        }
        if top.heap.is_empty() {
            self.touched.push(owner);
        }
        let entry = (numbers, doc, score.to_bits());
        if top.heap.len() < limit {
            top.heap.push(entry);
        } else if let Some(mut worst) = top.heap.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
        Ok(())
    }

    /// The best of several owners.
    fn merged(&self, owners: &[u32]) -> (u64, Option<f32>, Vec<Hit>) {
        let mut total = 0;
        let mut max_score: Option<f32> = None;
        let mut hits: Vec<Hit> = Vec::new();
        for top in owners.iter().filter_map(|o| self.tops.get(*o as usize)?.as_ref()) {
            total += top.total;
            max_score = match (max_score, top.max_score) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
            hits.extend(top.best.iter().cloned());
        }
        hits.sort_by(|a, b| self.sort.compare(&a.sort, &b.sort).then((a.segment, a.doc).cmp(&(b.segment, b.doc))));
        hits.truncate(self.agg.plan.top());
        (total, max_score, hits)
    }

    /// Fetches hits in the order of documents, and gives them back in theirs.
    fn fetch(&self, hits: &[Hit]) -> Result<Vec<FoundHit>> {
        let reader = self.ctx.reader;
        let sorted = self.agg.plan.sort.is_some();
        let shown = |hit: &Hit| Hit { sort: if sorted { hit.sort.clone() } else { Vec::new() }, ..hit.clone() };
        let refs: Vec<(u32, Hit)> = hits.iter().enumerate().map(|(place, hit)| (place as u32, shown(hit))).collect();
        let mut fetched = fetch(&reader.index, reader.shard, "", reader, &self.agg.plan, &refs)?;
        fetched.sort_by_key(|(place, _)| *place);
        Ok(refs
            .into_iter()
            .zip(fetched)
            .map(|((_, hit), (_, json))| FoundHit {
                score: hit.score,
                sort: hit.sort,
                json: String::from_utf8_lossy(&json).into_owned(),
            })
            .collect())
    }
}

/// Documents that may wait for their keys to be read.
const WAITING: usize = 1 << 16;

impl Collector for HitsCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.segment = segment.ord as u32;
        Ok(())
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        if block.bound as usize > self.tops.len() {
            self.ctx.budget.add((block.bound as usize - self.tops.len()) * 8)?;
            self.tops.resize_with(block.bound as usize, || None);
        }
        for (at, doc) in block.docs.iter().enumerate() {
            let score = block.scores.map_or(f32::NAN, |scores| scores[at]);
            self.waiting.push((block.owner(at), *doc, score));
        }
        if self.waiting.len() >= WAITING { self.drain(false) } else { Ok(()) }
    }

    fn end(&mut self) -> Result<()> {
        if self.waiting.is_empty() && self.touched.is_empty() { Ok(()) } else { self.drain(true) }
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        let (total, max_score, hits) = self.merged(owners);
        let hits = self.fetch(&hits)?;
        Ok(Partial::Hits(Box::new(Found { total, max_score, hits })))
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> Result<f64> {
        Err(order::needs_metric(path))
    }
}
