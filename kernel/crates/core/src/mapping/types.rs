//! What the rest of the kernel knows of a mapping. The table in `docs/kernel.md` §1 says how each kind is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use tantivy::schema::{Field, Schema};

/// The mapped type of a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    Text,
    Keyword,
    Byte,
    Short,
    Integer,
    Long,
    UnsignedLong,
    HalfFloat,
    Float,
    Double,
    ScaledFloat,
    Boolean,
    Date,
    DateNanos,
    Ip,
    Binary,
}

/// One leaf of the mapping, multi-fields included.
#[derive(Debug, Clone)]
pub struct FieldDef {
    /// Full path, `a.b.raw`; also the name of the tantivy field and of the column.
    pub path: String,
    pub kind: FieldKind,
    /// None where the leaf has neither terms nor column.
    pub field: Option<Field>,
    /// Terms are there (`index`, see the table).
    pub indexed: bool,
    /// A column is there (`doc_values`).
    pub column: bool,
    pub norms: bool,
    /// Innermost nested object that the leaf lives in.
    pub nested: Option<String>,
    /// Index-time and search-time analyzer names (text), or the normalizer (keyword, both).
    pub analyzer: Option<String>,
    pub search_analyzer: Option<String>,
    /// Date format, OpenSearch syntax.
    pub format: Option<String>,
    /// Of scaled_float; 1.0 for all others.
    pub scaling_factor: f64,
    pub position_increment_gap: u32,
    /// The leaf's own mapping object, for whatever is rarely needed.
    pub params: Arc<serde_json::Value>,
}

/// Fields every schema has.
#[derive(Debug, Clone, Copy)]
pub struct SystemFields {
    pub id: Field,
    pub source: Field,
    pub routing: Field,
    pub seq_no: Field,
    pub primary_term: Field,
    pub version: Field,
    pub nested: Field,
    pub field_names: Field,
    pub ignored: Field,
}

/// A compiled mapping. Immutable; a change makes a new one from the old (field ids are only appended).
pub struct Mapping {
    pub schema: Schema,
    pub system: SystemFields,
    /// Leaves by full path.
    pub fields: BTreeMap<String, Arc<FieldDef>>,
    /// Alias fields: path → target path.
    pub aliases: BTreeMap<String, String>,
    /// Paths of nested objects, outermost first.
    pub nested_paths: Vec<String>,
    pub analyzers: Arc<crate::analysis::Analyzers>,
    /// The document parser's own tree.
    pub(crate) tree: super::tree::Tree,
}

/// A value in the form the tantivy field takes.
#[derive(Debug, Clone)]
pub enum IndexValue {
    Str(String),
    /// Several values of a text field, analysed already so that the position gap is right.
    Tokens(tantivy::tokenizer::PreTokenizedString),
    U64(u64),
    I64(i64),
    F64(f64),
    Bool(bool),
    Ip(std::net::Ipv6Addr),
    Bytes(Vec<u8>),
}

/// One tantivy document.
#[derive(Debug, Clone, Default)]
pub struct IndexDoc {
    pub values: Vec<(Field, IndexValue)>,
}

/// A parsed JSON document: nested children first, the root last.
#[derive(Debug, Clone, Default)]
pub struct ParsedDoc {
    pub docs: Vec<IndexDoc>,
}

/// A leaf that the mapping lacks.
#[derive(Debug, Clone, serde::Serialize)]
pub struct UnknownField {
    pub path: String,
    /// string, long, double, boolean, object.
    #[serde(rename = "type")]
    pub json_type: &'static str,
    pub sample: serde_json::Value,
}

#[derive(Debug, Clone)]
pub enum DocError {
    /// The document is at fault.
    Invalid(crate::Error),
    /// The mapping must grow first.
    Unknown(Vec<UnknownField>),
}
