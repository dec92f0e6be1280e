//! All analyzers and normalizers of an index, by name.

use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use super::analyzer::{Analyzer, POSITION_GAP};
use super::build::{self, Chain, Limits};
use super::charfilters::CharFilter;
use super::filters::Filter;
use super::settings::{Params, Settings};
use super::tokenizers::Tokenizer;
use super::tokenizers::chars::Keyword;
use crate::{Error, Result};

/// Parameters of what is named without any.
static NONE: LazyLock<Value> = LazyLock::new(|| json!({}));

pub struct Analyzers {
    settings: Settings,
    limits: Limits,
    analyzers: FxHashMap<String, Arc<Analyzer>>,
    normalizers: FxHashMap<String, Arc<Analyzer>>,
    /// The analyzers that every index has, made when first asked for.
    built_in: RwLock<FxHashMap<String, Arc<Analyzer>>>,
    pub max_token_count: usize,
}

/// Which kind of component a name belongs to, as errors call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    Tokenizer,
    Filter,
    CharFilter,
}

impl Component {
    pub fn name(self) -> &'static str {
        match self {
            Component::Tokenizer => "tokenizer",
            Component::Filter => "filter",
            Component::CharFilter => "char_filter",
        }
    }
}

/// Types of filters that are built from what stands before them.
const CHAINED: [&str; 5] = ["synonym", "synonym_graph", "multiplexer", "condition", "predicate_token_filter"];

impl Analyzers {
    /// `settings`: those of the index, `{"analysis": {…}, "index": {…}}`.
    pub fn from_settings(settings: &Value) -> Result<Self> {
        let settings = Settings::new(settings);
        let mut analyzers = Self {
            limits: Limits::new(&settings),
            max_token_count: settings.number("analyze.max_token_count", 10_000),
            settings,
            analyzers: FxHashMap::default(),
            normalizers: FxHashMap::default(),
            built_in: RwLock::default(),
        };
        analyzers.check_types()?;
        analyzers.build_normalizers()?;
        analyzers.build_analyzers()?;
        Ok(analyzers)
    }

    /// By name: of the index, or one that every index has. `default` and `default_search` always exist.
    pub fn get(&self, name: &str) -> Option<Arc<Analyzer>> {
        let name = match name {
            "default" => self.default_name(),
            "default_search" => self.default_search_name(),
            other => other,
        };
        if let Some(analyzer) = self.analyzers.get(name) {
            return Some(analyzer.clone());
        }
        if let Some(analyzer) = self.built_in.read().get(name) {
            return Some(analyzer.clone());
        }
        let chain = build::languages::analyzer(name, &Params(&NONE))?.ok()?;
        let analyzer = Arc::new(chain.into_analyzer(name, POSITION_GAP));
        self.built_in.write().insert(name.to_owned(), analyzer.clone());
        Some(analyzer)
    }

    pub fn normalizer(&self, name: &str) -> Option<Arc<Analyzer>> {
        if let Some(normalizer) = self.normalizers.get(name) {
            return Some(normalizer.clone());
        }
        if name != "lowercase" {
            return None;
        }
        let lower = super::filters::case::Lowercase(super::filters::case::Language::Any);
        Some(Arc::new(Chain::new("keyword", Arc::new(Keyword)).with("lowercase", lower).into_analyzer(name, 0)))
    }

    /// What a text field uses that names no analyzer.
    pub fn default_name(&self) -> &str {
        if self.analyzers.contains_key("default") { "default" } else { "standard" }
    }

    /// Search-time analyzer of a text field that names neither analyzer nor search_analyzer.
    pub fn default_search_name(&self) -> &str {
        if self.analyzers.contains_key("default_search") { "default_search" } else { self.default_name() }
    }

    /// Every component names a type that exists.
    fn check_types(&self) -> Result<()> {
        for component in [Component::CharFilter, Component::Filter, Component::Tokenizer] {
            for (name, params) in self.settings.group(&format!("analysis.{}", component.name())) {
                let Some(kind) = Params(params).text("type") else {
                    return Err(Error::illegal_argument(format!(
                        "{} [{name}] must specify either an analyzer type, or a tokenizer",
                        component.name()
                    )));
                };
                if !self.known(component, kind) {
                    return Err(Error::illegal_argument(format!(
                        "Unknown {} type [{kind}] for [{name}]",
                        component.name()
                    )));
                }
                self.check_component(component, name, kind)?;
            }
        }
        Ok(())
    }

    /// Builds a component that perhaps no analyzer uses. Filters that take in the chain they stand in are left to the analyzers.
    fn check_component(&self, component: Component, name: &str, kind: &str) -> Result<()> {
        match component {
            Component::Tokenizer => drop(self.tokenizer(name).transpose()?),
            Component::CharFilter => drop(self.char_filter(name).transpose()?),
            Component::Filter if CHAINED.contains(&kind) => {}
            Component::Filter => {
                let chain = Chain::new("keyword", Arc::new(Keyword));
                drop(self.filter(name, &chain).transpose()?);
            }
        }
        Ok(())
    }

    fn known(&self, component: Component, kind: &str) -> bool {
        let params = Params(&NONE);
        match component {
            Component::Tokenizer => build::tokenizers::build(kind, &params, self.limits).is_some(),
            Component::CharFilter => build::charfilters::build(kind, &params).is_some(),
            Component::Filter => {
                let chain = Chain::new("keyword", Arc::new(Keyword));
                let nothing = |_: &str| None;
                let context =
                    build::filters::Context { name: kind, limits: self.limits, chain: &chain, lookup: &nothing };
                build::filters::build(kind, &params, &context).is_some()
            }
        }
    }

    /// A definition of the index by name, otherwise a type used as a name.
    fn definition<'a>(&'a self, component: Component, name: &'a str) -> (&'a str, Params<'a>) {
        match self.settings.get(&format!("analysis.{}", component.name())).and_then(|group| group.get(name)) {
            Some(params) => (Params(params).text("type").unwrap_or(name), Params(params)),
            None => (name, Params(&NONE)),
        }
    }

    /// None: there is no tokenizer of that name.
    pub fn tokenizer(&self, name: &str) -> Option<Result<Arc<dyn Tokenizer>>> {
        let (kind, params) = self.definition(Component::Tokenizer, name);
        build::tokenizers::build(kind, &params, self.limits)
    }

    pub fn char_filter(&self, name: &str) -> Option<Result<Arc<dyn CharFilter>>> {
        let (kind, params) = self.definition(Component::CharFilter, name);
        build::charfilters::build(kind, &params)
    }

    pub fn filter(&self, name: &str, chain: &Chain) -> Option<Result<Arc<dyn Filter>>> {
        let (kind, params) = self.definition(Component::Filter, name);
        self.build_filter(name, kind, &params, chain)
    }

    /// A filter by its type, which may refer to other filters of the index.
    pub fn build_filter(
        &self,
        name: &str,
        kind: &str,
        params: &Params<'_>,
        chain: &Chain,
    ) -> Option<Result<Arc<dyn Filter>>> {
        // One level deep: a filter that refers to itself would not end.
        let lookup = |other: &str| {
            let (kind, _) = self.definition(Component::Filter, other);
            if CHAINED.contains(&kind) {
                return None;
            }
            self.filter(other, chain)
        };
        let context = build::filters::Context { name, limits: self.limits, chain, lookup: &lookup };
        build::filters::build(kind, params, &context)
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    fn build_analyzers(&mut self) -> Result<()> {
        let mut built = vec![];
        let mut failed: Vec<(String, Error)> = vec![];
        for (name, params) in self.settings.group("analysis.analyzer") {
            let params = Params(params);
            let kind = match params.text("type") {
                Some(kind) => kind,
                None if params.has("tokenizer") => "custom",
                None => {
                    return Err(Error::illegal_argument(format!(
                        "analyzer [{name}] must specify either an analyzer type, or a tokenizer"
                    )));
                }
            };
            let chain = if kind == "custom" {
                self.custom(name, &params)
            } else {
                build::languages::analyzer(kind, &params).unwrap_or_else(|| {
                    Err(Error::illegal_argument(format!("Unknown analyzer type [{kind}] for [{name}]")))
                })
            };
            let gap = params.number("position_increment_gap").map_or(POSITION_GAP, |gap| gap.max(0) as u32);
            match chain {
                Ok(chain) => built.push((name.clone(), Arc::new(chain.into_analyzer(name, gap)))),
                Err(e) if kind == "custom" && e.kind == "illegal_argument_exception" && is_chain_fault(&e) => {
                    failed.push((name.clone(), e))
                }
                Err(e) => return Err(e),
            }
        }
        if !failed.is_empty() {
            return Err(collected(&failed));
        }
        self.analyzers.extend(built);
        Ok(())
    }

    fn custom(&self, name: &str, params: &Params<'_>) -> Result<Chain> {
        let missing = |what: &str, under: &str| {
            Error::illegal_argument(format!("Custom Analyzer [{name}] failed to find {what} under name [{under}]"))
        };
        let tokenizer = params.text("tokenizer").ok_or_else(|| {
            Error::illegal_argument(format!("Custom Analyzer [{name}] must be configured with a tokenizer"))
        })?;
        let built = self.tokenizer(tokenizer).ok_or_else(|| missing("tokenizer", tokenizer))??;
        let mut chain = Chain::new(tokenizer, built);
        for char_filter in params.list("char_filter").unwrap_or_default() {
            let built = self.char_filter(&char_filter).ok_or_else(|| missing("char_filter", &char_filter))??;
            chain.char_filters.push((char_filter, built));
        }
        for filter in params.list("filter").unwrap_or_default() {
            let built = self.filter(&filter, &chain).ok_or_else(|| missing("filter", &filter))??;
            chain.filters.push((filter, built));
        }
        Ok(chain)
    }

    fn build_normalizers(&mut self) -> Result<()> {
        let mut built = vec![];
        for (name, params) in self.settings.group("analysis.normalizer") {
            let params = Params(params);
            match params.text("type") {
                None | Some("custom") => {}
                Some("lowercase") => continue,
                Some(kind) => {
                    return Err(Error::illegal_argument(format!("Unknown normalizer type [{kind}] for [{name}]")));
                }
            }
            if params.has("tokenizer") {
                return Err(Error::illegal_argument(format!(
                    "Custom normalizer [{name}] cannot configure a tokenizer"
                )));
            }
            let chain = self.normalizer_chain(name, &params)?;
            built.push((name.clone(), Arc::new(chain.into_analyzer(name, 0))));
        }
        self.normalizers.extend(built);
        Ok(())
    }

    /// A chain that keeps a value whole; only filters that work on single characters may stand in it.
    pub fn normalizer_chain(&self, name: &str, params: &Params<'_>) -> Result<Chain> {
        let missing = |what: &str, under: &str| {
            Error::illegal_argument(format!("Custom Analyzer [{name}] failed to find {what} under name [{under}]"))
        };
        let refuse = |what: &str, under: &str| {
            Error::illegal_argument(format!("Custom normalizer [{name}] may not use {what} [{under}]"))
        };
        let mut chain = Chain::new("keyword", Arc::new(Keyword));
        for char_filter in params.list("char_filter").unwrap_or_default() {
            let built = self.char_filter(&char_filter).ok_or_else(|| missing("char_filter", &char_filter))??;
            if !built.normalizes() {
                return Err(refuse("char filter", &char_filter));
            }
            chain.char_filters.push((char_filter, built));
        }
        for filter in params.list("filter").unwrap_or_default() {
            let built = self.filter(&filter, &chain).ok_or_else(|| missing("filter", &filter))??;
            if !built.normalizes() {
                return Err(refuse("filter", &filter));
            }
            chain.filters.push((filter, built));
        }
        Ok(chain)
    }
}

/// Faults that OpenSearch meets only when it puts the chain together.
fn is_chain_fault(e: &Error) -> bool {
    e.reason.starts_with("Custom Analyzer") || e.reason.contains("synonym")
}

fn collected(failed: &[(String, Error)]) -> Error {
    let names: Vec<&str> = failed.iter().map(|(name, _)| name.as_str()).collect();
    let suppressed: Vec<Value> = failed
        .iter()
        .map(|(name, e)| {
            json!({"type": e.kind, "reason": format!("[{name}] {}", e.reason), "caused_by": {"type": e.kind, "reason": e.reason}})
        })
        .collect();
    Error::illegal_argument(format!("Failed to build analyzers: [{}]", names.join(", ")))
        .with_detail(json!({"suppressed": suppressed}))
}
