//! Sorting by one column when documents can be asked for by window: windows with the best values first, until none can do better.

use std::sync::Arc;

use tantivy::DocId;

use super::Job;
use super::heap::Top;
use crate::reader::ShardReader;
use crate::search::docs::{Accept, cached};
use crate::search::query::SegmentView;
use crate::search::sort::{BoundSort, KeyKind, Missing, SegmentKeys};
use crate::{Result, interrupt};

/// Documents per window. Small: where values stand in no order the best ones are in as many windows as there are hits wanted.
const WINDOW: u32 = 256;

/// Whether a sort is by one numeric column in its plain form. With a stand-in for what is missing, of the user's choice, the best
/// numbers would be others for each value.
pub fn sortable(sort: &BoundSort) -> bool {
    matches!(sort.keys.as_slice(), [key]
        if key.nested.is_none()
            && !matches!(key.missing, Missing::Value(_)) && key.def.is_some() && !matches!(key.kind, KeyKind::Score | KeyKind::Doc | KeyKind::Text | KeyKind::Ip))
}

/// The best number of each window and the window, best first, kept with the segment. Equal windows stay in the order of documents.
fn best_windows(
    sort: &BoundSort,
    keys: &mut SegmentKeys<'_>,
    segment: &SegmentView<'_>,
) -> Result<Arc<Vec<(u64, u32)>>> {
    let name = format!("windows/{}", sort.keys[0].signature());
    cached(segment.segment, &name, || {
        let mut best = Vec::with_capacity(segment.max_doc().div_ceil(WINDOW) as usize);
        let mut number = [0u64];
        for (window, start) in (0..segment.max_doc()).step_by(WINDOW as usize).enumerate() {
            let mut lowest = u64::MAX;
            for doc in start..(start + WINDOW).min(segment.max_doc()) {
                keys.read(doc, 0.0, &mut number);
                lowest = lowest.min(number[0]);
            }
            best.push((lowest, window as u32));
        }
        best.sort_unstable();
        Ok(best)
    })
}

/// Takes what can tell whether a number may still matter.
pub trait Bounded: Top {
    /// Whether a document with this number would still be taken.
    fn wants(&self, number: u64) -> bool;
}

/// Collects the best documents; false if the query cannot be asked by window, and nothing was done.
pub(super) fn run(job: &Job<'_>, shard: &ShardReader, sort: &BoundSort, top: &mut dyn Bounded) -> Result<bool> {
    let mut docs: Vec<DocId> = Vec::with_capacity(WINDOW as usize);
    let scores = [0.0; WINDOW as usize];
    for segment in SegmentView::all(shard) {
        if !job.query.window(&segment, 0..0, &mut docs)? {
            return Ok(false);
        }
    }
    for segment in SegmentView::all(shard) {
        let accept = Accept::new(&segment)?;
        let mut keys = sort.segment(&segment)?;
        let best = best_windows(sort, &mut keys, &segment)?;
        top.begin(&segment)?;
        for (number, window) in best.iter() {
            if !top.wants(*number) {
                break;
            }
            interrupt::check()?;
            let start = window * WINDOW;
            docs.clear();
            job.query.window(&segment, start..(start + WINDOW).min(segment.max_doc()), &mut docs)?;
            let kept = accept.retain(&mut docs);
            docs.truncate(kept);
            top.collect(&docs, &scores[..docs.len()]);
        }
        top.end()?;
    }
    Ok(true)
}
