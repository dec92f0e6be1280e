//! Terms of numbers, booleans, dates and addresses.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;
use tantivy::columnar::Column;

use super::include;
use super::select::choose;
use super::{Key, KeyKind, Result as TermsResult, Terms};
use crate::Result;
use crate::aggs::buckets::{Buckets, Keyer, REJECTED, Scratch, distribute};
use crate::aggs::collect::{Block, Collector, SegmentCtx, ShardCtx, Subs};
use crate::aggs::format::Format;
use crate::aggs::histogram::{hand_on, multi_bucket};
use crate::aggs::ip_range::parse_ip;
use crate::aggs::partial::Partial;
use crate::aggs::plan::KeyPath;
use crate::aggs::source::{NumKind, Numbers, f64_to_raw, i64_to_raw, open_ips};
use crate::mapping::FieldDef;

pub struct NumberTerms<'a> {
    agg: &'a Terms,
    numbers: Numbers,
    format: Format,
    keyer: NumKeyer,
    buckets: Buckets,
    scratch: Scratch,
    /// All values of the shard, if terms without documents are wanted.
    zeros: BTreeSet<u64>,
    subs: Subs<'a>,
}

impl<'a> NumberTerms<'a> {
    pub fn new(
        agg: &'a Terms,
        field: Option<Arc<FieldDef>>,
        kind: NumKind,
        format: Format,
        subs: Subs<'a>,
        ctx: &ShardCtx<'a>,
    ) -> Result<Self> {
        let missing = agg.values.missing.as_ref().map(|v| kind.parse(v, &format)).transpose()?;
        let include = if agg.include.is_open() { None } else { Some(agg.include.numbers(&agg.name, kind, &format)?) };
        Ok(NumberTerms {
            agg,
            numbers: Numbers::new(field, kind, missing),
            keyer: NumKeyer { kind, base: 0, include },
            format,
            buckets: Buckets::new(ctx.budget.clone(), true),
            scratch: Scratch::default(),
            zeros: BTreeSet::new(),
            subs,
        })
    }

    fn key_kind(&self) -> KeyKind {
        match self.numbers.kind {
            NumKind::U64 => KeyKind::Unsigned,
            NumKind::F64 | NumKind::Scaled(_) => KeyKind::Double,
            _ => KeyKind::Long,
        }
    }
}

/// A column's value as a key: longs signed, doubles descaled, each in monotonic form.
fn key_of(kind: NumKind, raw: u64) -> u64 {
    match kind {
        NumKind::U64 | NumKind::F64 | NumKind::I64 | NumKind::Millis => raw,
        NumKind::Scaled(_) => f64_to_raw(kind.to_f64(raw)),
        NumKind::Bool | NumKind::Nanos => i64_to_raw(kind.to_i64(raw)),
    }
}

impl Collector for NumberTerms<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.numbers.begin(segment)?;
        let span = match (self.numbers.kind, self.numbers.bounds()) {
            (NumKind::Nanos | NumKind::F64, _) | (_, None) => 0,
            (_, Some((min, max))) => {
                self.keyer.base = min;
                (max - min).saturating_add(1) as usize
            }
        };
        self.buckets.begin(span);
        if self.agg.wants_zero()
            && let Some(column) = &self.numbers.column
        {
            let accept = |raw: &u64| self.keyer.accept_raw(*raw);
            let kind = self.numbers.kind;
            self.zeros.extend(column.values.iter().filter(accept).map(|raw| key_of(kind, raw)));
        }
        self.subs.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        let loaded = self.numbers.load(block.docs);
        let keep = !self.subs.is_empty();
        let went = distribute(&mut self.buckets, &mut self.keyer, block, loaded, &mut self.scratch, keep)?;
        hand_on(went, block, &self.scratch, &self.buckets, &mut self.subs)
    }

    fn end(&mut self) -> Result<()> {
        self.subs.end()
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        let pairs = self.buckets.sorted(owners);
        let zeros: Vec<u64> = self.zeros.iter().copied().collect();
        let chosen = choose(self.agg, &pairs, &self.buckets.counts, &zeros, &mut self.subs, |keys| {
            Ok(keys.iter().map(|key| Key::Number(*key)).collect())
        })?;
        Ok(Partial::Terms(Box::new(TermsResult {
            kind: self.key_kind(),
            format: self.format.clone(),
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

struct NumKeyer {
    kind: NumKind,
    base: u64,
    include: Option<include::Numbers<u64>>,
}

impl NumKeyer {
    fn accept_raw(&self, raw: u64) -> bool {
        let Some(include) = &self.include else { return true };
        let value = match self.kind {
            NumKind::F64 | NumKind::Scaled(_) => self.kind.to_f64(raw).to_bits() as i64,
            kind => kind.to_i64(raw),
        };
        include.accepts(raw, value)
    }

    /// The column form of a key.
    fn raw_of(&self, key: u64) -> u64 {
        use crate::aggs::source::{raw_to_f64, raw_to_i64};
        match self.kind {
            NumKind::Scaled(_) => self.kind.raw_of(raw_to_f64(key)),
            NumKind::Bool => raw_to_i64(key) as u64,
            NumKind::Nanos => i64_to_raw(raw_to_i64(key).saturating_mul(1_000_000)),
            _ => key,
        }
    }
}

impl Keyer for NumKeyer {
    fn slots(&mut self, raw: &[u64], out: &mut Vec<u32>) {
        let base = self.base;
        out.extend(raw.iter().map(|r| (r - base) as u32));
    }

    fn key_of_slot(&self, slot: u32) -> u64 {
        key_of(self.kind, self.base + u64::from(slot))
    }

    fn keys(&mut self, raw: &[u64], out: &mut Vec<u64>) {
        let kind = self.kind;
        out.extend(raw.iter().map(|r| key_of(kind, *r)));
    }

    fn accept(&self, key: u64) -> bool {
        self.include.is_none() || self.accept_raw(self.raw_of(key))
    }
}

/// Terms of addresses. Each distinct address gets a number, and is a key by that.
pub struct Addresses<'a> {
    agg: &'a Terms,
    field: Option<Arc<FieldDef>>,
    column: Option<Column<Ipv6Addr>>,
    missing: Option<u128>,
    include: Option<include::Numbers<u128>>,
    numbers: FxHashMap<u128, u32>,
    addresses: Vec<u128>,
    buckets: Buckets,
    scratch: Scratch,
    subs: Subs<'a>,
}

impl<'a> Addresses<'a> {
    pub fn new(agg: &'a Terms, field: Option<Arc<FieldDef>>, subs: Subs<'a>, ctx: &ShardCtx<'a>) -> Result<Self> {
        let missing = agg.values.missing.as_ref().and_then(Value::as_str).map(parse_ip).transpose()?;
        Ok(Addresses {
            agg,
            field,
            column: None,
            missing,
            include: if agg.include.is_open() { None } else { Some(agg.include.addresses(&agg.name)?) },
            numbers: FxHashMap::default(),
            addresses: Vec::new(),
            buckets: Buckets::new(ctx.budget.clone(), true),
            scratch: Scratch::default(),
            subs,
        })
    }

    fn number(&mut self, address: u128) -> u32 {
        let next = self.addresses.len() as u32;
        *self.numbers.entry(address).or_insert_with(|| {
            self.addresses.push(address);
            next
        })
    }
}

impl Collector for Addresses<'_> {
    fn begin(&mut self, segment: &SegmentCtx<'_>) -> Result<()> {
        self.column = match &self.field {
            Some(field) => open_ips(segment, field)?,
            None => None,
        };
        if self.agg.wants_zero()
            && let Some(column) = self.column.clone()
        {
            for address in column.values.iter() {
                self.number(address.to_bits());
            }
        }
        self.subs.begin(segment)
    }

    fn collect(&mut self, block: &Block<'_>) -> Result<()> {
        self.scratch.fall.clear();
        let column = self.column.clone();
        let mut values: Vec<u128> = Vec::new();
        for (at, doc) in block.docs.iter().enumerate() {
            values.clear();
            if let Some(column) = &column {
                values.extend(column.values_for_doc(*doc).map(Ipv6Addr::to_bits));
            }
            if values.is_empty() {
                values.extend(self.missing);
            }
            values.sort_unstable();
            values.dedup();
            for address in &values {
                let number = u64::from(self.number(*address));
                let include = &self.include;
                let accept = || include.as_ref().is_none_or(|i| i.accepts_address(*address));
                let bucket = self.buckets.sparse(block.owner(at), number, accept)?;
                if bucket != REJECTED {
                    self.buckets.counts[bucket as usize] += 1;
                    self.scratch.fall.push(block, at, bucket);
                }
            }
        }
        if self.subs.is_empty() {
            return Ok(());
        }
        self.scratch.fall.hand_on(&mut self.subs, self.buckets.len())
    }

    fn end(&mut self) -> Result<()> {
        self.buckets.begin(0);
        self.subs.end()
    }

    fn build(&mut self, owners: &[u32]) -> Result<Partial> {
        let mut sorted = self.addresses.clone();
        sorted.sort_unstable();
        let rank = |number: u64| sorted.partition_point(|a| *a < self.addresses[number as usize]) as u64;
        let mut pairs = self.buckets.sorted(owners);
        pairs.iter_mut().for_each(|(key, _)| *key = rank(*key));
        pairs.sort_unstable();
        let zeros = if self.agg.wants_zero() {
            let open = |a: &u128| self.include.as_ref().is_none_or(|i| i.accepts_address(*a));
            (0..sorted.len() as u64).filter(|r| open(&sorted[*r as usize])).collect()
        } else {
            Vec::new()
        };
        let chosen = choose(self.agg, &pairs, &self.buckets.counts, &zeros, &mut self.subs, |ranks| {
            Ok(ranks.iter().map(|r| Key::Bytes(Box::new(sorted[*r as usize].to_be_bytes()))).collect())
        })?;
        Ok(Partial::Terms(Box::new(TermsResult {
            kind: KeyKind::Bytes,
            format: Format::Ip,
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
