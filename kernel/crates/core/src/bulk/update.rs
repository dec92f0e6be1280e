//! The body of an update, and how a partial document changes a whole one.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::{Error, Result};

/// `{"doc": …, "upsert": …, "doc_as_upsert": …, "detect_noop": …, "_source": …}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct UpdateBody<'a> {
    #[serde(borrow)]
    pub doc: Option<&'a RawValue>,
    #[serde(borrow)]
    pub upsert: Option<&'a RawValue>,
    pub doc_as_upsert: Option<bool>,
    pub detect_noop: Option<bool>,
    #[serde(borrow)]
    pub script: Option<&'a RawValue>,
    pub scripted_upsert: Option<bool>,
    #[serde(rename = "_source", borrow)]
    pub source: Option<&'a RawValue>,
    pub if_seq_no: Option<i64>,
    pub if_primary_term: Option<i64>,
}

const KNOWN: [&str; 10] = [
    "doc",
    "upsert",
    "doc_as_upsert",
    "detect_noop",
    "script",
    "scripted_upsert",
    "_source",
    "if_seq_no",
    "if_primary_term",
    "lang",
];

impl<'a> UpdateBody<'a> {
    /// Parses and checks the members' names and forms.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let failed = |e: serde_json::Error| {
            let reason = format!("[{}:{}] [UpdateRequest] failed to parse the body: {e}", e.line(), e.column());
            Error::new("x_content_parse_exception", 400, reason)
        };
        let members: Members<'a> = serde_json::from_slice(bytes).map_err(failed)?;
        if let Some((name, at)) = members.unknown(bytes) {
            let (line, column) = position(bytes, at);
            let reason = format!("[{line}:{column}] [UpdateRequest] unknown field [{name}]");
            return Err(Error::new("x_content_parse_exception", 400, reason));
        }
        let body: Self = serde_json::from_slice(bytes).map_err(failed)?;
        for (name, value) in [("doc", body.doc), ("upsert", body.upsert)] {
            if value.is_some_and(|value| !value.get().starts_with('{')) {
                let reason =
                    format!("[1:{}] [UpdateRequest] {name} doesn't support values of this type", name.len() + 4);
                return Err(Error::new("x_content_parse_exception", 400, reason));
            }
        }
        Ok(body)
    }

    /// What OpenSearch finds wrong before it looks at the document.
    pub fn invalid(&self, doc_as_upsert: bool) -> Option<&'static str> {
        match (self.script, self.doc) {
            (None, None) if doc_as_upsert => Some("doc must be specified if doc_as_upsert is enabled"),
            (None, None) => Some("script or doc is missing"),
            (Some(_), Some(_)) => Some("can't provide both script and doc"),
            _ => None,
        }
    }
}

struct Members<'a>(Vec<std::borrow::Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Vec<std::borrow::Cow<'de, str>>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut names = Vec::new();
                while let Some((name, _)) = map.next_entry::<Name<'de>, serde::de::IgnoredAny>()? {
                    names.push(name.0);
                }
                Ok(names)
            }
        }
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);
        deserializer.deserialize_map(Visitor).map(Members)
    }
}

impl Members<'_> {
    fn unknown(&self, bytes: &[u8]) -> Option<(String, usize)> {
        let name = self.0.iter().find(|name| !KNOWN.contains(&name.as_ref()))?;
        let needle = format!("\"{name}\"");
        let at = bytes.windows(needle.len()).position(|window| window == needle.as_bytes()).unwrap_or(0);
        Some((name.to_string(), at))
    }
}

/// Line and column, from 1.
fn position(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = at - before.iter().rposition(|b| *b == b'\n').map_or(0, |nl| nl + 1) + 1;
    (line, column)
}

/// Lays `changes` over `source`: objects are merged, everything else is replaced. Answers whether anything differs now.
pub fn merge(source: &mut Map<String, Value>, changes: Map<String, Value>) -> bool {
    let mut changed = false;
    for (key, new) in changes {
        match (source.get_mut(&key), new) {
            (Some(Value::Object(old)), Value::Object(new)) => changed |= merge(old, new),
            (Some(old), new) => {
                if *old != new {
                    *old = new;
                    changed = true;
                }
            }
            (None, new) => {
                source.insert(key, new);
                changed = true;
            }
        }
    }
    changed
}
