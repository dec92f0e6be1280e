//! The order of buckets: by count, key, or the value of a sub-aggregation; several keys, the bucket's own key last.

use std::cmp::Ordering;

use serde_json::Value;

use super::partial::{Partial, mismatch};
use super::plan::{AggNode, KeyPath};
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq)]
enum By {
    Count,
    Key,
    Path(KeyPath),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    keys: Vec<(By, bool)>,
}

impl Order {
    pub fn count_desc() -> Order {
        Order { keys: vec![(By::Count, false), (By::Key, true)] }
    }

    pub fn key_asc() -> Order {
        Order { keys: vec![(By::Key, true)] }
    }

    /// `{"_count": "asc"}`, or a list of such objects or of pairs `["_count", "asc"]`.
    pub fn parse(value: &Value) -> Result<Order> {
        let mut keys = Vec::new();
        match value {
            Value::Array(list) => list.iter().try_for_each(|v| parse_into(v, &mut keys))?,
            value => parse_into(value, &mut keys)?,
        }
        if !keys.iter().any(|(by, _)| *by == By::Key) {
            keys.push((By::Key, true));
        }
        Ok(Order { keys })
    }

    /// Sorted by key before all else.
    pub fn is_key(&self) -> bool {
        matches!(self.keys[0].0, By::Key)
    }

    pub fn is_key_asc(&self) -> bool {
        matches!(self.keys[0], (By::Key, true))
    }

    pub fn is_count_desc(&self) -> bool {
        self.keys[0] == (By::Count, false)
    }

    /// Paths into sub-aggregations, in the order of [`compare`](Self::compare)'s values.
    pub fn paths(&self) -> impl Iterator<Item = &KeyPath> {
        self.keys.iter().filter_map(|(by, _)| match by {
            By::Path(path) => Some(path),
            _ => None,
        })
    }

    /// Compares two buckets by count, values of the [`paths`](Self::paths), and key.
    pub fn compare(&self, a: (u64, &[f64]), b: (u64, &[f64]), key: impl Fn() -> Ordering) -> Ordering {
        let mut path = 0;
        for (by, asc) in &self.keys {
            let ordering = match by {
                By::Count => directed(a.0.cmp(&b.0), *asc),
                By::Key => directed(key(), *asc),
                By::Path(_) => {
                    path += 1;
                    compare_values(a.1[path - 1], b.1[path - 1], *asc)
                }
            };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        Ordering::Equal
    }

    /// Values of the paths for a finished bucket.
    pub fn values(&self, nodes: &[AggNode], subs: &[Partial]) -> Result<Vec<f64>> {
        self.paths().map(|path| value_in(nodes, subs, path)).collect()
    }
}

fn directed(ordering: Ordering, asc: bool) -> Ordering {
    if asc { ordering } else { ordering.reverse() }
}

/// NaN goes last in either direction.
fn compare_values(a: f64, b: f64, asc: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => directed(a.total_cmp(&b), asc),
    }
}

fn parse_into(value: &Value, keys: &mut Vec<(By, bool)>) -> Result<()> {
    let bad = || Error::new("parsing_exception", 400, "Must specify at least one field for [order]");
    let members: Vec<(&str, &Value)> = match value {
        Value::Array(pair) => match &pair[..] {
            [Value::String(key), direction] => vec![(key, direction)],
            _ => return Err(bad()),
        },
        value => value.as_object().ok_or_else(bad)?.iter().map(|(k, v)| (k.as_str(), v)).collect(),
    };
    if members.is_empty() {
        return Err(bad());
    }
    for (key, direction) in members {
        let asc = match direction.as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("asc") => true,
            Some("desc") => false,
            _ => return Err(Error::new("parsing_exception", 400, format!("Unknown order direction [{direction}]"))),
        };
        let by = match key {
            "_count" => By::Count,
            "_key" | "_term" | "_time" => By::Key,
            path => By::Path(KeyPath::parse(path)),
        };
        keys.push((by, asc));
    }
    Ok(())
}

/// The value that a path names below finished children.
pub fn value_in(nodes: &[AggNode], subs: &[Partial], path: &KeyPath) -> Result<f64> {
    let name = path.head();
    let at = nodes.iter().position(|n| n.name == name).ok_or_else(|| unknown_child(path, name))?;
    let partial = subs.get(at).ok_or_else(mismatch)?;
    nodes[at].kind.value(partial, &nodes[at], &path.tail())
}

pub fn invalid_path(path: &KeyPath, reason: &str) -> Error {
    let reason = format!("Invalid aggregation order path [{}]. {reason}", path.whole);
    Error::new("aggregation_execution_exception", 500, reason)
}

pub fn unknown_child(path: &KeyPath, name: &str) -> Error {
    invalid_path(
        path,
        &format!(
            "The provided aggregation [{name}] either does not exist, or is a pipeline aggregation and cannot be used to sort the buckets."
        ),
    )
}

pub fn metric_has_no_children(path: &KeyPath) -> Error {
    invalid_path(path, "Metrics aggregations cannot have sub-aggregations (they cannot be walked through).")
}

pub fn needs_metric(path: &KeyPath) -> Error {
    invalid_path(path, "When ordering on a multi-value metrics aggregation a metric name must be specified.")
}

pub fn unknown_metric(path: &KeyPath, key: &str) -> Error {
    invalid_path(path, &format!("Unknown metric name [{key}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compound_orders_end_with_the_key() {
        let order = Order::parse(&serde_json::json!([{"a>b": "desc"}, {"_count": "asc"}])).unwrap();
        let by_key = || Ordering::Less;
        assert_eq!(order.compare((1, &[2.0]), (1, &[1.0]), by_key), Ordering::Less);
        assert_eq!(order.compare((1, &[f64::NAN]), (1, &[1.0]), by_key), Ordering::Greater);
        assert_eq!(order.compare((1, &[1.0]), (2, &[1.0]), by_key), Ordering::Less);
        assert_eq!(order.compare((2, &[1.0]), (2, &[1.0]), by_key), Ordering::Less);
        assert!(Order::parse(&serde_json::json!({"_count": "up"})).is_err());
    }
}
