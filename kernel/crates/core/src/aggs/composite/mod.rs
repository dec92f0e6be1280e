//! `composite`: a bucket for each combination of the values of several sources, page by page.

mod collector;
mod source;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::source::{Source, SourceSpec};
use super::collect::{Collector, ShardCtx, Subs};
use super::format::Format;
use super::histogram::multi_bucket;
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::{RenderOptions, params, render};
use crate::Error;

/// One value of a combination, in the form whose order is that of the values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    Missing,
    Bytes(Box<[u8]>),
    Long(u64),
    Unsigned(u64),
    Double(u64),
}

/// A shard's first buckets after the key asked for, or those of all shards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Result {
    pub formats: Vec<Format>,
    pub buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bucket {
    pub key: Vec<Part>,
    pub count: u64,
    pub subs: Vec<Partial>,
}

pub struct Composite {
    pub sources: Vec<SourceSpec>,
    pub size: usize,
    pub after: Option<Vec<Value>>,
}

impl Composite {
    /// `sources`: a list of `{"name", "kind", "params"}`; `after`: a list of values in their order.
    pub fn parse(params: &Value) -> crate::Result<Composite> {
        let list = params::value(params, "sources").and_then(Value::as_array).cloned().unwrap_or_default();
        if list.is_empty() {
            return Err(Error::illegal_argument("Composite [sources] cannot be null or empty"));
        }
        let sources = list.iter().map(SourceSpec::parse).collect::<crate::Result<Vec<_>>>()?;
        let after = params::value(params, "after").and_then(Value::as_array).cloned();
        if after.as_ref().is_some_and(|after| after.len() != sources.len()) {
            return Err(Error::illegal_argument("[after] has a different number of values than [sources]"));
        }
        Ok(Composite { sources, size: params::long(params, "size").unwrap_or(10).max(0) as usize, after })
    }

    /// The order of combinations.
    pub fn compare(&self, a: &[Part], b: &[Part]) -> Ordering {
        let by = self.sources.iter().zip(a).zip(b).map(|((source, a), b)| source.compare(a, b));
        by.into_iter().find(|o| *o != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}

impl AggKind for Composite {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> crate::Result<Box<dyn Collector + 'a>> {
        let sources = self.sources.iter().map(|spec| Source::new(spec, ctx)).collect::<crate::Result<Vec<_>>>()?;
        let after = match &self.after {
            Some(values) => {
                let parts = sources.iter().zip(values).map(|(source, value)| source.parse(value));
                Some(parts.collect::<crate::Result<Vec<_>>>()?)
            }
            None => None,
        };
        Ok(Box::new(collector::CompositeCollector::new(self, sources, after, ctx, subs)))
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> crate::Result<Partial> {
        ctx.check(self.size)?;
        let mut formats: Vec<Format> = Vec::new();
        let mut all: Vec<Bucket> = Vec::new();
        for part in parts {
            let Partial::Composite(part) = part else { return Err(mismatch()) };
            if formats.is_empty() || formats.iter().all(Format::is_raw) {
                formats = part.formats;
            }
            all.extend(part.buckets);
        }
        all.sort_by(|a, b| self.compare(&a.key, &b.key));
        let mut buckets = Vec::new();
        let mut rest = all.into_iter().peekable();
        while let Some(first) = rest.next().filter(|_| buckets.len() < self.size) {
            let (key, mut count, mut subs) = (first.key, first.count, vec![first.subs]);
            while let Some(same) = rest.next_if(|b| b.key == key) {
                count += same.count;
                subs.push(same.subs);
            }
            ctx.consume(1)?;
            buckets.push(Bucket { key, count, subs: ctx.subs(&node.subs, subs)? });
        }
        Ok(Partial::Composite(Box::new(Result { formats, buckets })))
    }

    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions) {
        let Partial::Composite(result) = partial else { return };
        if let Some(last) = result.buckets.last() {
            out.key("after_key");
            self.render_key(&last.key, &result.formats, out);
        }
        out.key("buckets");
        out.begin_array();
        for bucket in &result.buckets {
            out.begin_object();
            out.key("key");
            self.render_key(&bucket.key, &result.formats, out);
            out.field_unsigned("doc_count", bucket.count);
            render::subs(&node.subs, &bucket.subs, out, options);
            out.end_object();
        }
        out.end_array();
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "composite"
    }

    fn value(&self, _partial: &Partial, _node: &AggNode, path: &KeyPath) -> crate::Result<f64> {
        Err(multi_bucket(path))
    }
}

impl Composite {
    fn render_key(&self, key: &[Part], formats: &[Format], out: &mut Out) {
        out.begin_object();
        for ((source, part), format) in self.sources.iter().zip(key).zip(formats) {
            out.key(&source.name);
            part.render(format, out);
        }
        out.end_object();
    }
}
