//! One hit as JSON, its members in OpenSearch's order.

use tantivy::DocId;
use tantivy::query::Scorer;

use serde_json::Value;

use super::columns::{column_values, value_json};
use super::fields;
use super::highlight::Highlighter;
use super::inner::{InnerWriter, NestedIdentity};
use super::source::write_source;
use crate::mapping::{FieldDef, Mapping};
use crate::reader::StoredDocument;
use crate::search::block::Hit;
use crate::search::docs::stored;
use crate::search::json::{self, write_key};
use crate::search::ops::Op;
use crate::search::plan::{FetchSpec, FieldFormat, SourceSpec};
use crate::search::query::{BoxQuery, Context, SegmentView, matches};
use crate::{Error, Result};

/// What of hits is shown, and where they are.
#[derive(Clone, Copy)]
pub struct HitSpec<'a> {
    pub index: &'a str,
    pub shard: u32,
    pub node: &'a str,
    pub fetch: &'a FetchSpec,
    pub query: &'a Op,
    pub post_filter: Option<&'a Op>,
    pub explain: bool,
    /// Hits carry a score.
    pub scored: bool,
}

/// Writes the hits of one shard.
pub struct HitWriter<'a> {
    spec: HitSpec<'a>,
    named: Vec<Named>,
    /// For explanations.
    query: Option<BoxQuery>,
    inner: Vec<InnerWriter<'a>>,
    highlighter: Option<Highlighter<'a>>,
}

struct Named {
    name: String,
    query: BoxQuery,
    scorer: Option<Box<dyn Scorer>>,
}

impl<'a> HitWriter<'a> {
    pub fn new(spec: HitSpec<'a>, context: &Context<'a>) -> Result<Self> {
        let mut named = Vec::new();
        let mut found: Vec<&'a Op> = Vec::new();
        spec.query.walk(&mut |op| found.push(op));
        if let Some(filter) = spec.post_filter {
            filter.walk(&mut |op| found.push(op));
        }
        let naming = context.scored(spec.fetch.named_queries_score);
        for op in found {
            if let Some(name) = op.name() {
                named.push(Named { name: name.to_owned(), query: op.bind(&naming, 1.0)?, scorer: None });
            }
        }
        let query = if spec.explain { Some(spec.query.bind(&context.scored(true), 1.0)?) } else { None };
        let mut inner = InnerWriter::all(&spec, spec.query, context)?;
        if let Some(filter) = spec.post_filter {
            inner.extend(InnerWriter::all(&spec, filter, context)?);
        }
        let highlighter = spec.fetch.highlight.as_ref().map(|_| Highlighter::new(&spec, context.mapping()));
        Ok(HitWriter { spec, named, query, inner, highlighter })
    }

    /// Goes to another segment.
    pub fn begin(&mut self, segment: &SegmentView<'_>) -> Result<()> {
        for named in &mut self.named {
            named.scorer = Some(named.query.scorer(segment)?);
        }
        Ok(())
    }

    pub fn write(&mut self, segment: &SegmentView<'_>, hit: &Hit) -> Result<Vec<u8>> {
        let document = stored(segment, hit.doc)?;
        let parsed = self.parsed_source(&document)?;
        self.write_document(segment, hit, &document, parsed.as_ref(), None)
    }

    /// A nested document: `document` is its root's, `source` its own part of the source.
    pub fn write_nested(
        &mut self,
        segment: &SegmentView<'_>,
        hit: &Hit,
        document: &StoredDocument,
        nested: &NestedIdentity,
    ) -> Result<Vec<u8>> {
        self.write_document(segment, hit, document, nested.wrapped.as_ref(), Some(nested))
    }

    fn write_document(
        &mut self,
        segment: &SegmentView<'_>,
        hit: &Hit,
        document: &StoredDocument,
        source: Option<&Value>,
        nested: Option<&NestedIdentity>,
    ) -> Result<Vec<u8>> {
        let spec = self.spec;
        let mut out = Vec::with_capacity(document.source.as_ref().map_or(0, |source| source.len()) + 128);
        let mut first = true;
        out.push(b'{');
        if self.query.is_some() && nested.is_none() {
            write_key(&mut out, &mut first, "_shard");
            json::write_str(&mut out, &format!("[{}][{}]", spec.index, spec.shard));
            write_key(&mut out, &mut first, "_node");
            json::write_str(&mut out, spec.node);
        }
        write_key(&mut out, &mut first, "_index");
        json::write_str(&mut out, spec.index);
        let metadata =
            spec.fetch.stored_fields.as_ref().is_none_or(|fields| !fields.iter().any(|field| field == "_none_"));
        if metadata {
            write_key(&mut out, &mut first, "_id");
            json::write_str(&mut out, document.id());
        }
        if let Some(nested) = nested {
            nested.write(&mut out);
        } else {
            write_versions(&mut out, segment, hit.doc, spec.fetch)?;
        }
        write_key(&mut out, &mut first, "_score");
        if hit.score.is_nan() || !spec.scored {
            out.extend_from_slice(b"null");
        } else {
            json::write_f32(&mut out, hit.score);
        }
        if metadata && nested.is_none() {
            write_metadata(&mut out, segment, hit.doc, document)?;
        }
        match nested {
            Some(nested) => nested.write_source(&mut out, &spec.fetch.source)?,
            None => self.write_source(&mut out, document)?,
        }
        self.write_fields(&mut out, segment, hit.doc, source)?;
        if let (Some(highlighter), Some(source)) = (&mut self.highlighter, source) {
            highlighter.write(&mut out, segment, (hit.doc, document.id()), source)?;
        }
        write_sort(&mut out, hit);
        self.write_matched(&mut out, hit.doc);
        if let Some(query) = &self.query {
            out.extend_from_slice(b",\"_explanation\":");
            query.explain(segment, hit.doc)?.write(&mut out);
        }
        if !self.inner.is_empty() {
            self.write_inner(&mut out, segment, hit.doc, document)?;
        }
        out.push(b'}');
        Ok(out)
    }

    fn write_inner(
        &mut self,
        out: &mut Vec<u8>,
        segment: &SegmentView<'_>,
        doc: DocId,
        document: &StoredDocument,
    ) -> Result<()> {
        out.extend_from_slice(b",\"inner_hits\":{");
        let mut first = true;
        for inner in &mut self.inner {
            write_key(out, &mut first, &inner.name);
            out.extend_from_slice(b"{\"hits\":");
            inner.write(out, segment, doc, document)?;
            out.push(b'}');
        }
        out.push(b'}');
        Ok(())
    }

    fn write_source(&self, out: &mut Vec<u8>, document: &StoredDocument) -> Result<()> {
        let spec = self.spec.fetch;
        if spec.source == SourceSpec::None {
            return Ok(());
        }
        if let Some(source) = &document.source {
            out.extend_from_slice(b",\"_source\":");
            write_source(out, source, &spec.source)?;
        }
        Ok(())
    }

    /// The source as a tree, where something has to be taken out of it.
    fn parsed_source(&self, document: &StoredDocument) -> Result<Option<Value>> {
        let spec = self.spec.fetch;
        let stored = spec
            .stored_fields
            .as_ref()
            .is_some_and(|names| names.iter().any(|name| name != "_none_" && name != "_source"));
        if spec.fields.is_empty() && !stored && spec.highlight.is_none() {
            return Ok(None);
        }
        let Some(source) = &document.source else { return Ok(None) };
        serde_json::from_slice(source)
            .map(Some)
            .map_err(|e| Error::new("parse_exception", 500, format!("stored source is not JSON: {e}")))
    }

    /// The `fields` of the hit: columns, values of the source, stored fields.
    fn write_fields(
        &self,
        out: &mut Vec<u8>,
        segment: &SegmentView<'_>,
        doc: DocId,
        source: Option<&Value>,
    ) -> Result<()> {
        let spec = self.spec.fetch;
        let mapping = segment.mapping();
        let mut found: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
        for field in &spec.docvalue_fields {
            if let Some(def) = mapping.field(&field.field) {
                found.push((shown(field), column_values(segment, def, field.format.as_deref(), doc)?));
            } else if matches!(field.field.as_str(), "_seq_no" | "_version" | "_primary_term") {
                let value = column(segment, &field.field, doc)?;
                found.push((shown(field), value.into_iter().map(|value| value.to_string().into_bytes()).collect()));
            }
        }
        if let Some(source) = source {
            for field in &spec.fields {
                if let Some(def) = mapping.field(&field.field) {
                    let values = fields::field_values(mapping, def, field.format.as_deref(), source);
                    found.push((shown(field), values.iter().map(value_json).collect()));
                }
            }
            for name in spec.stored_fields.iter().flatten() {
                for def in stored_matching(mapping, name) {
                    let values = fields::field_values(mapping, def, None, source);
                    found.push((def.path.clone(), values.iter().map(value_json).collect()));
                }
            }
        }
        found.retain(|(_, values)| !values.is_empty());
        // A field asked for in several ways is shown as it was asked for last.
        let mut unique: Vec<(String, Vec<Vec<u8>>)> = Vec::with_capacity(found.len());
        for (name, values) in found {
            match unique.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = values,
                None => unique.push((name, values)),
            }
        }
        let found = unique;
        if found.is_empty() {
            return Ok(());
        }
        out.extend_from_slice(b",\"fields\":{");
        let mut first = true;
        for (name, values) in found {
            write_key(out, &mut first, &name);
            out.push(b'[');
            out.extend_from_slice(&values.join(&b','));
            out.push(b']');
        }
        out.push(b'}');
        Ok(())
    }

    fn write_matched(&mut self, out: &mut Vec<u8>, doc: DocId) {
        let with_scores = self.spec.fetch.named_queries_score;
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

/// What the hit calls a field.
fn shown(field: &FieldFormat) -> String {
    field.name.clone().unwrap_or_else(|| field.field.clone())
}

/// Leaves with `store: true` whose path a name or pattern matches.
fn stored_matching<'m>(mapping: &'m Mapping, name: &str) -> Vec<&'m FieldDef> {
    let stored =
        |def: &&FieldDef| def.params.get("store").is_some_and(|store| store == &Value::Bool(true) || store == "true");
    if !name.contains('*') {
        return mapping.field(name).map(|def| &**def).filter(stored).into_iter().collect();
    }
    let pattern = crate::search::ops::Pattern::wildcard(name, false);
    mapping.fields.values().map(|def| &**def).filter(|def| pattern.matches(&def.path)).filter(stored).collect()
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
