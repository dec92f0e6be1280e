//! What aggregations take from the search side.

use serde_json::Value;
use tantivy::DocSet;

use crate::Result;

/// The documents of a sub-filter.
pub trait Filter {
    /// Documents (roots and children alike, deleted ones too) that match, in ascending order.
    fn docs(&self, segment_ord: usize) -> Result<Box<dyn DocSet>>;
}

/// Implemented by the search side for one shard.
pub trait Sources {
    /// Compiles a sub-filter (an operation of the plan) over the documents at a nested path (None: roots).
    fn filter<'a>(&'a self, op: &Value, scope: Option<&str>) -> Result<Box<dyn Filter + 'a>>;
}
