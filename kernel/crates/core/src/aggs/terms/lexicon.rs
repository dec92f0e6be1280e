//! From the ordinals of segments to terms: the rank of a bucket among all terms of the shard, and the bytes of a rank.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tantivy::columnar::StrColumn;

use super::Key;
use crate::{Error, Result};

/// What a segment contributed: its column and the first bucket number that it handed out.
pub struct Part {
    pub column: Option<StrColumn>,
    pub first: u32,
    /// The ordinal that stands for the `missing` term, if the column does not hold that term.
    pub virtual_ord: Option<u64>,
}

/// Ranks of buckets: smaller rank, smaller term; equal rank, equal term.
pub enum Lexicon {
    /// One segment had documents: ordinals are ranks.
    Ordinals(Option<StrColumn>),
    /// Ranks of buckets by number, and all terms by rank.
    Ranks { of: Vec<u32>, terms: Arena },
}

/// Terms one after another.
#[derive(Default)]
pub struct Arena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arena {
    pub fn push(&mut self, term: &[u8]) {
        self.bytes.extend_from_slice(term);
        self.ends.push(self.bytes.len());
    }

    pub fn get(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }
}

impl Lexicon {
    /// `ords`: the ordinal of each bucket. `all`: ordinals wanted beside those of the buckets, per part.
    pub fn new(parts: &[Part], ords: &[u64], missing: Option<&[u8]>, all: Option<Vec<Vec<u64>>>) -> Result<Lexicon> {
        let ends: Vec<usize> = parts.iter().skip(1).map(|p| p.first as usize).chain([ords.len()]).collect();
        let mut used = parts.iter().zip(&ends).filter(|(p, end)| (p.first as usize) < **end);
        if all.is_none() {
            match (used.next(), used.next()) {
                (None, _) => return Ok(Lexicon::Ordinals(None)),
                (Some((part, _)), None) if part.virtual_ord.is_none() => {
                    return Ok(Lexicon::Ordinals(part.column.clone()));
                }
                _ => {}
            }
        }
        let mut lists = Vec::with_capacity(parts.len());
        for (at, (part, end)) in parts.iter().zip(&ends).enumerate() {
            let mut wanted: Vec<u64> = ords[part.first as usize..*end].to_vec();
            if let Some(all) = &all {
                wanted.extend_from_slice(&all[at]);
            }
            wanted.sort_unstable();
            wanted.dedup();
            lists.push(terms_of(part, wanted, missing)?);
        }
        let (ranks, terms) = rank(&lists);
        let mut of = Vec::with_capacity(ords.len());
        for (at, (part, end)) in parts.iter().zip(&ends).enumerate() {
            for ord in &ords[part.first as usize..*end] {
                let position = lists[at].ords.iter().position_of(*ord);
                of.push(ranks[at][position]);
            }
        }
        Ok(Lexicon::Ranks { of, terms })
    }

    /// The rank of a bucket with this ordinal.
    pub fn rank(&self, bucket: u32, ord: u64) -> u64 {
        match self {
            Lexicon::Ordinals(_) => ord,
            Lexicon::Ranks { of, .. } => u64::from(of[bucket as usize]),
        }
    }

    /// All ranks there are (only if terms beside those of the buckets were wanted).
    pub fn all(&self) -> Vec<u64> {
        match self {
            Lexicon::Ordinals(_) => Vec::new(),
            Lexicon::Ranks { terms, .. } => (0..terms.len() as u64).collect(),
        }
    }

    /// The terms of these ranks.
    pub fn keys(&self, ranks: &[u64]) -> Result<Vec<Key>> {
        match self {
            Lexicon::Ranks { terms, .. } => {
                Ok(ranks.iter().map(|r| Key::Bytes(terms.get(*r as usize).into())).collect())
            }
            Lexicon::Ordinals(None) => Ok(Vec::new()),
            Lexicon::Ordinals(Some(column)) => {
                let mut sorted: Vec<u64> = ranks.to_vec();
                sorted.sort_unstable();
                sorted.dedup();
                let terms = resolve(column, &sorted)?;
                let find = |rank: &u64| terms.get(sorted.iter().position_of(*rank));
                Ok(ranks.iter().map(|rank| Key::Bytes(find(rank).into())).collect())
            }
        }
    }
}

/// Search in a sorted list for a value that is there.
trait PositionOf {
    fn position_of(self, value: u64) -> usize;
}

impl PositionOf for std::slice::Iter<'_, u64> {
    fn position_of(self, value: u64) -> usize {
        self.as_slice().partition_point(|v| *v < value)
    }
}

/// The bytes of ascending ordinals.
pub fn resolve(column: &StrColumn, ords: &[u64]) -> Result<Arena> {
    let mut terms = Arena::default();
    let found = column.dictionary().sorted_ords_to_term_cb(ords, |term| terms.push(term));
    if !found.map_err(|e| Error::io("term dictionary", e))? {
        return Err(Error::corruption("term dictionary", 0, "an ordinal has no term"));
    }
    Ok(terms)
}

struct List {
    /// Ordinals in the order of their terms but for a virtual one, which is among them in ordinal order.
    ords: Vec<u64>,
    /// Position in `ords` and term, ascending by term.
    order: Vec<usize>,
    terms: Arena,
}

fn terms_of(part: &Part, ords: Vec<u64>, missing: Option<&[u8]>) -> Result<List> {
    let virtual_at = part.virtual_ord.and_then(|v| ords.iter().position(|o| *o == v));
    let real = virtual_at.map_or(&ords[..], |at| &ords[..at]);
    let mut terms = match &part.column {
        Some(column) if !real.is_empty() => resolve(column, real)?,
        _ => Arena::default(),
    };
    let mut order: Vec<usize> = (0..real.len()).collect();
    if let (Some(at), Some(term)) = (virtual_at, missing) {
        let place = order.partition_point(|i| terms.get(*i) < term);
        terms.push(term);
        order.insert(place, at);
    }
    Ok(List { ords, order, terms })
}

/// Merges sorted lists of terms: the rank of each list's entries, and the distinct terms.
fn rank(lists: &[List]) -> (Vec<Vec<u32>>, Arena) {
    let mut ranks: Vec<Vec<u32>> = lists.iter().map(|l| vec![0; l.ords.len()]).collect();
    let mut terms = Arena::default();
    let mut heap = BinaryHeap::with_capacity(lists.len());
    for (at, list) in lists.iter().enumerate() {
        if let Some(first) = list.order.first() {
            heap.push(Reverse((list.terms.get(*first), at, 0usize)));
        }
    }
    while let Some(Reverse((term, at, place))) = heap.pop() {
        if terms.len() == 0 || terms.get(terms.len() - 1) != term {
            terms.push(term);
        }
        let list = &lists[at];
        ranks[at][list.order[place]] = terms.len() as u32 - 1;
        if let Some(next) = list.order.get(place + 1) {
            heap.push(Reverse((list.terms.get(*next), at, place + 1)));
        }
    }
    (ranks, terms)
}
