//! Search plans: the JSON of `docs/kernel.md` §3 parsed into typed operations. An unknown operation or argument is an error.

mod fetch;
mod sort;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use fetch::{FetchSpec, FieldFormat, HighlightField, HighlightSpec, InnerHits, SourceFilter, SourceSpec};
pub use sort::{MissingValue, NestedSort, Order, SortField, SortKey, SortMode};

use crate::search::ops::Op;
use crate::{Error, Result};

/// How many hits are counted exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrackTotal {
    /// `false`: no count at all.
    None,
    /// `true`.
    Exact,
    UpTo(u64),
}

impl TrackTotal {
    /// Number of hits up to which the count must be right.
    pub fn limit(self) -> u64 {
        match self {
            TrackTotal::None => 0,
            TrackTotal::Exact => u64::MAX,
            TrackTotal::UpTo(n) => n,
        }
    }
}

impl Default for TrackTotal {
    fn default() -> Self {
        TrackTotal::UpTo(10_000)
    }
}

impl<'de> Deserialize<'de> for TrackTotal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            Value::Bool(true) => Ok(TrackTotal::Exact),
            Value::Bool(false) => Ok(TrackTotal::None),
            Value::Number(n) if n.as_i64() == Some(-1) => Ok(TrackTotal::None),
            Value::Number(n) if n.as_u64().is_some() => Ok(TrackTotal::UpTo(n.as_u64().unwrap_or(0))),
            other => {
                Err(serde::de::Error::custom(format!("track_total_hits must be a boolean or a count, not {other}")))
            }
        }
    }
}

fn all() -> Op {
    Op::default()
}

fn ten() -> usize {
    10
}

/// A search as one shard and the merging node need it. Immutable, shareable between threads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(default = "all")]
    pub query: Op,
    #[serde(default)]
    pub post_filter: Option<Op>,
    #[serde(default)]
    pub min_score: Option<f32>,
    #[serde(default)]
    pub from: usize,
    #[serde(default = "ten")]
    pub size: usize,
    /// None: by descending score.
    #[serde(default)]
    pub sort: Option<Vec<SortKey>>,
    #[serde(default)]
    pub search_after: Option<Vec<Value>>,
    #[serde(default)]
    pub track_total_hits: TrackTotal,
    #[serde(default)]
    pub track_scores: bool,
    /// 0 or absent: no limit.
    #[serde(default)]
    pub terminate_after: Option<u64>,
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    #[serde(default)]
    pub aggs: Option<Value>,
    /// `search.max_buckets`; absent: the default.
    #[serde(default)]
    pub max_buckets: Option<usize>,
    /// `aggs`, compiled.
    #[serde(skip)]
    pub compiled_aggs: crate::search::aggregate::Compiled,
    #[serde(default)]
    pub fetch: FetchSpec,
    #[serde(default)]
    pub explain: bool,
    #[serde(default)]
    pub typed_keys: bool,
    #[serde(default)]
    pub total_as_int: bool,
    /// The outcome carries a cursor for the next page.
    #[serde(default)]
    pub scroll: bool,
    /// What it costs is not told by the number of documents.
    #[serde(skip)]
    pub elaborate: bool,
}

/// Plans longer than this are elaborate: thousands of values or clauses.
const LONG_PLAN: usize = 16 << 10;
/// Hits that a plain page may have.
const LARGE_PAGE: usize = 1000;
/// What is dear to make, whatever it finds.
const DEAR: &[u8] = b"\"regexp\"";

impl Plan {
    /// Parses and checks a plan.
    pub fn parse(json: &[u8]) -> Result<Plan> {
        let mut plan: Plan = serde_json::from_slice(json)
            .map_err(|e| Error::new("parsing_exception", 400, format!("search plan: {e}")))?;
        if plan.sort.as_ref().is_some_and(|keys| keys.is_empty()) {
            plan.sort = None;
        }
        if let Some(keys) = &plan.sort
            && let [SortKey::Score { order: Order::Desc }] = keys.as_slice()
            && plan.search_after.is_none()
        {
            plan.sort = None;
        }
        plan.check()?;
        plan.elaborate = plan.fetch.highlight.is_some()
            || plan.size > LARGE_PAGE
            || json.len() > LONG_PLAN
            || json.windows(DEAR.len()).any(|part| part == DEAR);
        if plan.has_aggs() {
            let mut query = None;
            if json.windows(8).any(|part| part == b"top_hits") {
                let raw: Value = serde_json::from_slice(json).unwrap_or_default();
                query = raw.get("query").cloned();
            }
            plan.compiled_aggs =
                crate::search::aggregate::Compiled::new(plan.aggs.as_ref(), query.as_ref(), plan.max_buckets)?;
        }
        Ok(plan)
    }

    fn check(&self) -> Result<()> {
        let keys = self.sort.as_ref().map_or(0, Vec::len);
        if let Some(after) = &self.search_after
            && after.len() != keys
        {
            return Err(Error::illegal_argument(format!(
                "search_after has {} value(s) but sort has {keys}.",
                after.len()
            )));
        }
        if keys > crate::search::collect::MAX_SORT_KEYS {
            return Err(Error::illegal_argument(format!(
                "a search can have at most {} sort keys, this one has {keys}",
                crate::search::collect::MAX_SORT_KEYS
            )));
        }
        Ok(())
    }

    /// Number of best hits that each shard has to deliver.
    pub fn top(&self) -> usize {
        self.from.saturating_add(self.size)
    }

    /// Whether hits carry a score.
    pub fn wants_scores(&self) -> bool {
        match &self.sort {
            None => true,
            Some(keys) => self.track_scores || keys.iter().any(|key| matches!(key, SortKey::Score { .. })),
        }
    }

    pub fn has_aggs(&self) -> bool {
        self.aggs.as_ref().and_then(Value::as_object).is_some_and(|aggs| !aggs.is_empty())
    }
}
