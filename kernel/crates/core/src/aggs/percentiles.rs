//! `percentiles` and `percentile_ranks`, by t-digest or HDR histogram.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::budget::Budget;
use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::format::Format;
use super::hdr::Hdr;
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::Numbers;
use super::tdigest::TDigest;
use super::value::ValueParams;
use super::{java, metric, order, params};
use crate::Result;
use crate::aggs::RenderOptions;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Sketch {
    T(TDigest),
    Hdr(Hdr),
}

/// A sketch of the values, and how they print.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Digest {
    pub sketch: Sketch,
    pub format: Arc<Format>,
}

#[derive(Debug, Clone, Copy)]
enum Method {
    T { compression: f64 },
    Hdr { digits: u32 },
}

impl Method {
    fn sketch(self) -> Sketch {
        match self {
            Method::T { compression } => Sketch::T(TDigest::new(compression)),
            Method::Hdr { digits } => Sketch::Hdr(Hdr::new(digits)),
        }
    }
}

impl Sketch {
    fn add(&mut self, value: f64) -> Result<()> {
        match self {
            Sketch::T(digest) => digest.add(value),
            Sketch::Hdr(hdr) => hdr.add(value)?,
        }
        Ok(())
    }

    pub fn merge(&mut self, other: &Sketch) -> Result<()> {
        match (self, other) {
            (Sketch::T(a), Sketch::T(b)) => a.merge(b),
            (Sketch::Hdr(a), Sketch::Hdr(b)) => a.merge(b),
            _ => return Err(mismatch()),
        }
        Ok(())
    }

    fn percentile(&mut self, percent: f64) -> f64 {
        match self {
            Sketch::T(digest) => digest.quantile(percent / 100.0),
            Sketch::Hdr(hdr) => hdr.percentile(percent),
        }
    }

    fn rank(&mut self, value: f64) -> f64 {
        match self {
            Sketch::T(digest) => digest.cdf(value) * 100.0,
            Sketch::Hdr(hdr) => hdr.rank(value),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Sketch::T(digest) => digest.bytes(),
            Sketch::Hdr(hdr) => hdr.bytes(),
        }
    }
}

pub struct Percentiles {
    values: ValueParams,
    /// Percents, or values to rank.
    points: Vec<f64>,
    ranks: bool,
    keyed: bool,
    method: Method,
    /// Named in complaints about the field.
    kind: &'static str,
}

const DEFAULT_PERCENTS: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];

impl Percentiles {
    pub fn parse(params: &Value, ranks: bool) -> Result<Percentiles> {
        let given = params::doubles(params, if ranks { "values" } else { "percents" });
        let mut points = given.unwrap_or_else(|| if ranks { Vec::new() } else { DEFAULT_PERCENTS.to_vec() });
        points.sort_by(f64::total_cmp);
        let method = match params::value(params, "hdr") {
            Some(hdr) => {
                let digits = params::long(hdr, "number_of_significant_value_digits").unwrap_or(3);
                Method::Hdr { digits: digits.clamp(0, 5) as u32 }
            }
            None => {
                let found = params::value(params, "tdigest").and_then(|t| params::double(t, "compression"));
                let flat = params::double(params, "compression");
                Method::T { compression: found.or(flat).unwrap_or(100.0) }
            }
        };
        let keyed = params.get("keyed").and_then(Value::as_bool).unwrap_or(true);
        let kind = if ranks { "percentile_ranks" } else { "percentiles" };
        Ok(Percentiles { values: ValueParams::required(params)?, points, ranks, keyed, method, kind })
    }

    /// A t-digest of the values for another aggregation.
    pub fn sketch_only(params: &Value, kind: &'static str, compression: f64) -> Result<Percentiles> {
        Ok(Percentiles {
            values: ValueParams::required(params)?,
            points: Vec::new(),
            ranks: false,
            keyed: false,
            method: Method::T { compression },
            kind,
        })
    }

    fn at(&self, sketch: &mut Sketch, point: f64) -> f64 {
        if self.ranks { sketch.rank(point) } else { sketch.percentile(point) }
    }

    fn value_of(&self, sketch: &mut Sketch, path: &KeyPath) -> Result<f64> {
        if !path.is_end() {
            return Err(order::metric_has_no_children(path));
        }
        let Some(key) = &path.key else { return Err(order::needs_metric(path)) };
        let point: f64 = key.parse().map_err(|_| order::unknown_metric(path, key))?;
        Ok(self.at(sketch, point))
    }
}

impl AggKind for Percentiles {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, _subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let (numbers, format) = self.values.numbers(ctx, self.kind)?;
        Ok(Box::new(SketchCollector {
            agg: self,
            numbers,
            format: Arc::new(format),
            sketches: Vec::new(),
            values: Vec::new(),
            budget: ctx.budget.clone(),
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, _node: &AggNode, _ctx: &mut ReduceCtx) -> Result<Partial> {
        let mut all: Option<Box<Digest>> = None;
        for part in parts {
            let Partial::Percentiles(part) = part else { return Err(mismatch()) };
            match &mut all {
                None => all = Some(part),
                Some(all) => {
                    all.sketch.merge(&part.sketch)?;
                    if all.format.is_raw() {
                        all.format = part.format;
                    }
                }
            }
        }
        all.map(Partial::Percentiles).ok_or_else(mismatch)
    }

    fn render(&self, partial: &Partial, _node: &AggNode, out: &mut Out, _options: RenderOptions) {
        let Partial::Percentiles(digest) = partial else { return };
        let mut sketch = digest.sketch.clone();
        out.key("values");
        if self.keyed {
            out.begin_object()
        } else {
            out.begin_array()
        }
        for point in &self.points {
            let value = self.at(&mut sketch, *point);
            let text = (!digest.format.is_raw() && !value.is_nan()).then(|| digest.format.double(value));
            let name = java::double(*point);
            if self.keyed {
                out.key(&name);
                number(out, value);
                if let Some(text) = text {
                    out.field_string(&format!("{name}_as_string"), &text);
                }
            } else {
                out.begin_object();
                out.field_double("key", *point);
                out.key("value");
                number(out, value);
                if let Some(text) = text {
                    out.field_string("value_as_string", &text);
                }
                out.end_object();
            }
        }
        if self.keyed { out.end_object() } else { out.end_array() }
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        match (self.method, self.ranks) {
            (Method::T { .. }, false) => "tdigest_percentiles",
            (Method::T { .. }, true) => "tdigest_percentile_ranks",
            (Method::Hdr { .. }, false) => "hdr_percentiles",
            (Method::Hdr { .. }, true) => "hdr_percentile_ranks",
        }
    }

    fn value(&self, partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        let Partial::Percentiles(digest) = partial else { return Err(mismatch()) };
        self.value_of(&mut digest.sketch.clone(), path)
    }
}

fn number(out: &mut Out, value: f64) {
    if value.is_nan() { out.null() } else { out.double(value) }
}

struct SketchCollector<'a> {
    agg: &'a Percentiles,
    numbers: Numbers,
    format: Arc<Format>,
    sketches: Vec<Option<Box<Sketch>>>,
    values: Vec<f64>,
    budget: Budget,
}

impl SketchCollector<'_> {
    fn merged(&self, owners: &[u32]) -> Result<Sketch> {
        let mut found = owners.iter().filter_map(|o| self.sketches.get(*o as usize)?.as_ref());
        let mut all = found.next().map_or_else(|| self.agg.method.sketch(), |first| (**first).clone());
        for sketch in found {
            all.merge(sketch)?;
        }
        if let Sketch::T(digest) = &mut all {
            digest.settle();
        }
        Ok(all)
    }
}

impl Collector for SketchCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.numbers.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        let kind = self.numbers.kind;
        let loaded = self.numbers.load(block.docs);
        self.values.clear();
        metric::to_doubles(kind, loaded.raw, &mut self.values);
        if self.sketches.len() < block.bound as usize {
            self.budget.add((block.bound as usize - self.sketches.len()) * 8)?;
            self.sketches.resize_with(block.bound as usize, || None);
        }
        let method = self.agg.method;
        for (i, value) in self.values.iter().enumerate() {
            let sketch = &mut self.sketches[block.owner(loaded.at(i)) as usize];
            if let Some(sketch) = sketch {
                sketch.add(*value)?;
            } else {
                let mut new = Box::new(method.sketch());
                new.add(*value)?;
                self.budget.add(size_of::<Sketch>() + new.bytes())?;
                *sketch = Some(new);
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        let sketch = self.merged(owners)?;
        Ok(Partial::Percentiles(Box::new(Digest { sketch, format: self.format.clone() })))
    }

    fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
        let mut sketch = self.merged(owners)?;
        self.agg.value_of(&mut sketch, path)
    }
}
