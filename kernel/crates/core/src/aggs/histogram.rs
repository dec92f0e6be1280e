//! `histogram`, and the form of results that it shares with `date_histogram`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::buckets::{Buckets, Keyer, Scratch, Went, distribute, runs};
use super::collect::{Block, Collector, Owners, SegmentCtx, ShardCtx, Subs};
use super::format::Format;
use super::order::Order;
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::{NumKind, Numbers, f64_to_raw, i64_to_raw, raw_to_f64, raw_to_i64};
use super::value::ValueParams;
use super::{order, params, render};
use crate::Error;
use crate::aggs::RenderOptions;

/// Buckets in ascending order of key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Result {
    pub format: Format,
    pub buckets: Vec<Bucket>,
    /// Children of an empty bucket, if gaps are to be filled.
    pub empty: Vec<Partial>,
}

/// A bucket; the key is a double (histogram) or epoch milliseconds (date_histogram) in columns' monotonic form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bucket {
    pub key: u64,
    pub count: u64,
    pub subs: Vec<Partial>,
}

/// Parameters of results that both histograms have.
pub struct Shape {
    pub min_doc_count: u64,
    pub keyed: bool,
    pub order: Order,
}

impl Shape {
    pub fn parse(params: &Value) -> crate::Result<Shape> {
        Ok(Shape {
            min_doc_count: params::long(params, "min_doc_count").unwrap_or(0).max(0) as u64,
            keyed: params::flag(params, "keyed"),
            order: match params::value(params, "order") {
                Some(order) => Order::parse(order)?,
                None => Order::key_asc(),
            },
        })
    }

    /// Merges equal keys of shards, drops what is too small, fills gaps by `fill`, sorts.
    pub fn reduce(
        &self,
        parts: Vec<Partial>,
        node: &AggNode,
        ctx: &mut ReduceCtx,
        fill: impl FnOnce(&mut Filler<'_>, &[u64]) -> crate::Result<()>,
    ) -> crate::Result<Partial> {
        let mut format = Format::Raw;
        let mut all: Vec<Bucket> = Vec::new();
        let mut empty = Vec::new();
        for part in parts {
            let Partial::Histogram(part) = part else { return Err(mismatch()) };
            if format.is_raw() {
                format = part.format;
            }
            all.extend(part.buckets);
            if !part.empty.is_empty() {
                empty.push(part.empty);
            }
        }
        let mut buckets = merge(all, if ctx.last { self.min_doc_count } else { 0 }, node, ctx)?;
        if !ctx.last {
            let empty = if empty.is_empty() { Vec::new() } else { ctx.subs(&node.subs, empty)? };
            return Ok(Partial::Histogram(Box::new(Result { format, buckets, empty })));
        }
        if self.min_doc_count == 0 {
            let empty = if empty.is_empty() { Vec::new() } else { ctx.subs(&node.subs, empty)? };
            let keys: Vec<u64> = buckets.iter().map(|b| b.key).collect();
            let mut filler = Filler { ctx, keys: Vec::new() };
            fill(&mut filler, &keys)?;
            let gaps = filler.keys.into_iter().map(|key| Bucket { key, count: 0, subs: empty.clone() });
            buckets.extend(gaps);
            buckets.sort_by_key(|b| b.key);
        }
        self.sort(&mut buckets, node)?;
        Ok(Partial::Histogram(Box::new(Result { format, buckets, empty: Vec::new() })))
    }

    fn sort(&self, buckets: &mut Vec<Bucket>, node: &AggNode) -> crate::Result<()> {
        if self.order.is_key_asc() {
            return Ok(());
        }
        let mut valued = Vec::with_capacity(buckets.len());
        for bucket in buckets.drain(..) {
            valued.push((self.order.values(&node.subs, &bucket.subs)?, bucket));
        }
        valued.sort_by(|(va, a), (vb, b)| self.order.compare((a.count, va), (b.count, vb), || a.key.cmp(&b.key)));
        buckets.extend(valued.into_iter().map(|(_, bucket)| bucket));
        Ok(())
    }

    pub fn render(
        &self,
        partial: &Partial,
        node: &AggNode,
        out: &mut Out,
        options: RenderOptions,
        key: impl Fn(u64, &Format, &mut Out) -> String,
    ) {
        let Partial::Histogram(result) = partial else { return };
        out.key("buckets");
        if self.keyed {
            out.begin_object()
        } else {
            out.begin_array()
        }
        for bucket in &result.buckets {
            let mut inner = Out::default();
            let name = key(bucket.key, &result.format, &mut inner);
            if self.keyed {
                out.key(&name);
            }
            out.begin_object();
            if !result.format.is_raw() {
                out.field_string("key_as_string", &name);
            }
            out.key("key");
            out.raw(&inner.finish());
            out.field_unsigned("doc_count", bucket.count);
            render::subs(&node.subs, &bucket.subs, out, options);
            out.end_object();
        }
        if self.keyed { out.end_object() } else { out.end_array() }
    }
}

/// Takes the keys of empty buckets.
pub struct Filler<'c> {
    ctx: &'c mut ReduceCtx,
    keys: Vec<u64>,
}

impl Filler<'_> {
    pub fn add(&mut self, key: u64) -> crate::Result<()> {
        self.ctx.consume(1)?;
        self.keys.push(key);
        Ok(())
    }
}

fn merge(mut all: Vec<Bucket>, min_doc_count: u64, node: &AggNode, ctx: &mut ReduceCtx) -> crate::Result<Vec<Bucket>> {
    all.sort_by_key(|b| b.key);
    let mut merged: Vec<Bucket> = Vec::new();
    let mut rest = all.into_iter().peekable();
    while let Some(first) = rest.next() {
        let (key, mut count, mut subs) = (first.key, first.count, vec![first.subs]);
        while let Some(next) = rest.next_if(|b| b.key == key) {
            count += next.count;
            subs.push(next.subs);
        }
        if count < min_doc_count {
            continue;
        }
        ctx.consume(1)?;
        merged.push(Bucket { key, count, subs: ctx.subs(&node.subs, subs)? });
    }
    Ok(merged)
}

/// Buckets of the owners together, with their children.
pub fn build(
    buckets: &mut Buckets,
    subs: &mut Subs<'_>,
    owners: &[u32],
    shape: &Shape,
    format: &Format,
    key: impl Fn(u64) -> u64,
) -> crate::Result<Partial> {
    let sorted = buckets.sorted(owners);
    let mut built = Vec::with_capacity(sorted.len());
    for (raw, ids) in runs(&sorted) {
        built.push(Bucket { key: key(raw), count: buckets.count(&ids), subs: subs.build(&ids)? });
    }
    let empty = if shape.min_doc_count == 0 { subs.build(&[])? } else { Vec::new() };
    Ok(Partial::Histogram(Box::new(Result { format: format.clone(), buckets: built, empty })))
}

pub struct Histogram {
    values: ValueParams,
    shape: Shape,
    interval: f64,
    offset: f64,
    extended: (Option<f64>, Option<f64>),
    hard: (Option<f64>, Option<f64>),
}

impl Histogram {
    pub fn parse(name: &str, params: &Value) -> crate::Result<Histogram> {
        let interval = params::double(params, "interval").unwrap_or(0.0);
        if interval <= 0.0 || !interval.is_finite() {
            return Err(Error::illegal_argument(format!("[interval] must be >0 for histogram aggregation [{name}]")));
        }
        let bounds = |key: &str| {
            let found = params::value(params, key);
            (found.and_then(|b| params::double(b, "min")), found.and_then(|b| params::double(b, "max")))
        };
        Ok(Histogram {
            values: ValueParams::required(params)?,
            shape: Shape::parse(params)?,
            interval,
            offset: params::double(params, "offset").unwrap_or(0.0).rem_euclid(interval),
            extended: bounds("extended_bounds"),
            hard: bounds("hard_bounds"),
        })
    }

    fn round(&self, value: f64) -> f64 {
        ((value - self.offset) / self.interval).floor() * self.interval + self.offset
    }

    fn next(&self, key: f64) -> f64 {
        self.round(key + self.interval + self.interval / 2.0)
    }

    fn fill(&self, filler: &mut Filler<'_>, keys: &[u64]) -> crate::Result<()> {
        let (min, max) = self.extended;
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            if let (Some(min), Some(max)) = (min, max) {
                let mut key = self.round(min);
                while key <= max {
                    filler.add(f64_to_raw(key))?;
                    key = self.next(key);
                }
            }
            return Ok(());
        };
        if let Some(min) = min {
            let mut key = self.round(min);
            while key < raw_to_f64(*first) {
                filler.add(f64_to_raw(key))?;
                key = self.next(key);
            }
        }
        for pair in keys.windows(2) {
            let mut key = self.next(raw_to_f64(pair[0]));
            while key < raw_to_f64(pair[1]) {
                filler.add(f64_to_raw(key))?;
                key = self.next(key);
            }
        }
        if let Some(max) = max {
            let mut key = self.next(raw_to_f64(*last));
            while key <= max {
                filler.add(f64_to_raw(key))?;
                key = self.next(key);
            }
        }
        Ok(())
    }
}

impl AggKind for Histogram {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> crate::Result<Box<dyn Collector + 'a>> {
        let (numbers, format) = self.values.numbers(ctx, "histogram")?;
        let keyer = IntervalKeyer { agg: self, kind: numbers.kind, base: 0 };
        Ok(Box::new(HistogramCollector {
            keyer,
            numbers,
            format,
            buckets: Buckets::new(ctx.budget.clone(), true),
            scratch: Scratch::default(),
            subs,
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> crate::Result<Partial> {
        self.shape.reduce(parts, node, ctx, |filler, keys| self.fill(filler, keys))
    }

    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions) {
        self.shape.render(partial, node, out, options, |raw, format, out| {
            out.double(raw_to_f64(raw));
            format.double(raw_to_f64(raw))
        });
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "histogram"
    }

    fn value(&self, _partial: &Partial, _node: &AggNode, path: &KeyPath) -> crate::Result<f64> {
        Err(multi_bucket(path))
    }
}

/// Aggregations with many buckets cannot be on an order path.
pub fn multi_bucket(path: &KeyPath) -> Error {
    order::invalid_path(
        path,
        "Buckets can only be sorted on a sub-aggregator path that is built out of zero or more single-bucket aggregations within the path and a final single-bucket or a metrics aggregation at the path end.",
    )
}

struct HistogramCollector<'a> {
    keyer: IntervalKeyer<'a>,
    numbers: Numbers,
    format: Format,
    buckets: Buckets,
    scratch: Scratch,
    subs: Subs<'a>,
}

impl Collector for HistogramCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> crate::Result<()> {
        self.numbers.begin(segment)?;
        let span = self.keyer.span(self.numbers.bounds());
        self.buckets.begin(span);
        self.subs.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> crate::Result<()> {
        let loaded = self.numbers.load(block.docs);
        let keep = !self.subs.is_empty();
        let went = distribute(&mut self.buckets, &mut self.keyer, block, loaded, &mut self.scratch, keep)?;
        hand_on(went, block, &self.scratch, &self.buckets, &mut self.subs)
    }

    fn end(&mut self) -> crate::Result<()> {
        self.subs.end()
    }

    fn build(&mut self, owners: &[u32]) -> crate::Result<Partial> {
        let agg = self.keyer.agg;
        build(&mut self.buckets, &mut self.subs, owners, &agg.shape, &self.format, |raw| {
            f64_to_raw(raw_to_i64(raw) as f64 * agg.interval + agg.offset)
        })
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> crate::Result<f64> {
        Err(multi_bucket(path))
    }
}

/// Gives the children what [`distribute`] found.
pub fn hand_on(
    went: Went,
    block: &Block<'_>,
    scratch: &Scratch,
    buckets: &Buckets,
    subs: &mut Subs<'_>,
) -> crate::Result<()> {
    if subs.is_empty() {
        return Ok(());
    }
    match went {
        Went::Nowhere => Ok(()),
        Went::Whole(bucket) => subs.collect(&Block { owners: Owners::One(bucket), bound: buckets.len(), ..*block }),
        Went::Spread => scratch.fall.hand_on(subs, buckets.len()),
    }
}

/// Keys are the numbers of intervals, as signed integers in monotonic form.
struct IntervalKeyer<'a> {
    agg: &'a Histogram,
    kind: NumKind,
    base: i64,
}

impl IntervalKeyer<'_> {
    #[inline(always)]
    fn index(&self, raw: u64) -> i64 {
        ((self.kind.to_f64(raw) - self.agg.offset) / self.agg.interval).floor() as i64
    }

    fn span(&mut self, bounds: Option<(u64, u64)>) -> usize {
        let Some((min, max)) = bounds else { return 0 };
        self.base = self.index(min);
        self.index(max).checked_sub(self.base).map_or(0, |n| n.saturating_add(1).max(0) as usize)
    }
}

impl Keyer for IntervalKeyer<'_> {
    fn slots(&mut self, raw: &[u64], out: &mut Vec<u32>) {
        let base = self.base;
        out.extend(raw.iter().map(|r| (self.index(*r) - base) as u32));
    }

    fn key_of_slot(&self, slot: u32) -> u64 {
        i64_to_raw(self.base + i64::from(slot))
    }

    fn keys(&mut self, raw: &[u64], out: &mut Vec<u64>) {
        out.extend(raw.iter().map(|r| i64_to_raw(self.index(*r))));
    }

    fn accept(&self, key: u64) -> bool {
        let value = raw_to_i64(key) as f64 * self.agg.interval;
        let (min, max) = self.agg.hard;
        min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max)
    }
}
