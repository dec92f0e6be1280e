//! One hit as JSON, its members in OpenSearch's order.

use tantivy::DocId;
use tantivy::query::Scorer;

use super::source::write_source;
use crate::Result;
use crate::reader::{ShardReader, StoredDocument};
use crate::search::block::Hit;
use crate::search::docs::stored;
use crate::search::json::{self, write_key};
use crate::search::ops::Op;
use crate::search::plan::{FetchSpec, Plan, SourceSpec};
use crate::search::query::{BoxQuery, Context, SegmentView, matches};

/// Writes the hits of one shard.
pub struct HitWriter<'a> {
    index: &'a str,
    shard: u32,
    node: &'a str,
    plan: &'a Plan,
    named: Vec<Named>,
    /// For explanations.
    query: Option<BoxQuery>,
    scored_sort: bool,
}

struct Named {
    name: String,
    query: BoxQuery,
    scorer: Option<Box<dyn Scorer>>,
}

impl<'a> HitWriter<'a> {
    pub fn new(index: &'a str, shard: u32, node: &'a str, reader: &'a ShardReader, plan: &'a Plan) -> Result<Self> {
        let context = Context::new(reader, plan.fetch.named_queries_score);
        let mut named = Vec::new();
        let mut found: Vec<&Op> = Vec::new();
        plan.query.walk(&mut |op| found.push(op));
        if let Some(filter) = &plan.post_filter {
            filter.walk(&mut |op| found.push(op));
        }
        for op in found {
            if let Some(name) = op.name() {
                named.push(Named { name: name.to_owned(), query: op.bind(&context, 1.0)?, scorer: None });
            }
        }
        let query = if plan.explain { Some(plan.query.bind(&Context::new(reader, true), 1.0)?) } else { None };
        Ok(HitWriter { index, shard, node, plan, named, query, scored_sort: plan.wants_scores() })
    }

    /// Goes to another segment.
    pub fn begin(&mut self, segment: &SegmentView<'_>) -> Result<()> {
        for named in &mut self.named {
            named.scorer = Some(named.query.scorer(segment)?);
        }
        Ok(())
    }

    pub fn write(&mut self, segment: &SegmentView<'_>, hit: &Hit) -> Result<Vec<u8>> {
        let spec = &self.plan.fetch;
        let document = stored(segment, hit.doc)?;
        let mut out = Vec::with_capacity(document.source.as_ref().map_or(0, |source| source.len()) + 128);
        let mut first = true;
        out.push(b'{');
        if self.query.is_some() {
            write_key(&mut out, &mut first, "_shard");
            json::write_str(&mut out, &format!("[{}][{}]", self.index, self.shard));
            write_key(&mut out, &mut first, "_node");
            json::write_str(&mut out, self.node);
        }
        write_key(&mut out, &mut first, "_index");
        json::write_str(&mut out, self.index);
        let metadata = spec.stored_fields.as_ref().is_none_or(|fields| !fields.iter().any(|field| field == "_none_"));
        if metadata {
            write_key(&mut out, &mut first, "_id");
            json::write_str(&mut out, document.id());
        }
        write_versions(&mut out, segment, hit.doc, spec)?;
        write_key(&mut out, &mut first, "_score");
        if hit.score.is_nan() || !self.scored_sort {
            out.extend_from_slice(b"null");
        } else {
            json::write_f32(&mut out, hit.score);
        }
        if metadata {
            write_metadata(&mut out, segment, hit.doc, &document)?;
        }
        self.write_source(&mut out, &document)?;
        write_sort(&mut out, hit);
        self.write_matched(&mut out, hit.doc);
        if let Some(query) = &self.query {
            out.extend_from_slice(b",\"_explanation\":");
            query.explain(segment, hit.doc)?.write(&mut out);
        }
        out.push(b'}');
        Ok(out)
    }

    fn write_source(&self, out: &mut Vec<u8>, document: &StoredDocument) -> Result<()> {
        let spec = &self.plan.fetch;
        if spec.source == SourceSpec::None {
            return Ok(());
        }
        if let Some(source) = &document.source {
            out.extend_from_slice(b",\"_source\":");
            write_source(out, source, &spec.source)?;
        }
        Ok(())
    }

    fn write_matched(&mut self, out: &mut Vec<u8>, doc: DocId) {
        let with_scores = self.plan.fetch.named_queries_score;
        let mut found: Vec<(&str, f32)> = Vec::new();
        for named in &mut self.named {
            if let Some(scorer) = &mut named.scorer
                && matches(scorer.as_mut(), doc)
                && !found.iter().any(|(name, _)| *name == named.name)
            {
                let score = if with_scores { scorer.score() } else { 0.0 };
                found.push((&named.name, score));
            }
        }
        if found.is_empty() {
            return;
        }
        out.extend_from_slice(if with_scores { b",\"matched_queries\":{" } else { b",\"matched_queries\":[" });
        for (i, (name, score)) in found.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json::write_str(out, name);
            if with_scores {
                out.push(b':');
                json::write_f32(out, *score);
            }
        }
        out.push(if with_scores { b'}' } else { b']' });
    }
}

fn column(segment: &SegmentView<'_>, name: &str, doc: DocId) -> Result<Option<u64>> {
    let key = format!("system/{name}");
    let column = crate::search::docs::cached(segment.segment, &key, || {
        Ok(segment.segment.reader.fast_fields().column_opt::<u64>(name)?)
    })?;
    Ok(column.as_ref().as_ref().and_then(|column| column.first(doc)))
}

fn write_versions(out: &mut Vec<u8>, segment: &SegmentView<'_>, doc: DocId, spec: &FetchSpec) -> Result<()> {
    if spec.version
        && let Some(version) = column(segment, "_version", doc)?
    {
        json::write_display(out, format_args!(",\"_version\":{version}"));
    }
    if spec.seq_no_primary_term
        && let Some(seq_no) = column(segment, "_seq_no", doc)?
    {
        let term = column(segment, "_primary_term", doc)?.unwrap_or(1);
        json::write_display(out, format_args!(",\"_seq_no\":{seq_no},\"_primary_term\":{term}"));
    }
    Ok(())
}

fn write_metadata(out: &mut Vec<u8>, segment: &SegmentView<'_>, doc: DocId, document: &StoredDocument) -> Result<()> {
    if let Some(column) = crate::search::docs::str_column(segment.segment, "_ignored")? {
        let mut names = Vec::new();
        for ord in column.term_ords(doc) {
            let mut name = String::new();
            column.ord_to_str(ord, &mut name)?;
            names.push(name);
        }
        if !names.is_empty() {
            out.extend_from_slice(b",\"_ignored\":");
            // Strings always serialise.
            let _ = serde_json::to_writer(&mut *out, &names);
        }
    }
    if let Some(routing) = document.routing() {
        out.extend_from_slice(b",\"_routing\":");
        json::write_str(out, routing);
    }
    Ok(())
}

fn write_sort(out: &mut Vec<u8>, hit: &Hit) {
    if hit.sort.is_empty() {
        return;
    }
    out.extend_from_slice(b",\"sort\":[");
    for (i, value) in hit.sort.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        value.write(out);
    }
    out.push(b']');
}
