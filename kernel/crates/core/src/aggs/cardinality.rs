//! `cardinality`: how many distinct values there are. Keywords are collected as ordinals, and each distinct term is hashed once.

use std::net::Ipv6Addr;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde_json::Value;
use tantivy::columnar::{Column, StrColumn};

use super::budget::Budget;
use super::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use super::hll::{Distinct, hash_bytes, mix};
use super::ip_range::parse_ip;
use super::out::Out;
use super::partial::{Partial, mismatch};
use super::plan::{AggKind, AggNode, KeyPath};
use super::reduce::ReduceCtx;
use super::source::{Loader, NumKind, Numbers, open_ips, open_strings};
use super::value::ValueParams;
use super::{order, params};
use crate::aggs::RenderOptions;
use crate::mapping::{FieldDef, FieldKind};
use crate::reader::Segment;
use crate::{Error, Result};

pub struct Cardinality {
    values: ValueParams,
    threshold: u64,
}

const DEFAULT_THRESHOLD: i64 = 3000;

impl Cardinality {
    pub fn parse(params: &Value) -> Result<Cardinality> {
        let threshold = params::long(params, "precision_threshold").unwrap_or(DEFAULT_THRESHOLD).max(0) as u64;
        Ok(Cardinality { values: ValueParams::required(params)?, threshold })
    }
}

fn value_of(count: u64, path: &KeyPath) -> Result<f64> {
    match path.key.as_deref() {
        _ if !path.is_end() => Err(order::metric_has_no_children(path)),
        None | Some("value") => Ok(count as f64),
        Some(key) => Err(order::unknown_metric(path, key)),
    }
}

impl AggKind for Cardinality {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, _subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>> {
        let resolved = self.values.resolve(ctx)?;
        let sketches = Sketches { threshold: self.threshold, list: Vec::new(), budget: ctx.budget.clone() };
        let field = resolved.field;
        let text = self.values.missing.as_ref().map(|m| m.as_str().map_or_else(|| m.to_string(), str::to_string));
        Ok(match resolved.kind {
            Some(FieldKind::Keyword) => Box::new(Strings {
                field,
                missing: text.map(|t| hash_bytes(t.as_bytes())),
                column: None,
                hashes: None,
                seen: Seen::default(),
                loader: Loader::default(),
                sketches,
            }),
            Some(FieldKind::Ip) => Box::new(Addresses {
                field,
                missing: text.as_deref().map(parse_ip).transpose()?,
                column: None,
                sketches,
            }),
            None if self.values.missing.as_ref().is_some_and(Value::is_string) => Box::new(Strings {
                field: None,
                missing: text.map(|t| hash_bytes(t.as_bytes())),
                column: None,
                hashes: None,
                seen: Seen::default(),
                loader: Loader::default(),
                sketches,
            }),
            _ => {
                let (numbers, _) = self.values.numbers(ctx, "cardinality")?;
                Box::new(NumberValues { numbers, sketches })
            }
        })
    }

    fn reduce(&self, parts: Vec<Partial>, _node: &AggNode, _ctx: &mut ReduceCtx) -> Result<Partial> {
        let mut all: Option<Box<Distinct>> = None;
        for part in parts {
            let Partial::Cardinality(part) = part else { return Err(mismatch()) };
            match &mut all {
                None => all = Some(part),
                Some(all) => all.merge(&part),
            }
        }
        all.map(Partial::Cardinality).ok_or_else(mismatch)
    }

    fn render(&self, partial: &Partial, _node: &AggNode, out: &mut Out, _options: RenderOptions) {
        let Partial::Cardinality(distinct) = partial else { return };
        out.field_unsigned("value", distinct.count());
    }

    fn type_name(&self, _partial: &Partial) -> &'static str {
        "cardinality"
    }

    fn value(&self, partial: &Partial, _node: &AggNode, path: &KeyPath) -> Result<f64> {
        let Partial::Cardinality(distinct) = partial else { return Err(mismatch()) };
        value_of(distinct.count(), path)
    }
}

/// A sketch for each owner that has values.
struct Sketches {
    threshold: u64,
    list: Vec<Option<Box<Distinct>>>,
    budget: Budget,
}

impl Sketches {
    fn grow(&mut self, bound: u32) -> Result<()> {
        if bound as usize > self.list.len() {
            self.budget.add((bound as usize - self.list.len()) * 8)?;
            self.list.resize_with(bound as usize, || None);
        }
        Ok(())
    }

    #[inline]
    fn of(&mut self, owner: u32) -> Result<&mut Distinct> {
        let slot = &mut self.list[owner as usize];
        if slot.is_none() {
            self.budget.add(size_of::<Distinct>() + 64)?;
        }
        Ok(slot.get_or_insert_with(|| Box::new(Distinct::new(self.threshold))))
    }

    fn merged(&self, owners: &[u32]) -> Distinct {
        let mut found = owners.iter().filter_map(|o| self.list.get(*o as usize)?.as_ref());
        let Some(first) = found.next() else { return Distinct::new(self.threshold) };
        let mut all = (**first).clone();
        found.for_each(|other| all.merge(other));
        all
    }

    fn build(&self, owners: &[u32]) -> Partial {
        Partial::Cardinality(Box::new(self.merged(owners)))
    }
}

macro_rules! built_from_sketches {
    () => {
        fn build(&mut self, owners: &[u32]) -> Result<Partial> {
            Ok(self.sketches.build(owners))
        }
        fn value(&mut self, owners: &[u32], path: &KeyPath) -> Result<f64> {
            value_of(self.sketches.merged(owners).count(), path)
        }
    };
}

struct NumberValues {
    numbers: Numbers,
    sketches: Sketches,
}

/// The 64 bits by which a value is told from others, the same in all indices for the same number.
#[inline(always)]
fn identity(kind: NumKind, raw: u64) -> u64 {
    if kind.is_integral() { kind.to_i64(raw) as u64 } else { kind.to_f64(raw).to_bits() }
}

impl Collector for NumberValues {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.numbers.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.sketches.grow(block.bound)?;
        let kind = self.numbers.kind;
        let loaded = self.numbers.load(block.docs);
        let mut last = (u32::MAX, 0u64);
        for (i, raw) in loaded.raw.iter().enumerate() {
            let owner = block.owner(loaded.at(i));
            if last != (owner, *raw) {
                last = (owner, *raw);
                self.sketches.of(owner)?.add(mix(identity(kind, *raw)));
            }
        }
        Ok(())
    }

    built_from_sketches!();
}

struct Addresses {
    field: Option<Arc<FieldDef>>,
    missing: Option<u128>,
    column: Option<Column<Ipv6Addr>>,
    sketches: Sketches,
}

impl Collector for Addresses {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.column = match &self.field {
            Some(field) => open_ips(segment, field)?,
            None => None,
        };
        Ok(())
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.sketches.grow(block.bound)?;
        for (at, doc) in block.docs.iter().enumerate() {
            let sketch = block.owner(at);
            let mut any = false;
            if let Some(column) = &self.column {
                for address in column.values_for_doc(*doc) {
                    any = true;
                    self.sketches.of(sketch)?.add(hash_bytes(&address.octets()));
                }
            }
            if let Some(address) = self.missing.filter(|_| !any) {
                self.sketches.of(sketch)?.add(hash_bytes(&address.to_be_bytes()));
            }
        }
        Ok(())
    }

    built_from_sketches!();
}

struct Strings {
    field: Option<Arc<FieldDef>>,
    missing: Option<u64>,
    column: Option<StrColumn>,
    /// Hashes of all terms of the segment, if an earlier request made them.
    hashes: Option<Arc<Vec<u64>>>,
    seen: Seen,
    loader: Loader,
    sketches: Sketches,
}

/// The ordinals that each owner has met in this segment.
#[derive(Default)]
struct Seen {
    terms: usize,
    bits: Vec<u64>,
    pairs: FxHashSet<u64>,
    sparse: bool,
}

/// Words of all bit sets together; beyond it pairs of owner and ordinal are kept in a hash set.
const BIT_WORDS: usize = 1 << 21;
/// Terms of a segment whose hashes are kept with it.
const CACHED_TERMS: usize = 1 << 20;

impl Seen {
    fn words(&self) -> usize {
        self.terms.div_ceil(64)
    }

    fn begin(&mut self, terms: usize) {
        self.terms = terms;
        self.bits.clear();
        self.pairs.clear();
        self.sparse = false;
    }

    fn grow(&mut self, owners: u32, budget: &Budget) -> Result<()> {
        let wanted = owners as usize * self.words();
        if self.sparse || wanted <= self.bits.len() {
            return Ok(());
        }
        if wanted > BIT_WORDS {
            self.sparse = true;
            for (owner, ord) in self.dense() {
                self.pairs.insert((u64::from(owner) << 32) | u64::from(ord));
            }
            self.bits.clear();
            return Ok(());
        }
        budget.add((wanted - self.bits.len()) * 8)?;
        self.bits.resize(wanted, 0);
        Ok(())
    }

    fn dense(&self) -> Vec<(u32, u32)> {
        let words = self.words().max(1);
        let mut found = Vec::new();
        for (at, word) in self.bits.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                found.push(((at / words) as u32, ((at % words) * 64) as u32 + word.trailing_zeros()));
                word &= word - 1;
            }
        }
        found
    }

    /// All (owner, ordinal) met.
    fn drain(&mut self) -> Vec<(u32, u32)> {
        if !self.sparse {
            return self.dense();
        }
        self.pairs.drain().map(|pair| ((pair >> 32) as u32, pair as u32)).collect()
    }
}

impl Strings {
    /// Hashes of the ordinals wanted (ascending, distinct).
    fn hash_terms(column: &StrColumn, ords: &[u64]) -> Result<Vec<u64>> {
        let mut hashes = Vec::with_capacity(ords.len());
        let found = column.dictionary().sorted_ords_to_term_cb(ords, |term| hashes.push(hash_bytes(term)));
        found.map_err(|e| Error::io("term dictionary", e))?;
        Ok(hashes)
    }
}

fn cache_key(field: &FieldDef) -> String {
    format!("aggs:hashes:{}", field.path)
}

fn cached_hashes(segment: &Segment, field: &FieldDef) -> Option<Arc<Vec<u64>>> {
    segment.caches.other.read().get(&cache_key(field))?.clone().downcast::<Vec<u64>>().ok()
}

/// Hashes every term of a segment, once for its life.
fn make_hashes(segment: &Segment, field: &FieldDef, column: &StrColumn) -> Result<Arc<Vec<u64>>> {
    let mut hashes = Vec::with_capacity(column.num_terms());
    let mut terms = column.dictionary().stream().map_err(|e| Error::io("term dictionary", e))?;
    while terms.advance() {
        hashes.push(hash_bytes(terms.key()));
    }
    let hashes = Arc::new(hashes);
    segment.caches.other.write().insert(cache_key(field), hashes.clone());
    Ok(hashes)
}

impl Collector for Strings {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.column = None;
        self.hashes = None;
        if let Some(field) = &self.field
            && let Some(column) = open_strings(segment, field)?
        {
            self.hashes = cached_hashes(segment.segment, field);
            let terms = column.num_terms();
            if self.hashes.is_none() && terms <= CACHED_TERMS && terms as u32 <= segment.segment.reader.max_doc() {
                self.hashes = Some(make_hashes(segment.segment, field, &column)?);
            }
            self.column = Some(column);
        }
        self.seen.begin(self.column.as_ref().map_or(0, |c| c.num_terms()));
        Ok(())
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        const NO_VALUE: u64 = u64::MAX;
        self.sketches.grow(block.bound)?;
        self.seen.grow(block.bound, &self.sketches.budget)?;
        let column = self.column.as_ref().map(|c| c.ords());
        let loaded = self.loader.load(column, block.docs, self.missing.map(|_| NO_VALUE));
        let words = self.seen.words();
        for (i, ord) in loaded.raw.iter().enumerate() {
            let owner = block.owner(loaded.at(i));
            if *ord == NO_VALUE {
                if let Some(hash) = self.missing {
                    self.sketches.of(owner)?.add(hash);
                }
            } else if self.seen.sparse {
                self.seen.pairs.insert((u64::from(owner) << 32) | *ord);
            } else {
                self.seen.bits[owner as usize * words + (*ord / 64) as usize] |= 1 << (*ord % 64);
            }
        }
        Ok(())
    }

    /// Every term of the segment's column has a document.
    fn collect_all(&mut self) -> Result<bool> {
        if self.missing.is_some() {
            return Ok(false);
        }
        if self.column.is_none() {
            return Ok(true);
        }
        let Some(hashes) = &self.hashes else { return Ok(false) };
        self.sketches.grow(1)?;
        if !hashes.is_empty() {
            self.sketches.of(0)?.add_distinct(hashes);
        }
        Ok(true)
    }

    fn end(&mut self) -> Result<()> {
        let met = self.seen.drain();
        let Some(column) = self.column.take() else { return Ok(()) };
        if let Some(hashes) = self.hashes.clone() {
            for (owner, ord) in met {
                self.sketches.of(owner)?.add(hashes[ord as usize]);
            }
            return Ok(());
        }
        let mut ords: Vec<u64> = met.iter().map(|(_, ord)| u64::from(*ord)).collect();
        ords.sort_unstable();
        ords.dedup();
        let hashes = Self::hash_terms(&column, &ords)?;
        for (owner, ord) in met {
            let at = ords.partition_point(|o| *o < u64::from(ord));
            self.sketches.of(owner)?.add(hashes[at]);
        }
        Ok(())
    }

    built_from_sketches!();
}
