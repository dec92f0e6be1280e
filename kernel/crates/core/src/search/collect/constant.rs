//! Queries that score all matches alike: the first documents are the best.

use tantivy::{DocId, TERMINATED};

use super::{Job, Tally};
use crate::reader::ShardReader;
use crate::search::block::Hit;
use crate::search::docs::Accept;
use crate::search::query::SegmentView;
use crate::{Result, interrupt};

const BLOCK: usize = tantivy::COLLECT_BLOCK_BUFFER_LEN;

/// Takes the first documents, and counts as far as is asked.
pub(super) fn run(
    job: &Job<'_>,
    shard: &ShardReader,
    score: f32,
    counted: bool,
    tally: &mut Tally,
) -> Result<Vec<Hit>> {
    let limit = if counted { 0 } else { job.plan.track_total_hits.limit() };
    let mut hits: Vec<Hit> = Vec::with_capacity(job.top.min(1000));
    let mut total = 0u64;
    let mut blocks = 0u32;
    'segments: for segment in SegmentView::all(shard) {
        let accept = Accept::new(&segment)?;
        let mut scorer = job.query.scorer(&segment)?;
        let mut docs: [DocId; BLOCK] = [0; BLOCK];
        while scorer.doc() < TERMINATED {
            let len = scorer.fill_buffer(&mut docs);
            let kept = accept.retain(&mut docs[..len]);
            total += kept as u64;
            let room = job.top - hits.len();
            hits.extend(docs[..kept].iter().take(room).map(|doc| Hit {
                segment: segment.ord as u32,
                doc: *doc,
                score,
                sort: Vec::new(),
            }));
            if hits.len() >= job.top && total > limit {
                tally.at_least = !counted;
                break 'segments;
            }
            blocks += 1;
            if blocks.is_multiple_of(64) && interrupt::expired()? {
                tally.timed_out = true;
                break 'segments;
            }
            if len < BLOCK {
                break;
            }
        }
    }
    if !counted {
        tally.total = total;
    }
    Ok(hits)
}
