//! All analyzers and normalizers of an index, by name.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};

use super::analyzer::{Analyzer, IndexTokenizer, POSITION_GAP};
use super::filters::case::{Language, Lowercase};
use super::tokenizers::standard::Standard;
use crate::Result;

pub struct Analyzers {
    analyzers: FxHashMap<String, Arc<Analyzer>>,
    normalizers: FxHashMap<String, Arc<Analyzer>>,
}

impl Analyzers {
    /// `settings`: those of the index, `{"analysis": {…}, "index": {…}}`.
    pub fn from_settings(_settings: &serde_json::Value) -> Result<Self> {
        let standard = Arc::new(Analyzer {
            name: "standard".to_owned(),
            char_filters: vec![],
            tokenizer: ("standard".to_owned(), Arc::new(Standard::default())),
            filters: vec![("lowercase".to_owned(), Arc::new(Lowercase(Language::Any)))],
            position_increment_gap: POSITION_GAP,
        });
        let mut analyzers = FxHashMap::default();
        analyzers.insert("standard".to_owned(), standard.clone());
        let mut normalizers = FxHashMap::default();
        normalizers.insert("lowercase".to_owned(), standard);
        Ok(Self { analyzers, normalizers })
    }

    /// By name: of the index, or one that every index has. `default` and `default_search` always exist.
    pub fn get(&self, name: &str) -> Option<Arc<Analyzer>> {
        let known = match name {
            "default" => self.default_name(),
            "default_search" => self.default_search_name(),
            other => other,
        };
        self.analyzers.get(known).cloned()
    }

    pub fn normalizer(&self, name: &str) -> Option<Arc<Analyzer>> {
        self.normalizers.get(name).cloned()
    }

    /// What a text field uses that names no analyzer.
    pub fn default_name(&self) -> &str {
        if self.analyzers.contains_key("default") { "default" } else { "standard" }
    }

    /// Search-time analyzer of a text field that names neither analyzer nor search_analyzer.
    pub fn default_search_name(&self) -> &str {
        if self.analyzers.contains_key("default_search") { "default_search" } else { self.default_name() }
    }

    /// Registers the analyzers `names` under their names, for tantivy's indexer.
    pub fn manager<'a>(&self, names: impl Iterator<Item = &'a str>) -> TokenizerManager {
        let manager = TokenizerManager::new();
        for name in names {
            if let Some(analyzer) = self.get(name) {
                manager.register(name, TextAnalyzer::from(IndexTokenizer::new(analyzer)));
            }
        }
        manager
    }
}
