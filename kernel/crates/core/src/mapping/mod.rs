//! From the canonical mapping to a tantivy schema, and from a JSON document to the values of its fields.

mod tree;
mod types;

pub use types::{DocError, FieldDef, FieldKind, IndexDoc, IndexValue, Mapping, ParsedDoc, SystemFields, UnknownField};
