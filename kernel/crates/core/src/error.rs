//! The one error type of the kernel: an OpenSearch error type, a sentence, an HTTP status.

use std::fmt;

/// A fault as the user will see it.
#[derive(Debug, Clone)]
pub struct Error {
    /// OpenSearch's error type, such as `mapper_parsing_exception`.
    pub kind: &'static str,
    pub reason: String,
    pub status: u16,
    /// Further members of the error body, a JSON object, e.g. `caused_by`.
    pub detail: Option<serde_json::Value>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: &'static str, status: u16, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), status, detail: None }
    }

    pub fn with_detail(mut self, detail: serde_json::Value) -> Self {
        self.detail = Some(detail);
        self
    }

    pub fn illegal_argument(reason: impl Into<String>) -> Self {
        Self::new("illegal_argument_exception", 400, reason)
    }

    pub fn mapper_parsing(reason: impl Into<String>) -> Self {
        Self::new("mapper_parsing_exception", 400, reason)
    }

    pub fn query_shard(reason: impl Into<String>) -> Self {
        Self::new("query_shard_exception", 400, reason)
    }

    /// Stored bytes are not what was written; `file` and `offset` say where.
    pub fn corruption(file: impl fmt::Display, offset: u64, reason: impl fmt::Display) -> Self {
        Self::new("corruption_exception", 500, format!("{file} at offset {offset}: {reason}"))
    }

    /// Stored by a newer version.
    pub fn too_new(reason: impl Into<String>) -> Self {
        Self::new("index_format_too_new_exception", 500, reason)
    }

    pub fn io(context: impl fmt::Display, source: impl fmt::Display) -> Self {
        Self::new("io_exception", 500, format!("{context}: {source}"))
    }

    pub fn closed(what: impl fmt::Display) -> Self {
        Self::new("already_closed_exception", 500, format!("{what} is closed"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.reason)
    }
}

impl std::error::Error for Error {}

impl From<tantivy::TantivyError> for Error {
    fn from(e: tantivy::TantivyError) -> Self {
        Self::io("index", e)
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        Self::io("input/output", e)
    }
}
