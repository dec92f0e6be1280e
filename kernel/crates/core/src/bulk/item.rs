//! One operation of a bulk.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Index,
    Create,
    Update,
    Delete,
}

impl Action {
    pub fn name(self) -> &'static str {
        match self {
            Action::Index => "index",
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum VersionType {
    #[default]
    #[serde(rename = "internal")]
    Internal,
    #[serde(rename = "external", alias = "external_gt")]
    External,
    #[serde(rename = "external_gte")]
    ExternalGte,
}

impl VersionType {
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "internal" => Ok(Self::Internal),
            "external" | "external_gt" => Ok(Self::External),
            "external_gte" => Ok(Self::ExternalGte),
            _ => Err(Error::illegal_argument(format!("No version type match [{name}]"))),
        }
    }
}

/// The operation; its document is a range of the body.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub action: Action,
    pub id: String,
    /// The id was made for this operation: no document can have it yet.
    pub auto_id: bool,
    pub routing: Option<String>,
    pub version: Option<i64>,
    pub version_type: VersionType,
    pub if_seq_no: Option<i64>,
    pub if_primary_term: Option<i64>,
    /// Start and end of the document in the body.
    pub source: (usize, usize),
    /// Update: the part of the new source that the answer shall hold, as JSON (`true`, a list, includes and excludes).
    pub fetch_source: Option<String>,
    /// Update by parameters of the URL.
    pub doc_as_upsert: bool,
    pub detect_noop: bool,
    /// Number within the bulk.
    pub position: usize,
}

impl Item {
    pub fn new(action: Action, position: usize) -> Self {
        Self {
            action,
            id: String::new(),
            auto_id: false,
            routing: None,
            version: None,
            version_type: VersionType::Internal,
            if_seq_no: None,
            if_primary_term: None,
            source: (0, 0),
            fetch_source: None,
            doc_as_upsert: false,
            detect_noop: true,
            position,
        }
    }
}
