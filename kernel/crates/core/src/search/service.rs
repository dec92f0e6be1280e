//! The calls of the border: a whole search over local shards, and its parts for several nodes.

use std::sync::Arc;

use tantivy::schema::{IndexRecordOption, Term};
use tantivy::{DocSet, TERMINATED};

use super::block::{self, Merged, Refs, ShardResult};
use super::collect::{self, Cursor};
use super::fetch;
use super::merge::merge;
use super::plan::Plan;
use super::query::{Context, SegmentView};
use super::render::{Outcome, render};
use crate::Result;
use crate::interrupt::Interruptible;
use crate::reader::ShardReader;

/// A shard to search, and what hits say of it.
pub struct Target {
    pub index: String,
    pub shard: u32,
    pub node: String,
    pub reader: Arc<ShardReader>,
    /// The shard's own plan, where the mappings of indices differ.
    pub plan: Option<Arc<Plan>>,
}

impl Target {
    fn plan<'p>(&'p self, common: &'p Plan) -> &'p Plan {
        self.plan.as_deref().unwrap_or(common)
    }
}

/// The query phase on one shard, which is the one at `place` among those that the cursor of the page before knows.
pub fn query(reader: &ShardReader, plan: &Plan, cursor: Option<&Cursor>, place: usize) -> Result<ShardResult> {
    let _interruptible = Interruptible::new(plan.timeout_ms, None);
    collect::execute(reader, plan, cursor.map(|cursor| cursor.shard(place)))
}

/// Merges what the shards found; on later pages of a scroll the totals are those of the first.
pub fn merge_page(plan: &Plan, results: Vec<(u32, ShardResult)>, cursor: Option<&Cursor>) -> Result<Merged> {
    let mut merged = merge(plan, results)?;
    if let Some(cursor) = cursor {
        (merged.total, merged.at_least, merged.max_score) = (cursor.total, cursor.at_least, cursor.max_score);
        merged.aggs = None;
    }
    Ok(merged)
}

/// Where the next page of a scroll begins; None for a plan that is no scroll's.
pub fn next_page(plan: &Plan, merged: &Merged, cursor: Option<&Cursor>) -> Result<Option<Vec<u8>>> {
    if !plan.scroll {
        return Ok(None);
    }
    Cursor::of(merged, cursor).map(|cursor| block::encode(&cursor)).transpose()
}

/// The hits that each shard has to fetch, with their places.
pub fn fetch_refs(merged: &Merged) -> Vec<(u32, Refs)> {
    let mut refs: Vec<(u32, Refs)> = Vec::new();
    for (place, hit) in merged.hits.iter().enumerate() {
        let entry = (place as u32, hit.hit.clone());
        match refs.iter_mut().find(|(shard, _)| *shard == hit.shard) {
            Some((_, list)) => list.push(entry),
            None => refs.push((hit.shard, vec![entry])),
        }
    }
    refs
}

/// Query, merge, fetch and render over shards of this node. A shard that fails is left out and named. With the cursor of
/// the page before, the answer goes on behind it.
pub fn search(targets: &[Target], plan: &Plan, cursor: Option<&[u8]>) -> Result<Outcome> {
    let cursor: Option<Cursor> = cursor.map(block::decode).transpose()?;
    let interruptible = Interruptible::new(plan.timeout_ms, None);
    let mut failures = Vec::new();
    let mut results = Vec::with_capacity(targets.len());
    for (at, target) in targets.iter().enumerate() {
        let after = cursor.as_ref().map(|cursor| cursor.shard(at));
        match collect::execute(&target.reader, target.plan(plan), after) {
            Ok(result) => results.push((at as u32, result)),
            Err(error) => failures.push((at, error)),
        }
    }
    if results.is_empty()
        && let Some((_, error)) = failures.first()
    {
        return Err(error.clone());
    }
    interruptible.without_time();
    let merged = merge_page(plan, results, cursor.as_ref())?;
    let mut fetched = Vec::new();
    for (shard, refs) in fetch_refs(&merged) {
        let at = shard as usize;
        let target = &targets[at];
        match fetch::fetch(&target.index, target.shard, &target.node, &target.reader, target.plan(plan), &refs) {
            Ok(hits) => fetched.push(hits),
            Err(error) if targets.len() == 1 => return Err(error),
            Err(error) => failures.push((at, error)),
        }
    }
    let mut outcome = render(plan, &merged, fetched);
    outcome.scroll = next_page(plan, &merged, cursor.as_ref())?;
    outcome.failures =
        failures.into_iter().map(|(at, error)| (at, error.kind.to_owned(), error.reason, error.status)).collect();
    Ok(outcome)
}

/// Number of matching documents.
pub fn count(readers: &[Arc<ShardReader>], plan: &Plan) -> Result<u64> {
    readers.iter().map(|reader| collect::count(reader, plan)).sum()
}

/// `{"matched":…,"explanation":{…}}` of one document; None if there is no such document.
pub fn explain(reader: &ShardReader, plan: &Plan, id: &str) -> Result<Option<Vec<u8>>> {
    let Some((segment, doc)) = find(reader, id)? else { return Ok(None) };
    let context = Context::new(reader, true);
    let query = plan.query.bind(&context, 1.0)?;
    let explanation = query.explain(&segment, doc)?;
    context.faults.check()?;
    let mut out = format!("{{\"matched\":{},\"explanation\":", explanation.matched).into_bytes();
    explanation.write(&mut out);
    out.push(b'}');
    Ok(Some(out))
}

/// A living root document by id.
fn find<'a>(reader: &'a ShardReader, id: &str) -> Result<Option<(SegmentView<'a>, u32)>> {
    let term = Term::from_field_text(reader.mapping.system.id, id);
    for segment in SegmentView::all(reader) {
        let index = segment.segment.reader.inverted_index(term.field())?;
        let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else { continue };
        while postings.doc() != TERMINATED {
            if segment.segment.is_alive(postings.doc()) {
                return Ok(Some((segment, postings.doc())));
            }
            postings.advance();
        }
    }
    Ok(None)
}

/// From this cost on of looking for terms it is not done only to know a cost.
const EXPENSIVE: u64 = 4096;

impl Plan {
    /// A rough number of documents to visit, without end for elaborate plans. Cheap: looks at statistics only.
    pub fn cost(&self, readers: &[Arc<ShardReader>]) -> u64 {
        if self.elaborate {
            return u64::MAX;
        }
        readers.iter().map(|reader| self.cost_on(reader)).sum()
    }

    /// False only if certainly no document of the shard matches. Cheap: looks at dictionaries and the bounds of columns, not at documents.
    pub fn can_match(&self, reader: &ShardReader) -> bool {
        let context = Context::probe(reader);
        let cheap = self.query.expansion(&context).is_ok_and(|cost| cost < EXPENSIVE);
        !cheap || self.query.bind(&context, 1.0).map_or(true, |query| !query.is_empty())
    }

    fn cost_on(&self, reader: &ShardReader) -> u64 {
        let context = Context::new(reader, false);
        let all: u64 = reader.segments.iter().map(|segment| u64::from(segment.reader.max_doc())).sum();
        let expansion = self.query.expansion(&context).unwrap_or(0);
        if expansion >= EXPENSIVE {
            return expansion;
        }
        let query = self.query.bind(&context, 1.0);
        let visited = query.map_or(all, |query| query.cost(reader)).min(all);
        if self.has_aggs() { visited * 2 } else { visited }
    }
}
