//! Char filters by type.

use std::sync::Arc;

use crate::analysis::charfilters::CharFilter;
use crate::analysis::charfilters::html::HtmlStrip;
use crate::analysis::charfilters::mapping::Mapping;
use crate::analysis::filters::change::PatternReplace;
use crate::analysis::regex;
use crate::analysis::settings::Params;
use crate::{Error, Result};

/// None: no such type.
pub fn build(kind: &str, params: &Params<'_>) -> Option<Result<Arc<dyn CharFilter>>> {
    Some(match kind {
        "html_strip" => Ok(Arc::new(HtmlStrip { escaped_tags: params.list("escaped_tags").unwrap_or_default() })),
        "mapping" => mapping(params),
        "pattern_replace" => pattern_replace(params),
        _ => return None,
    })
}

fn mapping(params: &Params<'_>) -> Result<Arc<dyn CharFilter>> {
    let rules = params.lines("mappings").ok_or_else(|| {
        Error::illegal_argument("mapping requires either `mappings` or `mappings_path` to be configured")
    })?;
    Ok(Arc::new(Mapping::parse(&rules)?))
}

fn pattern_replace(params: &Params<'_>) -> Result<Arc<dyn CharFilter>> {
    let pattern = params.text("pattern").ok_or_else(|| {
        Error::illegal_argument("pattern is missing for [pattern_replace] char filter of type 'pattern_replace'")
    })?;
    let regex = regex::compile(pattern, params.text("flags"))?;
    Ok(Arc::new(PatternReplace { regex, replacement: params.text("replacement").unwrap_or("").to_owned(), all: true }))
}
