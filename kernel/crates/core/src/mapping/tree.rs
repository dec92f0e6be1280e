//! The tree that the document parser walks: objects by member name down to leaves with all that parsing a value needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;
use tantivy::schema::{Field, Schema};

use super::compile::{DEFAULT_DATE_FORMAT, flag, join_path, strings, type_of};
use super::types::{FieldDef, FieldKind};
use crate::Result;
use crate::analysis::{Analyzer, Analyzers};
use crate::dates::DateFormat;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dynamic {
    Grow,
    Ignore,
    Strict,
}

pub struct ObjectNode {
    /// Full path; empty for the root.
    pub path: String,
    pub dynamic: Dynamic,
    pub enabled: bool,
    pub nested: Option<Nested>,
    pub children: FxHashMap<Box<str>, Node>,
}

#[derive(Debug, Clone, Copy)]
pub struct Nested {
    pub include_in_parent: bool,
    pub include_in_root: bool,
}

pub enum Node {
    Object(Box<ObjectNode>),
    Leaf(Box<Leaf>),
    /// Alias fields take no values.
    Alias,
}

/// A leaf with its parameters resolved.
pub struct Leaf {
    pub def: Arc<FieldDef>,
    /// None: the value is checked, nothing is stored.
    pub field: Option<Field>,
    /// `exists` finds it through `_field_names`.
    pub field_names: bool,
    /// Any JSON is one value, of which only the presence is known.
    pub opaque: bool,
    pub null_value: Option<String>,
    pub ignore_malformed: bool,
    pub coerce: bool,
    /// In UTF-16 units; longer keywords are not indexed.
    pub ignore_above: usize,
    pub normalizer: Option<Arc<Analyzer>>,
    pub date: Option<Arc<DateFormat>>,
    pub multi: Vec<Leaf>,
    pub copy_to: Vec<String>,
}

/// Limits on documents, from the index's settings.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub depth: usize,
    pub nested_objects: usize,
    pub ignore_malformed: bool,
    pub coerce: bool,
}

impl Limits {
    pub fn from_settings(settings: &Value) -> Self {
        let settings = crate::analysis::settings::Settings::new(settings);
        Self {
            depth: settings.number("mapping.depth.limit", 20),
            nested_objects: settings.number("mapping.nested_objects.limit", 10_000),
            ignore_malformed: settings.flag("mapping.ignore_malformed", false),
            coerce: settings.flag("mapping.coerce", true),
        }
    }
}

/// How several values of one field in one document become one or many.
pub enum Many {
    /// As they are.
    Keep,
    Sort,
    SortUnique,
    Join(Arc<Analyzer>, u32),
}

pub struct Tree {
    pub root: ObjectNode,
    pub many: Vec<Many>,
    pub limits: Limits,
}

impl Tree {
    pub fn new(
        root: ObjectNode,
        fields: &BTreeMap<String, Arc<FieldDef>>,
        schema: &Schema,
        analyzers: &Analyzers,
        limits: Limits,
    ) -> Self {
        let leaves: FxHashMap<Field, &FieldDef> =
            fields.values().filter_map(|def| def.field.map(|field| (field, &**def))).collect();
        let many = schema
            .fields()
            .map(|(field, _)| match leaves.get(&field) {
                Some(def) => many_of(def, analyzers),
                None => Many::SortUnique,
            })
            .collect();
        let mut tree = Self { root, many, limits };
        apply_index_defaults(&mut tree.root, limits);
        tree
    }

    /// The leaf at a full path, multi-fields not included.
    pub fn leaf(&self, path: &str) -> Option<&Leaf> {
        match find(&self.root, path)? {
            Node::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    /// The deepest object on the way to `path`, and what it does with unknown members.
    pub fn nearest(&self, path: &str) -> (&ObjectNode, Dynamic) {
        let mut object = &self.root;
        for part in path.split('.') {
            match object.children.get(part) {
                Some(Node::Object(child)) => object = child,
                _ => break,
            }
        }
        (object, object.dynamic)
    }
}

fn find<'t>(object: &'t ObjectNode, path: &str) -> Option<&'t Node> {
    if let Some(node) = object.children.get(path) {
        return Some(node);
    }
    let mut split = path.len();
    while let Some(dot) = path[..split].rfind('.') {
        if let Some(Node::Object(child)) = object.children.get(&path[..dot]) {
            return find(child, &path[dot + 1..]);
        }
        split = dot;
    }
    None
}

fn many_of(def: &FieldDef, analyzers: &Analyzers) -> Many {
    match def.kind {
        FieldKind::Keyword => Many::SortUnique,
        FieldKind::Text => match analyzers.get(def.analyzer.as_deref().unwrap_or("standard")) {
            Some(analyzer) => Many::Join(analyzer, def.position_increment_gap),
            None => Many::Keep,
        },
        _ => Many::Sort,
    }
}

/// Index-wide defaults reach the leaves that do not say otherwise themselves.
fn apply_index_defaults(object: &mut ObjectNode, limits: Limits) {
    for node in object.children.values_mut() {
        match node {
            Node::Object(child) => apply_index_defaults(child, limits),
            Node::Leaf(leaf) => leaf_defaults(leaf, limits),
            Node::Alias => {}
        }
    }
}

fn leaf_defaults(leaf: &mut Leaf, limits: Limits) {
    leaf.ignore_malformed = flag(Some(&leaf.def.params), "ignore_malformed", limits.ignore_malformed);
    leaf.coerce = flag(Some(&leaf.def.params), "coerce", limits.coerce);
    leaf.multi.iter_mut().for_each(|sub| leaf_defaults(sub, limits));
}

/// Builds the tree of the root mapping.
pub fn build(mapping: &Value, fields: &BTreeMap<String, Arc<FieldDef>>, analyzers: &Analyzers) -> Result<ObjectNode> {
    object(mapping, String::new(), Dynamic::Grow, fields, analyzers)
}

fn object(
    params: &Value,
    path: String,
    inherited: Dynamic,
    fields: &BTreeMap<String, Arc<FieldDef>>,
    analyzers: &Analyzers,
) -> Result<ObjectNode> {
    let dynamic = match params.get("dynamic") {
        Some(Value::Bool(true)) => Dynamic::Grow,
        Some(Value::Bool(false)) => Dynamic::Ignore,
        Some(Value::String(s)) => match s.as_str() {
            "false" => Dynamic::Ignore,
            "strict" => Dynamic::Strict,
            // true, and the two that ask the templates first: Python knows them.
            _ => Dynamic::Grow,
        },
        _ => inherited,
    };
    let nested = (type_of(params) == "nested").then(|| Nested {
        include_in_parent: flag(Some(params), "include_in_parent", false),
        include_in_root: flag(Some(params), "include_in_root", false),
    });
    let mut node = ObjectNode {
        path,
        dynamic,
        enabled: flag(Some(params), "enabled", true),
        nested,
        children: FxHashMap::default(),
    };
    if let Some(properties) = params.get("properties").and_then(Value::as_object) {
        for (name, params) in properties {
            let path = join_path(&node.path, name);
            let child = match type_of(params) {
                "object" | "nested" => Node::Object(Box::new(object(params, path, dynamic, fields, analyzers)?)),
                "alias" => Node::Alias,
                _ => Node::Leaf(Box::new(leaf(&path, params, fields, analyzers)?)),
            };
            node.children.insert(name.as_str().into(), child);
        }
    }
    Ok(node)
}

fn leaf(path: &str, params: &Value, fields: &BTreeMap<String, Arc<FieldDef>>, analyzers: &Analyzers) -> Result<Leaf> {
    let def =
        fields.get(path).cloned().ok_or_else(|| crate::Error::mapper_parsing(format!("unknown field [{path}]")))?;
    let mut multi = vec![];
    if let Some(subs) = params.get("fields").and_then(Value::as_object) {
        for (name, sub) in subs {
            multi.push(leaf(&join_path(path, name), sub, fields, analyzers)?);
        }
    }
    let normalizer = match (def.kind, &def.analyzer) {
        (FieldKind::Keyword, Some(name)) => Some(analyzers.normalizer(name).ok_or_else(|| {
            crate::Error::mapper_parsing(format!("normalizer [{name}] not found for field [{}]", last(path)))
        })?),
        (FieldKind::Text, Some(name)) if analyzers.get(name).is_none() => {
            return Err(crate::Error::mapper_parsing(format!("analyzer [{name}] has not been configured in mappings")));
        }
        _ => None,
    };
    let date = match def.kind {
        FieldKind::Date | FieldKind::DateNanos => {
            Some(DateFormat::get(def.format.as_deref().unwrap_or(DEFAULT_DATE_FORMAT))?)
        }
        _ => None,
    };
    let stored = flag(Some(params), "store", false);
    let opaque = super::types::is_opaque(super::compile::type_of(params));
    let named = def.indexed
        || stored
        || flag(Some(params), "doc_values", opaque)
        || (opaque && flag(Some(params), "index", true));
    Ok(Leaf {
        field: def.field,
        field_names: !def.column && !def.norms && named,
        opaque,
        null_value: params.get("null_value").and_then(scalar_text),
        ignore_malformed: false,
        coerce: true,
        ignore_above: params.get("ignore_above").and_then(Value::as_u64).map_or(usize::MAX, |n| n as usize),
        normalizer,
        date,
        multi,
        copy_to: strings(params.get("copy_to")),
        def,
    })
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}
