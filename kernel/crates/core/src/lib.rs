//! One search shard on tantivy. `docs/kernel.md` is the contract; this crate knows nothing of Python.
//!
//! - [`storage`]: the one trait through which all files are touched, and its failing twin for tests
//! - [`translog`], [`engine`]: durability, versions, segments, refresh, flush, merge
//! - [`mapping`], [`analysis`], [`dates`]: from a JSON document to terms and columns
//! - [`bulk`]: cutting a `_bulk` body into slices
//! - [`search`], [`aggs`]: plans, scoring, sorting, partial results and their merge, fetch

pub mod aggs;
pub mod analysis;
pub mod bulk;
pub mod dates;
pub mod engine;
pub mod error;
pub mod interrupt;
pub mod mapping;
mod murmur;
pub mod reader;
pub mod search;
pub mod storage;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod translog;

pub use error::{Error, Result};
