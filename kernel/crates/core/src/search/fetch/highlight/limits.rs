//! How much of a text may be analysed to highlight it.

use serde_json::Value;
use tantivy::DocId;

use crate::mapping::FieldDef;
use crate::search::plan::HighlightField;
use crate::{Error, Result};

/// Which document is highlighted, for complaints.
pub struct Place<'p> {
    pub index: &'p str,
    pub doc: DocId,
    pub id: &'p str,
}

/// Refuses texts longer than the index's limit, unless the request limits itself; answers where, in characters, analysis ends.
/// The plain highlighter does not show what it does not analyse, so its values are cut.
pub fn check(
    spec: &HighlightField,
    def: &FieldDef,
    values: &mut [String],
    place: &Place<'_>,
    plain: bool,
) -> Result<usize> {
    if spec.kind.as_deref() == Some("fvh") || (!plain && has_offsets(def)) {
        return Ok(usize::MAX);
    }
    if let Some(own) = spec.max_analyzer_offset {
        if plain {
            values.iter_mut().for_each(|value| cut(value, own));
        }
        return Ok(own);
    }
    let Some(limit) = spec.max_analyzed_offset else { return Ok(usize::MAX) };
    // Lengths in bytes are never smaller; most texts need no count.
    let total: usize = values.iter().map(|value| value.len() + 1).sum();
    if total > limit && longest(values, plain) > limit {
        let (doc, also) = if plain {
            (place.id.to_owned(), ", and highlighting with unified or fvh highlighter")
        } else {
            (place.doc.to_string(), "")
        };
        return Err(Error::illegal_argument(format!(
            "The length of [{}] field of [{doc}] doc of [{}] index has exceeded [{limit}] - maximum allowed to be analyzed for \
             highlighting. This maximum can be set by changing the [index.highlight.max_analyzed_offset] index level setting. For \
             large texts, indexing with offsets or term vectors{also} is recommended!",
            spec.name, place.index
        )));
    }
    Ok(usize::MAX)
}

/// The unified highlighter takes all values as one text, the plain one by one.
fn longest(values: &[String], plain: bool) -> usize {
    let lengths = values.iter().map(|value| value.encode_utf16().count());
    if plain { lengths.max().unwrap_or(0) } else { lengths.sum::<usize>() + values.len().saturating_sub(1) }
}

fn cut(value: &mut String, chars: usize) {
    if let Some((at, _)) = value.char_indices().nth(chars) {
        value.truncate(at);
    }
}

fn has_offsets(def: &FieldDef) -> bool {
    let text = |name: &str| def.params.get(name).and_then(Value::as_str).unwrap_or_default();
    text("index_options") == "offsets" || text("term_vector").contains("offsets")
}
