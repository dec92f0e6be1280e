//! `_source`: what is kept of a document, and which part of it an answer shows.

use serde_json::{Map, Value};
use tantivy::directory::OwnedBytes;

use crate::mapping::Mapping;
use crate::{Error, Result};

/// What the segment stores of the source.
pub(crate) fn stored(mapping: &Mapping, source: &OwnedBytes) -> Result<Option<OwnedBytes>> {
    if !mapping.source_enabled {
        return Ok(None);
    }
    if mapping.source_includes.is_empty() && mapping.source_excludes.is_empty() {
        return Ok(Some(source.clone()));
    }
    let filter =
        Filter { fetch: true, includes: mapping.source_includes.clone(), excludes: mapping.source_excludes.clone() };
    Ok(filter.apply(source.as_slice())?.map(OwnedBytes::new))
}

/// `_source` of a request: true, false, patterns, or includes and excludes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter {
    fetch: bool,
    includes: Vec<String>,
    excludes: Vec<String>,
}

impl Filter {
    pub fn parse(value: &Value) -> Result<Self> {
        let patterns = |value: Option<&Value>| -> Result<Vec<String>> {
            match value {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::String(text)) => Ok(vec![text.clone()]),
                Some(Value::Array(items)) => Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
                Some(other) => Err(Error::illegal_argument(format!("[{other}] is no list of source patterns"))),
            }
        };
        let whole = |fetch| Self { fetch, includes: Vec::new(), excludes: Vec::new() };
        match value {
            Value::Null => Ok(whole(true)),
            Value::Bool(fetch) => Ok(whole(*fetch)),
            Value::String(text) if text == "true" || text == "false" => Ok(whole(text == "true")),
            Value::String(text) => Ok(Self { includes: text.split(',').map(str::to_owned).collect(), ..whole(true) }),
            Value::Object(object) => Ok(Self {
                fetch: true,
                includes: patterns(object.get("includes").or_else(|| object.get("include")))?,
                excludes: patterns(object.get("excludes").or_else(|| object.get("exclude")))?,
            }),
            list => Ok(Self { includes: patterns(Some(list))?, ..whole(true) }),
        }
    }

    pub fn keeps_any(&self) -> bool {
        self.fetch
    }

    /// The part of the source; None if none of it is wanted.
    pub fn apply(&self, source: &[u8]) -> Result<Option<Vec<u8>>> {
        if !self.fetch {
            return Ok(None);
        }
        if self.includes.is_empty() && self.excludes.is_empty() {
            return Ok(Some(source.to_vec()));
        }
        let parsed: Map<String, Value> =
            serde_json::from_slice(source).map_err(|e| Error::corruption("stored source", e.column() as u64, e))?;
        let kept = self.object(parsed, "", self.includes.is_empty());
        Ok(Some(serde_json::to_vec(&kept).expect("it was JSON")))
    }

    fn object(&self, object: Map<String, Value>, prefix: &str, included: bool) -> Map<String, Value> {
        let mut kept = Map::new();
        for (key, value) in object {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            if let Some(value) = self.value(value, &path, included) {
                kept.insert(key, value);
            }
        }
        kept
    }

    fn value(&self, value: Value, path: &str, included: bool) -> Option<Value> {
        if self.excludes.iter().any(|pattern| matches(pattern, path)) {
            return None;
        }
        let included = included || self.includes.iter().any(|pattern| matches(pattern, path));
        match value {
            Value::Object(object) => {
                let kept = self.object(object, path, included);
                (included || !kept.is_empty()).then_some(Value::Object(kept))
            }
            Value::Array(items) => {
                let had_any = !items.is_empty();
                let kept: Vec<Value> = items.into_iter().filter_map(|item| self.item(item, path, included)).collect();
                (included || (had_any && !kept.is_empty())).then_some(Value::Array(kept))
            }
            leaf => included.then_some(leaf),
        }
    }

    fn item(&self, item: Value, path: &str, included: bool) -> Option<Value> {
        match item {
            Value::Object(object) => {
                let kept = self.object(object, path, included);
                (included || !kept.is_empty()).then_some(Value::Object(kept))
            }
            Value::Array(items) => {
                let kept: Vec<Value> = items.into_iter().filter_map(|item| self.item(item, path, included)).collect();
                (included || !kept.is_empty()).then_some(Value::Array(kept))
            }
            leaf => included.then_some(leaf),
        }
    }
}

/// `*` stands for anything, dots included; a pattern also takes everything below what it names.
fn matches(pattern: &str, path: &str) -> bool {
    wildcard(pattern.as_bytes(), path.as_bytes())
}

fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star, mut mark) = (0, 0, None, 0);
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some(p);
            mark = t;
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some(at) = star {
            p = at + 1;
            mark += 1;
            t = mark;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_as_opensearch_does() {
        let source = json!({"a": {"b": 1, "c": 2}, "d": [{"e": 1}, {"f": 2}], "g": 3});
        for (filter, expected) in [
            (json!(true), source.clone()),
            (json!("a.b"), json!({"a": {"b": 1}})),
            (json!(["a", "g"]), json!({"a": {"b": 1, "c": 2}, "g": 3})),
            (json!({"excludes": ["a.*", "g"]}), json!({"a": {}, "d": [{"e": 1}, {"f": 2}]})),
            (json!({"includes": "*.e"}), json!({"d": [{"e": 1}]})),
            (json!({"includes": ["a"], "excludes": ["a.c"]}), json!({"a": {"b": 1}})),
        ] {
            let kept = Filter::parse(&filter).unwrap().apply(source.to_string().as_bytes()).unwrap().unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), expected, "{filter}");
        }
        assert_eq!(Filter::parse(&json!(false)).unwrap().apply(b"{}").unwrap(), None);
    }
}
