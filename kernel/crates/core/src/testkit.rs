//! Shard readers for tests, made in memory from a mapping and documents as JSON.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tantivy::directory::OwnedBytes;

use crate::engine::RootMeta;
use crate::engine::builder::{SegmentBuilder, SegmentSchema};
use crate::engine::segment::OpenSegment;
use crate::mapping::{DocError, Mapping};
use crate::reader::{Segment, ShardReader};
use crate::storage::{FaultFs, SharedFs};

/// Compiles a mapping: `{"properties": …}`. Panics on errors.
pub fn mapping(mapping: Value) -> Arc<Mapping> {
    mapping_with(mapping, json!({}))
}

/// Likewise with index settings: `{"analysis": …}`.
pub fn mapping_with(mapping: Value, settings: Value) -> Arc<Mapping> {
    Mapping::compile(&mapping, &settings, None).expect("the mapping compiles")
}

/// One segment per inner list. A document's `_id` and `_routing` are taken out of it; ids default to "0", "1", …
pub fn reader(mapping: &Arc<Mapping>, segments: &[&[Value]]) -> ShardReader {
    let fs: SharedFs = Arc::new(FaultFs::new());
    let mut seq_no = 0;
    let segments: Vec<Arc<Segment>> = segments
        .iter()
        .enumerate()
        .map(|(i, docs)| Arc::new(segment(&fs, mapping, &format!("_{i}"), docs, &mut seq_no)))
        .collect();
    ShardReader {
        index: "test".into(),
        shard: 0,
        generation: 1,
        segments,
        mapping: mapping.clone(),
        doc_count: seq_no as u64,
    }
}

fn segment(fs: &SharedFs, mapping: &Arc<Mapping>, name: &str, docs: &[Value], seq_no: &mut i64) -> Segment {
    let folder = Path::new("/testkit").join(name);
    let schema = SegmentSchema::of(mapping);
    let mut builder = SegmentBuilder::create(fs.clone(), folder.clone(), schema.clone()).expect("a builder");
    for doc in docs {
        let mut doc = doc.clone();
        let mut take = |key: &str| doc.as_object_mut().and_then(|doc| doc.shift_remove(key));
        let id = take("_id").map_or_else(|| seq_no.to_string(), |id| id.as_str().expect("a textual _id").to_owned());
        let routing = take("_routing").map(|routing| routing.as_str().expect("a textual _routing").to_owned());
        let source = doc.to_string().into_bytes();
        let parsed = match mapping.parse(&id, routing.as_deref(), &source) {
            Ok(parsed) => parsed,
            Err(DocError::Invalid(error)) => panic!("{doc}: {error}"),
            Err(DocError::Unknown(fields)) => panic!("{doc}: unknown fields {fields:?}"),
        };
        let meta = RootMeta { source: Some(OwnedBytes::new(source)), seq_no: *seq_no, primary_term: 1, version: 1 };
        builder.add(parsed, meta).expect("the document is added");
        *seq_no += 1;
    }
    let manifest = Arc::new(builder.finish("test").expect("the segment is written"));
    let open = OpenSegment::open(fs, &folder, manifest, &schema.schema).expect("the segment opens");
    Segment {
        reader: open.reader,
        id: open.id,
        alive: None,
        tokens: Arc::new(open.manifest.tokens.clone()),
        caches: open.caches,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::StoredDocument;

    #[test]
    fn documents_come_back() {
        let mapping = mapping(json!({"properties": {"t": {"type": "text"}, "k": {"type": "keyword"}}}));
        let docs = [json!({"t": "one two", "k": "a"}), json!({"_id": "x", "_routing": "r", "k": ["b", "c"]})];
        let reader = reader(&mapping, &[&docs[..1], &docs[1..]]);
        assert_eq!((reader.segments.len(), reader.doc_count), (2, 2));
        let store = reader.segments[1].reader.get_store_reader(1).unwrap();
        let stored = StoredDocument::read(&store, 0).unwrap();
        assert_eq!((stored.id(), stored.routing()), ("x", Some("r")));
        assert_eq!(stored.source.unwrap().as_slice(), br#"{"k":["b","c"]}"#);
    }
}
