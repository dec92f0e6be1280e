//! The sources of `composite`: values of a field, perhaps rounded.

use std::cmp::Ordering;
use std::net::Ipv6Addr;
use std::sync::Arc;

use serde_json::Value;
use tantivy::DocId;
use tantivy::columnar::{Column, StrColumn};

use super::Part;
use crate::aggs::collect::{SegmentCtx, ShardCtx};
use crate::aggs::date_histogram::rounding;
use crate::aggs::format::{Format, ip};
use crate::aggs::ip_range::parse_ip;
use crate::aggs::out::Out;
use crate::aggs::params;
use crate::aggs::rounding::Rounding;
use crate::aggs::source::{
    NumKind, f64_to_raw, i64_to_raw, open_ips, open_numbers, open_strings, raw_to_f64, raw_to_i64,
};
use crate::aggs::value::ValueParams;
use crate::mapping::{FieldDef, FieldKind};
use crate::{Error, Result};

enum Shape {
    Terms,
    Histogram(f64),
    Date(Rounding),
}

/// A source as the request has it.
pub struct SourceSpec {
    pub name: String,
    shape: Shape,
    values: ValueParams,
    asc: bool,
    missing: bool,
    /// Where missing values stand; None: before all others, reversed with the order.
    missing_first: Option<bool>,
}

impl SourceSpec {
    pub fn parse(source: &Value) -> Result<SourceSpec> {
        let bad = || Error::illegal_argument("a composite source needs name, kind and params");
        let name = params::text(source, "name").ok_or_else(bad)?.to_string();
        let params = params::value(source, "params").ok_or_else(bad)?;
        let shape = match params::text(source, "kind") {
            Some("terms") => Shape::Terms,
            Some("histogram") => match params::double(params, "interval") {
                Some(interval) if interval > 0.0 => Shape::Histogram(interval),
                _ => return Err(Error::illegal_argument("[interval] must be greater than 0 for [histogram] source")),
            },
            Some("date_histogram") => {
                let offset = params::long(params, "offset").unwrap_or(0);
                Shape::Date(rounding(params, params::text(params, "time_zone"), offset)?)
            }
            _ => return Err(bad()),
        };
        Ok(SourceSpec {
            name,
            shape,
            values: ValueParams::required(params)?,
            asc: params::text(params, "order") != Some("desc"),
            missing: params::flag(params, "missing_bucket"),
            missing_first: match params::text(params, "missing_order") {
                Some("first") => Some(true),
                Some("last") => Some(false),
                _ => None,
            },
        })
    }

    pub fn compare(&self, a: &Part, b: &Part) -> Ordering {
        let ordering = match (a == &Part::Missing, b == &Part::Missing, self.missing_first) {
            (true, false, Some(first)) => return if first { Ordering::Less } else { Ordering::Greater },
            (false, true, Some(first)) => return if first { Ordering::Greater } else { Ordering::Less },
            _ => a.cmp(b),
        };
        if self.asc { ordering } else { ordering.reverse() }
    }
}

impl Part {
    pub fn render(&self, format: &Format, out: &mut Out) {
        match (self, format) {
            (Part::Missing, _) => out.null(),
            (Part::Bytes(bytes), Format::Ip) => match <[u8; 16]>::try_from(&bytes[..]) {
                Ok(address) => out.string(&ip(Ipv6Addr::from(address))),
                Err(_) => out.null(),
            },
            (Part::Bytes(bytes), _) => out.string(&String::from_utf8_lossy(bytes)),
            (Part::Long(raw), Format::Raw) => out.long(raw_to_i64(*raw)),
            (Part::Long(raw), Format::Bool) => out.boolean(raw_to_i64(*raw) != 0),
            (Part::Long(raw), format) => out.string(&format.long(raw_to_i64(*raw))),
            (Part::Unsigned(raw), _) => out.unsigned(*raw),
            (Part::Double(raw), Format::Raw) => out.double(raw_to_f64(*raw)),
            (Part::Double(raw), format) => out.string(&format.double(raw_to_f64(*raw))),
        }
    }
}

enum Open {
    None,
    Numbers(Column<u64>),
    Strings(StrColumn),
    Addresses(Column<Ipv6Addr>),
}

/// A source bound to a shard.
pub struct Source<'a> {
    spec: &'a SourceSpec,
    field: Option<Arc<FieldDef>>,
    kind: Option<FieldKind>,
    num: NumKind,
    pub format: Format,
    open: Open,
}

impl<'a> Source<'a> {
    pub fn new(spec: &'a SourceSpec, ctx: &ShardCtx<'a>) -> Result<Source<'a>> {
        let resolved = spec.values.resolve(ctx)?;
        let factor = resolved.field.as_ref().map_or(1.0, |f| f.scaling_factor);
        let num = resolved.kind.and_then(|k| NumKind::of(k, factor));
        if let (Some(kind), None, false) = (resolved.kind, num, matches!(spec.shape, Shape::Terms)) {
            return Err(spec.values.unsupported(kind, "composite"));
        }
        // Dates are numbers here unless a format is asked for.
        let dates = matches!(resolved.format, Format::Date { .. });
        let format = if dates && !spec.values.format_given { Format::Raw } else { resolved.format };
        Ok(Source {
            spec,
            field: resolved.field,
            kind: resolved.kind,
            num: num.unwrap_or(NumKind::F64),
            format,
            open: Open::None,
        })
    }

    pub fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.open = Open::None;
        if let Some(field) = &self.field {
            self.open = match self.kind {
                Some(FieldKind::Keyword) => open_strings(segment, field)?.map_or(Open::None, Open::Strings),
                Some(FieldKind::Ip) => open_ips(segment, field)?.map_or(Open::None, Open::Addresses),
                _ => open_numbers(segment, field)?.map_or(Open::None, Open::Numbers),
            };
        }
        Ok(())
    }

    /// The distinct values of a document; nothing if the document is to be left out.
    pub fn parts(&self, doc: DocId, out: &mut Vec<Part>) -> Result<()> {
        out.clear();
        match &self.open {
            Open::None => {}
            Open::Numbers(column) => out.extend(column.values_for_doc(doc).map(|raw| self.number(raw))),
            Open::Addresses(column) => {
                out.extend(column.values_for_doc(doc).map(|ip| Part::Bytes(Box::new(ip.octets()))));
            }
            Open::Strings(column) => {
                for ord in column.term_ords(doc) {
                    let mut term = Vec::new();
                    column.ord_to_bytes(ord, &mut term).map_err(|e| Error::io("term dictionary", e))?;
                    out.push(Part::Bytes(term.into_boxed_slice()));
                }
            }
        }
        out.sort_unstable();
        out.dedup();
        if out.is_empty() && self.spec.missing {
            out.push(Part::Missing);
        }
        Ok(())
    }

    fn number(&self, raw: u64) -> Part {
        match &self.spec.shape {
            Shape::Histogram(interval) => {
                Part::Double(f64_to_raw((self.num.to_f64(raw) / interval).floor() * interval))
            }
            Shape::Date(rounding) => Part::Long(i64_to_raw(rounding.round(self.num.to_i64(raw)))),
            Shape::Terms if self.num == NumKind::U64 => Part::Unsigned(raw),
            Shape::Terms if self.num.is_integral() => Part::Long(i64_to_raw(self.num.to_i64(raw))),
            Shape::Terms => Part::Double(f64_to_raw(self.num.to_f64(raw))),
        }
    }

    /// A value of `after`.
    pub fn parse(&self, value: &Value) -> Result<Part> {
        if value.is_null() {
            return Ok(Part::Missing);
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        match (self.kind, &self.spec.shape) {
            (Some(FieldKind::Keyword) | None, Shape::Terms) => Ok(Part::Bytes(text.into_bytes().into_boxed_slice())),
            (Some(FieldKind::Ip), _) => Ok(Part::Bytes(Box::new(parse_ip(&text)?.to_be_bytes()))),
            (_, Shape::Date(_)) => Ok(Part::Long(i64_to_raw(match value.as_i64() {
                Some(millis) => millis,
                None => crate::aggs::format::parse_date(&text, &self.format)?,
            }))),
            (_, Shape::Histogram(_)) => Ok(Part::Double(NumKind::F64.parse(value, &self.format)?)),
            (_, Shape::Terms) => Ok(self.number(self.num.parse(value, &self.format)?)),
        }
    }
}
