//! A compiled tree of aggregations.

use std::sync::Arc;

use serde_json::Value;

use super::collect::{Collector, ShardCtx, Subs};
use super::out::Out;
use super::partial::Partial;
use super::reduce::ReduceCtx;
use crate::aggs::RenderOptions;
use crate::{Error, Result};

/// All aggregations of a request.
pub struct AggPlan {
    pub aggs: Vec<AggNode>,
    /// `search.max_buckets`.
    pub max_buckets: usize,
    /// Bytes that collection on one shard may use.
    pub memory_limit: usize,
}

/// One aggregation with its children.
pub struct AggNode {
    pub name: String,
    pub kind: Arc<dyn AggKind>,
    pub meta: Option<Value>,
    pub subs: Vec<AggNode>,
}

/// A kind of aggregation with its parameters: how it is collected, merged and shown.
pub trait AggKind: Send + Sync {
    fn collector<'a>(&'a self, ctx: &ShardCtx<'a>, subs: Subs<'a>) -> Result<Box<dyn Collector + 'a>>;
    /// Merges the results of shards (at least one) and finishes them: sizes, thresholds, gaps.
    fn reduce(&self, parts: Vec<Partial>, node: &AggNode, ctx: &mut ReduceCtx) -> Result<Partial>;
    /// Members of the aggregation's object.
    fn render(&self, partial: &Partial, node: &AggNode, out: &mut Out, options: RenderOptions);
    /// The prefix of `typed_keys`.
    fn type_name(&self, partial: &Partial) -> &'static str;
    /// The nested path at which the children's documents live, if this aggregation's own live at `outer`.
    fn scope(&self, outer: Option<&str>) -> Option<String> {
        outer.map(str::to_string)
    }
    /// Whether documents must come with their scores.
    fn needs_scores(&self) -> bool {
        false
    }
    /// The value an order path names below this aggregation.
    fn value(&self, partial: &Partial, node: &AggNode, path: &KeyPath) -> Result<f64> {
        let _ = (partial, node);
        Err(super::order::invalid_path(path, "the aggregation cannot be sorted by"))
    }
}

/// A path such as `a>b.c` or `stats[max]`, cut into its elements.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPath {
    elements: Vec<String>,
    /// What stands after the last element's `.` or in its brackets.
    pub key: Option<String>,
    pub whole: String,
}

impl KeyPath {
    pub fn parse(path: &str) -> KeyPath {
        let mut elements: Vec<String> = path.split('>').map(|e| e.trim().to_string()).collect();
        let mut key = None;
        if let Some(last) = elements.last_mut() {
            if let (Some(open), true) = (last.find('['), last.ends_with(']')) {
                let inner = last[open + 1..last.len() - 1].trim_matches(['"', '\'']).to_string();
                last.truncate(open);
                key = Some(inner);
            } else if let Some(dot) = last.rfind('.').filter(|dot| *dot > 0) {
                key = Some(last[dot + 1..].to_string());
                last.truncate(dot);
            }
        }
        KeyPath { elements, key, whole: path.to_string() }
    }

    pub fn head(&self) -> &str {
        self.elements.first().map_or("", String::as_str)
    }

    pub fn tail(&self) -> KeyPath {
        KeyPath {
            elements: self.elements.iter().skip(1).cloned().collect(),
            key: self.key.clone(),
            whole: self.whole.clone(),
        }
    }

    /// No element is left: the aggregation itself is meant.
    pub fn is_end(&self) -> bool {
        self.elements.is_empty()
    }
}

impl AggPlan {
    pub fn is_empty(&self) -> bool {
        self.aggs.is_empty()
    }

    /// Whether any aggregation wants scores with the documents.
    pub fn needs_scores(&self) -> bool {
        fn any(nodes: &[AggNode]) -> bool {
            nodes.iter().any(|n| n.kind.needs_scores() || any(&n.subs))
        }
        any(&self.aggs)
    }
}

/// `search.max_buckets` unless the cluster says otherwise.
pub const MAX_BUCKETS: usize = 65_535;
/// Bytes one request may use on a shard.
pub const MEMORY_LIMIT: usize = 1 << 30;

/// Compiles the plan's `aggs`: `{name: {"kind", "params", "aggs", "meta"}}`.
pub fn parse(aggs: &Value) -> Result<AggPlan> {
    Ok(AggPlan { aggs: parse_nodes(aggs)?, max_buckets: MAX_BUCKETS, memory_limit: MEMORY_LIMIT })
}

fn parse_nodes(aggs: &Value) -> Result<Vec<AggNode>> {
    let members = match aggs {
        Value::Null => return Ok(Vec::new()),
        Value::Object(members) => members,
        _ => return Err(Error::illegal_argument("aggregations must be an object")),
    };
    members.iter().map(|(name, body)| parse_node(name, body)).collect()
}

fn parse_node(name: &str, body: &Value) -> Result<AggNode> {
    let kind = body
        .get("kind")
        .and_then(Value::as_str)
        .ok_or_else(|| Error::illegal_argument(format!("aggregation [{name}] has no kind")))?;
    let empty = Value::Object(serde_json::Map::new());
    let params = body.get("params").unwrap_or(&empty);
    let subs = parse_nodes(body.get("aggs").unwrap_or(&Value::Null))?;
    Ok(AggNode {
        name: name.to_string(),
        kind: super::registry::kind(name, kind, params)?,
        meta: body.get("meta").filter(|m| !m.is_null()).cloned(),
        subs,
    })
}

#[cfg(test)]
mod tests {
    use super::KeyPath;

    #[test]
    fn order_paths() {
        let path = KeyPath::parse("a>b.c");
        assert_eq!((path.head(), path.tail().head(), path.key.as_deref()), ("a", "b", Some("c")));
        let path = KeyPath::parse("stats[max]");
        assert_eq!((path.head(), path.key.as_deref()), ("stats", Some("max")));
        let path = KeyPath::parse("p.99.5");
        assert_eq!(path.key.as_deref(), Some("5"));
        assert!(KeyPath::parse("x").tail().is_end());
    }
}
