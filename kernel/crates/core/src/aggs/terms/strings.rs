//! Terms of keywords, counted by ordinal; every segment has buckets of its own, which building brings together by term.

use std::sync::Arc;

use serde_json::Value;
use tantivy::BitSet;
use tantivy::columnar::StrColumn;

use super::include;
use super::lexicon::{Lexicon, Part};
use super::select::choose;
use super::{KeyKind, Result as TermsResult, Terms};
use crate::aggs::buckets::{Buckets, Keyer, Scratch, distribute};
use crate::aggs::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use crate::aggs::format::Format;
use crate::aggs::histogram::{hand_on, multi_bucket};
use crate::aggs::partial::Partial;
use crate::aggs::plan::KeyPath;
use crate::aggs::source::{Loader, open_strings};
use crate::mapping::FieldDef;
use crate::{Error, Result};

pub struct Strings<'a> {
    agg: &'a Terms,
    field: Option<Arc<FieldDef>>,
    missing: Option<Vec<u8>>,
    include: Option<include::Strings<'a>>,
    buckets: Buckets,
    parts: Vec<Part>,
    keyer: OrdKeyer,
    loader: Loader,
    scratch: Scratch,
    lexicon: Option<Lexicon>,
    subs: Subs<'a>,
}

impl<'a> Strings<'a> {
    pub fn new(agg: &'a Terms, field: Option<Arc<FieldDef>>, subs: Subs<'a>, ctx: &ShardCtx<'a>) -> Result<Self> {
        let missing = agg.values.missing.as_ref().map(|v| match v {
            Value::String(text) => text.clone().into_bytes(),
            other => other.to_string().into_bytes(),
        });
        Ok(Strings {
            agg,
            field,
            missing,
            include: (!agg.include.is_open()).then(|| agg.include.strings()),
            buckets: Buckets::new(ctx.budget.clone(), false),
            parts: Vec::new(),
            keyer: OrdKeyer { accepted: None, missing_ord: None },
            loader: Loader::default(),
            scratch: Scratch::default(),
            lexicon: None,
            subs,
        })
    }

    /// The ordinals that include and exclude let in, the missing term's among them.
    fn accepted(&self, column: Option<&StrColumn>, virtual_ord: Option<u64>) -> Result<Option<BitSet>> {
        let Some(rules) = &self.include else { return Ok(None) };
        let terms = column.map_or(0, |c| c.num_terms()) as u32;
        let mut accepted = BitSet::with_max_value(terms + 1);
        if let Some(column) = column {
            let mut stream = column.dictionary().stream().map_err(|e| Error::io("term dictionary", e))?;
            while stream.advance() {
                if rules.accepts(stream.key()) {
                    accepted.insert(stream.term_ord() as u32);
                }
            }
        }
        if let (Some(ord), Some(term)) = (virtual_ord, &self.missing)
            && rules.accepts(term)
        {
            accepted.insert(ord as u32);
        }
        Ok(Some(accepted))
    }

    fn lexicon(&mut self) -> Result<&Lexicon> {
        if self.lexicon.is_none() {
            let all = if self.agg.wants_zero() { Some(self.all_ords()?) } else { None };
            let made = Lexicon::new(&self.parts, &self.buckets.keys, self.missing.as_deref(), all)?;
            self.lexicon = Some(made);
        }
        self.lexicon.as_ref().ok_or_else(|| Error::illegal_argument("no lexicon"))
    }

    /// Every accepted ordinal of every segment.
    fn all_ords(&self) -> Result<Vec<Vec<u64>>> {
        let mut all = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let terms = part.column.as_ref().map_or(0, |c| c.num_terms()) as u64;
            let accepted = self.accepted(part.column.as_ref(), None)?;
            all.push((0..terms).filter(|o| accepted.as_ref().is_none_or(|a| a.contains(*o as u32))).collect());
        }
        Ok(all)
    }
}

impl Collector for Strings<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        let column = match &self.field {
            Some(field) => open_strings(segment, field)?,
            None => None,
        };
        let terms = column.as_ref().map_or(0, |c| c.num_terms()) as u64;
        let mut virtual_ord = None;
        self.keyer.missing_ord = None;
        if let Some(term) = &self.missing {
            let known = match &column {
                Some(column) => column.dictionary().term_ord(term).map_err(|e| Error::io("term dictionary", e))?,
                None => None,
            };
            virtual_ord = known.is_none().then_some(terms);
            self.keyer.missing_ord = known.or(virtual_ord);
        }
        self.keyer.accepted = self.accepted(column.as_ref(), virtual_ord)?;
        self.buckets.begin(terms as usize + usize::from(virtual_ord.is_some()));
        self.parts.push(Part { column, first: self.buckets.len(), virtual_ord });
        self.lexicon = None;
        self.subs.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        let column = self.parts.last().and_then(|p| p.column.as_ref()).map(|c| c.ords());
        let loaded = self.loader.load(column, block.docs, self.keyer.missing_ord);
        let keep = !self.subs.is_empty();
        let went = distribute(&mut self.buckets, &mut self.keyer, block, loaded, &mut self.scratch, keep)?;
        hand_on(went, block, &self.scratch, &self.buckets, &mut self.subs)
    }

    fn end(&mut self) -> Result<()> {
        self.subs.end()
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        let mut pairs = self.buckets.sorted(owners);
        let zeros = if self.agg.wants_zero() { self.lexicon()?.all() } else { Vec::new() };
        self.lexicon()?;
        let Some(lexicon) = &self.lexicon else { return Err(Error::illegal_argument("no lexicon")) };
        if let Lexicon::Ranks { .. } = lexicon {
            pairs.iter_mut().for_each(|(key, bucket)| *key = lexicon.rank(*bucket, *key));
            pairs.sort_unstable();
        }
        let counts = &self.buckets.counts;
        let chosen = choose(self.agg, &pairs, counts, &zeros, &mut self.subs, |ranks| lexicon.keys(ranks))?;
        Ok(Partial::Terms(Box::new(TermsResult {
            kind: if self.field.is_none() && self.missing.is_none() { KeyKind::Unmapped } else { KeyKind::Bytes },
            format: Format::Raw,
            error: 0,
            merged: 0,
            other: chosen.other,
            buckets: chosen.buckets,
        })))
    }

    fn value(&mut self, _owners: &[u32], path: &KeyPath) -> Result<f64> {
        Err(multi_bucket(path))
    }
}

/// Keys are ordinals.
struct OrdKeyer {
    accepted: Option<BitSet>,
    missing_ord: Option<u64>,
}

impl Keyer for OrdKeyer {
    fn slots(&mut self, raw: &[u64], out: &mut Vec<u32>) {
        out.extend(raw.iter().map(|r| *r as u32));
    }

    fn key_of_slot(&self, slot: u32) -> u64 {
        u64::from(slot)
    }

    fn keys(&mut self, raw: &[u64], out: &mut Vec<u64>) {
        out.extend_from_slice(raw);
    }

    fn accept(&self, key: u64) -> bool {
        self.accepted.as_ref().is_none_or(|accepted| accepted.contains(key as u32))
    }
}
