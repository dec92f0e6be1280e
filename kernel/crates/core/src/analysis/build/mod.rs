//! Builds analysis components from their settings.

pub mod charfilters;
pub mod filters;
pub mod languages;
pub mod tokenizers;

use std::sync::Arc;

use super::analyzer::Analyzer;
use super::charfilters::CharFilter;
use super::filters::Filter;
use super::settings::Settings;
use super::tokenizers::Tokenizer;
use crate::Error;

/// Limits of the index on what analysis may produce.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub ngram_diff: i64,
    pub shingle_diff: i64,
}

impl Limits {
    pub fn new(settings: &Settings) -> Self {
        Self {
            ngram_diff: settings.number("max_ngram_diff", 1) as i64,
            shingle_diff: settings.number("max_shingle_diff", 3) as i64,
        }
    }

    pub fn check_ngram(&self, min: i64, max: i64) -> Result<(), Error> {
        let diff = max - min;
        if diff > self.ngram_diff {
            let allowed = self.ngram_diff;
            return Err(Error::illegal_argument(format!(
                "The difference between max_gram and min_gram in NGram Tokenizer must be less than or equal to: [{allowed}] but was [{diff}]. \
                 This limit can be set by changing the [index.max_ngram_diff] index level setting."
            )));
        }
        check_grams(min, max)
    }
}

pub fn check_grams(min: i64, max: i64) -> Result<(), Error> {
    if min < 1 {
        return Err(Error::illegal_argument("minGram must be greater than zero"));
    }
    if min > max {
        return Err(Error::illegal_argument("minGram must not be greater than maxGram"));
    }
    Ok(())
}

/// What stands before a token filter in its chain; synonyms are cut with it.
pub struct Chain {
    pub char_filters: Vec<(String, Arc<dyn CharFilter>)>,
    pub tokenizer: (String, Arc<dyn Tokenizer>),
    pub filters: Vec<(String, Arc<dyn Filter>)>,
}

impl Chain {
    pub fn new(tokenizer: &str, built: Arc<dyn Tokenizer>) -> Self {
        Self { char_filters: vec![], tokenizer: (tokenizer.to_owned(), built), filters: vec![] }
    }

    pub fn with(mut self, name: &str, filter: impl Filter + 'static) -> Self {
        self.filters.push((name.to_owned(), Arc::new(filter)));
        self
    }

    pub fn into_analyzer(self, name: &str, position_increment_gap: u32) -> Analyzer {
        Analyzer {
            name: name.to_owned(),
            char_filters: self.char_filters,
            tokenizer: self.tokenizer,
            filters: self.filters,
            position_increment_gap,
        }
    }
}
