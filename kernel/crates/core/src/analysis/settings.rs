//! Index settings as the kernel reads them: nested or dotted, with or without `index.`, values often as text.

use serde_json::{Map, Value};

/// Settings with dotted names unfolded and `index` taken as the root.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    root: Map<String, Value>,
}

impl Settings {
    pub fn new(settings: &Value) -> Self {
        let mut root = Map::new();
        if let Value::Object(members) = settings {
            unfold(members, &mut root);
        }
        if let Some(Value::Object(index)) = root.remove("index") {
            merge(&mut root, index);
        }
        Self { root }
    }

    /// The value at a dotted path.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let mut value = self.root.get(parts.next()?)?;
        for part in parts {
            value = value.get(part)?;
        }
        Some(value)
    }

    pub fn number(&self, path: &str, default: usize) -> usize {
        self.get(path).and_then(number).map_or(default, |n| n as usize)
    }

    pub fn flag(&self, path: &str, default: bool) -> bool {
        match self.get(path) {
            Some(Value::Bool(b)) => *b,
            Some(Value::String(s)) => s == "true",
            _ => default,
        }
    }

    /// The members below a path, as (name, definition).
    pub fn group(&self, path: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.get(path).and_then(Value::as_object).into_iter().flatten()
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn unfold(from: &Map<String, Value>, into: &mut Map<String, Value>) {
    for (name, value) in from {
        let value = match value {
            Value::Object(members) => {
                let mut inner = Map::new();
                unfold(members, &mut inner);
                Value::Object(inner)
            }
            other => other.clone(),
        };
        insert(into, name, value);
    }
}

fn insert(into: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        Some((head, rest)) => {
            let slot = into.entry(head).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(members) = slot {
                insert(members, rest, value);
            }
        }
        None => match (into.get_mut(name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(name.to_owned(), value);
            }
        },
    }
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// The parameters of one analyzer, tokenizer or filter.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a>(pub &'a Value);

impl<'a> Params<'a> {
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(number).map(|n| n as i64)
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(b)) => *b,
            Some(Value::String(s)) => s == "true",
            _ => default,
        }
    }

    /// Named without parameters.
    pub fn is_empty(&self) -> bool {
        self.0.as_object().is_none_or(Map::is_empty)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|v| !v.is_null())
    }

    /// A list; text is cut at commas.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.0.get(name)? {
            Value::Array(items) => Some(items.iter().map(text_of).collect()),
            Value::String(s) if s.is_empty() => Some(vec![]),
            Value::String(s) => Some(s.split(',').map(|item| item.trim().to_owned()).collect()),
            Value::Null => None,
            other => Some(vec![text_of(other)]),
        }
    }

    /// A list whose items may hold commas.
    pub fn lines(&self, name: &str) -> Option<Vec<String>> {
        match self.0.get(name)? {
            Value::Array(items) => Some(items.iter().map(text_of).collect()),
            Value::Null => None,
            other => Some(vec![text_of(other)]),
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dotted_and_nested_names_meet() {
        let settings = Settings::new(&json!({
            "index": {"mapping.depth.limit": "5", "analysis": {"analyzer": {"a": {"type": "custom"}}}},
            "index.mapping.coerce": "false",
            "analysis.analyzer.b.type": "standard"
        }));
        assert_eq!(settings.number("mapping.depth.limit", 20), 5);
        assert!(!settings.flag("mapping.coerce", true));
        let names: Vec<_> = settings.group("analysis.analyzer").map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
    }
}
