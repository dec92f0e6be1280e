//! A `_bulk` body, parsed once: action lines as items, documents as ranges.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};
use tantivy::directory::OwnedBytes;

use super::item::{Action, Item, VersionType};
use super::line::{self, Line};
use super::slice::{complete_update, validation};
use super::update::UpdateBody;
use crate::{Error, Result};

/// What the URL says for all items.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Defaults {
    pub routing: Option<String>,
    pub pipeline: Option<String>,
    pub require_alias: Option<bool>,
    #[serde(rename = "_source")]
    pub source: Option<Value>,
    /// False: `rest.action.multi.allow_explicit_index` forbids naming indices.
    pub allow_explicit_index: Option<bool>,
}

/// A parsed body.
pub struct Bulk {
    pub body: OwnedBytes,
    pub(super) items: Vec<BulkItem>,
    /// Distinct index names as written, in order of first appearance.
    pub names: Vec<String>,
}

pub(super) struct BulkItem {
    pub item: Item,
    /// Into `names`.
    pub name: usize,
    pub pipeline: Option<String>,
    pub require_alias: Option<bool>,
    /// The item fails by itself.
    pub error: Option<Error>,
    pub has_id: bool,
}

impl Bulk {
    /// Raises for a body that is no bulk at all.
    pub fn split(body: Vec<u8>, default_index: Option<&str>, defaults: &Defaults) -> Result<Self> {
        let mut splitter = Splitter {
            default_index,
            defaults,
            items: Vec::new(),
            names: Vec::new(),
            numbers: HashMap::new(),
            problems: Vec::new(),
        };
        splitter.run(&body)?;
        if splitter.items.is_empty() {
            splitter.problems.push("no requests added");
        }
        if !splitter.problems.is_empty() {
            return Err(validation(splitter.problems));
        }
        let Splitter { items, names, .. } = splitter;
        Ok(Self { body: OwnedBytes::new(body), items, names })
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Those names that an item may write a new document to; odd items create nothing by themselves.
    pub fn creating(&self) -> Vec<String> {
        let mut creates = vec![false; self.names.len()];
        for entry in &self.items {
            let writes = entry.item.action != Action::Delete || entry.item.version_type != VersionType::Internal;
            let pipeline = entry.pipeline.as_deref().is_some_and(|name| name != "_none");
            creates[entry.name] |= writes && !pipeline && entry.require_alias != Some(true) && entry.error.is_none();
        }
        self.names.iter().zip(creates).filter(|(_, creates)| *creates).map(|(name, _)| name.clone()).collect()
    }

    /// Items that somebody else has to look at: item number and what is odd, as JSON.
    pub fn odd(&self) -> Vec<(usize, Vec<u8>)> {
        let odd =
            |entry: &BulkItem| entry.pipeline.is_some() || entry.require_alias == Some(true) || entry.error.is_some();
        self.items
            .iter()
            .enumerate()
            .filter(|(_, entry)| odd(entry))
            .map(|(i, entry)| (i, self.describe(entry)))
            .collect()
    }

    fn describe(&self, entry: &BulkItem) -> Vec<u8> {
        let mut odd = json!({
            "action": entry.item.action.name(),
            "index": self.names[entry.name],
            "id": entry.has_id.then_some(&entry.item.id),
        });
        if let Some(pipeline) = &entry.pipeline {
            odd["pipeline"] = json!(pipeline);
        }
        if let Some(required) = entry.require_alias {
            odd["require_alias"] = json!(required);
        }
        if let Some(error) = &entry.error {
            odd["error"] = super::error_object(error);
        }
        odd.to_string().into_bytes()
    }
}

struct Splitter<'a> {
    default_index: Option<&'a str>,
    defaults: &'a Defaults,
    items: Vec<BulkItem>,
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    problems: Vec<&'static str>,
}

impl Splitter<'_> {
    fn run(&mut self, body: &[u8]) -> Result<()> {
        let mut at = 0;
        let mut number = 0;
        while let Some((start, end)) = next_line(body, &mut at)? {
            number += 1;
            let Some(line) = line::parse(trim(&body[start..end]), number)? else { continue };
            let action = line.action.unwrap_or(Action::Index);
            let source = if action == Action::Delete {
                (0, 0)
            } else {
                let Some(range) = next_line(body, &mut at)? else { break };
                number += 1;
                (range.0, range.0 + trim(&body[range.0..range.1]).len())
            };
            self.add(action, line, source, body)?;
        }
        Ok(())
    }

    fn add(&mut self, action: Action, line: Line, source: (usize, usize), body: &[u8]) -> Result<()> {
        if line.index.is_some() && self.defaults.allow_explicit_index == Some(false) {
            return Err(Error::illegal_argument("explicit index in bulk is not allowed"));
        }
        let action = match (action, line.op_type.as_deref()) {
            (Action::Index, Some("create")) => Action::Create,
            _ => action,
        };
        let has_id = line.id.is_some();
        let mut item = Item {
            id: line.id.unwrap_or_default(),
            routing: line.routing.or_else(|| self.defaults.routing.clone()),
            version: line.version,
            version_type: line.version_type,
            if_seq_no: line.if_seq_no,
            if_primary_term: line.if_primary_term,
            source,
            ..Item::new(action, self.items.len())
        };
        if action == Action::Update {
            let fetch = line.fetch_source.as_ref().or(self.defaults.source.as_ref());
            item.fetch_source = fetch.map(Value::to_string);
            let update = UpdateBody::parse(&body[source.0..source.1])?;
            complete_update(&mut item, &update);
            self.problems.extend(update.invalid(item.doc_as_upsert));
        }
        let index = line.index.or_else(|| self.default_index.map(str::to_owned));
        self.validate(&item, has_id, index.as_deref());
        let error = (has_id && item.id.is_empty() && action != Action::Delete)
            .then(|| Error::illegal_argument("if _id is specified it must not be empty"));
        let name = self.number_of(index.unwrap_or_default());
        let pipeline = line.pipeline.or_else(|| self.defaults.pipeline.clone());
        let require_alias = line.require_alias.or(self.defaults.require_alias);
        let entry = BulkItem { item, name, pipeline, require_alias, error, has_id };
        self.items.push(entry);
        Ok(())
    }

    fn number_of(&mut self, name: String) -> usize {
        // Most bulks name one index, mostly the same as the line before.
        if let Some(last) = self.items.last()
            && self.names[last.name] == name
        {
            return last.name;
        }
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        self.names.push(name.clone());
        self.numbers.insert(name, self.names.len() - 1);
        self.names.len() - 1
    }

    fn validate(&mut self, item: &Item, has_id: bool, index: Option<&str>) {
        if index.is_none_or(str::is_empty) {
            self.problems.push("index is missing");
        }
        self.problems.extend(version_problems(item));
        if !has_id && matches!(item.action, Action::Update | Action::Delete) {
            self.problems.push("id is missing");
        }
        if !has_id && item.action == Action::Index && item.version_type != VersionType::Internal {
            self.problems.push("an id must be provided if version type or value are set");
        }
        if item.id.len() > 512 {
            self.problems.push("id is too long, must be no longer than 512 bytes but was longer");
        }
    }
}

const INTERNAL_VERSION: &str = "internal versioning can not be used for optimistic concurrency control. \
     Please use `if_seq_no` and `if_primary_term` instead";

fn version_problems(item: &Item) -> Option<&'static str> {
    let compare = item.if_seq_no.is_some() || item.if_primary_term.is_some();
    if item.action == Action::Create {
        if item.version_type != VersionType::Internal {
            return Some("create operations only support internal versioning. use index instead");
        }
        if item.version.is_some() {
            return Some("create operations do not support explicit versions. use index instead");
        }
        if compare {
            return Some("create operations do not support compare and set. use index instead");
        }
    }
    if item.version.is_some() && item.version_type == VersionType::Internal && item.action != Action::Update {
        return Some(INTERNAL_VERSION);
    }
    if item.if_seq_no.is_some() && item.if_primary_term.is_none() {
        return Some("ifSeqNo is set, but primary term is [0]");
    }
    if item.if_seq_no.is_none() && item.if_primary_term.is_some() {
        return Some("ifSeqNo is unassigned, but primary term is set");
    }
    None
}

/// The next line without its newline; moves `at` behind it.
fn next_line(body: &[u8], at: &mut usize) -> Result<Option<(usize, usize)>> {
    if *at >= body.len() {
        return Ok(None);
    }
    let start = *at;
    match body[start..].iter().position(|b| *b == b'\n') {
        Some(len) => {
            *at = start + len + 1;
            Ok(Some((start, start + len)))
        }
        None => Err(Error::illegal_argument("The bulk request must be terminated by a newline [\\n]")),
    }
}

/// Without a carriage return at the end.
fn trim(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}
