//! `inner_hits`: the nested documents of a hit that matched, as hits of their own.

use serde_json::Value;
use tantivy::{DocId, DocSet, TERMINATED};

use super::fields::source_values;
use super::hit::{HitSpec, HitWriter};
use super::source::filter_value;
use crate::reader::StoredDocument;
use crate::search::block::Hit;
use crate::search::docs::{children_of, roots, stored};
use crate::search::json;
use crate::search::ops::{Op, first_child, matching_children, parent_of};
use crate::search::plan::{InnerHits, SourceSpec};
use crate::search::query::{BoxQuery, Context, SegmentView};
use crate::search::render::write_hits;
use crate::search::sort::BoundSort;
use crate::{Error, Result};

/// Writes the inner hits of one nested operation.
pub struct InnerWriter<'a> {
    pub name: String,
    path: &'a str,
    /// Of the hits that hold them; None: roots.
    parent: Option<String>,
    spec: &'a InnerHits,
    query: BoxQuery,
    sort: Option<BoundSort>,
    writer: HitWriter<'a>,
}

/// The operations with inner hits of one level: below an operation that has some, they belong to its hits.
fn of_level<'o>(op: &'o Op, found: &mut Vec<(&'o str, &'o Op, &'o InnerHits)>) {
    match op.inner_hits() {
        Some(inner) => found.push(inner),
        None => op.children().into_iter().for_each(|child| of_level(child, found)),
    }
}

impl<'a> InnerWriter<'a> {
    pub fn all(outer: &HitSpec<'a>, op: &'a Op, context: &Context<'a>) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        of_level(op, &mut found);
        found.into_iter().map(|(path, query, spec)| Self::new(outer, path, query, spec, context)).collect()
    }

    fn new(
        outer: &HitSpec<'a>,
        path: &'a str,
        query: &'a Op,
        spec: &'a InnerHits,
        context: &Context<'a>,
    ) -> Result<Self> {
        let inside = context.inside(path).scored(true);
        let hits = HitSpec {
            fetch: &spec.fetch,
            query,
            post_filter: None,
            explain: spec.explain,
            scored: spec.sort.is_none() || spec.track_scores,
            ..*outer
        };
        Ok(InnerWriter {
            name: spec.name.clone().unwrap_or_else(|| path.to_owned()),
            path,
            parent: context.scope.as_deref().map(str::to_owned),
            spec,
            query: query.bind(&inside, 1.0)?,
            sort: spec.sort.as_ref().map(|keys| BoundSort::bind(&inside, keys)).transpose()?,
            writer: HitWriter::new(hits, &inside)?,
        })
    }

    /// Writes the hits below one document; `document` is its root's.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        segment: &SegmentView<'_>,
        parent: DocId,
        document: &StoredDocument,
    ) -> Result<()> {
        let mut hits = self.find(segment, parent)?;
        let total = hits.len() as u64;
        let scored = self.spec.sort.is_none() || self.spec.track_scores;
        let max_score = if scored { hits.iter().map(|hit| hit.score).reduce(f32::max) } else { None };
        match &self.sort {
            None => hits.sort_by(|a, b| b.score.total_cmp(&a.score)),
            Some(sort) => hits.sort_by(|a, b| sort.compare(&a.sort, &b.sort)),
        }
        let source: Option<Value> = match &document.source {
            Some(source) => Some(
                serde_json::from_slice(source)
                    .map_err(|e| Error::new("parse_exception", 500, format!("stored source is not JSON: {e}")))?,
            ),
            None => None,
        };
        let mut written = Vec::new();
        for hit in hits.iter().skip(self.spec.from).take(self.spec.size) {
            let nested = NestedIdentity::find(segment, self.path, hit.doc, source.as_ref())?;
            // Named queries go forward only: each hit opens them anew.
            self.writer.begin(segment)?;
            written.push(self.writer.write_nested(segment, hit, document, &nested)?);
        }
        write_hits(out, total, max_score, &written);
        Ok(())
    }

    fn find(&self, segment: &SegmentView<'_>, parent: DocId) -> Result<Vec<Hit>> {
        let parents = match &self.parent {
            None => roots(segment)?,
            Some(path) => children_of(segment, path)?,
        };
        let Some(parents) = parents else { return Ok(Vec::new()) };
        let first = first_child(&parents, parent);
        let mut scorer = matching_children(segment, self.path, self.query.as_ref(), true)?;
        if scorer.doc() < first {
            scorer.seek(first);
        }
        let mut keys = self.sort.as_ref().map(|sort| sort.segment(segment)).transpose()?;
        let mut hits = Vec::new();
        while scorer.doc() < parent && scorer.doc() < TERMINATED {
            let (doc, score) = (scorer.doc(), scorer.score());
            let sort = match &mut keys {
                Some(keys) => {
                    let mut numbers = [0u64; 16];
                    keys.read(doc, score, &mut numbers);
                    keys.values(&numbers)?
                }
                None => Vec::new(),
            };
            hits.push(Hit { segment: segment.ord as u32, doc, score, sort });
            scorer.advance();
        }
        Ok(hits)
    }
}

/// Where in its root a nested document stands.
pub struct NestedIdentity {
    path: String,
    /// (name relative to the level above, place among its siblings), outermost first.
    levels: Vec<(String, usize)>,
    /// Its part of the source, at its full path.
    pub wrapped: Option<Value>,
    own: Option<Value>,
}

/// The root of a nested document and its place there; None for a root.
pub fn nested(segment: &SegmentView<'_>, doc: DocId) -> Result<Option<(StoredDocument, NestedIdentity)>> {
    let Some(all) = roots(segment)? else { return Ok(None) };
    if all.contains(doc) {
        return Ok(None);
    }
    for path in &segment.mapping().nested_paths {
        if children_of(segment, path)?.is_some_and(|children| children.contains(doc)) {
            let document = stored(segment, parent_of(&all, doc))?;
            let source = match &document.source {
                Some(source) => Some(
                    serde_json::from_slice(source)
                        .map_err(|e| Error::new("parse_exception", 500, format!("stored source is not JSON: {e}")))?,
                ),
                None => None,
            };
            let identity = NestedIdentity::find(segment, path, doc, source.as_ref())?;
            return Ok(Some((document, identity)));
        }
    }
    Ok(None)
}

impl NestedIdentity {
    fn find(segment: &SegmentView<'_>, path: &str, doc: DocId, source: Option<&Value>) -> Result<Self> {
        let mut chain: Vec<&String> = segment
            .mapping()
            .nested_paths
            .iter()
            .filter(|known| *known == path || path.starts_with(&format!("{known}.")))
            .collect();
        chain.sort_by_key(|known| known.len());
        let mut levels = Vec::with_capacity(chain.len());
        for (at, level) in chain.iter().enumerate() {
            let Some(siblings) = children_of(segment, level)? else { continue };
            // The document itself, or the one of this level that holds it.
            let own = parent_of(&siblings, doc);
            let holders = if at == 0 { roots(segment)? } else { children_of(segment, chain[at - 1])? };
            let first = holders.map_or(0, |holders| first_child(&holders, parent_of(&holders, own)));
            let offset = (first..own).filter(|doc| siblings.contains(*doc)).count();
            let name = if at == 0 { (*level).clone() } else { level[chain[at - 1].len() + 1..].to_owned() };
            levels.push((name, offset));
        }
        let own = source.and_then(|source| part(source, &levels));
        let wrapped = own.clone().map(|own| wrap(path, own));
        Ok(NestedIdentity { path: path.to_owned(), levels, wrapped, own })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        for (name, offset) in &self.levels {
            out.extend_from_slice(b",\"_nested\":{\"field\":");
            json::write_str(out, name);
            json::write_display(out, format_args!(",\"offset\":{offset}"));
        }
        out.extend(std::iter::repeat_n(b'}', self.levels.len()));
    }

    pub fn write_source(&self, out: &mut Vec<u8>, spec: &SourceSpec) -> Result<()> {
        let shown = match (spec, &self.own, &self.wrapped) {
            (SourceSpec::None, ..) => return Ok(()),
            (SourceSpec::All, Some(own), _) => own.clone(),
            (SourceSpec::Filter(filter), _, Some(wrapped)) => {
                let filtered = filter_value(wrapped.clone(), filter);
                let mut found = Vec::new();
                source_values(&filtered, &self.path, &mut found);
                found.first().map_or_else(|| Value::Object(serde_json::Map::new()), |value| (*value).clone())
            }
            _ => return Ok(()),
        };
        out.extend_from_slice(b",\"_source\":");
        // A value of JSON always serialises.
        let _ = serde_json::to_writer(out, &shown);
        Ok(())
    }
}

fn part(source: &Value, levels: &[(String, usize)]) -> Option<Value> {
    let mut current = source;
    for (name, offset) in levels {
        let mut found = Vec::new();
        source_values(current, name, &mut found);
        current = found.get(*offset).copied()?;
    }
    Some(current.clone())
}

fn wrap(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, name| {
        let mut members = serde_json::Map::new();
        members.insert(name.to_owned(), inner);
        Value::Object(members)
    })
}
