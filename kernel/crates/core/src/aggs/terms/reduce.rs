//! Merging of terms across shards, with the bounds of the error that cutting off at the shards brings; printing.

use std::net::Ipv6Addr;

use super::{Bucket, Key, KeyKind, Result as TermsResult, Terms};
use crate::aggs::RenderOptions;
use crate::aggs::format::{Format, ip};
use crate::aggs::out::Out;
use crate::aggs::partial::{Partial, mismatch};
use crate::aggs::plan::AggNode;
use crate::aggs::reduce::ReduceCtx;
use crate::aggs::render::subs as render_subs;
use crate::aggs::source::{f64_to_raw, raw_to_f64, raw_to_i64};
use crate::{Error, Result};

pub fn reduce(agg: &Terms, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial> {
    let mut shards = Vec::with_capacity(parts.len());
    for part in parts {
        let Partial::Terms(part) = part else { return Err(mismatch()) };
        shards.push(*part);
    }
    let (kind, format) = unify(agg, &mut shards)?;
    let count: u32 = shards.iter().map(|shard| shard.merged.max(1)).sum();
    let mut error = 0i64;
    let mut other = 0u64;
    let mut all: Vec<Bucket> = Vec::new();
    for mut shard in shards {
        other += shard.other;
        let this = shard_error(agg, &shard);
        error = if error < 0 || this < 0 { -1 } else { error + this };
        shard.buckets.iter_mut().for_each(|bucket| bucket.error -= this);
        all.append(&mut shard.buckets);
    }
    let mut merged = merge(all);
    for bucket in &mut merged {
        bucket.error = if error < 0 { -1 } else { bucket.error + error };
    }
    let (buckets, cut) = if !ctx.last {
        (merged.into_iter().map(|m| finish(m, node, ctx)).collect::<Result<Vec<_>>>()?, 0)
    } else {
        merged.retain(|b| b.count >= agg.thresholds.min_doc_count);
        if agg.order.paths().next().is_none() {
            by_count(agg, merged, node, ctx)?
        } else {
            by_values(agg, merged, node, ctx)?
        }
    };
    ctx.consume(buckets.len())?;
    Ok(Partial::Terms(Box::new(TermsResult {
        kind,
        format,
        error: if ctx.last && error > 0 && count == 1 { 0 } else { error },
        merged: count,
        other: other + cut,
        buckets,
    })))
}

/// How many documents a term that this shard left out may have.
fn shard_error(agg: &Terms, shard: &TermsResult) -> i64 {
    let size = shard.buckets.len();
    if shard.merged > 0 {
        shard.error
    } else if size == 0 || size < agg.thresholds.shard_size || agg.order.is_key() {
        0
    } else if agg.order.is_count_desc() {
        if shard.error > 0 { shard.error } else { shard.buckets.iter().map(|b| b.count as i64).min().unwrap_or(0) }
    } else {
        -1
    }
}

/// One kind of key for all shards: whole numbers become doubles where a shard has doubles.
fn unify(agg: &Terms, shards: &mut [TermsResult]) -> Result<(KeyKind, Format)> {
    let mut kind = KeyKind::Unmapped;
    let mut format = Format::Raw;
    for shard in shards.iter() {
        kind = match (kind, shard.kind) {
            (a, b) if a == b => a,
            (KeyKind::Unmapped, other) | (other, KeyKind::Unmapped) => other,
            (KeyKind::Bytes, _) | (_, KeyKind::Bytes) => return Err(different_types(&agg.name)),
            _ => KeyKind::Double,
        };
        if shard.kind != KeyKind::Unmapped && format.is_raw() {
            format = shard.format.clone();
        }
    }
    for shard in shards.iter_mut().filter(|s| kind == KeyKind::Double && s.kind != KeyKind::Double) {
        for bucket in &mut shard.buckets {
            if let Key::Number(raw) = &mut bucket.key {
                let value = if shard.kind == KeyKind::Unsigned { *raw as f64 } else { raw_to_i64(*raw) as f64 };
                *raw = f64_to_raw(value);
            }
        }
    }
    Ok((kind, format))
}

fn different_types(name: &str) -> Error {
    Error::new(
        "aggregation_execution_exception",
        500,
        format!(
            "Merging/Reducing the aggregations failed when computing the aggregation [{name}] because the field you gave in the \
             aggregation query existed as two different types in two different indices"
        ),
    )
}

/// A merged bucket whose children are not merged yet.
struct Merged {
    key: Key,
    count: u64,
    error: i64,
    subs: Vec<Vec<Partial>>,
}

/// Brings equal keys together; ascending by key.
fn merge(mut all: Vec<Bucket>) -> Vec<Merged> {
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let mut merged: Vec<Merged> = Vec::new();
    for bucket in all {
        match merged.last_mut() {
            Some(last) if last.key == bucket.key => {
                last.count += bucket.count;
                last.error += bucket.error;
                last.subs.push(bucket.subs);
            }
            _ => merged.push(Merged {
                key: bucket.key,
                count: bucket.count,
                error: bucket.error,
                subs: vec![bucket.subs],
            }),
        }
    }
    merged
}

/// Without order paths only the buckets that stay need their children merged.
fn by_count(agg: &Terms, mut merged: Vec<Merged>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<(Vec<Bucket>, u64)> {
    merged.sort_by(|a, b| agg.order.compare((a.count, &[]), (b.count, &[]), || a.key.cmp(&b.key)));
    let cut = merged.iter().skip(agg.thresholds.size).map(|b| b.count).sum();
    merged.truncate(agg.thresholds.size);
    let buckets = merged.into_iter().map(|m| finish(m, node, ctx)).collect::<Result<Vec<_>>>()?;
    Ok((buckets, cut))
}

fn by_values(agg: &Terms, merged: Vec<Merged>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<(Vec<Bucket>, u64)> {
    let mut valued = Vec::with_capacity(merged.len());
    for bucket in merged {
        let before = ctx.consumed();
        let bucket = finish(bucket, node, ctx)?;
        let inner = ctx.consumed() - before;
        let values = agg.order.values(&node.subs, &bucket.subs)?;
        valued.push((values, inner, bucket));
    }
    valued.sort_by(|(va, _, a), (vb, _, b)| agg.order.compare((a.count, va), (b.count, vb), || a.key.cmp(&b.key)));
    let mut cut = 0;
    for (_, inner, bucket) in valued.iter().skip(agg.thresholds.size) {
        cut += bucket.count;
        ctx.give_back(*inner);
    }
    valued.truncate(agg.thresholds.size);
    Ok((valued.into_iter().map(|(_, _, bucket)| bucket).collect(), cut))
}

fn finish(merged: Merged, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Bucket> {
    let subs = ctx.subs(&node.subs, merged.subs)?;
    Ok(Bucket { key: merged.key, count: merged.count, error: merged.error, subs })
}

pub fn render(agg: &Terms, result: &TermsResult, node: &AggNode, out: &mut Out, options: RenderOptions) {
    out.field_long("doc_count_error_upper_bound", result.error);
    out.field_unsigned("sum_other_doc_count", result.other);
    out.key("buckets");
    out.begin_array();
    for bucket in &result.buckets {
        out.begin_object();
        render_key(&bucket.key, result, out);
        out.field_unsigned("doc_count", bucket.count);
        if agg.show_error {
            out.field_long("doc_count_error_upper_bound", bucket.error);
        }
        render_subs(&node.subs, &bucket.subs, out, options);
        out.end_object();
    }
    out.end_array();
}

fn render_key(key: &Key, result: &TermsResult, out: &mut Out) {
    out.key("key");
    let text = match (key, result.kind) {
        (Key::Bytes(bytes), _) => {
            match (&result.format, <[u8; 16]>::try_from(&bytes[..])) {
                (Format::Ip, Ok(address)) => out.string(&ip(Ipv6Addr::from(address))),
                _ => out.string(&String::from_utf8_lossy(bytes)),
            }
            return;
        }
        (Key::Number(raw), KeyKind::Double) => {
            out.double(raw_to_f64(*raw));
            result.format.double(raw_to_f64(*raw))
        }
        (Key::Number(raw), KeyKind::Unsigned) => {
            out.unsigned(*raw);
            result.format.double(*raw as f64)
        }
        (Key::Number(raw), _) => {
            out.long(raw_to_i64(*raw));
            result.format.long(raw_to_i64(*raw))
        }
    };
    if !result.format.is_raw() {
        out.field_string("key_as_string", &text);
    }
}
