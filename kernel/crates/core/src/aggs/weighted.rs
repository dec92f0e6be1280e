//! `weighted_avg`: the sum of values times weights over the sum of weights.

use std::sync::Arc;

use serde_json::Value;

use super::RenderOptions;
use super::budget::Budget;
use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::format::Format;
use super::kahan::Kahan;
use super::metric::{Moments, single};
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::Numbers;
use super::value::ValueParams;
use super::{order, params};
use crate::{Error, Result};

pub struct WeightedAvg {
    value: ValueParams,
    weight: ValueParams,
}

impl WeightedAvg {
    /// `value` and `weight`: each a field, perhaps with what stands in for a missing value.
    pub fn parse(params: &Value) -> Result<WeightedAvg> {
        let part = |name: &str| {
            let found = params::value(params, name);
            ValueParams::required(found.ok_or_else(|| Error::illegal_argument(format!("Required [{name}]")))?)
        };
        let mut value = part("value")?;
        value.format = params::text(params, "format").map(str::to_string);
        Ok(WeightedAvg { value, weight: part("weight")? })
    }
}

/// Moments hold the weighted sum in `sum` and the weights in `squares`.
fn average(moments: &Moments) -> Option<f64> {
    (moments.squares != 0.0).then(|| moments.sum / moments.squares)
}

fn value_of(moments: &Moments, path: &KeyPath) -> Result<f64> {
    match path.key.as_deref() {
        _ if !path.is_end() => Err(order::metric_has_no_children(path)),
        None | Some("value") => Ok(average(moments).unwrap_or(f64::NAN)),
        Some(key) => Err(order::unknown_metric(path, key)),
    }
}

impl AggKind for WeightedAvg {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, _subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let (values, format) = self.value.numbers(ctx, "weighted_avg")?;
        let (weights, _) = self.weight.numbers(ctx, "weighted_avg")?;
        Ok(Box::new(WeightedCollector {
            values,
            weights,
            format: Arc::new(format),
            cells: Vec::new(),
            by_doc: Vec::new(),
            budget: ctx.budget.clone(),
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, _node: &AggNode, _ctx: &mut ReduceCtx) -> Result<Partial> {
        let mut all = Moments::empty(Arc::default());
        let (mut sum, mut weight) = (Kahan::default(), Kahan::default());
        for part in parts {
            let Partial::Moments(part) = part else { return Err(mismatch()) };
            sum.add(part.sum);
            weight.add(part.squares);
            if all.format.is_raw() {
                all.format = part.format;
            }
        }
        (all.sum, all.squares) = (sum.sum, weight.sum);
        Ok(Partial::Moments(all))
    }

    fn render(&self, partial: &Partial, _node: &AggNode, out: &mut Out, _options: RenderOptions) {
        let Partial::Moments(moments) = partial else { return };
        single(out, average(moments), &moments.format);
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "weighted_avg"
    }

    fn value(&self, partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        let Partial::Moments(moments) = partial else { return Err(mismatch()) };
        value_of(moments, path)
    }
}

struct WeightedCollector {
    values: Numbers,
    weights: Numbers,
    format: Arc<Format>,
    cells: Vec<(Kahan, Kahan)>,
    /// The weight of each document of the block.
    by_doc: Vec<Option<f64>>,
    budget: Budget,
}

impl WeightedCollector {
    fn moments(&self, owners: &[u32]) -> Moments {
        let (mut sum, mut weight) = (Kahan::default(), Kahan::default());
        for (s, w) in owners.iter().filter_map(|o| self.cells.get(*o as usize)) {
            sum.merge(s);
            weight.merge(w);
        }
        let mut moments = Moments::empty(self.format.clone());
        (moments.sum, moments.squares) = (sum.sum, weight.sum);
        moments
    }
}

impl Collector for WeightedCollector {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.values.begin(segment)?;
        self.weights.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        if block.bound as usize > self.cells.len() {
            self.budget.add((block.bound as usize - self.cells.len()) * 32)?;
            self.cells.resize(block.bound as usize, Default::default());
        }
        self.by_doc.clear();
        self.by_doc.resize(block.docs.len(), None);
        let kind = self.weights.kind;
        let loaded = self.weights.load(block.docs);
        for (i, raw) in loaded.raw.iter().enumerate() {
            if self.by_doc[loaded.at(i)].replace(kind.to_f64(*raw)).is_some() {
                return Err(Error::new(
                    "aggregation_execution_exception",
                    500,
                    "Encountered more than one weight for a single document. Use a script to combine multiple weights-per-doc into a single value.",
                ));
            }
        }
        let kind = self.values.kind;
        let loaded = self.values.load(block.docs);
        for (i, raw) in loaded.raw.iter().enumerate() {
            let at = loaded.at(i);
            if let Some(weight) = self.by_doc[at] {
                let (sum, total) = &mut self.cells[block.owner(at) as usize];
                sum.add(kind.to_f64(*raw) * weight);
                total.add(weight);
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        Ok(Partial::Moments(self.moments(owners)))
    }

    fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
        value_of(&self.moments(owners), path)
    }
}
