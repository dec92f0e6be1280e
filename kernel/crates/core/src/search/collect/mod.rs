//! The query phase on one shard: counting, best hits, aggregations, in one pass over each segment.

mod after;
mod constant;
mod heap;
mod keyed;
mod pass;
mod pruned;
mod windows;

use super::block::{Hit, ShardResult};
use super::plan::{Order, Plan, SortKey, TrackTotal};
use super::query::{BoxQuery, Context, SegmentView};
use super::sort::BoundSort;
use crate::Result;
use crate::interrupt::{self, Interruptible};
use crate::reader::ShardReader;

pub use after::{After, Cursor, Tie};
pub use pruned::Prunable;

/// Sort keys take one number each, addresses two.
pub const MAX_SORT_KEYS: usize = 8;

/// What a search does on a shard, everything bound.
struct Job<'a> {
    plan: &'a Plan,
    query: BoxQuery,
    post_filter: Option<BoxQuery>,
    sort: Option<BoundSort>,
    /// Hits wanted.
    top: usize,
    scoring: bool,
    after: Option<After>,
}

/// Counted so far, and why it ended.
#[derive(Default)]
struct Tally {
    total: u64,
    /// The total is a lower bound.
    at_least: bool,
    collected: u64,
    timed_out: bool,
    terminated: bool,
    /// Where scores are tracked beside sort keys.
    max_score: Option<f32>,
}

impl Tally {
    fn stopped(&self) -> bool {
        self.timed_out || self.terminated
    }
}

/// Runs the query phase. A page with a cursor counts nothing and aggregates nothing: the first page did. When the time is over, the
/// result is what was found until then; that is nothing if not even the terms were looked up.
pub fn execute(shard: &ShardReader, plan: &Plan, cursor: Option<After>) -> Result<ShardResult> {
    match run(shard, plan, cursor) {
        Err(error) if interrupt::is_timeout(&error) => nothing_yet(shard, plan),
        result => result,
    }
}

/// The result where the time was over before the first document.
fn nothing_yet(shard: &ShardReader, plan: &Plan) -> Result<ShardResult> {
    let _unhurried = Interruptible::new(None, None);
    let sources = super::aggregate::ShardSources::new(shard);
    let aggs =
        if plan.has_aggs() { Some(super::aggregate::Collector::new(shard, plan, &sources)?.finish()?) } else { None };
    Ok(ShardResult { timed_out: true, aggs, ..ShardResult::default() })
}

fn run(shard: &ShardReader, plan: &Plan, cursor: Option<After>) -> Result<ShardResult> {
    interrupt::check()?;
    let paging = cursor.is_some();
    let sources = super::aggregate::ShardSources::new(shard);
    let mut aggs =
        if plan.has_aggs() && !paging { Some(super::aggregate::Collector::new(shard, plan, &sources)?) } else { None };
    let scoring = plan.wants_scores() && plan.top() > 0
        || plan.min_score.is_some()
        || aggs.as_ref().is_some_and(super::aggregate::Collector::needs_scores);
    let context = Context::new(shard, scoring);
    let sort = plan.sort.as_ref().map(|keys| BoundSort::bind(&context, keys)).transpose()?;
    let after = match (cursor, &plan.search_after, &sort) {
        (Some(after), _, _) => Some(after),
        (None, Some(values), Some(sort)) => Some(After { values: sort.after(values)?, tie: Tie::Skip }),
        _ => None,
    };
    let job = Job {
        plan,
        query: plan.query.bind(&context, 1.0)?,
        post_filter: plan.post_filter.as_ref().map(|op| op.bind(&context.unscored(), 1.0)).transpose()?,
        sort,
        top: plan.top().min(shard.doc_count as usize + 1),
        scoring,
        after,
    };
    let mut tally = Tally::default();
    let known = if paging {
        Some(0)
    } else if aggs.is_none() {
        job.known_total(shard)?
    } else {
        None
    };
    if let Some(known) = known {
        tally.total = known;
    }
    let hits = job.run(shard, known, &mut tally, aggs.as_mut())?;
    context.faults.check()?;
    let max_score = job.max_score(&hits, &tally);
    // What was collected is finished even when the time is over.
    let _unhurried = Interruptible::new(None, None);
    Ok(ShardResult {
        total: tally.total,
        at_least: tally.at_least,
        max_score,
        hits,
        places: Vec::new(),
        aggs: aggs.map(super::aggregate::Collector::finish).transpose()?,
        timed_out: tally.timed_out,
        terminated_early: job.terminated_early(shard, &tally),
    })
}

/// Number of matching documents of a shard.
pub fn count(shard: &ShardReader, plan: &Plan) -> Result<u64> {
    let context = Context::new(shard, plan.min_score.is_some());
    let counting = Job {
        plan,
        query: plan.query.bind(&context, 1.0)?,
        post_filter: None,
        sort: None,
        top: 0,
        scoring: plan.min_score.is_some(),
        after: None,
    };
    if let Some(known) = counting.known_total(shard)? {
        return Ok(known);
    }
    let mut tally = Tally::default();
    counting.pass(shard, &mut tally, None, &mut heap::Nothing, u64::MAX)?;
    context.faults.check()?;
    Ok(tally.total)
}

impl Job<'_> {
    fn run(
        &self,
        shard: &ShardReader,
        known: Option<u64>,
        tally: &mut Tally,
        aggs: Option<&mut super::aggregate::Collector<'_>>,
    ) -> Result<Vec<Hit>> {
        let limit = if known.is_some() { 0 } else { self.plan.track_total_hits.limit() };
        if self.top == 0 && aggs.is_none() && limit == 0 {
            return Ok(Vec::new());
        }
        if let Some(sort) = &self.sort {
            return keyed::run(self, shard, sort, known.is_some(), tally, aggs);
        }
        if aggs.is_none() && self.plain() && self.after.is_none() {
            if let Some(score) = self.query.constant() {
                return constant::run(self, shard, score, known.is_some(), tally);
            }
            if let Some(prunable) = self.query.prunable()
                && (limit == 0 || prunable.at_least(shard) > limit)
            {
                if known.is_none() {
                    tally.total = limit.saturating_add(1);
                    tally.at_least = true;
                }
                let mut top = heap::TopScores::new(self.top);
                for segment in SegmentView::all(shard) {
                    if interrupt::expired()? {
                        tally.timed_out = true;
                        break;
                    }
                    pruned::run(self, &prunable, &segment, &mut top)?;
                }
                return Ok(top.into_hits());
            }
        }
        let counted = known.is_some();
        let mut top = heap::TopScores::new(self.top).after(self.after.as_ref());
        self.pass_counted(shard, tally, aggs, &mut top, counted)?;
        Ok(top.into_hits())
    }

    /// A pass that leaves a known total alone.
    fn pass_counted(
        &self,
        shard: &ShardReader,
        tally: &mut Tally,
        aggs: Option<&mut super::aggregate::Collector<'_>>,
        top: &mut dyn heap::Top,
        counted: bool,
    ) -> Result<()> {
        let total = tally.total;
        self.pass(shard, tally, aggs, top, if counted { 0 } else { self.plan.track_total_hits.limit() })?;
        if counted {
            tally.total = total;
            tally.at_least = false;
        }
        Ok(())
    }

    /// By `terminate_after`; and, as in OpenSearch, whenever a search for aggregations alone has nothing to count, because the total is not
    /// wanted, known from statistics, or beyond what is tracked.
    fn terminated_early(&self, shard: &ShardReader, tally: &Tally) -> Option<bool> {
        if self.plan.terminate_after.is_some_and(|n| n > 0) {
            return Some(tally.terminated);
        }
        if !self.plan.has_aggs() || self.plan.size > 0 || !self.plain() || shard.segments.is_empty() {
            return None;
        }
        let limit = self.plan.track_total_hits.limit();
        let uncounted = self.plan.track_total_hits == TrackTotal::None || tally.total > limit;
        (uncounted || self.plan.query.is_counted(shard)).then_some(true)
    }

    /// Nothing but the query decides which documents are hits.
    fn plain(&self) -> bool {
        self.post_filter.is_none() && self.plan.min_score.is_none() && self.plan.terminate_after.is_none_or(|n| n == 0)
    }

    /// The number of hits where it needs no search: statistics of terms, no deletes, no nested documents.
    fn known_total(&self, shard: &ShardReader) -> Result<Option<u64>> {
        if !self.plain() || self.plan.track_total_hits == TrackTotal::None {
            return Ok(None);
        }
        if self.query.is_empty() {
            return Ok(Some(0));
        }
        let mut total = 0;
        for segment in SegmentView::all(shard) {
            let count = self.query.count(&segment)?;
            let Some(count) = count else { return Ok(None) };
            if count > 0 && !super::docs::Accept::new(&segment)?.all() {
                if count < segment.max_doc() {
                    return Ok(None);
                }
                let accept = super::docs::Accept::new(&segment)?;
                total += (0..segment.max_doc()).filter(|doc| accept.contains(*doc)).count() as u64;
            } else {
                total += u64::from(count);
            }
        }
        Ok(Some(total))
    }

    /// Of all documents where scores are tracked beside other keys; otherwise known only if the best score comes first.
    fn max_score(&self, hits: &[Hit], tally: &Tally) -> Option<f32> {
        match self.plan.sort.as_ref().and_then(|keys| keys.first()) {
            None | Some(SortKey::Score { order: Order::Desc }) => {}
            Some(_) => return tally.max_score,
        }
        hits.iter().map(|hit| hit.score).filter(|score| !score.is_nan()).reduce(f32::max)
    }
}
