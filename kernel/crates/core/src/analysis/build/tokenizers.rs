//! Tokenizers by type.

use std::sync::Arc;

use super::{Limits, check_grams};
use crate::analysis::regex;
use crate::analysis::settings::Params;
use crate::analysis::tokenizers::Tokenizer;
use crate::analysis::tokenizers::chars::{Keyword, char_group, letter, whitespace};
use crate::analysis::tokenizers::classic::Classic;
use crate::analysis::tokenizers::ngram::{NGram, TokenChars};
use crate::analysis::tokenizers::path::PathHierarchy;
use crate::analysis::tokenizers::pattern::Pattern;
use crate::analysis::tokenizers::standard::Standard;
use crate::analysis::tokenizers::url::UaxUrlEmail;
use crate::{Error, Result};

type Built = Result<Arc<dyn Tokenizer>>;

/// None: no such type.
pub fn build(kind: &str, params: &Params<'_>, limits: Limits) -> Option<Built> {
    let max = params.number("max_token_length").unwrap_or(255).clamp(1, 1 << 20) as usize;
    Some(match kind {
        "standard" => Ok(Arc::new(Standard { max_token_length: max })),
        "whitespace" => Ok(Arc::new(whitespace(max))),
        "letter" => Ok(Arc::new(letter(false))),
        "lowercase" => Ok(Arc::new(letter(true))),
        "keyword" => Ok(Arc::new(Keyword)),
        "uax_url_email" => Ok(Arc::new(UaxUrlEmail { max_token_length: max })),
        "classic" => Ok(Arc::new(Classic { max_token_length: max })),
        "ngram" => ngram(params, limits),
        "edge_ngram" => edge_ngram(params),
        "nGram" => Err(renamed("nGram", "ngram")),
        "edgeNGram" => Err(renamed("edgeNGram", "edge_ngram")),
        "thai" => Err(Error::illegal_argument("The [thai] tokenizer is not supported")),
        "pattern" => pattern(params),
        "simple_pattern" => simple(params.text("pattern").unwrap_or(""), true),
        "simple_pattern_split" => simple(params.text("pattern").unwrap_or(""), false),
        "path_hierarchy" | "PathHierarchy" => path(params),
        "char_group" => char_group(&params.lines("tokenize_on_chars").unwrap_or_default(), max)
            .map(|t| Arc::new(t) as Arc<dyn Tokenizer>),
        _ => return None,
    })
}

fn renamed(old: &str, new: &str) -> Error {
    Error::illegal_argument(format!(
        "The [{old}] tokenizer name was deprecated pre 1.0. Please change the tokenizer name to [{new}] for indices created in versions 3.0 \
         or higher instead."
    ))
}

fn ngram(params: &Params<'_>, limits: Limits) -> Built {
    let (min, max) = (params.number("min_gram").unwrap_or(1), params.number("max_gram").unwrap_or(2));
    limits.check_ngram(min, max)?;
    let classes = TokenChars::new(&params.list("token_chars").unwrap_or_default(), params.text("custom_token_chars"))?;
    Ok(Arc::new(NGram { min: min as usize, max: max as usize, edges_only: false, classes }))
}

fn edge_ngram(params: &Params<'_>) -> Built {
    let (min, max) = (params.number("min_gram").unwrap_or(1), params.number("max_gram").unwrap_or(2));
    check_grams(min, max)?;
    let classes = TokenChars::new(&params.list("token_chars").unwrap_or_default(), params.text("custom_token_chars"))?;
    Ok(Arc::new(NGram { min: min as usize, max: max as usize, edges_only: true, classes }))
}

fn pattern(params: &Params<'_>) -> Built {
    let regex = regex::compile(params.text("pattern").unwrap_or(r"\W+"), params.text("flags"))?;
    let group = params.number("group").filter(|g| *g >= 0).map(|g| g as usize);
    Ok(Arc::new(Pattern { regex, group }))
}

fn simple(pattern: &str, matches: bool) -> Built {
    Ok(Arc::new(Pattern { regex: regex::compile(pattern, None)?, group: matches.then_some(0) }))
}

fn path(params: &Params<'_>) -> Built {
    let character = |name: &str| -> Result<Option<char>> {
        let Some(text) = params.text(name).filter(|t| !t.is_empty()) else {
            return Ok(None);
        };
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(Some(c)),
            _ => Err(Error::illegal_argument(format!("{name} must be a one char value"))),
        }
    };
    let delimiter = character("delimiter")?.unwrap_or('/');
    Ok(Arc::new(PathHierarchy {
        delimiter,
        replacement: character("replacement")?.unwrap_or(delimiter),
        reverse: params.flag("reverse", false),
        skip: params.number("skip").unwrap_or(0).max(0) as usize,
    }))
}
