//! `range` and `date_range` over numbers.

use serde_json::Value;

use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::fixed::{self, Slots};
use super::format::{self, Format};
use super::histogram::multi_bucket;
use super::out::Out;
use super::partial::Partial;
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::{NumKind, Numbers};
use super::value::ValueParams;
use super::{params, render};
use crate::aggs::RenderOptions;
use crate::mapping::FieldKind;
use crate::{Error, Result};

struct Span {
    key: Option<String>,
    from: f64,
    to: f64,
}

pub struct Range {
    values: ValueParams,
    spans: Vec<Span>,
    keyed: bool,
    dates: bool,
}

impl Range {
    pub fn parse(name: &str, params: &Value, dates: bool) -> Result<Range> {
        let list = params::value(params, "ranges").and_then(Value::as_array).cloned().unwrap_or_default();
        if list.is_empty() {
            return Err(Error::illegal_argument(format!("No [ranges] specified for the [{name}] aggregation")));
        }
        let mut spans = list.iter().map(|r| parse_span(r, params, dates)).collect::<Result<Vec<_>>>()?;
        spans.sort_by(|a, b| a.from.total_cmp(&b.from).then(a.to.total_cmp(&b.to)));
        Ok(Range { values: ValueParams::required(params)?, spans, keyed: params::flag(params, "keyed"), dates })
    }
}

fn parse_span(range: &Value, params: &Value, dates: bool) -> Result<Span> {
    let bound = |key: &str, open: f64| -> Result<f64> {
        match params::value(range, key) {
            None => Ok(open),
            Some(Value::String(text)) if dates => {
                let pattern = params::text(params, "format").unwrap_or(format::DEFAULT_DATE_FORMAT).to_string();
                let zone = params::text(params, "time_zone").map(str::to_string);
                Ok(format::parse_date(text, &Format::Date { pattern, zone })? as f64)
            }
            Some(_) => params::double(range, key)
                .ok_or_else(|| Error::new("number_format_exception", 400, format!("For input string: {}", range[key]))),
        }
    };
    Ok(Span {
        key: params::text(range, "key").map(str::to_string),
        from: bound("from", f64::NEG_INFINITY)?,
        to: bound("to", f64::INFINITY)?,
    })
}

impl AggKind for Range {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let (numbers, mut format) = self.values.numbers(ctx, if self.dates { "date_range" } else { "range" })?;
        if self.dates && numbers.kind == NumKind::F64 && format.is_raw() {
            // An unmapped field: bounds are dates all the same.
            format = Format::of(None, FieldKind::Date, self.values.format.as_deref(), self.values.time_zone.as_deref());
        }
        let stored = self.values.field.as_deref().and_then(|f| ctx.field(f)).map(|f| f.kind);
        let spans =
            self.spans.iter().map(|s| (reduce_precision(s.from, stored), reduce_precision(s.to, stored))).collect();
        Ok(Box::new(RangeCollector {
            spans,
            numbers,
            format,
            last: vec![u32::MAX; self.spans.len()],
            slots: Slots::new(self.spans.len(), subs, ctx.budget.clone()),
        }))
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
        fixed::reduce(parts, self.spans.len(), node, ctx)
    }

    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions) {
        let Partial::Fixed(result) = partial else { return };
        out.key("buckets");
        if self.keyed {
            out.begin_object()
        } else {
            out.begin_array()
        }
        for (span, bucket) in self.spans.iter().zip(&result.buckets) {
            let text = |bound: f64| if bound.is_infinite() { "*".to_string() } else { result.format.double(bound) };
            let key = span.key.clone().unwrap_or_else(|| format!("{}-{}", text(span.from), text(span.to)));
            if self.keyed {
                out.key(&key);
                out.begin_object();
            } else {
                out.begin_object();
                out.field_string("key", &key);
            }
            for (name, bound) in [("from", span.from), ("to", span.to)] {
                if bound.is_finite() {
                    out.field_double(name, bound);
                    if !result.format.is_raw() {
                        out.field_string(&format!("{name}_as_string"), &result.format.double(bound));
                    }
                }
            }
            out.field_unsigned("doc_count", bucket.count);
            render::subs(&node.subs, &bucket.subs, out, options);
            out.end_object();
        }
        if self.keyed { out.end_object() } else { out.end_array() }
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        if self.dates { "date_range" } else { "range" }
    }
}

/// Bounds lose what the stored values lost, so that a value equals the bound it was written as.
fn reduce_precision(bound: f64, kind: Option<FieldKind>) -> f64 {
    match kind {
        Some(FieldKind::Float) => f64::from(bound as f32),
        Some(FieldKind::HalfFloat) => half(bound),
        _ => bound,
    }
}

/// Rounds to the nearest half-precision float, ties to even.
fn half(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let exponent = (value.abs().log2().floor() as i32).max(-14);
    let step = 2f64.powi(exponent - 10);
    let rounded = (value / step).round_ties_even() * step;
    if rounded.abs() > 65_504.0 { f64::INFINITY.copysign(value) } else { rounded }
}

struct RangeCollector<'a> {
    spans: Vec<(f64, f64)>,
    numbers: Numbers,
    format: Format,
    /// Position of the document last put into each range: it counts once however many values match.
    last: Vec<u32>,
    slots: Slots<'a>,
}

impl Collector for RangeCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.numbers.begin(segment)?;
        self.slots.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.slots.open(block)?;
        let kind = self.numbers.kind;
        let loaded = self.numbers.load(block.docs);
        self.last.fill(u32::MAX);
        for (i, raw) in loaded.raw.iter().enumerate() {
            let value = kind.to_f64(*raw);
            let at = loaded.at(i);
            for (slot, (from, to)) in self.spans.iter().enumerate() {
                if value >= *from && value < *to && self.last[slot] != at as u32 {
                    self.last[slot] = at as u32;
                    self.slots.put(block, at, slot as u32);
                }
            }
        }
        self.slots.close()
    }

    fn end(&mut self) -> Result<()> {
        self.slots.end()
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        self.slots.build(owners, &self.format)
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> Result<f64> {
        Err(multi_bucket(path))
    }
}

#[cfg(test)]
mod tests {
    use super::half;

    #[test]
    fn half_precision() {
        assert_eq!(half(0.1), 0.099_975_585_937_5);
        assert_eq!(half(2049.0), 2048.0);
        assert_eq!(half(70_000.0), f64::INFINITY);
    }
}
