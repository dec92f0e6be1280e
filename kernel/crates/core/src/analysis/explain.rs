//! The body of `_analyze`.

use serde_json::{Value, json};

use super::Analyzers;
use super::analyzer::Analyzer;
use crate::mapping::{FieldKind, Mapping};
use crate::{Error, Result};

/// Answers a request of `_analyze`: analyzer, field, normalizer or a chain made up by the request.
pub fn analyze(analyzers: &Analyzers, mapping: Option<&Mapping>, request: &Value) -> Result<Value> {
    let texts = texts(request)?;
    let chosen = choose(analyzers, mapping, request)?;
    let tokens: Vec<Value> = texts
        .iter()
        .flat_map(|text| chosen.tokens(text))
        .map(|t| {
            json!({
                "token": t.term, "start_offset": t.start, "end_offset": t.end, "type": t.kind, "position": t.position
            })
        })
        .collect();
    Ok(json!({ "tokens": tokens }))
}

fn texts(request: &Value) -> Result<Vec<String>> {
    let missing = || Error::new("action_request_validation_exception", 400, "Validation Failed: 1: text is missing;");
    match request.get("text") {
        Some(Value::String(s)) => Ok(vec![s.clone()]),
        Some(Value::Array(items)) if !items.is_empty() => {
            Ok(items.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect())
        }
        Some(other @ (Value::Number(_) | Value::Bool(_))) => Ok(vec![other.to_string()]),
        _ => Err(missing()),
    }
}

fn choose(analyzers: &Analyzers, mapping: Option<&Mapping>, request: &Value) -> Result<std::sync::Arc<Analyzer>> {
    let text = |name: &str| request.get(name).and_then(Value::as_str);
    let name = match (text("analyzer"), text("field").and_then(|f| mapping?.field(f))) {
        (Some(name), _) => name.to_owned(),
        (None, Some(def)) if def.kind == FieldKind::Text => def.analyzer.clone().unwrap_or_default(),
        _ => analyzers.default_name().to_owned(),
    };
    analyzers.get(&name).ok_or_else(|| Error::illegal_argument(format!("failed to find analyzer [{name}]")))
}
