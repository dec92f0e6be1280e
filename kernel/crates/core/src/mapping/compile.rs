//! From the canonical mapping to fields, schema and the parser's tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::tree::{self, Limits, Tree};
use super::types::{FieldDef, FieldKind, Mapping};
use crate::analysis::Analyzers;
use crate::{Error, Result};

pub(super) const DEFAULT_DATE_FORMAT: &str = "strict_date_optional_time||epoch_millis";

impl Mapping {
    /// `mapping_json` is the canonical mapping (`properties`, `dynamic`, `_source`, …), `settings` the index's; field ids go on where `previous` ended.
    pub fn compile(mapping_json: &Value, settings: &Value, previous: Option<&Mapping>) -> Result<Arc<Mapping>> {
        Self::compile_ordered(mapping_json, settings, previous.map_or(&[], |p| &p.order))
    }

    /// As [`Mapping::compile`], with the order of the fields that a commit has stored.
    pub fn compile_ordered(mapping_json: &Value, settings: &Value, order: &[String]) -> Result<Arc<Mapping>> {
        let analyzers = Arc::new(Analyzers::from_settings(settings)?);
        let mut found = Found::default();
        collect(mapping_json, &Scope { path: "", nested: None, analyzers: &analyzers }, &mut found)?;
        let (schema, system, order) = super::schema::build(&mut found.leaves, order);
        let fields: BTreeMap<String, Arc<FieldDef>> =
            found.leaves.into_iter().map(|leaf| (leaf.path.clone(), Arc::new(leaf))).collect();
        let root = tree::build(mapping_json, &fields, &analyzers)?;
        let tree = Tree::new(root, &fields, &schema, &analyzers, Limits::from_settings(settings));
        let source = mapping_json.get("_source");
        Ok(Arc::new(Mapping {
            schema,
            system,
            fields,
            aliases: found.aliases,
            nested_paths: found.nested,
            analyzers,
            given: Arc::new((mapping_json.clone(), settings.clone())),
            source_enabled: flag(source, "enabled", true),
            routing_required: flag(mapping_json.get("_routing"), "required", false),
            order,
            source_includes: strings(source.and_then(|s| s.get("includes"))),
            source_excludes: strings(source.and_then(|s| s.get("excludes"))),
            tree,
        }))
    }

    /// The same mapping with its fields in the order that a shard has already given them; fields it does not know yet go behind.
    pub fn reordered(&self, order: &[String]) -> Result<Arc<Mapping>> {
        Self::compile_ordered(&self.given.0, &self.given.1, order)
    }
}

#[derive(Default)]
struct Found {
    leaves: Vec<FieldDef>,
    aliases: BTreeMap<String, String>,
    nested: Vec<String>,
}

struct Scope<'a> {
    path: &'a str,
    nested: Option<&'a str>,
    analyzers: &'a Analyzers,
}

/// A boolean parameter, also as text.
pub(super) fn flag(params: Option<&Value>, name: &str, default: bool) -> bool {
    match params.and_then(|p| p.get(name)) {
        Some(Value::Bool(b)) => *b,
        Some(Value::String(s)) => s == "true",
        _ => default,
    }
}

pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        Some(Value::String(s)) => vec![s.clone()],
        _ => vec![],
    }
}

pub(super) fn join_path(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// The type of a mapping entry; objects may leave it out.
pub(super) fn type_of(params: &Value) -> &str {
    params.get("type").and_then(Value::as_str).unwrap_or("object")
}

fn collect(object: &Value, scope: &Scope<'_>, found: &mut Found) -> Result<()> {
    let Some(properties) = object.get("properties").and_then(Value::as_object) else {
        return Ok(());
    };
    for (name, params) in properties {
        let path = join_path(scope.path, name);
        match type_of(params) {
            "object" => collect(params, &Scope { path: &path, ..*scope }, found)?,
            "nested" => {
                found.nested.push(path.clone());
                collect(params, &Scope { path: &path, nested: Some(&path), ..*scope }, found)?;
            }
            "alias" => {
                let target = params.get("path").and_then(Value::as_str).unwrap_or_default();
                found.aliases.insert(path, target.to_owned());
            }
            _ => collect_leaf(&path, params, scope, found)?,
        }
    }
    Ok(())
}

fn collect_leaf(path: &str, params: &Value, scope: &Scope<'_>, found: &mut Found) -> Result<()> {
    let kind = FieldKind::from_name(type_of(params)).ok_or_else(|| {
        let name = path.rsplit('.').next().unwrap_or(path);
        Error::mapper_parsing(format!("No handler for type [{}] declared on field [{name}]", type_of(params)))
    })?;
    found.leaves.push(define(path, kind, params, scope));
    if let Some(subs) = params.get("fields").and_then(Value::as_object) {
        for (name, sub) in subs {
            collect_leaf(&join_path(path, name), sub, scope, found)?;
        }
    }
    Ok(())
}

fn define(path: &str, kind: FieldKind, params: &Value, scope: &Scope<'_>) -> FieldDef {
    let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| params.get(name).and_then(|v| v.as_f64().or_else(|| v.as_str()?.parse().ok()));
    let (analyzer, search_analyzer) = match kind {
        FieldKind::Text => {
            let index = text("analyzer");
            let default_search = || match &index {
                Some(name) => name.clone(),
                None => scope.analyzers.default_search_name().to_owned(),
            };
            let search = text("search_analyzer").unwrap_or_else(default_search);
            (Some(index.unwrap_or_else(|| scope.analyzers.default_name().to_owned())), Some(search))
        }
        FieldKind::Keyword => (text("normalizer"), text("normalizer")),
        _ => (None, None),
    };
    let gap = analyzer.as_deref().filter(|_| kind == FieldKind::Text).and_then(|name| scope.analyzers.get(name));
    let format = match kind {
        FieldKind::Date => Some(text("format").unwrap_or_else(|| DEFAULT_DATE_FORMAT.to_owned())),
        FieldKind::DateNanos => {
            Some(text("format").unwrap_or_else(|| "strict_date_optional_time_nanos||epoch_millis".to_owned()))
        }
        _ => None,
    };
    FieldDef {
        path: path.to_owned(),
        kind,
        field: None,
        indexed: kind != FieldKind::Binary && flag(Some(params), "index", true),
        column: !matches!(kind, FieldKind::Text | FieldKind::Binary) && flag(Some(params), "doc_values", true),
        norms: kind == FieldKind::Text
            && type_of(params) == "text"
            && flag(Some(params), "index", true)
            && flag(Some(params), "norms", true),
        nested: scope.nested.map(str::to_owned),
        analyzer,
        search_analyzer,
        format,
        scaling_factor: number("scaling_factor").filter(|_| kind == FieldKind::ScaledFloat).unwrap_or(1.0),
        position_increment_gap: number("position_increment_gap").map_or_else(
            || gap.map_or(crate::analysis::analyzer::POSITION_GAP, |a| a.position_increment_gap),
            |n| n as u32,
        ),
        params: Arc::new(params.clone()),
    }
}
