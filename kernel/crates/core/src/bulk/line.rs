//! One action line.

use serde_json::Value;

use super::item::{Action, VersionType};
use crate::{Error, Result};

/// What an action line says.
#[derive(Debug, Default, PartialEq)]
pub struct Line {
    pub action: Option<Action>,
    pub index: Option<String>,
    pub id: Option<String>,
    pub routing: Option<String>,
    pub version: Option<i64>,
    pub version_type: VersionType,
    pub if_seq_no: Option<i64>,
    pub if_primary_term: Option<i64>,
    pub pipeline: Option<String>,
    pub require_alias: Option<bool>,
    pub fetch_source: Option<Value>,
    /// `op_type` of an `index` action.
    pub op_type: Option<String>,
}

/// Parses line number `number` (from 1). None: an empty line.
pub fn parse(bytes: &[u8], number: usize) -> Result<Option<Line>> {
    if let Some(action) = plain(bytes) {
        return Ok(Some(Line { action: Some(action), ..Line::default() }));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(e) => unclosed(bytes, &e).ok_or_else(|| not_json(bytes, &e, number))?,
    };
    let Value::Object(outer) = value else {
        return Err(malformed(number, &format!("expected START_OBJECT but found [{}]", token(&value))));
    };
    let Some((name, parameters)) = outer.into_iter().next() else {
        return Err(malformed(number, "expected FIELD_NAME but found [END_OBJECT]"));
    };
    let action = match name.as_str() {
        "index" => Action::Index,
        "create" => Action::Create,
        "update" => Action::Update,
        "delete" => Action::Delete,
        _ => {
            let expected = format!("expected one of [create, delete, index, update] but found [{name}]");
            return Err(malformed(number, &expected));
        }
    };
    let Value::Object(parameters) = parameters else {
        let expected = format!("expected START_OBJECT or END_OBJECT but found [{}]", token(&parameters));
        return Err(malformed(number, &expected));
    };
    let mut line = Line { action: Some(action), ..Line::default() };
    for (key, value) in parameters {
        line.take(&key, value, number)?;
    }
    Ok(Some(line))
}

/// OpenSearch reads no further than the end of the parameters: the line's own closing brace may be missing.
fn unclosed(bytes: &[u8], error: &serde_json::Error) -> Option<Value> {
    if !error.is_eof() {
        return None;
    }
    let closed = [bytes, b"}"].concat();
    serde_json::from_slice(&closed).ok()
}

/// The commonest lines of bulk loaders, without a JSON parser.
fn plain(bytes: &[u8]) -> Option<Action> {
    match bytes {
        b"{\"index\":{}}" | b"{\"index\": {}}" => Some(Action::Index),
        b"{\"create\":{}}" | b"{\"create\": {}}" => Some(Action::Create),
        _ => None,
    }
}

impl Line {
    fn take(&mut self, key: &str, value: Value, number: usize) -> Result<()> {
        if key == "_source" && (value.is_object() || value.is_array()) {
            self.fetch_source = Some(value);
            return Ok(());
        }
        if value.is_array() || value.is_object() {
            let expected = format!("expected a simple value for field [{key}] but found [{}]", token(&value));
            return Err(malformed(number, &expected));
        }
        if value.is_null() {
            return Ok(());
        }
        match key {
            "_index" => self.index = Some(text(value)),
            "_id" => self.id = Some(text(value)),
            "routing" => self.routing = Some(text(value)),
            "op_type" => self.op_type = Some(text(value)),
            "pipeline" => self.pipeline = Some(text(value)),
            "version" => self.version = Some(long(key, &value)?),
            "version_type" => self.version_type = VersionType::parse(&text(value))?,
            "if_seq_no" => self.if_seq_no = Some(long(key, &value)?),
            "if_primary_term" => self.if_primary_term = Some(long(key, &value)?),
            "retry_on_conflict" => drop(long(key, &value)?),
            "require_alias" => self.require_alias = Some(boolean(&value)?),
            "_source" => self.fetch_source = Some(value),
            _ => {
                let text = format!("Action/metadata line [{number}] contains an unknown parameter [{key}]");
                return Err(Error::illegal_argument(text));
            }
        }
        Ok(())
    }
}

fn malformed(number: usize, what: &str) -> Error {
    Error::illegal_argument(format!("Malformed action/metadata line [{number}], {what}"))
}

fn not_json(bytes: &[u8], e: &serde_json::Error, number: usize) -> Error {
    // What is no JSON from the first character on has no token at all.
    let kind = if e.is_eof() { "json_e_o_f_exception" } else { "json_parse_exception" };
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
    Error::new(kind, 400, format!("Malformed action/metadata line [{number}]: {e} in [{shown}]"))
}

fn token(value: &Value) -> &'static str {
    match value {
        Value::Object(_) => "START_OBJECT",
        Value::Array(_) => "START_ARRAY",
        Value::String(_) => "VALUE_STRING",
        Value::Number(_) => "VALUE_NUMBER",
        Value::Bool(_) => "VALUE_BOOLEAN",
        Value::Null => "VALUE_NULL",
    }
}

/// A scalar as text.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn long(key: &str, value: &Value) -> Result<i64> {
    let parsed = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|x| x as i64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    parsed
        .ok_or_else(|| Error::illegal_argument(format!("Failed to parse long parameter [{key}] with value [{value}]")))
}

fn boolean(value: &Value) -> Result<bool> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        other => {
            let text = text(other.clone());
            Err(Error::illegal_argument(format!(
                "Failed to parse value [{text}] as only [true] or [false] are allowed."
            )))
        }
    }
}
