//! Analyzers by name, built from index settings.

pub mod analyzer;
pub mod build;
pub mod charfilters;
pub mod classes;
mod explain;
pub mod filters;
pub mod regex;
pub mod registry;
pub mod settings;
pub mod tokenizers;
pub mod tokens;

pub use analyzer::{Analyzer, IndexTokenizer, TokenCounts, TokenOut};
pub use explain::analyze;
pub use registry::Analyzers;

#[cfg(test)]
mod tests;
