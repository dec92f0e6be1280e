//! The fetch phase: from documents found to the JSON of hits.

mod columns;
mod fields;
mod highlight;
mod hit;
mod inner;
mod source;

use super::block::{Fetched, Hit};
use super::plan::Plan;
use super::query::{Context, SegmentView};
use crate::reader::ShardReader;
use crate::{Result, interrupt};

pub use hit::{HitSpec, HitWriter};
pub use source::filter_source;

/// Fetches the hits of one shard: (place in the answer, document).
pub fn fetch(
    index: &str,
    shard: u32,
    node: &str,
    reader: &ShardReader,
    plan: &Plan,
    refs: &[(u32, Hit)],
) -> Result<Fetched> {
    let spec = HitSpec {
        index,
        shard,
        node,
        fetch: &plan.fetch,
        query: &plan.query,
        post_filter: plan.post_filter.as_ref(),
        explain: plan.explain,
        scored: plan.wants_scores(),
    };
    let mut writer = HitWriter::new(spec, &Context::new(reader, false))?;
    // In the order of documents: stored blocks are read once, cursors only go forward.
    let mut order: Vec<&(u32, Hit)> = refs.iter().collect();
    order.sort_by_key(|(_, hit)| (hit.segment, hit.doc));
    let mut fetched = Vec::with_capacity(refs.len());
    let mut current: Option<u32> = None;
    for (place, hit) in order {
        interrupt::check()?;
        let view = SegmentView::new(reader, hit.segment as usize);
        if current != Some(hit.segment) {
            writer.begin(&view)?;
            current = Some(hit.segment);
        }
        let written = match inner::nested(&view, hit.doc)? {
            // Hits of aggregations may be nested documents.
            Some((document, identity)) => writer.write_nested(&view, hit, &document, &identity)?,
            None => writer.write(&view, hit)?,
        };
        fetched.push((*place, written));
    }
    Ok(fetched)
}
