//! The inside of the answer's body, from the merged list and the hits that shards fetched.

use super::block::{Fetched, Merged};
use super::json;
use super::plan::{Plan, TrackTotal};
use super::sort::SortValue;

/// What a search answers.
#[derive(Debug, Default)]
pub struct Outcome {
    /// `"hits":{…},"aggregations":{…}`.
    pub body: Vec<u8>,
    /// Where the object of the aggregations begins in the body.
    pub aggregations_at: Option<usize>,
    pub timed_out: bool,
    pub terminated_early: Option<bool>,
    /// (index of the shard, error type, reason, status).
    pub failures: Vec<(usize, String, String, u16)>,
    /// Hits counted.
    pub total: u64,
    /// Sort values of the last hit, a JSON array: where a scroll goes on.
    pub last_sort: Option<Vec<u8>>,
    pub scroll: Option<Vec<u8>>,
}

/// Writes the body.
pub fn render(plan: &Plan, merged: &Merged, fetched: Vec<Fetched>) -> Outcome {
    let mut places: Vec<Option<Vec<u8>>> = vec![None; merged.hits.len()];
    for (place, hit) in fetched.into_iter().flatten() {
        if let Some(slot) = places.get_mut(place as usize) {
            *slot = Some(hit);
        }
    }
    let size: usize = places.iter().flatten().map(Vec::len).sum();
    let mut body = Vec::with_capacity(size + 256 + merged.aggs.as_ref().map_or(0, Vec::len));
    body.extend_from_slice(b"\"hits\":{");
    write_total(&mut body, plan, merged.total, merged.at_least);
    write_max_score(&mut body, merged.max_score);
    body.extend_from_slice(b",\"hits\":[");
    for (i, hit) in places.into_iter().flatten().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&hit);
    }
    body.extend_from_slice(b"]}");
    let mut aggregations_at = None;
    if let Some(aggs) = &merged.aggs {
        body.extend_from_slice(b",\"aggregations\":");
        aggregations_at = Some(body.len());
        body.push(b'{');
        body.extend_from_slice(aggs);
        body.push(b'}');
    }
    Outcome {
        body,
        aggregations_at,
        timed_out: merged.timed_out,
        terminated_early: merged.terminated_early,
        failures: Vec::new(),
        total: merged.total,
        last_sort: merged.hits.last().map(|last| last_sort(&last.hit.sort, last.hit.score)),
        scroll: None,
    }
}

/// `"total":…,`, or nothing where hits are not counted.
fn write_total(body: &mut Vec<u8>, plan: &Plan, total: u64, at_least: bool) {
    if plan.track_total_hits == TrackTotal::None {
        if plan.total_as_int {
            body.extend_from_slice(b"\"total\":-1,");
        }
        return;
    }
    body.extend_from_slice(b"\"total\":");
    if plan.total_as_int {
        json::write_display(body, total);
    } else {
        json::write_display(
            body,
            format_args!("{{\"value\":{total},\"relation\":\"{}\"}}", if at_least { "gte" } else { "eq" }),
        );
    }
    body.push(b',');
}

fn write_max_score(body: &mut Vec<u8>, max_score: Option<f32>) {
    body.extend_from_slice(b"\"max_score\":");
    match max_score {
        Some(score) if !score.is_nan() => json::write_f32(body, score),
        _ => body.extend_from_slice(b"null"),
    }
}

/// `{"total":…,"max_score":…,"hits":[…]}` of inner hits.
pub fn write_hits(out: &mut Vec<u8>, total: u64, max_score: Option<f32>, hits: &[Vec<u8>]) {
    json::write_display(out, format_args!("{{\"total\":{{\"value\":{total},\"relation\":\"eq\"}},"));
    write_max_score(out, max_score);
    out.extend_from_slice(b",\"hits\":[");
    for (i, hit) in hits.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(hit);
    }
    out.extend_from_slice(b"]}");
}

fn last_sort(values: &[SortValue], score: f32) -> Vec<u8> {
    let mut out = vec![b'['];
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        value.write(&mut out);
    }
    if values.is_empty() {
        json::write_f32(&mut out, score);
    }
    out.push(b']');
    out
}
