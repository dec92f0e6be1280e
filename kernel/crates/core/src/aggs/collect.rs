//! Collection of one shard: blocks of documents go down a tree of collectors whose state is flat arrays indexed by bucket.
//!
//! Every collector hands out *buckets* (small integers, unique within the collector for the whole shard) and tells its
//! children, for each document, the bucket it fell into: the child's *owner*. String terms hand out fresh buckets in every
//! segment; [`Collector::build`] takes the list of owners that turned out to be the same bucket and merges them.

use std::sync::Arc;

use tantivy::DocId;

use super::budget::Budget;
use super::partial::Partial;
use super::plan::{AggNode, AggPlan, KeyPath};
use super::sources::Sources;
use crate::mapping::{FieldDef, FieldKind};
use crate::reader::{Segment, ShardReader};
use crate::{Error, Result, interrupt};

/// Documents are handed on in blocks of this many.
pub const BLOCK: usize = 4096;

/// Which bucket of the parent each document of a block is in.
#[derive(Clone, Copy)]
pub enum Owners<'a> {
    One(u32),
    Each(&'a [u32]),
}

/// Documents of one segment in ascending order (the same one may stand more than once, with different owners).
#[derive(Clone, Copy)]
pub struct Block<'a> {
    pub docs: &'a [DocId],
    pub owners: Owners<'a>,
    pub scores: Option<&'a [f32]>,
    /// All owners are smaller.
    pub bound: u32,
}

impl Block<'_> {
    #[inline]
    pub fn owner(&self, at: usize) -> u32 {
        match self.owners {
            Owners::One(owner) => owner,
            Owners::Each(owners) => owners[at],
        }
    }

    /// Owner of every document, written into `buffer` unless it is there already.
    pub fn owners_into<'b>(&'b self, buffer: &'b mut Vec<u32>) -> &'b [u32] {
        match self.owners {
            Owners::Each(owners) => owners,
            Owners::One(owner) => {
                buffer.clear();
                buffer.resize(self.docs.len(), owner);
                buffer
            }
        }
    }
}

/// What collectors know of their shard.
#[derive(Clone)]
pub struct ShardCtx<'a> {
    pub reader: &'a ShardReader,
    pub sources: &'a dyn Sources,
    pub budget: Budget,
    /// The nested path that documents live at; None: roots.
    pub scope: Option<String>,
}

impl ShardCtx<'_> {
    /// A field by path or alias; None if the mapping has no such leaf.
    pub fn field(&self, path: &str) -> Option<Arc<FieldDef>> {
        let mapping = &self.reader.mapping;
        let path = mapping.aliases.get(path).map_or(path, String::as_str);
        mapping.fields.get(path).cloned()
    }

    /// Like [`field`](Self::field), refusing fields without column as OpenSearch does.
    pub fn column_field(&self, path: &str) -> Result<Option<Arc<FieldDef>>> {
        let Some(field) = self.field(path) else { return Ok(None) };
        if field.column {
            return Ok(Some(field));
        }
        Err(Error::illegal_argument(match field.kind {
            FieldKind::Text => format!(
                "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, \
                 so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true \
                 on [{path}] in order to load field data by uninverting the inverted index. Note that this can use significant memory."
            ),
            kind => format!(
                "Can't load fielddata on [{path}] because fielddata is unsupported on fields of type [{}]. Use doc values instead.",
                super::source::type_name(kind)
            ),
        }))
    }
}

/// The segment that documents now come from.
#[derive(Clone, Copy)]
pub struct SegmentCtx<'a> {
    pub ord: usize,
    pub segment: &'a Arc<Segment>,
    pub reader: &'a ShardReader,
}

/// Collects one aggregation of one shard.
pub trait Collector {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()>;
    fn collect(&mut self, block: &Block<'_>) -> Result<()>;
    /// Collects all documents of the segment at once, for owner 0. False where that is no cheaper than block by block: then nothing
    /// was done. Asked only where no document is deleted or nested.
    fn collect_all(&mut self) -> Result<bool> {
        Ok(false)
    }
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
    /// The result over these owners together; no owner gives the empty result.
    fn build(&mut self, owners: &[u32]) -> Result<Partial>;
    /// The value that an order path names; `path` starts below this aggregation's own name.
    fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64>;
}

/// The children of a bucket aggregation.
pub struct Subs<'a> {
    list: Vec<Box<dyn Collector + 'a>>,
    names: Vec<String>,
}

impl<'a> Subs<'a> {
    pub fn new(nodes: &'a [AggNode], ctx: &ShardCtx<'a>) -> Result<Subs<'a>> {
        let mut list = Vec::with_capacity(nodes.len());
        for node in nodes {
            let inner = ShardCtx { scope: node.kind.scope(ctx.scope.as_deref()), ..ctx.clone() };
            let subs = Subs::new(&node.subs, &inner)?;
            list.push(node.kind.collector(ctx, subs)?);
        }
        Ok(Subs { list, names: nodes.iter().map(|n| n.name.clone()).collect() })
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.list.iter_mut().try_for_each(|c| c.begin(segment))
    }

    pub fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        if block.docs.is_empty() {
            return Ok(());
        }
        self.list.iter_mut().try_for_each(|c| {
            interrupt::check_cancelled()?;
            c.collect(block)
        })
    }

    /// As [`Collector::collect_all`], where there is one collector only.
    pub fn collect_all(&mut self) -> Result<bool> {
        match self.list.as_mut_slice() {
            [only] => only.collect_all(),
            _ => Ok(false),
        }
    }

    pub fn end(&mut self) -> Result<()> {
        self.list.iter_mut().try_for_each(|c| c.end())
    }

    pub fn build(&mut self, owners: &[u32]) -> Result<Vec<Partial>> {
        if !self.list.is_empty() {
            interrupt::check_cancelled()?;
        }
        self.list.iter_mut().map(|c| c.build(owners)).collect()
    }

    /// The value of an order path whose first element names one of these children.
    pub fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
        let name = path.head();
        match self.names.iter().position(|n| n == name) {
            Some(at) => self.list[at].value(owners, &path.tail()),
            None => Err(super::order::unknown_child(path, name)),
        }
    }
}

/// Documents that fell into buckets, to be handed to the children.
#[derive(Default)]
pub struct Fall {
    docs: Vec<DocId>,
    owners: Vec<u32>,
    scores: Vec<f32>,
}

impl Fall {
    pub fn clear(&mut self) {
        self.docs.clear();
        self.owners.clear();
        self.scores.clear();
    }

    /// Document `at` of `block` is in `bucket`.
    #[inline]
    pub fn push(&mut self, block: &Block<'_>, at: usize, bucket: u32) {
        self.docs.push(block.docs[at]);
        self.owners.push(bucket);
        if let Some(scores) = block.scores {
            self.scores.push(scores[at]);
        }
    }

    /// A document other than those of the block (a child or parent of one).
    #[inline]
    pub fn push_doc(&mut self, doc: DocId, owner: u32) {
        self.docs.push(doc);
        self.owners.push(owner);
    }

    pub fn is_empty(&self) -> bool {
        self.docs.is_empty()
    }

    pub fn hand_on(&self, subs: &mut Subs<'_>, bound: u32) -> Result<()> {
        let scores = (self.scores.len() == self.docs.len()).then_some(&self.scores[..]);
        subs.collect(&Block { docs: &self.docs, owners: Owners::Each(&self.owners), scores, bound })
    }
}

/// What an aggregation holds at least, as OpenSearch counts it.
const WEIGHT: usize = 5120;

fn weigh(nodes: &[AggNode], budget: &Budget) -> Result<()> {
    nodes.iter().try_for_each(|node| {
        budget.add_for(WEIGHT, &format!("<agg [{}]>", node.name))?;
        weigh(&node.subs, budget)
    })
}

/// Collects all aggregations of a plan over one shard.
pub struct ShardCollector<'a> {
    ctx: ShardCtx<'a>,
    subs: Subs<'a>,
    seen: Vec<bool>,
    /// A segment was begun and not ended.
    open: bool,
    docs: Vec<DocId>,
    scores: Vec<f32>,
}

impl<'a> ShardCollector<'a> {
    pub fn new(plan: &'a AggPlan, reader: &'a ShardReader, sources: &'a dyn Sources) -> Result<ShardCollector<'a>> {
        let ctx = ShardCtx { reader, sources, budget: Budget::new(plan.memory_limit), scope: None };
        weigh(&plan.aggs, &ctx.budget)?;
        let subs = Subs::new(&plan.aggs, &ctx)?;
        let seen = vec![false; reader.segments.len()];
        Ok(ShardCollector { ctx, subs, seen, open: false, docs: Vec::with_capacity(BLOCK), scores: Vec::new() })
    }

    /// Goes to a segment; every segment at most once.
    pub fn begin_segment(&mut self, ord: usize) -> Result<()> {
        self.end_segment()?;
        self.seen[ord] = true;
        self.open = true;
        let reader = self.ctx.reader;
        self.subs.begin(&SegmentCtx { ord, segment: &reader.segments[ord], reader })
    }

    /// Matching, living root documents of the segment in ascending order, with their scores if the plan
    /// [needs them](AggPlan::needs_scores).
    pub fn collect(&mut self, docs: &[DocId], scores: Option<&[f32]>) -> Result<()> {
        if self.docs.is_empty() && docs.len() >= BLOCK {
            return self.subs.collect(&Block { docs, owners: Owners::One(0), scores, bound: 1 });
        }
        self.docs.extend_from_slice(docs);
        if let Some(scores) = scores {
            self.scores.extend_from_slice(scores);
        }
        if self.docs.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    /// All documents of the segment, none of them deleted or nested. False if they have to be collected one by one.
    pub fn collect_all(&mut self) -> Result<bool> {
        self.subs.collect_all()
    }

    /// The shard's result, ready to travel. Segments never begun count as without matches.
    pub fn into_partial(mut self) -> Result<Vec<u8>> {
        for ord in 0..self.seen.len() {
            if !self.seen[ord] {
                self.begin_segment(ord)?;
            }
        }
        self.end_segment()?;
        super::partial::encode(&self.subs.build(&[0])?)
    }

    fn end_segment(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.open) {
            return Ok(());
        }
        if !self.docs.is_empty() {
            self.flush()?;
        }
        self.subs.end()
    }

    fn flush(&mut self) -> Result<()> {
        let scores = (self.scores.len() == self.docs.len()).then_some(&self.scores[..]);
        self.subs.collect(&Block { docs: &self.docs, owners: Owners::One(0), scores, bound: 1 })?;
        self.docs.clear();
        self.scores.clear();
        Ok(())
    }
}
