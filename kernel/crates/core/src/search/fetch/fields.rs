//! `fields` and `stored_fields`: values read from the source and brought into the form of their mapping.

use serde_json::Value;

use super::columns::date_text;
use crate::dates::DateFormat;
use crate::mapping::{FieldDef, FieldKind, Mapping};
use crate::search::ops::values;
use crate::search::sort::ip_text;

/// All values below a path of a document; arrays are flattened, names with dots count as paths.
pub fn source_values<'v>(value: &'v Value, path: &str, out: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| source_values(item, path, out)),
        _ if path.is_empty() => out.push(value),
        Value::Object(members) => {
            for (name, member) in members {
                if name == path {
                    source_values(member, "", out);
                } else if let Some(rest) = path.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.')) {
                    source_values(member, rest, out);
                }
            }
        }
        _ => {}
    }
}

/// Paths of the source that a leaf takes its values from: its own, that of the field it is a multi-field of, and of fields that are copied to it.
pub fn source_paths(mapping: &Mapping, def: &FieldDef) -> Vec<String> {
    let own = def
        .path
        .rsplit_once('.')
        .filter(|(parent, _)| mapping.fields.contains_key(*parent))
        .map_or(def.path.as_str(), |(parent, _)| parent);
    let mut paths = vec![own.to_owned()];
    for other in mapping.fields.values() {
        let copies = match other.params.get("copy_to") {
            Some(Value::String(target)) => target == &def.path,
            Some(Value::Array(targets)) => targets.iter().any(|target| target.as_str() == Some(&def.path)),
            _ => false,
        };
        if copies {
            paths.push(other.path.clone());
        }
    }
    paths
}

/// The values of a leaf in a document, formatted; what does not fit the mapping is left out.
pub fn field_values(mapping: &Mapping, def: &FieldDef, format: Option<&str>, source: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    for path in source_paths(mapping, def) {
        source_values(source, &path, &mut found);
    }
    found.into_iter().filter_map(|value| formatted(mapping, def, format, value)).collect()
}

fn formatted(mapping: &Mapping, def: &FieldDef, format: Option<&str>, value: &Value) -> Option<Value> {
    let substitute = def.params.get("null_value");
    let value = if value.is_null() { substitute.filter(|value| !value.is_null())? } else { value };
    match def.kind {
        FieldKind::Text | FieldKind::Binary => Some(Value::String(plain(value)?)),
        FieldKind::Keyword => keyword(mapping, def, value),
        FieldKind::Boolean => values::boolean(def, value).ok().map(Value::Bool),
        FieldKind::Ip => values::ip(def, value).ok().map(|ip| Value::String(ip_text(ip))),
        FieldKind::Byte | FieldKind::Short | FieldKind::Integer | FieldKind::Long => {
            let whole = values::exact_i64(value)
                .or_else(|| values::double(def, value).ok().map(|double| double.trunc() as i64))?;
            Some(Value::from(whole))
        }
        FieldKind::UnsignedLong => match value {
            Value::String(text) => text.parse::<u64>().ok().map(Value::from),
            Value::Number(n) => n.as_u64().map(Value::from),
            _ => None,
        },
        FieldKind::HalfFloat | FieldKind::Float | FieldKind::Double => {
            let double = values::double(def, value).ok()?;
            // A float is shown with its own few digits.
            let shown =
                if def.kind == FieldKind::Double { double } else { format!("{}", double as f32).parse().ok()? };
            serde_json::Number::from_f64(shown).map(Value::Number)
        }
        FieldKind::ScaledFloat => {
            let scaled = values::scaled(def, values::double(def, value).ok()?);
            serde_json::Number::from_f64(scaled as f64 / def.scaling_factor).map(Value::Number)
        }
        FieldKind::Date | FieldKind::DateNanos => date(def, format, value),
    }
}

/// Scalars as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn keyword(mapping: &Mapping, def: &FieldDef, value: &Value) -> Option<Value> {
    let text = plain(value)?;
    let limit = def.params.get("ignore_above").and_then(Value::as_u64).unwrap_or(u64::MAX);
    if text.encode_utf16().count() as u64 > limit {
        return None;
    }
    let normalizer = def.analyzer.as_deref().and_then(|name| mapping.analyzers.normalizer(name));
    Some(Value::String(normalizer.map_or(text.clone(), |normalizer| normalizer.normalize(&text))))
}

fn date(def: &FieldDef, format: Option<&str>, value: &Value) -> Option<Value> {
    let own = def.format.as_deref().unwrap_or("strict_date_optional_time||epoch_millis");
    let parser = DateFormat::get(own).ok()?;
    let text = plain(value)?;
    let instant = match def.kind {
        FieldKind::DateNanos => parser.parse_nanos(&text).ok()?,
        _ => parser.parse_millis(&text).ok()?,
    };
    date_text(instant, def, format).ok().map(Value::String)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found_in_all_spellings() {
        let source = json!({"a.b": 1, "a": [{"b": [2, [3]]}, {"b": 4, "c": 5}]});
        let mut found = Vec::new();
        source_values(&source, "a.b", &mut found);
        assert_eq!(found, [&json!(1), &json!(2), &json!(3), &json!(4)]);
    }
}
