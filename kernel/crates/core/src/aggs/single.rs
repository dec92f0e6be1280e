//! Aggregations of one bucket: `filter`, `missing`, `global`, `nested`, `reverse_nested`. The bucket's number is its owner's.

use serde_json::Value;
use tantivy::columnar::ColumnIndex;
use tantivy::{BitSet, DocId, DocSet};

use super::collect::{BLOCK, Block, Collector, Fall, Owners, SegmentCtx, ShardCtx, Subs};
use super::order::value_in;
use super::out::Out;
use super::partial::{Partial, Single, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::sources::Filter;
use super::value::ValueParams;
use super::{nested, params, render, source};
use crate::aggs::RenderOptions;
use crate::mapping::FieldDef;
use crate::{Error, Result};

/// Which documents the bucket takes.
pub enum OneBucket {
    /// Those that match an operation of the plan.
    Filter(Value),
    /// Those without value.
    Missing(ValueParams),
    /// All of the shard, whatever the query says.
    Global,
    /// The children at a nested path.
    Nested(String),
    /// The roots, or the parents at a nested path, of children.
    ReverseNested(Option<String>),
}

impl OneBucket {
    pub fn parse(kind: &str, params: &Value) -> Result<OneBucket> {
        let path = params::text(params, "path").map(str::to_string);
        Ok(match kind {
            "filter" => {
                let op = params::value(params, "filter").unwrap_or(params);
                OneBucket::Filter(op.clone())
            }
            "missing" => OneBucket::Missing(ValueParams::required(params)?),
            "nested" => OneBucket::Nested(
                path.ok_or_else(|| Error::illegal_argument("Missing [path] field for nested aggregation"))?,
            ),
            "reverse_nested" => OneBucket::ReverseNested(path),
            _ => OneBucket::Global,
        })
    }
}

impl AggKind for OneBucket {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let state = State { counts: Vec::new(), fall: Fall::default(), subs, ctx: ctx.clone() };
        Ok(match self {
            OneBucket::Filter(op) => {
                Box::new(FilterCollector { filter: ctx.sources.filter(op, ctx.scope.as_deref())?, docs: None, state })
            }
            OneBucket::Missing(values) => {
                let resolved = values.resolve(ctx)?;
                let fills = values.missing.is_some();
                Box::new(MissingCollector { field: resolved.field, index: None, fills, state })
            }
            OneBucket::Global => Box::new(GlobalCollector { state }),
            OneBucket::Nested(path) => nested::children(path, state),
            OneBucket::ReverseNested(path) => nested::parents(path.as_deref(), state)?,
        })
    }

    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
        let singles = parts.into_iter().map(|p| match p {
            Partial::Single(single) => Ok(single),
            _ => Err(mismatch()),
        });
        let singles = singles.collect::<Result<Vec<_>>>()?;
        Ok(Partial::Single(ctx.singles(&node.subs, singles)?))
    }

    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions) {
        let Partial::Single(single) = partial else { return };
        out.field_unsigned("doc_count", single.count);
        render::subs(&node.subs, &single.subs, out, options);
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        match self {
            OneBucket::Filter(_) => "filter",
            OneBucket::Missing(_) => "missing",
            OneBucket::Global => "global",
            OneBucket::Nested(_) => "nested",
            OneBucket::ReverseNested(_) => "reverse_nested",
        }
    }

    fn scope(&self, outer: Option<&str>) -> Option<String> {
        match self {
            OneBucket::Nested(path) => Some(path.clone()),
            OneBucket::ReverseNested(path) => path.clone(),
            OneBucket::Global => None,
            OneBucket::Filter(_) | OneBucket::Missing(_) => outer.map(str::to_string),
        }
    }

    fn value(&self, partial: &Partial, node: &AggNode, path: &KeyPath) -> Result<f64> {
        let Partial::Single(single) = partial else { return Err(mismatch()) };
        if path.is_end() {
            return count_value(single.count, path);
        }
        value_in(&node.subs, &single.subs, path)
    }
}

/// A bucket's own value on an order path: how many documents it holds.
pub fn count_value(count: u64, path: &KeyPath) -> Result<f64> {
    match path.key.as_deref() {
        None | Some("doc_count" | "_count") => Ok(count as f64),
        Some(key) => Err(super::order::invalid_path(
            path,
            &format!(
                "Ordering on a single-bucket aggregation can only be done on its doc_count. Either drop the key (a la \"{}\") or change it to \"doc_count\" (a la \"{}.doc_count\") [{key}]",
                path.whole, path.whole
            ),
        )),
    }
}

/// Counts by owner and the children, which see the same owners.
pub struct State<'a> {
    counts: Vec<u64>,
    pub fall: Fall,
    subs: Subs<'a>,
    pub ctx: ShardCtx<'a>,
}

impl State<'_> {
    pub fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.subs.begin(segment)
    }

    pub fn end(&mut self) -> Result<()> {
        self.subs.end()
    }

    fn grow(&mut self, bound: u32) -> Result<()> {
        if bound as usize > self.counts.len() {
            self.ctx.budget.add((bound as usize - self.counts.len()) * 8)?;
            self.counts.resize(bound as usize, 0);
        }
        Ok(())
    }

    /// Takes the whole block.
    fn all(&mut self, block: &Block<'_>) -> Result<()> {
        self.grow(block.bound)?;
        match block.owners {
            Owners::One(owner) => self.counts[owner as usize] += block.docs.len() as u64,
            Owners::Each(owners) => owners.iter().for_each(|o| self.counts[*o as usize] += 1),
        }
        self.subs.collect(block)
    }

    /// Takes the documents of the block for which `keep` holds.
    fn some(&mut self, block: &Block<'_>, mut keep: impl FnMut(DocId) -> bool) -> Result<()> {
        self.grow(block.bound)?;
        self.fall.clear();
        for (at, doc) in block.docs.iter().enumerate() {
            if keep(*doc) {
                let owner = block.owner(at);
                self.counts[owner as usize] += 1;
                self.fall.push(block, at, owner);
            }
        }
        self.pass(block.bound)
    }

    /// Counts and hands on what `fall` holds.
    pub fn fallen(&mut self, owners: impl Iterator<Item = u32>, bound: u32) -> Result<()> {
        self.grow(bound)?;
        owners.for_each(|o| self.counts[o as usize] += 1);
        self.pass(bound)
    }

    fn pass(&mut self, bound: u32) -> Result<()> {
        if self.subs.is_empty() || self.fall.is_empty() {
            return Ok(());
        }
        self.fall.hand_on(&mut self.subs, bound)
    }

    pub fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        Ok(Partial::Single(Single { count: self.count(owners), subs: self.subs.build(owners)? }))
    }

    fn count(&self, owners: &[u32]) -> u64 {
        owners.iter().filter_map(|o| self.counts.get(*o as usize)).sum()
    }

    pub fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
        if path.is_end() { count_value(self.count(owners), path) } else { self.subs.value(owners, path) }
    }
}

/// Collectors that only differ in how they take a block.
macro_rules! one_bucket {
    ($name:ident) => {
        fn end(&mut self) -> Result<()> {
            self.state.end()
        }
        fn build(&mut self, owners: &[u32]) -> Result<Partial> {
            self.state.build(owners)
        }
        fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
            self.state.value(owners, path)
        }
    };
}
pub(super) use one_bucket;

struct FilterCollector<'a> {
    filter: Box<dyn Filter + 'a>,
    docs: Option<Box<dyn DocSet>>,
    state: State<'a>,
}

impl Collector for FilterCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.docs = Some(self.filter.docs(segment.ord)?);
        self.state.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        let Some(set) = &mut self.docs else { return Ok(()) };
        self.state.some(block, |doc| holds(set.as_mut(), doc))
    }

    one_bucket!(filter);
}

/// Whether an ascending walk over the set meets `doc`.
#[inline]
pub fn holds(set: &mut dyn DocSet, doc: DocId) -> bool {
    let mut at = set.doc();
    if at < doc {
        at = set.seek(doc);
    }
    at == doc
}

struct MissingCollector<'a> {
    field: Option<std::sync::Arc<FieldDef>>,
    index: Option<ColumnIndex>,
    /// A `missing` parameter gives every document a value.
    fills: bool,
    state: State<'a>,
}

impl Collector for MissingCollector<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.index = match &self.field {
            Some(field) => source::open_index(segment, field)?,
            None => None,
        };
        self.state.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        match &self.index {
            _ if self.fills => Ok(()),
            None => self.state.all(block),
            Some(index) => self.state.some(block, |doc| !index.has_value(doc)),
        }
    }

    one_bucket!(missing);
}

struct GlobalCollector<'a> {
    state: State<'a>,
}

impl Collector for GlobalCollector<'_> {
    /// Walks over all living root documents at once; the query's documents are not looked at.
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.state.begin(segment)?;
        let roots = nested::roots(segment)?;
        let max_doc = segment.segment.reader.max_doc();
        let mut docs = Vec::with_capacity(BLOCK.min(max_doc as usize));
        for doc in 0..max_doc {
            if segment.segment.is_alive(doc) && roots.as_ref().is_none_or(|r: &std::sync::Arc<BitSet>| r.contains(doc))
            {
                docs.push(doc);
                if docs.len() == BLOCK {
                    self.state.all(&Block { docs: &docs, owners: Owners::One(0), scores: None, bound: 1 })?;
                    docs.clear();
                }
            }
        }
        if !docs.is_empty() {
            self.state.all(&Block { docs: &docs, owners: Owners::One(0), scores: None, bound: 1 })?;
        }
        Ok(())
    }

    fn collect(&mut self, _block: &Block<'_>) -> Result<()> {
        Ok(())
    }

    one_bucket!(global);
}
