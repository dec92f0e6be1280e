//! The engine as its users see it.

mod basics;
mod crash;
mod norms;
mod parallel;
mod replication;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Runtime, Shard};
use crate::Result;
use crate::bulk::{Slice, SliceResult};
use crate::mapping::Mapping;
use crate::reader::{ShardReader, StoredDocument};
use crate::storage::{FaultFs, SharedFs};
use crate::testkit::mapping;

pub fn folder() -> PathBuf {
    "/data/shard".into()
}

pub fn plain_mapping() -> Arc<Mapping> {
    mapping(json!({"properties": {
        "t": {"type": "text"}, "n": {"type": "long"}, "c": {"type": "nested", "properties": {"k": {"type": "keyword"}}}
    }}))
}

pub fn config() -> Vec<u8> {
    let config = json!({"index": "i", "uuid": "u", "shard": 0, "refresh_interval_ms": -1});
    config.to_string().into_bytes()
}

pub fn open_with(fs: &FaultFs, mapping: Arc<Mapping>) -> Result<Arc<Shard>> {
    let fs: SharedFs = Arc::new(fs.clone());
    Shard::open(&Runtime::manual(), fs, folder(), &config(), mapping)
}

pub fn open(fs: &FaultFs) -> Result<Arc<Shard>> {
    open_with(fs, plain_mapping())
}

pub fn slice(op: Value, source: Value) -> Slice {
    Slice::single(op.to_string().as_bytes(), source.to_string().into_bytes()).unwrap()
}

/// The item's answer without its action.
pub fn write(shard: &Shard, op: Value, source: Value) -> Result<Value> {
    let mut op = op;
    op["index"] = json!("i");
    let slice = slice(op, source);
    let result = shard.bulk(&slice)?;
    Ok(answer(&result))
}

pub fn answer(result: &SliceResult) -> Value {
    assert!(result.unknown().is_empty(), "{:?}", result.unknown());
    let item: Value = serde_json::from_slice(result.item(0)).unwrap();
    item.as_object().unwrap().values().next().unwrap().clone()
}

pub fn index(shard: &Shard, id: &str, source: Value) -> Result<Value> {
    write(shard, json!({"action": "index", "id": id}), source)
}

pub fn delete(shard: &Shard, id: &str) -> Result<Value> {
    write(shard, json!({"action": "delete", "id": id}), json!({}))
}

pub fn update(shard: &Shard, id: &str, body: Value) -> Result<Value> {
    write(shard, json!({"action": "update", "id": id}), body)
}

/// The get answer, realtime or not.
pub fn get_with(shard: &Shard, request: Value) -> Option<Value> {
    let members = shard.get(request.to_string().as_bytes()).unwrap()?;
    Some(serde_json::from_str(&format!("{{{}}}", String::from_utf8(members).unwrap())).unwrap())
}

pub fn get(shard: &Shard, id: &str) -> Option<Value> {
    get_with(shard, json!({"id": id}))
}

pub fn source(shard: &Shard, id: &str) -> Option<Value> {
    get(shard, id).map(|found| found["_source"].clone())
}

/// Sources of all searchable root documents by id; panics if one is there twice.
pub fn visible(shard: &Shard) -> BTreeMap<String, Value> {
    let reader = shard.reader().unwrap();
    let found = contents(&reader);
    assert_eq!(found.len() as u64, reader.doc_count);
    found
}

pub fn contents(reader: &ShardReader) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for segment in &reader.segments {
        let store = segment.reader.get_store_reader(1).unwrap();
        let roots = segment.reader.fast_fields().u64("_seq_no").unwrap();
        for doc in 0..segment.reader.max_doc() {
            if !segment.is_alive(doc) || roots.first(doc).is_none() {
                continue;
            }
            let stored = StoredDocument::read(&store, doc).unwrap();
            let source = serde_json::from_slice(stored.source.as_ref().unwrap().as_slice()).unwrap();
            assert!(found.insert(stored.id().to_owned(), source).is_none(), "{} twice", stored.id());
        }
    }
    found
}

/// Living documents, nested ones included.
pub fn living_docs(shard: &Shard) -> usize {
    let reader = shard.reader().unwrap();
    reader.segments.iter().map(|s| (0..s.reader.max_doc()).filter(|doc| s.is_alive(*doc)).count()).sum()
}
