//! `terms`: a bucket for each value of a field.

mod include;
mod lexicon;
mod numbers;
mod reduce;
mod select;
mod strings;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::include::Include;
use super::collect::{Collector, ShardCtx, Subs};
use super::format::Format;
use super::histogram::multi_bucket;
use super::order::Order;
use super::out::Out;
use super::params;
use super::partial::Partial;
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::NumKind;
use super::value::ValueParams;
use crate::Error;
use crate::aggs::RenderOptions;
use crate::mapping::FieldKind;

/// What the keys of a result are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum KeyKind {
    /// No shard knows the field.
    Unmapped,
    /// Bytes of a keyword, or an address in 16 bytes.
    Bytes,
    Long,
    Unsigned,
    Double,
}

/// A term.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Key {
    Bytes(Box<[u8]>),
    /// In columns' monotonic form, so that the order of keys is that of the numbers.
    Number(u64),
}

/// The buckets of one shard, best first, or of all shards merged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Result {
    pub kind: KeyKind,
    pub format: Format,
    /// Most documents that a term missing here may have; -1 if there is no telling.
    pub error: i64,
    /// From how many shards' results this was merged; 0: a shard's own.
    pub merged: u32,
    /// Documents of the buckets that were cut off.
    pub other: u64,
    pub buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bucket {
    pub key: Key,
    pub count: u64,
    pub error: i64,
    pub subs: Vec<Partial>,
}

/// How many buckets are kept where, and which.
pub struct Thresholds {
    pub size: usize,
    pub shard_size: usize,
    pub min_doc_count: u64,
    pub shard_min_doc_count: u64,
}

impl Thresholds {
    pub fn parse(params: &Value, order: &Order) -> crate::Result<Thresholds> {
        let size = params::long(params, "size").unwrap_or(10);
        if size < 1 {
            return Err(Error::illegal_argument(format!("[size] must be greater than 0. Found [{size}]")));
        }
        let suggested = if order.is_key() { size } else { (size as f64 * 1.5 + 10.0).min(i32::MAX.into()) as i64 };
        let shard_size = params::long(params, "shard_size").filter(|s| *s > 0).unwrap_or(suggested).max(size);
        let min_doc_count = params::long(params, "min_doc_count").unwrap_or(1).max(0) as u64;
        let shard_min = params::long(params, "shard_min_doc_count").unwrap_or(0).max(0) as u64;
        Ok(Thresholds {
            size: size as usize,
            shard_size: shard_size as usize,
            min_doc_count,
            shard_min_doc_count: shard_min.min(min_doc_count),
        })
    }
}

pub struct Terms {
    pub name: String,
    pub values: ValueParams,
    pub order: Order,
    pub thresholds: Thresholds,
    pub include: Include,
    pub show_error: bool,
}

impl Terms {
    pub fn parse(name: &str, params: &Value) -> crate::Result<Terms> {
        let order = match params::value(params, "order") {
            Some(order) => Order::parse(order)?,
            None => Order::count_desc(),
        };
        Ok(Terms {
            name: name.to_string(),
            values: ValueParams::required(params)?,
            thresholds: Thresholds::parse(params, &order)?,
            order,
            include: Include::parse(params)?,
            show_error: params::flag(params, "show_term_doc_count_error"),
        })
    }

    /// Terms without any document are wanted too.
    pub fn wants_zero(&self) -> bool {
        self.thresholds.min_doc_count == 0
    }
}

impl AggKind for Terms {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> crate::Result<Box<dyn Collector + 'a>> {
        let resolved = self.values.resolve(ctx)?;
        let factor = resolved.field.as_ref().map_or(1.0, |f| f.scaling_factor);
        let kind = resolved.kind.or_else(|| guess(self.values.missing.as_ref()));
        match kind {
            None => Ok(Box::new(Unmapped { subs })),
            Some(FieldKind::Keyword) => Ok(Box::new(strings::Strings::new(self, resolved.field, subs, ctx)?)),
            Some(FieldKind::Ip) => Ok(Box::new(numbers::Addresses::new(self, resolved.field, subs, ctx)?)),
            Some(kind) => match NumKind::of(kind, factor) {
                Some(num) => {
                    Ok(Box::new(numbers::NumberTerms::new(self, resolved.field, num, resolved.format, subs, ctx)?))
                }
                None => Err(self.values.unsupported(kind, "terms")),
            },
        }
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> crate::Result<Partial> {
        reduce::reduce(self, parts, node, ctx)
    }

    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions) {
        let Partial::Terms(result) = partial else { return };
        reduce::render(self, result, node, out, options);
    }

    fn type_name(&self, partial: &Partial) -> &'static str {
        let kind = match partial {
            Partial::Terms(result) => result.kind,
            _ => KeyKind::Unmapped,
        };
        match kind {
            KeyKind::Unmapped => "umterms",
            KeyKind::Bytes => "sterms",
            KeyKind::Long => "lterms",
            KeyKind::Unsigned => "ulterms",
            KeyKind::Double => "dterms",
        }
    }

    fn value(&self, _partial: &Partial, _node: &AggNode, path: &KeyPath) -> crate::Result<f64> {
        Err(multi_bucket(path))
    }
}

/// The kind of an unmapped field by the value that stands in for it.
fn guess(missing: Option<&Value>) -> Option<FieldKind> {
    Some(match missing? {
        Value::Bool(_) => FieldKind::Boolean,
        Value::Number(n) if n.is_f64() => FieldKind::Double,
        Value::Number(_) => FieldKind::Long,
        _ => FieldKind::Keyword,
    })
}

/// A field that the shard does not know has no terms.
struct Unmapped<'a> {
    subs: Subs<'a>,
}

impl Collector for Unmapped<'_> {
    fn begin(&mut self, segment: &super::collect::SegmentCtx<'_>) -> crate::Result<()> {
        self.subs.begin(segment)
    }

    fn collect(&mut self, _block: &super::collect::Block<'_>) -> crate::Result<()> {
        Ok(())
    }

    fn build(&mut self, _owners: &[u32]) -> crate::Result<Partial> {
        Ok(Partial::Terms(Box::new(Result {
            kind: KeyKind::Unmapped,
            format: Format::Raw,
            error: 0,
            merged: 0,
            other: 0,
            buckets: Vec::new(),
        })))
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> crate::Result<f64> {
        Err(multi_bucket(path))
    }
}
