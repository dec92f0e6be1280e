//! A shard: see docs/kernel.md §1.

pub mod builder;
mod document;
pub mod segment;

pub use document::RootMeta;

#[cfg(test)]
mod late_fields_test;
