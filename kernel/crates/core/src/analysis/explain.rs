//! The body of `_analyze`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Analyzers;
use super::analyzer::{Analyzer, POSITION_GAP, TokenOut, tokens_out};
use super::build::{self, Chain};
use super::filters::Filter;
use super::registry::Component;
use super::settings::Params;
use super::tokenizers::chars::Keyword;
use super::tokens::Tokens;
use crate::mapping::{FieldKind, Mapping};
use crate::{Error, Result};

struct Request<'a> {
    analyzers: &'a Analyzers,
    /// With an index names are looked up in it, and errors say so.
    mapping: Option<&'a Mapping>,
    body: &'a Value,
}

/// What the request asks to run.
struct Chosen {
    analyzer: Arc<Analyzer>,
    /// Made up by the request, and shown stage by stage.
    custom: bool,
    name: String,
}

/// Answers a request of `_analyze`: analyzer, field, normalizer or a chain made up by the request.
pub fn analyze(analyzers: &Analyzers, mapping: Option<&Mapping>, body: &Value) -> Result<Value> {
    let request = Request { analyzers, mapping, body };
    request.validate()?;
    let texts = request.texts()?;
    let chosen = request.choose()?;
    if Params(body).flag("explain", false) {
        request.explain(&chosen, &texts)
    } else {
        let tokens = request.run(&chosen.analyzer, chosen.analyzer.filters.len(), &texts)?;
        let shown: Vec<Value> = tokens.iter().map(basic).collect();
        Ok(json!({ "tokens": shown }))
    }
}

fn basic(t: &TokenOut) -> Value {
    let mut token =
        json!({"token": t.term, "start_offset": t.start, "end_offset": t.end, "type": t.kind, "position": t.position});
    if t.position_length > 1 {
        token["positionLength"] = t.position_length.into();
    }
    token
}

impl<'a> Request<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.body.get(name).and_then(Value::as_str)
    }

    fn has(&self, name: &str) -> bool {
        self.body.get(name).is_some_and(|v| !v.is_null() && v.as_array().is_none_or(|a| !a.is_empty()))
    }

    fn validate(&self) -> Result<()> {
        let mut wrong = vec![];
        let extra = self.has("tokenizer") || self.has("filter") || self.has("char_filter");
        if !self.has("text") {
            wrong.push("text is missing");
        }
        if self.mapping.is_none() && self.has("normalizer") {
            wrong.push("index is required if normalizer is specified");
        }
        if self.has("normalizer") && (self.has("tokenizer") || self.has("analyzer")) {
            wrong.push("tokenizer/analyze should be null if normalizer is specified");
        }
        if self.has("analyzer") && extra {
            wrong.push("cannot define extra components on a named analyzer");
        }
        if self.has("normalizer") && (self.has("filter") || self.has("char_filter")) {
            wrong.push("cannot define extra components on a named normalizer");
        }
        if self.has("field") && extra {
            wrong.push("cannot define extra components on a field-specific analyzer");
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = wrong.iter().enumerate().map(|(n, what)| format!("{}: {what};", n + 1)).collect();
        Err(Error::new("action_request_validation_exception", 400, format!("Validation Failed: {}", list.join(""))))
    }

    fn texts(&self) -> Result<Vec<String>> {
        let own = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
        Ok(match self.body.get("text") {
            Some(Value::Array(items)) => items.iter().map(own).collect(),
            Some(other) => vec![own(other)],
            None => vec![],
        })
    }

    /// `global ` where no index is named.
    fn missing(&self, what: &str, name: &str) -> Error {
        let global = if self.mapping.is_none() { "global " } else { "" };
        let under = if what == "analyzer" { "" } else { "under " };
        Error::illegal_argument(format!("failed to find {global}{what} {under}[{name}]"))
    }

    fn choose(&self) -> Result<Chosen> {
        let named = |analyzer: Arc<Analyzer>, name: &str| Chosen { analyzer, custom: false, name: name.to_owned() };
        if let Some(name) = self.text("analyzer") {
            let analyzer = self.analyzers.get(name).ok_or_else(|| self.missing("analyzer", name))?;
            return Ok(named(analyzer, name));
        }
        if let Some(name) = self.text("normalizer") {
            let normalizer = self.analyzers.normalizer(name).ok_or_else(|| self.missing("normalizer", name))?;
            return Ok(named(normalizer, name));
        }
        if let Some(field) = self.text("field") {
            return self.of_field(field);
        }
        if self.has("tokenizer") || self.has("filter") || self.has("char_filter") {
            let analyzer = Arc::new(self.chain()?.into_analyzer("__custom__", POSITION_GAP));
            return Ok(Chosen { analyzer, custom: true, name: "__custom__".to_owned() });
        }
        let name = self.analyzers.default_name();
        let analyzer = self.analyzers.get(name).ok_or_else(|| self.missing("analyzer", name))?;
        Ok(named(analyzer, name))
    }

    fn of_field(&self, field: &str) -> Result<Chosen> {
        let Some(mapping) = self.mapping else {
            return Err(Error::illegal_argument("analysis based on a specific field requires an index"));
        };
        let default = self.analyzers.default_name().to_owned();
        let (name, analyzer) = match mapping.field(field) {
            None => (default.clone(), self.analyzers.get(&default)),
            Some(def) if def.kind == FieldKind::Text => {
                let name = def.analyzer.clone().unwrap_or(default);
                let found = self.analyzers.get(&name);
                (name, found)
            }
            Some(def) if def.kind == FieldKind::Keyword => match &def.analyzer {
                Some(name) => (name.clone(), self.analyzers.normalizer(name)),
                None => ("keyword".to_owned(), self.analyzers.get("keyword")),
            },
            Some(_) => {
                return Err(Error::illegal_argument(format!(
                    "Can't process field [{field}], Analysis requests are only supported on tokenized fields"
                )));
            }
        };
        let analyzer = analyzer.ok_or_else(|| self.missing("analyzer", &name))?;
        Ok(Chosen { analyzer, custom: false, name })
    }

    /// The chain that the request spells out.
    fn chain(&self) -> Result<Chain> {
        let tokenizer = self.body.get("tokenizer").filter(|t| !t.is_null());
        let mut chain = match tokenizer {
            None => Chain::new("keyword_for_normalizer", Arc::new(Keyword)),
            Some(given) => {
                let (name, kind, params) = self.component(Component::Tokenizer, given)?;
                let built = match params {
                    Some(params) => build::tokenizers::build(kind, &params, self.analyzers.limits()),
                    None => self.analyzers.tokenizer(kind),
                };
                Chain::new(&name, built.ok_or_else(|| self.missing("tokenizer", kind))??)
            }
        };
        for given in items(self.body.get("char_filter")) {
            let (name, kind, params) = self.component(Component::CharFilter, given)?;
            let built = match params {
                Some(params) => build::charfilters::build(kind, &params),
                None => self.analyzers.char_filter(kind),
            };
            chain.char_filters.push((name, built.ok_or_else(|| self.missing("char_filter", kind))??));
        }
        for given in items(self.body.get("filter")) {
            let (name, kind, params) = self.component(Component::Filter, given)?;
            let built = match params {
                Some(params) => self.analyzers.build_filter(&name, kind, &params, &chain),
                None => self.analyzers.filter(kind, &chain),
            };
            let built: Arc<dyn Filter> = built.ok_or_else(|| self.missing("filter", kind))??;
            if tokenizer.is_none() && !built.normalizes() {
                return Err(Error::illegal_argument(format!("Custom normalizer may not use filter [{name}]")));
            }
            chain.filters.push((name, built));
        }
        Ok(chain)
    }

    /// A component by name, or by a definition of its own.
    fn component(&self, component: Component, given: &'a Value) -> Result<(String, &'a str, Option<Params<'a>>)> {
        match given {
            Value::String(name) => Ok((name.clone(), name, None)),
            Value::Object(_) => {
                let kind = Params(given).text("type").ok_or_else(|| {
                    Error::illegal_argument(format!(
                        "Missing [type] setting for anonymous {}: {given}",
                        component.name()
                    ))
                })?;
                Ok((format!("__anonymous__{kind}"), kind, Some(Params(given))))
            }
            other => {
                Err(Error::illegal_argument(format!("[{}] should be a string or an object: {other}", component.name())))
            }
        }
    }

    /// Tokens behind the first `stages` filters, over all texts with the gap between them.
    fn run(&self, analyzer: &Analyzer, stages: usize, texts: &[String]) -> Result<Vec<TokenOut>> {
        let mut all: Vec<TokenOut> = vec![];
        let (mut position, mut offset) = (0u32, 0u32);
        let mut tokens = Tokens::default();
        for text in texts {
            tokens.clear();
            analyzer.tokenize(text, &mut tokens);
            tokens.text_len = text.len() as u32;
            for (_, filter) in &analyzer.filters[..stages] {
                filter.apply(&mut tokens);
            }
            if tokens.overflowed {
                return Err(too_many(self.analyzers.max_token_count));
            }
            self.check_count(all.len() + tokens.toks.len())?;
            let out = tokens_out(&tokens, text);
            let last = out.last().map_or(0, |t| t.position + 1);
            all.extend(out.into_iter().map(|t| TokenOut {
                position: t.position + position,
                start: t.start + offset,
                end: t.end + offset,
                ..t
            }));
            position += last + tokens.end_inc + self.gap(analyzer);
            offset += text.encode_utf16().count() as u32 + 1;
        }
        Ok(all)
    }

    fn gap(&self, analyzer: &Analyzer) -> u32 {
        if self.mapping.is_some() { analyzer.position_increment_gap } else { 0 }
    }

    fn check_count(&self, count: usize) -> Result<()> {
        let most = self.analyzers.max_token_count;
        if count <= most {
            return Ok(());
        }
        Err(too_many(most))
    }

    fn explain(&self, chosen: &Chosen, texts: &[String]) -> Result<Value> {
        let analyzer = &chosen.analyzer;
        let last = analyzer.filters.len();
        if !chosen.custom {
            let tokens = self.shown(analyzer, last, texts)?;
            return Ok(
                json!({"detail": {"custom_analyzer": false, "analyzer": {"name": chosen.name, "tokens": tokens}}}),
            );
        }
        let mut detail = Map::new();
        detail.insert("custom_analyzer".to_owned(), true.into());
        detail.insert("charfilters".to_owned(), self.char_filter_steps(analyzer, texts));
        let name = &analyzer.tokenizer.0;
        detail.insert("tokenizer".to_owned(), json!({"name": name, "tokens": self.shown(analyzer, 0, texts)?}));
        if last > 0 {
            let mut steps = vec![];
            for (n, (name, _)) in analyzer.filters.iter().enumerate() {
                steps.push(json!({"name": name, "tokens": self.shown(analyzer, n + 1, texts)?}));
            }
            detail.insert("tokenfilters".to_owned(), steps.into());
        }
        Ok(json!({ "detail": detail }))
    }

    fn char_filter_steps(&self, analyzer: &Analyzer, texts: &[String]) -> Value {
        let mut current = texts.to_vec();
        let mut steps = vec![];
        for (name, filter) in &analyzer.char_filters {
            current = current.iter().map(|text| filter.filter(text).0).collect();
            steps.push(json!({"name": name, "filtered_text": current}));
        }
        steps.into()
    }

    /// Tokens with their further attributes, or those of them that were asked for.
    fn shown(&self, analyzer: &Analyzer, stages: usize, texts: &[String]) -> Result<Vec<Value>> {
        let wanted: Vec<String> =
            items(self.body.get("attributes")).filter_map(|v| v.as_str().map(str::to_lowercase)).collect();
        let tokens = self.run(analyzer, stages, texts)?;
        let keywords = analyzer.filters[..stages].iter().any(|(_, filter)| filter.sees_keywords());
        Ok(tokens.iter().map(|token| detailed(token, keywords, &wanted)).collect())
    }
}

fn too_many(most: usize) -> Error {
    Error::new(
        "illegal_state_exception",
        500,
        format!(
            "The number of tokens produced by calling _analyze has exceeded the allowed maximum of [{most}]. This limit can be set by \
             changing the [index.analyze.max_token_count] index level setting."
        ),
    )
}

fn detailed(t: &TokenOut, keywords: bool, wanted: &[String]) -> Value {
    let mut token =
        json!({"token": t.term, "start_offset": t.start, "end_offset": t.end, "type": t.kind, "position": t.position});
    let bytes: Vec<String> = t.term.bytes().map(|b| format!("{b:x}")).collect();
    let attributes = [
        ("bytes", Value::from(format!("[{}]", bytes.join(" ")))),
        ("keyword", t.keyword.into()),
        ("positionLength", t.position_length.into()),
        ("termFrequency", 1.into()),
    ];
    for (name, value) in attributes.into_iter().filter(|(name, _)| keywords || *name != "keyword") {
        if wanted.is_empty() || wanted.contains(&name.to_lowercase()) {
            token[name] = value;
        }
    }
    token
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    let list: Vec<&Value> = match value {
        Some(Value::Array(items)) => items.iter().collect(),
        None | Some(Value::Null) => vec![],
        Some(one) => vec![one],
    };
    list.into_iter()
}
