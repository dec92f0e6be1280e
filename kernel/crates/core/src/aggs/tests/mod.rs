//! Whole requests over shards in memory: parse, collect, encode, merge, render.

mod basics;
mod nested;
mod random;

use std::sync::Arc;

use serde_json::{Value, json};
use tantivy::query::{AllQuery, BooleanQuery, EnableScoring, Occur, Query, TermQuery};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, TERMINATED, Term};

use super::sources::{Filter, Sources};
use super::{AggPlan, RenderOptions, ShardCollector, merge, parse, render};
use crate::Result;
use crate::mapping::Mapping;
use crate::reader::ShardReader;
use crate::testkit;

/// Sub-filters of tests: `all` and `term` on keywords.
struct TestSources<'a>(&'a ShardReader);

struct TestFilter<'a> {
    reader: &'a ShardReader,
    query: Box<dyn Query>,
}

impl Filter for TestFilter<'_> {
    fn docs(&self, segment_ord: usize) -> Result<Box<dyn DocSet>> {
        let weight = self.query.weight(EnableScoring::disabled_from_schema(&self.reader.mapping.schema))?;
        Ok(Box::new(weight.scorer(&self.reader.segments[segment_ord].reader, 1.0)?))
    }
}

impl Sources for TestSources<'_> {
    fn filter<'a>(&'a self, op: &Value, _scope: Option<&str>) -> Result<Box<dyn Filter + 'a>> {
        Ok(Box::new(TestFilter { reader: self.0, query: compile(self.0, op) }))
    }
}

fn compile(reader: &ShardReader, op: &Value) -> Box<dyn Query> {
    let Some(term) = op.get("term") else { return Box::new(AllQuery) };
    let field = reader.mapping.fields[term["field"].as_str().unwrap()].field.unwrap();
    Box::new(TermQuery::new(Term::from_field_text(field, term["value"].as_str().unwrap()), IndexRecordOption::Basic))
}

/// The mapping of most tests.
fn mapping() -> Arc<Mapping> {
    testkit::mapping(json!({"properties": {
        "k": {"type": "keyword"}, "k2": {"type": "keyword"}, "n": {"type": "integer"}, "d": {"type": "double"},
        "t": {"type": "date"}, "tn": {"type": "date_nanos"}, "b": {"type": "boolean"}, "ip": {"type": "ip"},
        "u": {"type": "unsigned_long"}, "s": {"type": "scaled_float", "scaling_factor": 100}, "f": {"type": "float"},
        "text": {"type": "text"},
        "c": {"type": "nested", "properties": {"x": {"type": "integer"}, "name": {"type": "keyword"},
              "g": {"type": "nested", "properties": {"y": {"type": "integer"}}}}}
    }}))
}

/// Documents of one shard, by segment.
type Shard<'d> = &'d [&'d [Value]];

/// Collects root documents that match `query` on one shard, in odd blocks.
fn collect(plan: &AggPlan, reader: &ShardReader, query: &Value) -> Result<Vec<u8>> {
    let sources = TestSources(reader);
    let mut collector = ShardCollector::new(plan, reader, &sources)?;
    for (ord, segment) in reader.segments.iter().enumerate() {
        let roots = super::nested::roots(&super::collect::SegmentCtx { ord, segment, reader })?;
        let query = BooleanQuery::new(vec![(Occur::Must, compile(reader, query))]);
        let weight = query.weight(EnableScoring::disabled_from_schema(&reader.mapping.schema))?;
        let mut found = weight.scorer(&segment.reader, 1.0)?;
        let mut docs: Vec<DocId> = Vec::new();
        while found.doc() != TERMINATED {
            if roots.as_ref().is_none_or(|r| r.contains(found.doc())) {
                docs.push(found.doc());
            }
            found.advance();
        }
        collector.begin_segment(ord)?;
        for block in docs.chunks(7) {
            collector.collect(block, None)?;
        }
    }
    collector.into_partial()
}

/// The whole way over shards; typed keys as asked.
fn run_with(aggs: Value, query: Value, shards: &[Shard<'_>], typed_keys: bool) -> Result<Value> {
    let mapping = mapping();
    let plan = parse(&aggs)?;
    let readers: Vec<ShardReader> = shards.iter().map(|segments| testkit::reader(&mapping, segments)).collect();
    let blocks = readers.iter().map(|r| collect(&plan, r, &query)).collect::<Result<Vec<_>>>()?;
    let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    let rendered =
        |merged: Vec<super::Partial>| render(&plan, &merged, RenderOptions { typed_keys, total_as_int: false });
    let text = rendered(merge(&plan, &blocks)?);
    for batch in 1..blocks.len() {
        let (first, rest) = blocks.split_at(batch);
        let first = super::reduce(&plan, first)?;
        let again = super::reduce(&plan, &[&first, rest[0]])?;
        let batched: Vec<&[u8]> = std::iter::once(&again[..]).chain(rest[1..].iter().copied()).collect();
        assert_eq!(rendered(merge(&plan, &batched)?), text, "the first {batch} shards merged before the others");
    }
    Ok(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")))
}

fn run(aggs: Value, shards: &[Shard<'_>]) -> Value {
    run_with(aggs, json!({"all": {}}), shards, false).unwrap()
}

/// One aggregation named `a` over one shard of one segment.
fn one(kind: &str, params: Value, docs: &[Value]) -> Value {
    run(json!({"a": {"kind": kind, "params": params}}), &[&[docs]])["a"].take()
}

fn fails(kind: &str, params: Value, docs: &[Value]) -> crate::Error {
    let aggs = json!({"a": {"kind": kind, "params": params}});
    run_with(aggs, json!({"all": {}}), &[&[docs]], false).unwrap_err()
}
