//! What of each hit goes into the answer.

use serde::Deserialize;
use serde_json::Value;

use super::{SortKey, TrackTotal};
use crate::search::ops::Op;

/// Patterns of paths to keep and to drop.
#[derive(Debug, Clone, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct SourceFilter {
    #[serde(default)]
    pub includes: Vec<String>,
    #[serde(default)]
    pub excludes: Vec<String>,
}

/// `_source` of a hit: all of it, none of it, or a part.
#[derive(Debug, Clone, PartialEq)]
pub enum SourceSpec {
    All,
    None,
    Filter(SourceFilter),
}

impl<'de> Deserialize<'de> for SourceSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Bool(true) | Value::Null => SourceSpec::All,
            Value::Bool(false) => SourceSpec::None,
            other => {
                let filter: SourceFilter = serde_json::from_value(other).map_err(serde::de::Error::custom)?;
                if filter.includes.is_empty() && filter.excludes.is_empty() {
                    SourceSpec::All
                } else {
                    SourceSpec::Filter(filter)
                }
            }
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldFormat {
    pub field: String,
    #[serde(default)]
    pub format: Option<String>,
    #[serde(default)]
    pub include_unmapped: Option<bool>,
    /// What the hit calls the field, where that differs from its path.
    #[serde(default)]
    pub name: Option<String>,
}

fn source_all() -> SourceSpec {
    SourceSpec::All
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FetchSpec {
    #[serde(default = "source_all")]
    pub source: SourceSpec,
    #[serde(default)]
    pub docvalue_fields: Vec<FieldFormat>,
    #[serde(default)]
    pub fields: Vec<FieldFormat>,
    #[serde(default)]
    pub stored_fields: Option<Vec<String>>,
    #[serde(default)]
    pub version: bool,
    #[serde(default)]
    pub seq_no_primary_term: bool,
    #[serde(default)]
    pub highlight: Option<HighlightSpec>,
    /// The query whose terms are highlighted; absent: that of the search.
    #[serde(default)]
    pub highlight_query: Option<Op>,
    /// Whether `matched_queries` maps names to scores.
    #[serde(default)]
    pub named_queries_score: bool,
}

impl Default for FetchSpec {
    fn default() -> Self {
        FetchSpec {
            source: SourceSpec::All,
            docvalue_fields: Vec::new(),
            fields: Vec::new(),
            stored_fields: None,
            version: false,
            seq_no_primary_term: false,
            highlight: None,
            highlight_query: None,
            named_queries_score: false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighlightSpec {
    pub fields: Vec<HighlightField>,
    #[serde(default)]
    pub encoder: Option<String>,
}

/// One field (or pattern) to highlight, all defaults of the search filled in.
#[derive(Debug, Clone, Deserialize)]
pub struct HighlightField {
    /// What the hit calls the field.
    pub name: String,
    /// Its path, where that differs.
    #[serde(default)]
    pub field: Option<String>,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub pre_tags: Option<Vec<String>>,
    #[serde(default)]
    pub post_tags: Option<Vec<String>>,
    #[serde(default)]
    pub fragment_size: Option<i64>,
    #[serde(default)]
    pub fragment_offset: Option<i64>,
    #[serde(default)]
    pub number_of_fragments: Option<i64>,
    #[serde(default)]
    pub no_match_size: Option<i64>,
    #[serde(default)]
    pub require_field_match: Option<bool>,
    #[serde(default)]
    pub order: Option<String>,
    #[serde(default)]
    pub highlight_query: Option<std::sync::Arc<Op>>,
    #[serde(default)]
    pub boundary_scanner: Option<String>,
    #[serde(default)]
    pub boundary_chars: Option<String>,
    #[serde(default)]
    pub boundary_max_scan: Option<i64>,
    #[serde(default)]
    pub boundary_scanner_locale: Option<String>,
    #[serde(default)]
    pub fragmenter: Option<String>,
    #[serde(default)]
    pub matched_fields: Option<Vec<String>>,
    #[serde(default)]
    pub phrase_limit: Option<i64>,
    /// So much of a text is analysed, in characters.
    #[serde(default)]
    pub max_analyzer_offset: Option<usize>,
    /// The index's limit: longer texts are refused.
    #[serde(default)]
    pub max_analyzed_offset: Option<usize>,
    #[serde(default)]
    pub force_source: Option<bool>,
    #[serde(default)]
    pub options: Option<Value>,
}

fn three() -> usize {
    3
}

/// The matching nested documents of a hit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InnerHits {
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub from: usize,
    #[serde(default = "three")]
    pub size: usize,
    #[serde(default)]
    pub sort: Option<Vec<SortKey>>,
    #[serde(default)]
    pub fetch: Box<FetchSpec>,
    #[serde(default)]
    pub explain: bool,
    #[serde(default)]
    pub track_scores: bool,
    #[serde(default)]
    pub track_total_hits: TrackTotal,
}
