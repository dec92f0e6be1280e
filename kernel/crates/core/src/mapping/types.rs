//! What the rest of the kernel knows of a mapping. The table in `docs/kernel.md` §1 says how each kind is stored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use tantivy::schema::{Field, Schema};

use crate::analysis::Analyzer;

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

impl FieldKind {
    /// From the mapping's `type`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "text" | "match_only_text" => Self::Text,
            "keyword" | "wildcard" | "constant_keyword" => Self::Keyword,
            "byte" => Self::Byte,
            "short" => Self::Short,
            "integer" => Self::Integer,
            "long" => Self::Long,
            "unsigned_long" => Self::UnsignedLong,
            "half_float" => Self::HalfFloat,
            "float" => Self::Float,
            "double" => Self::Double,
            "scaled_float" => Self::ScaledFloat,
            "boolean" => Self::Boolean,
            "date" => Self::Date,
            "date_nanos" => Self::DateNanos,
            "ip" => Self::Ip,
            "binary" => Self::Binary,
            name if is_opaque(name) => Self::Binary,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Keyword => "keyword",
            Self::Byte => "byte",
            Self::Short => "short",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::UnsignedLong => "unsigned_long",
            Self::HalfFloat => "half_float",
            Self::Float => "float",
            Self::Double => "double",
            Self::ScaledFloat => "scaled_float",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::DateNanos => "date_nanos",
            Self::Ip => "ip",
            Self::Binary => "binary",
        }
    }
}

/// Types of which only the presence of a value is known: any JSON is taken, `exists` finds it, `_source` keeps it.
pub fn is_opaque(name: &str) -> bool {
    matches!(
        name,
        "geo_point"
            | "geo_shape"
            | "integer_range"
            | "long_range"
            | "float_range"
            | "double_range"
            | "date_range"
            | "ip_range"
    )
}

/// One leaf of the mapping, multi-fields included.
#[derive(Debug, Clone)]
pub struct FieldDef {
    /// Full path, `a.b.raw`; also (see [`stored_name`](Self::stored_name)) the name of the tantivy field and of the column.
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

impl FieldDef {
    /// The name of the tantivy field and of the column.
    pub fn stored_name(&self) -> Cow<'_, str> {
        super::schema::stored_name(&self.path)
    }
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
    /// `_source.enabled`.
    pub source_enabled: bool,
    /// `_routing.required`.
    pub routing_required: bool,
    /// Paths in the order of their tantivy fields, behind the system fields. A commit stores it: [`Mapping::compile_ordered`] takes it back.
    pub order: Vec<String>,
    /// Patterns of `_source.includes` and `_source.excludes`.
    pub source_includes: Vec<String>,
    pub source_excludes: Vec<String>,
    /// Mapping and settings as they were given.
    pub(crate) given: Arc<(serde_json::Value, serde_json::Value)>,
    /// The document parser's own tree.
    pub(crate) tree: super::tree::Tree,
}

impl Mapping {
    /// The leaf at `path`, through alias fields.
    pub fn field(&self, path: &str) -> Option<&Arc<FieldDef>> {
        self.fields.get(path).or_else(|| self.fields.get(self.aliases.get(path)?))
    }

    /// The indexed text fields.
    pub fn text_fields(&self) -> impl Iterator<Item = TextField> {
        self.fields.values().filter(|def| def.kind == FieldKind::Text && def.indexed).filter_map(|def| {
            let analyzer = self.analyzers.get(def.analyzer.as_deref().unwrap_or("standard"))?;
            let tokenizer = super::schema::tokenizer_name(&def.path);
            Some(TextField { tokenizer, field: def.field?, analyzer, documents_only: def.documents_only() })
        })
    }
}

/// An indexed text field: the name of its tokenizer in the schema, and what that is.
pub struct TextField {
    pub tokenizer: String,
    pub field: Field,
    pub analyzer: Arc<Analyzer>,
    /// `index_options: docs`.
    pub documents_only: bool,
}

impl FieldDef {
    /// The index does not know how often a term occurs.
    pub fn documents_only(&self) -> bool {
        self.params.get("index_options").and_then(|v| v.as_str()) == Some("docs")
    }
}

/// A value in the form the tantivy field takes.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexDoc {
    pub values: Vec<(Field, IndexValue)>,
}

/// A parsed JSON document: nested children first, the root last.
///
/// The root carries `_id`, `_routing` and what the source says; `_source` and the columns of sequence number, term and version are the engine's to add.
#[derive(Debug, Clone, Default)]
pub struct ParsedDoc {
    pub docs: Vec<IndexDoc>,
}

/// A leaf that the mapping lacks.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
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
