//! A shard: see docs/kernel.md §1.
//!
//! - [`Runtime`]: what shards share; [`Shard`]: one shard
//! - `builder`, `document`, `segment`: segments in the making, written, merged; `pool`: builders at hand
//! - `layout`, `alive`, `versions`, `seqno`: what there is and which of it lives
//! - `write`, `apply`, `get`, `refresh`, `flush`, `merges`, `recover`: what a shard does
//! - `replicate`, `transfer`, `swap`: as one of several copies

mod alive;
mod apply;
pub mod builder;
mod commit;
mod config;
mod document;
mod flush;
mod get;
mod layout;
mod merges;
mod policy;
mod pool;
mod recover;
mod refresh;
mod replicate;
mod runtime;
pub mod segment;
mod seqno;
mod shard;
mod source;
mod stats;
mod swap;
mod transfer;
mod versions;
mod write;

pub use apply::Manner;
pub use document::RootMeta;
pub use runtime::{Runtime, RuntimeConfig};
pub use shard::Shard;
pub use transfer::{Files, Restore, inspect};

#[cfg(test)]
mod late_fields_test;
#[cfg(test)]
mod tests;
