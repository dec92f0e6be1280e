//! What a shard is told from outside.

use serde::Deserialize;

use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ShardConfig {
    pub index: String,
    pub uuid: String,
    pub shard: u32,
    #[serde(default = "one")]
    pub primary_term: u64,
    #[serde(default)]
    pub durability: Durability,
    #[serde(default = "sync_interval")]
    pub sync_interval_ms: i64,
    /// -1: never.
    #[serde(default = "refresh_interval")]
    pub refresh_interval_ms: i64,
    #[serde(default = "flush_bytes")]
    pub translog_flush_bytes: u64,
    /// How long the version of a deleted document is remembered.
    #[serde(default = "gc_deletes")]
    pub gc_deletes_ms: i64,
    /// The shard has been in use: a folder without a commit is not taken for a new one.
    #[serde(default)]
    pub existing: bool,
    #[serde(default)]
    pub role: Role,
    /// Of a primary that opens: operations may have been lost on purpose, no other copy may take its own for the same history.
    #[serde(default)]
    pub new_history: bool,
    /// Of a replica that opens: how far it goes by itself. None: as far as its own log knows that all copies went.
    #[serde(default)]
    pub recover_to: Option<i64>,
    /// There are other copies: the global checkpoint is told, it does not follow from this copy's own.
    #[serde(default)]
    pub replicated: bool,
    /// How much of the log is kept for copies that come back, beyond what commits need.
    #[serde(default = "retention_bytes")]
    pub retention_bytes: u64,
    /// `true` and `checksum` (the default) verify every file when the shard opens; `false` checks lengths only.
    #[serde(default)]
    pub check_on_startup: Check,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    #[default]
    Request,
    Async,
}

/// What a copy is when it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// All that its log holds counts.
    #[default]
    Primary,
    /// What lies above the global checkpoint waits for the primary's word.
    Replica,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    #[default]
    Content,
    Lengths,
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match value {
            serde_json::Value::Bool(false) => Ok(Check::Lengths),
            serde_json::Value::String(text) if text == "false" => Ok(Check::Lengths),
            _ => Ok(Check::Content),
        }
    }
}

fn one() -> u64 {
    1
}

fn sync_interval() -> i64 {
    5_000
}

fn refresh_interval() -> i64 {
    1_000
}

fn flush_bytes() -> u64 {
    512 << 20
}

fn retention_bytes() -> u64 {
    512 << 20
}

fn gc_deletes() -> i64 {
    60_000
}

impl ShardConfig {
    pub fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(|e| Error::illegal_argument(format!("bad shard configuration: {e}")))
    }
}
