//! Fields of a document that the mapping lacks, gathered for whoever makes it grow.

use rustc_hash::FxHashSet;
use serde_json::Value;

use super::compile::join_path;
use super::json::Token;
use super::parse::{Done, Walk};
use super::types::UnknownField;

/// Distinct paths and types in order of appearance, each with its first value.
#[derive(Default)]
pub struct Unknown {
    fields: Vec<UnknownField>,
    /// (path, type): a field that comes with two types is told twice, for the conflict is the mapping's to judge.
    known: FxHashSet<(String, &'static str)>,
}

impl Unknown {
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub fn into_fields(self) -> Vec<UnknownField> {
        self.fields
    }

    fn add(&mut self, path: &str, json_type: &'static str, sample: impl FnOnce() -> Value) {
        if self.known.insert((path.to_owned(), json_type)) {
            self.fields.push(UnknownField { path: path.to_owned(), json_type, sample: sample() });
        }
    }

    /// Objects, arrays and null are not for here.
    pub fn scalar(&mut self, path: &str, token: &Token<'_>) {
        match token {
            Token::Str(s) => self.add(path, "string", || Value::String(s.to_string())),
            Token::Bool(b) => self.add(path, "boolean", || Value::Bool(*b)),
            Token::Num(n) => {
                let whole = !n.contains(['.', 'e', 'E']);
                let json_type = if whole { "long" } else { "double" };
                self.add(path, json_type, || serde_json::from_str(n).unwrap_or(Value::Null));
            }
            Token::Null | Token::ObjectStart | Token::ArrayStart => {}
        }
    }
}

impl<'a> Walk<'_, 'a> {
    /// The value of an unmapped field: its leaves are noted, whatever their depth.
    pub(super) fn unknown_value(&mut self, path: &str) -> Done {
        match self.json.value()? {
            Token::ObjectStart => self.unknown_object(path),
            Token::ArrayStart => {
                let mut first = true;
                while self.json.next_item(&mut first)? {
                    self.unknown_value(path)?;
                }
                Ok(())
            }
            token => {
                self.unknown.scalar(path, &token);
                Ok(())
            }
        }
    }

    fn unknown_object(&mut self, path: &str) -> Done {
        self.enter()?;
        self.unknown.add(path, "object", || Value::Null);
        let (from, mut first) = (self.keys.len(), true);
        while let Some(key) = self.key(from, &mut first)? {
            self.check_name(&key)?;
            self.unknown_value(&join_path(path, &key))?;
        }
        self.depth -= 1;
        Ok(())
    }
}
