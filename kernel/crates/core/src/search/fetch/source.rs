//! `_source` in the answer: as it came in, or filtered by patterns of paths.

use serde_json::{Map, Value};

use crate::search::plan::{SourceFilter, SourceSpec};
use crate::{Error, Result};

/// Writes a document's source, which is bytes of JSON.
pub fn write_source(out: &mut Vec<u8>, source: &[u8], spec: &SourceSpec) -> Result<()> {
    match spec {
        SourceSpec::All => out.extend_from_slice(source),
        SourceSpec::None => {}
        SourceSpec::Filter(filter) => {
            let filtered = filter_source(source, filter)?;
            out.extend_from_slice(&filtered);
        }
    }
    Ok(())
}

/// The parts of a source that a filter lets pass.
pub fn filter_source(source: &[u8], filter: &SourceFilter) -> Result<Vec<u8>> {
    let value: Value = serde_json::from_slice(source)
        .map_err(|e| Error::new("parse_exception", 500, format!("stored source is not JSON: {e}")))?;
    serde_json::to_vec(&filter_value(value, filter)).map_err(|e| Error::new("parse_exception", 500, e.to_string()))
}

/// The parts of an object that a filter lets pass.
pub fn filter_value(value: Value, filter: &SourceFilter) -> Value {
    let Value::Object(members) = value else { return value };
    let matcher = Matcher { includes: patterns(&filter.includes), excludes: patterns(&filter.excludes) };
    let whole = matcher.includes.is_empty();
    Value::Object(matcher.object(members, "", whole))
}

fn patterns(given: &[String]) -> Vec<Vec<char>> {
    given.iter().map(|pattern| pattern.chars().collect()).collect()
}

struct Matcher {
    includes: Vec<Vec<char>>,
    excludes: Vec<Vec<char>>,
}

impl Matcher {
    /// `whole`: an enclosing object is included already.
    fn object(&self, members: Map<String, Value>, prefix: &str, whole: bool) -> Map<String, Value> {
        let mut kept = Map::new();
        for (name, value) in members {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            if let Some(value) = self.member(value, &path, whole) {
                kept.insert(name, value);
            }
        }
        kept
    }

    fn member(&self, value: Value, path: &str, whole: bool) -> Option<Value> {
        let chars: Vec<char> = path.chars().collect();
        if self.excludes.iter().any(|pattern| matches_whole(pattern, &chars)) {
            return None;
        }
        let included = whole || self.includes.iter().any(|pattern| matches_whole(pattern, &chars));
        if !included && !self.includes.iter().any(|pattern| matches_prefix(pattern, &chars)) {
            return None;
        }
        match value {
            Value::Object(members) => {
                let kept = self.object(members, path, included);
                (included || !kept.is_empty()).then_some(Value::Object(kept))
            }
            Value::Array(items) => self.array(items, path, included).map(Value::Array),
            other => included.then_some(other),
        }
    }

    fn array(&self, items: Vec<Value>, path: &str, included: bool) -> Option<Vec<Value>> {
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            match item {
                Value::Object(members) => {
                    let members = self.object(members, path, included);
                    if included || !members.is_empty() {
                        kept.push(Value::Object(members));
                    }
                }
                Value::Array(inner) => kept.extend(self.array(inner, path, included).map(Value::Array)),
                other if included => kept.push(other),
                _ => {}
            }
        }
        (included || !kept.is_empty()).then_some(kept)
    }
}

/// Whether a pattern with `*` matches all of a path. A pattern that names an object takes all below it.
fn matches_whole(pattern: &[char], path: &[char]) -> bool {
    match (pattern.first(), path.first()) {
        (None, None) => true,
        (None, Some(c)) => *c == '.',
        (Some('*'), _) => {
            matches_whole(&pattern[1..], path) || (!path.is_empty() && matches_whole(pattern, &path[1..]))
        }
        (Some(a), Some(b)) => a == b && matches_whole(&pattern[1..], &path[1..]),
        (Some(_), None) => false,
    }
}

/// Whether something below the path may match the pattern.
fn matches_prefix(pattern: &[char], path: &[char]) -> bool {
    match (pattern.first(), path.first()) {
        (Some('.'), None) => true,
        (Some('*'), None) => true,
        (_, None) | (None, _) => false,
        (Some('*'), Some(_)) => matches_prefix(&pattern[1..], path) || matches_prefix(pattern, &path[1..]),
        (Some(a), Some(b)) => a == b && matches_prefix(&pattern[1..], &path[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(source: &str, includes: &[&str], excludes: &[&str]) -> String {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        let filter = SourceFilter { includes: own(includes), excludes: own(excludes) };
        String::from_utf8(filter_source(source.as_bytes(), &filter).unwrap()).unwrap()
    }

    #[test]
    fn includes_and_excludes() {
        let source = r#"{"a":1,"b":{"c":2,"d":[{"e":3,"f":4},5]},"bb":6}"#;
        assert_eq!(filtered(source, &["b.c"], &[]), r#"{"b":{"c":2}}"#);
        assert_eq!(filtered(source, &["b"], &["b.d"]), r#"{"b":{"c":2}}"#);
        assert_eq!(filtered(source, &[], &["b*"]), r#"{"a":1}"#);
        assert_eq!(filtered(source, &["b.d.e"], &[]), r#"{"b":{"d":[{"e":3}]}}"#);
        assert_eq!(filtered(source, &["*.c", "a"], &[]), r#"{"a":1,"b":{"c":2}}"#);
        assert_eq!(filtered(source, &["nothing"], &[]), "{}");
    }
}
