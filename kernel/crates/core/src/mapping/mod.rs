//! From the canonical mapping to a tantivy schema, and from a JSON document to the values of its fields.

mod compile;
mod docs;
mod fault;
mod json;
mod leaf;
mod names;
mod numbers;
mod parse;
mod preview;
mod schema;
mod tree;
mod types;
mod unknown;

pub use numbers::half;
pub use preview::java_double;
pub use types::{
    DocError, FieldDef, FieldKind, IndexDoc, IndexValue, Mapping, ParsedDoc, SystemFields, TextField, UnknownField,
};

#[cfg(test)]
mod tests;
