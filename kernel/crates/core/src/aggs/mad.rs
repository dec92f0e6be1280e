//! `median_absolute_deviation`: the median of the distances from the median, both by t-digest.

use serde_json::Value;

use super::RenderOptions;
use super::collect::{Collector, ShardCtx, Subs};
use super::metric::single;
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::percentiles::{Percentiles, Sketch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::{order, params};
use crate::Result;

pub struct Deviation {
    sketch: Percentiles,
}

const DEFAULT_COMPRESSION: f64 = 1000.0;

impl Deviation {
    pub fn parse(params: &Value) -> Result<Deviation> {
        let compression = params::double(params, "compression").unwrap_or(DEFAULT_COMPRESSION);
        Ok(Deviation { sketch: Percentiles::sketch_only(params, "median_absolute_deviation", compression)? })
    }
}

fn value_of(partial: &Partial) -> Result<Option<f64>> {
    let Partial::Percentiles(digest) = partial else { return Err(mismatch()) };
    let Sketch::T(values) = &digest.sketch else { return Err(mismatch()) };
    Ok((!values.is_empty()).then(|| values.clone().deviation()))
}

impl AggKind for Deviation {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        self.sketch.collector(ctx, subs)
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
        self.sketch.reduce(parts, node, ctx)
    }

    fn render(&self, partial: &Partial, _node: &AggNode, out: &mut Out, _options: RenderOptions) {
        let Partial::Percentiles(digest) = partial else { return };
        single(out, value_of(partial).ok().flatten(), &digest.format);
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "median_absolute_deviation"
    }

    fn value(&self, partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        match path.key.as_deref() {
            _ if !path.is_end() => Err(order::metric_has_no_children(path)),
            None | Some("value") => Ok(value_of(partial)?.unwrap_or(f64::NAN)),
            Some(key) => Err(order::unknown_metric(path, key)),
        }
    }
}
