//! Analyzers by name, built from index settings.

pub mod analyzer;
pub mod charfilters;
pub mod classes;
pub mod filters;
pub mod registry;
pub mod settings;
pub mod tokenizers;
pub mod tokens;

pub use analyzer::{Analyzer, IndexTokenizer, TokenOut};
pub use registry::Analyzers;
