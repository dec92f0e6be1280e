//! Search: plans parsed, bound to a shard, collected into partial results, merged, fetched and written as an answer.

mod aggregate;
pub mod block;
pub mod collect;
pub mod dfs;
pub mod docs;
pub mod explain;
mod faults;
pub mod fetch;
pub mod json;
mod merge;
pub mod ops;
pub mod plan;
pub mod query;
mod render;
pub mod score;
mod service;
pub mod sort;

#[cfg(test)]
mod function_tests;
#[cfg(test)]
mod reference_test;
#[cfg(test)]
mod several_tests;
#[cfg(test)]
mod tests;

pub use collect::Cursor;
pub use merge::reduce;
pub use plan::Plan;
pub use render::{Outcome, render};
pub use service::{Target, count, explain, fetch_refs, merge_page, next_page, query, search};
