//! Aggregations over columns: any bucket aggregation may hold any other.
//!
//! The way of a request: [`parse`] compiles the plan's `aggs`; on each shard a [`ShardCollector`] takes blocks of matching
//! documents and gives one versioned binary partial result; [`merge`] brings those of all shards together and finishes
//! them as OpenSearch does; [`render`] prints the answer. One module per aggregation: its parameters, collector, merge and
//! printing. State during collection is flat arrays indexed by bucket number (see [`collect`]).

pub mod collect;
pub mod partial;
pub mod plan;
pub mod reduce;
pub mod render;
pub mod sources;

mod buckets;
mod budget;
mod cardinality;
mod composite;
mod count;
mod date_histogram;
mod extended_stats;
mod filters;
mod fixed;
mod format;
mod hdr;
mod histogram;
mod hll;
mod ip_range;
mod java;
mod kahan;
mod mad;
mod metric;
mod nested;
mod order;
mod out;
mod params;
mod percentiles;
mod range;
mod registry;
mod rounding;
mod single;
mod source;
mod tdigest;
mod terms;
mod top_hits;
mod value;
mod weighted;

#[cfg(test)]
mod tests;

pub use budget::{memory, set_limit};
pub use collect::ShardCollector;
pub use format::decimal;
pub use partial::Partial;
pub use plan::{AggPlan, parse};
pub use reduce::{merge, reduce};
pub use render::{RenderOptions, render};
