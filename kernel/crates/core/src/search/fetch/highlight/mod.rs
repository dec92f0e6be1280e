//! `highlight`: the parts of a field's values that the query matched, values taken from the source and analysed again.

mod breaks;
mod find;
mod limits;
mod passages;
mod plain;
mod text;
mod unified;

use std::sync::Arc;

use serde_json::Value;
use tantivy::DocId;

use super::fields::{source_paths, source_values};
use super::hit::HitSpec;
use crate::Result;
use crate::mapping::{FieldDef, FieldKind, Mapping};
use crate::search::json::{self, write_key};
use crate::search::ops::Mark;
use crate::search::plan::HighlightField;
use crate::search::query::SegmentView;

use self::text::FieldText;

/// Highlights the hits of one shard.
pub struct Highlighter<'a> {
    fields: Vec<Field<'a>>,
    index: &'a str,
    html: bool,
}

struct Field<'a> {
    spec: &'a HighlightField,
    def: Arc<FieldDef>,
    paths: Vec<String>,
    marks: Vec<Mark>,
    /// Fields whose matches are shown in this one's text too.
    also: Vec<(Arc<FieldDef>, Vec<Mark>)>,
}

/// How a field is highlighted, defaults filled in.
pub struct Options<'s> {
    pub pre: &'s str,
    pub post: &'s str,
    pub html: bool,
    pub fragment_size: usize,
    pub fragments: usize,
    pub no_match_size: usize,
    pub by_score: bool,
    pub scanner: &'s str,
    pub simple: bool,
}

impl<'a> Highlighter<'a> {
    pub fn new(spec: &HitSpec<'a>, mapping: &Mapping) -> Self {
        let Some(highlight) = &spec.fetch.highlight else {
            return Highlighter { fields: Vec::new(), index: spec.index, html: false };
        };
        let html = highlight.encoder.as_deref() == Some("html");
        let mut fields = Vec::new();
        for field in &highlight.fields {
            let query = field.highlight_query.as_deref().or(spec.fetch.highlight_query.as_ref()).unwrap_or(spec.query);
            let mut marks = Vec::new();
            query.marks(&mut marks);
            if let Some(def) = mapping.field(field.field.as_deref().unwrap_or(&field.name)) {
                let def = Arc::clone(def);
                let strict = field.require_field_match.unwrap_or(true);
                let of = |wanted: &str| -> Vec<Mark> {
                    let path = |mark: &Mark| mapping.aliases.get(&mark.field).unwrap_or(&mark.field) == wanted;
                    marks.iter().filter(|mark| !strict || path(mark)).cloned().collect()
                };
                let also = field.matched_fields.iter().flatten().filter_map(|name| mapping.field(name));
                let also =
                    also.filter(|other| other.path != def.path).map(|other| (Arc::clone(other), of(&other.path)));
                let (own, also) = (of(&def.path), also.collect());
                let paths = source_paths(mapping, &def);
                fields.push(Field { spec: field, def, paths, marks: own, also });
            }
        }
        Highlighter { fields, index: spec.index, html }
    }

    /// Writes `,"highlight":{…}` if there is anything to show.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        segment: &SegmentView<'_>,
        (doc, id): (DocId, &str),
        source: &Value,
    ) -> Result<()> {
        let mut first = true;
        let start = out.len();
        out.extend_from_slice(b",\"highlight\":{");
        for field in &self.fields {
            let place = limits::Place { index: self.index, doc, id };
            let fragments = field.highlight(segment.mapping(), &place, source, self.html)?;
            if fragments.is_empty() {
                continue;
            }
            write_key(out, &mut first, &field.spec.name);
            out.push(b'[');
            for (i, fragment) in fragments.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                json::write_str(out, fragment);
            }
            out.push(b']');
        }
        if first {
            out.truncate(start);
        } else {
            out.push(b'}');
        }
        Ok(())
    }
}

impl Field<'_> {
    fn highlight(
        &self,
        mapping: &Mapping,
        place: &limits::Place<'_>,
        source: &Value,
        html: bool,
    ) -> Result<Vec<String>> {
        let mut values: Vec<String> = Vec::new();
        for path in &self.paths {
            let mut found = Vec::new();
            source_values(source, path, &mut found);
            values.extend(found.into_iter().filter_map(text_of));
        }
        if let Some(limit) = self.def.params.get("ignore_above").and_then(Value::as_u64)
            && self.def.kind == FieldKind::Keyword
        {
            values.retain(|value| value.encode_utf16().count() as u64 <= limit);
        }
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let options = self.options(html);
        let plain = self.spec.kind.as_deref() == Some("plain");
        let end = limits::check(self.spec, &self.def, &mut values, place, plain)?;
        let text = FieldText::analyse(mapping, &self.def, &values);
        let mut hits = find::hits(&text, &self.marks)?;
        for (other, marks) in &self.also {
            hits.extend(find::hits(&FieldText::analyse(mapping, other, &values), marks)?);
        }
        if !self.also.is_empty() {
            hits.sort_by_key(|hit| (hit.start, hit.end));
            hits.dedup_by_key(|hit| (hit.start, hit.end));
        }
        hits.retain(|hit| hit.start < end);
        Ok(if plain { plain::fragments(&text, &hits, &options) } else { unified::fragments(&text, &hits, &options) })
    }

    fn options<'s>(&'s self, html: bool) -> Options<'s> {
        let size = |value: Option<i64>, default: usize| value.map_or(default, |value| value.max(0) as usize);
        let first = |tags: &'s Option<Vec<String>>, default: &'static str| -> &'s str {
            tags.as_ref().and_then(|tags| tags.first()).map_or(default, String::as_str)
        };
        Options {
            pre: first(&self.spec.pre_tags, "<em>"),
            post: first(&self.spec.post_tags, "</em>"),
            html,
            fragment_size: size(self.spec.fragment_size, 100),
            fragments: size(self.spec.number_of_fragments, 5),
            no_match_size: size(self.spec.no_match_size, 0),
            by_score: self.spec.order.as_deref() == Some("score"),
            scanner: self.spec.boundary_scanner.as_deref().unwrap_or("sentence"),
            simple: self.spec.fragmenter.as_deref() == Some("simple"),
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Appends characters, encoded for HTML if asked.
pub fn append(out: &mut String, chars: &[char], html: bool) {
    if !html {
        return out.extend(chars);
    }
    for c in chars {
        match c {
            '"' => out.push_str("&quot;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#x27;"),
            '/' => out.push_str("&#x2F;"),
            c => out.push(*c),
        }
    }
}
