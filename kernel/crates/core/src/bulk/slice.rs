//! What one shard gets of a bulk. The documents stay in the body.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tantivy::directory::OwnedBytes;

use super::item::{Action, Item, VersionType};
use super::result::SliceResult;
use super::update::UpdateBody;
use crate::{Error, Result};

/// The first byte of a slice on the wire.
const VERSION: u8 = 1;

#[derive(Debug, Clone)]
pub struct Slice {
    pub index: String,
    pub uuid: String,
    pub shard: u32,
    /// Primary and replicas, for `_shards.total`.
    pub total_copies: u32,
    pub items: Vec<Item>,
    /// Made for a document API: answers differ in details.
    pub single: bool,
    pub body: OwnedBytes,
}

#[derive(Serialize, Deserialize)]
struct Head {
    index: String,
    uuid: String,
    shard: u32,
    total_copies: u32,
    single: bool,
    items: Vec<Item>,
}

/// `op` of [`Slice::single`].
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Single {
    action: Action,
    index: String,
    uuid: String,
    shard: u32,
    id: String,
    auto_id: bool,
    routing: Option<String>,
    version: Option<i64>,
    version_type: Option<String>,
    if_seq_no: Option<i64>,
    if_primary_term: Option<i64>,
    op_type: Option<String>,
    total_copies: u32,
    detect_noop: Option<bool>,
    doc_as_upsert: Option<bool>,
    #[serde(alias = "_source")]
    source: Option<Value>,
}

impl Default for Single {
    fn default() -> Self {
        Self {
            action: Action::Index,
            index: String::new(),
            uuid: String::new(),
            shard: 0,
            id: String::new(),
            auto_id: false,
            routing: None,
            version: None,
            version_type: None,
            if_seq_no: None,
            if_primary_term: None,
            op_type: None,
            total_copies: 1,
            detect_noop: None,
            doc_as_upsert: None,
            source: None,
        }
    }
}

impl Slice {
    /// One operation of a document API. Raises what OpenSearch finds wrong with the request itself.
    pub fn single(op: &[u8], source: Vec<u8>) -> Result<Self> {
        let op: Single =
            serde_json::from_slice(op).map_err(|e| Error::illegal_argument(format!("bad operation: {e}")))?;
        let action = match (op.action, op.op_type.as_deref()) {
            (Action::Index, Some("create")) => Action::Create,
            (action, _) => action,
        };
        let mut item = Item {
            id: op.id,
            auto_id: op.auto_id,
            routing: op.routing,
            version: op.version,
            version_type: op.version_type.as_deref().map_or(Ok(VersionType::Internal), VersionType::parse)?,
            if_seq_no: op.if_seq_no,
            if_primary_term: op.if_primary_term,
            source: (0, source.len()),
            fetch_source: op.source.map(|value| value.to_string()),
            doc_as_upsert: op.doc_as_upsert.unwrap_or(false),
            detect_noop: op.detect_noop.unwrap_or(true),
            ..Item::new(action, 0)
        };
        if action == Action::Update {
            let body = UpdateBody::parse(&source)?;
            complete_update(&mut item, &body);
            if let Some(problem) = body.invalid(item.doc_as_upsert) {
                return Err(validation([problem]));
            }
        }
        Ok(Self {
            index: op.index,
            uuid: op.uuid,
            shard: op.shard,
            total_copies: op.total_copies,
            items: vec![item],
            single: true,
            body: OwnedBytes::new(source),
        })
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The document of an item, without copying.
    pub fn source(&self, item: &Item) -> OwnedBytes {
        self.body.slice(item.source.0..item.source.1)
    }

    /// The result of a slice that could not be applied: every item fails with this error object.
    pub fn fail(&self, error: &Value) -> SliceResult {
        let mut result = SliceResult::new(self.len());
        for i in 0..self.len() {
            result.reject(self, i, error);
        }
        result
    }

    /// Only the documents of this slice, not the whole body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let items = self
            .items
            .iter()
            .map(|item| {
                let start = body.len();
                body.extend_from_slice(&self.body.as_slice()[item.source.0..item.source.1]);
                Item { source: (start, body.len()), ..item.clone() }
            })
            .collect();
        let head = Head {
            index: self.index.clone(),
            uuid: self.uuid.clone(),
            shard: self.shard,
            total_copies: self.total_copies,
            single: self.single,
            items,
        };
        let head = postcard::to_stdvec(&head).expect("plain data");
        let mut bytes = Vec::with_capacity(9 + head.len() + body.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&(head.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&body);
        bytes
    }

    pub fn from_bytes(data: Vec<u8>) -> Result<Self> {
        let bad = || Error::illegal_argument("these bytes are no slice of a bulk");
        if data.first() != Some(&VERSION) {
            let text = format!("a slice of format {:?} cannot be read", data.first());
            return Err(Error::illegal_argument(text));
        }
        let len = u64::from_le_bytes(data.get(1..9).ok_or_else(bad)?.try_into().expect("8 bytes")) as usize;
        let head = data.get(9..9usize.checked_add(len).ok_or_else(bad)?).ok_or_else(bad)?;
        let head: Head = postcard::from_bytes(head).map_err(|_| bad())?;
        let body = {
            let all = OwnedBytes::new(data);
            all.slice(9 + len..all.len())
        };
        let inside = |item: &Item| item.source.0 <= item.source.1 && item.source.1 <= body.len();
        if !head.items.iter().all(inside) {
            return Err(bad());
        }
        let Head { index, uuid, shard, total_copies, single, items } = head;
        Ok(Self { index, uuid, shard, total_copies, single, items, body })
    }
}

/// Takes over what the body of an update says besides the documents.
pub(super) fn complete_update(item: &mut Item, body: &UpdateBody<'_>) {
    item.doc_as_upsert = body.doc_as_upsert.unwrap_or(item.doc_as_upsert);
    item.detect_noop = body.detect_noop.unwrap_or(item.detect_noop);
    item.if_seq_no = body.if_seq_no.or(item.if_seq_no);
    item.if_primary_term = body.if_primary_term.or(item.if_primary_term);
    if let Some(source) = body.source {
        item.fetch_source = Some(source.get().to_owned());
    }
}

/// `Validation Failed: 1: …;2: …;`
pub(super) fn validation<'a>(problems: impl IntoIterator<Item = &'a str>) -> Error {
    let mut reason = "Validation Failed: ".to_owned();
    for (i, problem) in problems.into_iter().enumerate() {
        reason.push_str(&format!("{}: {problem};", i + 1));
    }
    Error::new("action_request_validation_exception", 400, reason)
}
