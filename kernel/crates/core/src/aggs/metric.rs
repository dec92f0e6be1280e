//! `avg`, `sum`, `min`, `max`, `stats` and `value_count` of numbers; `extended_stats` prints in a module of its own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::collect::{Block, Collector, Owners, SegmentCtx, ShardCtx, Subs};
use super::format::Format;
use super::kahan::{Kahan, sum_block};
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::Numbers;
use super::value::ValueParams;
use super::{extended_stats, order};
use crate::Result;
use crate::aggs::RenderOptions;

/// Which numbers are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Which {
    Avg,
    Sum,
    Min,
    Max,
    Stats,
    /// Width of the deviation bounds, in standard deviations.
    Extended(f64),
}

/// Count, sum, extremes and sum of squares of some values; what is not asked for stays at its start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Moments {
    pub count: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    pub squares: f64,
    pub format: Arc<Format>,
}

impl Moments {
    pub fn empty(format: Arc<Format>) -> Moments {
        Moments { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, squares: 0.0, format }
    }

    pub fn avg(&self) -> f64 {
        self.sum / self.count as f64
    }
}

pub struct Metric {
    which: Which,
    values: ValueParams,
}

impl Metric {
    pub fn parse(which: Which, params: &Value) -> Result<Metric> {
        Ok(Metric { which, values: ValueParams::required(params)? })
    }

    fn name(&self) -> &'static str {
        match self.which {
            Which::Avg => "avg",
            Which::Sum => "sum",
            Which::Min => "min",
            Which::Max => "max",
            Which::Stats => "stats",
            Which::Extended(_) => "extended_stats",
        }
    }

    fn value_of(&self, moments: &Moments, path: &KeyPath) -> Result<f64> {
        if !path.is_end() {
            return Err(order::metric_has_no_children(path));
        }
        let key = path.key.as_deref();
        match (self.which, key) {
            (Which::Avg, None | Some("value")) => Ok(moments.avg()),
            (Which::Sum, None | Some("value")) => Ok(moments.sum),
            (Which::Min, None | Some("value")) => Ok(moments.min),
            (Which::Max, None | Some("value")) => Ok(moments.max),
            (Which::Stats | Which::Extended(_), Some("count")) => Ok(moments.count as f64),
            (Which::Stats | Which::Extended(_), Some("sum")) => Ok(moments.sum),
            (Which::Stats | Which::Extended(_), Some("min")) => Ok(moments.min),
            (Which::Stats | Which::Extended(_), Some("max")) => Ok(moments.max),
            (Which::Stats | Which::Extended(_), Some("avg")) => Ok(moments.avg()),
            (Which::Extended(sigma), Some(key)) => {
                extended_stats::value(moments, sigma, key).ok_or_else(|| order::unknown_metric(path, key))
            }
            (Which::Stats | Which::Extended(_), None) => Err(order::needs_metric(path)),
            (_, Some(key)) => Err(order::unknown_metric(path, key)),
        }
    }
}

impl AggKind for Metric {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, _subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let (numbers, format) = self.values.numbers(ctx, self.name())?;
        let common = Common { agg: self, numbers, format: Arc::new(format), ctx: ctx.clone(), values: Vec::new() };
        Ok(match self.which {
            Which::Avg => Box::new(Cells::<AvgCell> { common, cells: Vec::new() }),
            Which::Sum => Box::new(Cells::<SumCell> { common, cells: Vec::new() }),
            Which::Min => Box::new(Cells::<MinCell> { common, cells: Vec::new() }),
            Which::Max => Box::new(Cells::<MaxCell> { common, cells: Vec::new() }),
            Which::Stats => Box::new(Cells::<StatsCell> { common, cells: Vec::new() }),
            Which::Extended(_) => Box::new(Cells::<ExtendedCell> { common, cells: Vec::new() }),
        })
    }

    fn reduce(&self, parts: Vec<Partial>, _node: &AggNode, _ctx: &mut ReduceCtx) -> Result<Partial> {
        let mut all = Moments::empty(Arc::default());
        let (mut sum, mut squares) = (Kahan::default(), Kahan::default());
        for part in parts {
            let Partial::Moments(part) = part else { return Err(mismatch()) };
            all.count += part.count;
            sum.add(part.sum);
            squares.add(part.squares);
            all.min = all.min.min(part.min);
            all.max = all.max.max(part.max);
            if all.format.is_raw() {
                all.format = part.format;
            }
        }
        all.sum = sum.sum;
        all.squares = squares.sum;
        Ok(Partial::Moments(all))
    }

    fn render(&self, partial: &Partial, _node: &AggNode, out: &mut Out, _options: RenderOptions) {
        let Partial::Moments(moments) = partial else { return };
        match self.which {
            Which::Avg => single(out, (moments.count > 0).then(|| moments.avg()), &moments.format),
            Which::Sum => single(out, Some(moments.sum), &moments.format),
            Which::Min => single(out, moments.min.is_finite().then_some(moments.min), &moments.format),
            Which::Max => single(out, moments.max.is_finite().then_some(moments.max), &moments.format),
            Which::Stats => stats(out, moments),
            Which::Extended(sigma) => {
                stats(out, moments);
                extended_stats::render(out, moments, sigma);
            }
        }
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        self.name()
    }

    fn value(&self, partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        let Partial::Moments(moments) = partial else { return Err(mismatch()) };
        self.value_of(moments, path)
    }
}

/// `value` and, where the format is more than a number, `value_as_string`.
pub fn single(out: &mut Out, value: Option<f64>, format: &Format) {
    match value {
        None => out.field_null("value"),
        Some(value) => {
            out.field_double("value", value);
            if !format.is_raw() {
                out.field_string("value_as_string", &format.double(value));
            }
        }
    }
}

fn stats(out: &mut Out, m: &Moments) {
    out.field_unsigned("count", m.count);
    if m.count == 0 {
        ["min", "max", "avg"].iter().for_each(|name| out.field_null(name));
        out.field_double("sum", 0.0);
        return;
    }
    let values = [("min", m.min), ("max", m.max), ("avg", m.avg()), ("sum", m.sum)];
    for (name, value) in values {
        out.field_double(name, value);
    }
    if !m.format.is_raw() {
        for (name, value) in values {
            out.field_string(&format!("{name}_as_string"), &m.format.double(value));
        }
    }
}

struct Common<'a> {
    agg: &'a Metric,
    numbers: Numbers,
    format: Arc<Format>,
    ctx: ShardCtx<'a>,
    values: Vec<f64>,
}

/// The state of one bucket.
trait Cell: Copy + Default {
    fn add(&mut self, v: f64);
    fn merge(&mut self, other: &Self);
    fn moments(&self, into: &mut Moments);
    fn add_all(&mut self, values: &[f64]) {
        values.iter().for_each(|v| self.add(*v));
    }
}

struct Cells<'a, C> {
    common: Common<'a>,
    cells: Vec<C>,
}

impl<C: Cell> Cells<'_, C> {
    fn grow(&mut self, bound: u32) -> Result<()> {
        let bound = bound as usize;
        if bound > self.cells.len() {
            let more = bound.next_power_of_two().max(bound) - self.cells.len();
            self.common.ctx.budget.add(more * size_of::<C>())?;
            self.cells.resize(self.cells.len() + more, C::default());
        }
        Ok(())
    }

    fn moments(&self, owners: &[u32]) -> Moments {
        let mut all = C::default();
        for owner in owners {
            if let Some(cell) = self.cells.get(*owner as usize) {
                all.merge(cell);
            }
        }
        let mut moments = Moments::empty(self.common.format.clone());
        all.moments(&mut moments);
        moments
    }
}

impl<C: Cell> Collector for Cells<'_, C> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.common.numbers.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.grow(block.bound)?;
        let Common { numbers, values, .. } = &mut self.common;
        let kind = numbers.kind;
        let loaded = numbers.load(block.docs);
        values.clear();
        to_doubles(kind, loaded.raw, values);
        match (block.owners, loaded.pos) {
            (Owners::One(owner), _) => self.cells[owner as usize].add_all(values),
            (Owners::Each(owners), None) => {
                for (v, owner) in values.iter().zip(owners) {
                    self.cells[*owner as usize].add(*v);
                }
            }
            (Owners::Each(owners), Some(pos)) => {
                for (v, at) in values.iter().zip(pos) {
                    self.cells[owners[*at as usize] as usize].add(*v);
                }
            }
        }
        Ok(())
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        Ok(Partial::Moments(self.moments(owners)))
    }

    fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
        self.common.agg.value_of(&self.moments(owners), path)
    }
}

/// Column values as doubles, with the kind decided once.
pub fn to_doubles(kind: super::source::NumKind, raw: &[u64], out: &mut Vec<f64>) {
    use super::source::{NumKind, raw_to_f64, raw_to_i64};
    match kind {
        NumKind::F64 => out.extend(raw.iter().map(|r| raw_to_f64(*r))),
        NumKind::I64 | NumKind::Millis => out.extend(raw.iter().map(|r| raw_to_i64(*r) as f64)),
        kind => out.extend(raw.iter().map(|r| kind.to_f64(*r))),
    }
}

#[derive(Clone, Copy, Default)]
struct SumCell(Kahan);

impl Cell for SumCell {
    #[inline(always)]
    fn add(&mut self, v: f64) {
        self.0.add(v);
    }
    fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }
    fn moments(&self, into: &mut Moments) {
        into.sum = self.0.sum;
    }
    fn add_all(&mut self, values: &[f64]) {
        sum_block(&mut self.0, values);
    }
}

#[derive(Clone, Copy, Default)]
struct AvgCell {
    sum: Kahan,
    count: u64,
}

impl Cell for AvgCell {
    #[inline(always)]
    fn add(&mut self, v: f64) {
        self.sum.add(v);
        self.count += 1;
    }
    fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.count += other.count;
    }
    fn moments(&self, into: &mut Moments) {
        into.sum = self.sum.sum;
        into.count = self.count;
    }
    fn add_all(&mut self, values: &[f64]) {
        sum_block(&mut self.sum, values);
        self.count += values.len() as u64;
    }
}

#[derive(Clone, Copy)]
struct MinCell(f64);

impl Default for MinCell {
    fn default() -> Self {
        MinCell(f64::INFINITY)
    }
}

impl Cell for MinCell {
    #[inline(always)]
    fn add(&mut self, v: f64) {
        self.0 = if v < self.0 { v } else { self.0 };
    }
    fn merge(&mut self, other: &Self) {
        self.add(other.0);
    }
    fn moments(&self, into: &mut Moments) {
        into.min = self.0;
    }
}

#[derive(Clone, Copy)]
struct MaxCell(f64);

impl Default for MaxCell {
    fn default() -> Self {
        MaxCell(f64::NEG_INFINITY)
    }
}

impl Cell for MaxCell {
    #[inline(always)]
    fn add(&mut self, v: f64) {
        self.0 = if v > self.0 { v } else { self.0 };
    }
    fn merge(&mut self, other: &Self) {
        self.add(other.0);
    }
    fn moments(&self, into: &mut Moments) {
        into.max = self.0;
    }
}

#[derive(Clone, Copy, Default)]
struct StatsCell {
    avg: AvgCell,
    min: MinCell,
    max: MaxCell,
}

impl Cell for StatsCell {
    #[inline(always)]
    fn add(&mut self, v: f64) {
        self.avg.add(v);
        self.min.add(v);
        self.max.add(v);
    }
    fn merge(&mut self, other: &Self) {
        self.avg.merge(&other.avg);
        self.min.merge(&other.min);
        self.max.merge(&other.max);
    }
    fn moments(&self, into: &mut Moments) {
        self.avg.moments(into);
        self.min.moments(into);
        self.max.moments(into);
    }
    fn add_all(&mut self, values: &[f64]) {
        self.avg.add_all(values);
        self.min.add_all(values);
        self.max.add_all(values);
    }
}

#[derive(Clone, Copy, Default)]
struct ExtendedCell {
    stats: StatsCell,
    squares: Kahan,
}

impl Cell for ExtendedCell {
    #[inline(always)]
    fn add(&mut self, v: f64) {
        self.stats.add(v);
        self.squares.add(v * v);
    }
    fn merge(&mut self, other: &Self) {
        self.stats.merge(&other.stats);
        self.squares.merge(&other.squares);
    }
    fn moments(&self, into: &mut Moments) {
        self.stats.moments(into);
        into.squares = self.squares.sum;
    }
}
