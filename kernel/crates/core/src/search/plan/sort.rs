//! Sort keys of a plan.

use serde::Deserialize;
use serde_json::Value;

use crate::search::ops::Op;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    #[default]
    Asc,
    Desc,
}

fn desc() -> Order {
    Order::Desc
}

/// Which of several values of a document is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortMode {
    Min,
    Max,
    Sum,
    Avg,
    Median,
}

/// What stands in for a missing value.
#[derive(Debug, Clone, PartialEq)]
pub enum MissingValue {
    First,
    Last,
    Value(Value),
}

impl<'de> Deserialize<'de> for MissingValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(s) if s == "_first" => MissingValue::First,
            Value::String(s) if s == "_last" => MissingValue::Last,
            Value::Null => MissingValue::Last,
            value => MissingValue::Value(value),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NestedSort {
    pub path: String,
    #[serde(default)]
    pub filter: Option<Op>,
    #[serde(default)]
    pub nested: Option<Box<NestedSort>>,
    #[serde(default)]
    pub max_children: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SortField {
    pub field: String,
    #[serde(default)]
    pub order: Order,
    #[serde(default)]
    pub missing: Option<MissingValue>,
    #[serde(default)]
    pub mode: Option<SortMode>,
    #[serde(default)]
    pub unmapped_type: Option<String>,
    #[serde(default)]
    pub numeric_type: Option<String>,
    #[serde(default)]
    pub format: Option<String>,
    #[serde(default)]
    pub nested: Option<NestedSort>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum SortKey {
    Score {
        #[serde(default = "desc")]
        order: Order,
    },
    Doc {
        #[serde(default)]
        order: Order,
    },
    Field(Box<SortField>),
}

impl SortKey {
    pub fn order(&self) -> Order {
        match self {
            SortKey::Score { order } | SortKey::Doc { order } => *order,
            SortKey::Field(field) => field.order,
        }
    }
}
