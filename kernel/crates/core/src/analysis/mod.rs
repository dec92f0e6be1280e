//! Analyzers by name, built from index settings.

pub struct Analyzers;
