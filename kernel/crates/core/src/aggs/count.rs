//! `value_count`: how many values there are, of any kind of field.

use std::sync::Arc;

use serde_json::Value;
use tantivy::columnar::ColumnIndex;

use super::budget::Budget;
use super::collect::{Block, Collector, Owners, SegmentCtx, ShardCtx, Subs};
use super::order;
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::open_index;
use super::value::ValueParams;
use crate::Result;
use crate::aggs::RenderOptions;
use crate::mapping::FieldDef;

pub struct ValueCount {
    values: ValueParams,
}

impl ValueCount {
    pub fn parse(params: &Value) -> Result<ValueCount> {
        Ok(ValueCount { values: ValueParams::required(params)? })
    }
}

fn value_of(count: u64, path: &KeyPath) -> Result<f64> {
    match path.key.as_deref() {
        _ if !path.is_end() => Err(order::metric_has_no_children(path)),
        None | Some("value") => Ok(count as f64),
        Some(key) => Err(order::unknown_metric(path, key)),
    }
}

impl AggKind for ValueCount {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, _subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let resolved = self.values.resolve(ctx)?;
        Ok(Box::new(CountCollector {
            field: resolved.field,
            index: None,
            fills: self.values.missing.is_some(),
            counts: Vec::new(),
            budget: ctx.budget.clone(),
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, _node: &AggNode, _ctx: &mut ReduceCtx) -> Result<Partial> {
        let mut all = 0;
        for part in parts {
            let Partial::Count(count) = part else { return Err(mismatch()) };
            all += count;
        }
        Ok(Partial::Count(all))
    }

    fn render(&self, partial: &Partial, _node: &AggNode, out: &mut Out, _options: RenderOptions) {
        let Partial::Count(count) = partial else { return };
        out.field_unsigned("value", *count);
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "value_count"
    }

    fn value(&self, partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        let Partial::Count(count) = partial else { return Err(mismatch()) };
        value_of(*count, path)
    }
}

struct CountCollector {
    field: Option<Arc<FieldDef>>,
    index: Option<ColumnIndex>,
    /// A `missing` parameter gives every document a value.
    fills: bool,
    counts: Vec<u64>,
    budget: Budget,
}

impl CountCollector {
    fn count(&self, owners: &[u32]) -> u64 {
        owners.iter().filter_map(|o| self.counts.get(*o as usize)).sum()
    }
}

impl Collector for CountCollector {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.index = match &self.field {
            Some(field) => open_index(segment, field)?,
            None => None,
        };
        Ok(())
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        if block.bound as usize > self.counts.len() {
            self.budget.add((block.bound as usize - self.counts.len()) * 8)?;
            self.counts.resize(block.bound as usize, 0);
        }
        if let (Owners::One(owner), Some(ColumnIndex::Full)) = (block.owners, &self.index) {
            self.counts[owner as usize] += block.docs.len() as u64;
            return Ok(());
        }
        for (at, doc) in block.docs.iter().enumerate() {
            let values = self.index.as_ref().map_or(0, |index| index.value_row_ids(*doc).len());
            let values = if values == 0 && self.fills { 1 } else { values };
            self.counts[block.owner(at) as usize] += values as u64;
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        Ok(Partial::Count(self.count(owners)))
    }

    fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
        value_of(self.count(owners), path)
    }
}
