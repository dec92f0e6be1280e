//! `filters`: one bucket per filter, named or anonymous, and one for the rest.

use serde_json::Value;
use tantivy::DocSet;

use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::fixed::{self, Slots};
use super::format::Format;
use super::histogram::multi_bucket;
use super::out::Out;
use super::partial::Partial;
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::single::holds;
use super::sources::Filter;
use super::{params, render};
use crate::aggs::RenderOptions;
use crate::{Error, Result};

pub struct Filters {
    keyed: bool,
    filters: Vec<(String, Value)>,
    other: Option<String>,
}

impl Filters {
    /// `filters`: a list of `[name, operation]`.
    pub fn parse(params: &Value) -> Result<Filters> {
        let bad = || Error::illegal_argument("[filters] must be a list of [name, operation]");
        let list = params::value(params, "filters").and_then(Value::as_array).ok_or_else(bad)?;
        let mut filters = Vec::with_capacity(list.len());
        for entry in list {
            let [name, op] = entry.as_array().map(Vec::as_slice).ok_or_else(bad)? else { return Err(bad()) };
            filters.push((name.as_str().unwrap_or_default().to_string(), op.clone()));
        }
        let keyed = params.get("keyed").and_then(Value::as_bool).unwrap_or(true);
        if keyed {
            filters.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let key = params::text(params, "other_bucket_key").map(str::to_string);
        let wanted = params.get("other_bucket").and_then(Value::as_bool).unwrap_or(key.is_some());
        let other = wanted.then(|| key.unwrap_or_else(|| "_other_".to_string()));
        Ok(Filters { keyed, filters, other })
    }

    fn len(&self) -> usize {
        self.filters.len() + usize::from(self.other.is_some())
    }
}

impl AggKind for Filters {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let filters = self
            .filters
            .iter()
            .map(|(_, op)| ctx.sources.filter(op, ctx.scope.as_deref()))
            .collect::<Result<Vec<_>>>()?;
        Ok(Box::new(FiltersCollector {
            filters,
            docs: Vec::new(),
            other: self.other.is_some(),
            slots: Slots::new(self.len(), subs, ctx.budget.clone()),
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
        fixed::reduce(parts, self.len(), node, ctx)
    }

    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions) {
        let Partial::Fixed(result) = partial else { return };
        let names = self.filters.iter().map(|(name, _)| name).chain(&self.other);
        out.key("buckets");
        if self.keyed {
            out.begin_object()
        } else {
            out.begin_array()
        }
        for (name, bucket) in names.zip(&result.buckets) {
            if self.keyed {
                out.key(name);
            }
            out.begin_object();
            out.field_unsigned("doc_count", bucket.count);
            render::subs(&node.subs, &bucket.subs, out, options);
            out.end_object();
        }
        if self.keyed { out.end_object() } else { out.end_array() }
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "filters"
    }
}

struct FiltersCollector<'a> {
    filters: Vec<Box<dyn Filter + 'a>>,
    docs: Vec<Box<dyn DocSet>>,
    other: bool,
    slots: Slots<'a>,
}

impl Collector for FiltersCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.docs = self.filters.iter().map(|f| f.docs(segment.ord)).collect::<Result<_>>()?;
        self.slots.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.slots.open(block)?;
        for (at, doc) in block.docs.iter().enumerate() {
            let mut matched = false;
            for (slot, set) in self.docs.iter_mut().enumerate() {
                if holds(set.as_mut(), *doc) {
                    matched = true;
                    self.slots.put(block, at, slot as u32);
                }
            }
            if self.other && !matched {
                self.slots.put(block, at, self.docs.len() as u32);
            }
        }
        self.slots.close()
    }

    fn end(&mut self) -> Result<()> {
        self.slots.end()
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        self.slots.build(owners, &Format::Raw)
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> Result<f64> {
        Err(multi_bucket(path))
    }
}
