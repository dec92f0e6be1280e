//! `ip_range` over addresses.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use serde_json::Value;
use tantivy::columnar::Column;

use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::fixed::{self, Slots};
use super::format::{Format, ip};
use super::histogram::multi_bucket;
use super::out::Out;
use super::partial::Partial;
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::value::ValueParams;
use super::{params, render, source};
use crate::aggs::RenderOptions;
use crate::mapping::{FieldDef, FieldKind};
use crate::{Error, Result};

/// From the first address to before the last, either open.
struct Span {
    key: String,
    from: Option<u128>,
    to: Option<u128>,
}

pub struct IpRange {
    values: ValueParams,
    spans: Vec<Span>,
    keyed: bool,
}

pub fn parse_ip(text: &str) -> Result<u128> {
    let bad = |_| Error::illegal_argument(format!("'{text}' is not an IP string literal."));
    Ok(match text.parse::<IpAddr>().map_err(bad)? {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    })
}

impl IpRange {
    pub fn parse(name: &str, params: &Value) -> Result<IpRange> {
        let list = params::value(params, "ranges").and_then(Value::as_array).cloned().unwrap_or_default();
        if list.is_empty() {
            return Err(Error::illegal_argument(format!("No [ranges] specified for the [{name}] aggregation")));
        }
        let mut spans = list.iter().map(parse_span).collect::<Result<Vec<_>>>()?;
        spans.sort_by_key(|s| (s.from.unwrap_or(0), s.to.unwrap_or(u128::MAX)));
        Ok(IpRange { values: ValueParams::required(params)?, spans, keyed: params::flag(params, "keyed") })
    }
}

fn parse_span(range: &Value) -> Result<Span> {
    let key = params::text(range, "key").map(str::to_string);
    if let Some(mask) = params::text(range, "mask") {
        let (from, to) = cidr(mask)?;
        return Ok(Span { key: key.unwrap_or_else(|| mask.to_string()), from, to });
    }
    let bound = |name: &str| params::text(range, name).map(parse_ip).transpose();
    let (from, to) = (bound("from")?, bound("to")?);
    let text = |b: Option<u128>| b.map_or_else(|| "*".to_string(), |b| ip(Ipv6Addr::from_bits(b)));
    Ok(Span { key: key.unwrap_or_else(|| format!("{}-{}", text(from), text(to))), from, to })
}

/// First address of a network and the one after its last.
fn cidr(mask: &str) -> Result<(Option<u128>, Option<u128>)> {
    let bad = || Error::illegal_argument(format!("Expected [ip/prefix] but was [{mask}]"));
    let (address, prefix) = mask.split_once('/').ok_or_else(bad)?;
    let bits = if address.contains(':') { 128 } else { 32 };
    let prefix: u32 = prefix.parse().ok().filter(|p| *p <= bits).ok_or_else(bad)?;
    let host = bits - prefix;
    let hosts = if host >= 128 { u128::MAX } else { (1u128 << host) - 1 };
    let from = parse_ip(address)? & !hosts;
    let to = (from | hosts).checked_add(1);
    Ok(((from != 0).then_some(from), to))
}

impl AggKind for IpRange {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let resolved = self.values.resolve(ctx)?;
        if let Some(kind) = resolved.kind.filter(|k| *k != FieldKind::Ip) {
            return Err(self.values.unsupported(kind, "ip_range"));
        }
        let missing = match self.values.missing.as_ref().and_then(Value::as_str) {
            Some(text) => Some(parse_ip(text)?),
            None => None,
        };
        Ok(Box::new(IpCollector {
            spans: &self.spans,
            field: resolved.field,
            column: None,
            missing,
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
            if self.keyed {
                out.key(&span.key);
                out.begin_object();
            } else {
                out.begin_object();
                out.field_string("key", &span.key);
            }
            for (name, bound) in [("from", span.from), ("to", span.to)] {
                if let Some(bound) = bound {
                    out.field_string(name, &ip(Ipv6Addr::from_bits(bound)));
                }
            }
            out.field_unsigned("doc_count", bucket.count);
            render::subs(&node.subs, &bucket.subs, out, options);
            out.end_object();
        }
        if self.keyed { out.end_object() } else { out.end_array() }
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "ip_range"
    }
}

struct IpCollector<'a> {
    spans: &'a [Span],
    field: Option<Arc<FieldDef>>,
    column: Option<Column<Ipv6Addr>>,
    missing: Option<u128>,
    slots: Slots<'a>,
}

impl Collector for IpCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.column = match &self.field {
            Some(field) => source::open_ips(segment, field)?,
            None => None,
        };
        self.slots.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.slots.open(block)?;
        let mut values: Vec<u128> = Vec::new();
        for (at, doc) in block.docs.iter().enumerate() {
            values.clear();
            if let Some(column) = &self.column {
                values.extend(column.values_for_doc(*doc).map(Ipv6Addr::to_bits));
            }
            if values.is_empty() {
                values.extend(self.missing);
            }
            for (slot, span) in self.spans.iter().enumerate() {
                let inside = |v: &u128| span.from.is_none_or(|f| *v >= f) && span.to.is_none_or(|t| *v < t);
                if values.iter().any(inside) {
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
        self.slots.build(owners, &Format::Ip)
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> Result<f64> {
        Err(multi_bucket(path))
    }
}
