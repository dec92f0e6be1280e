//! Field lengths as Lucene counts them: tokens that lie over another do not lengthen a field, though they count in its statistics.

use serde_json::json;

use super::{FaultFs, delete, index, open_with};
use crate::testkit::mapping_with;

fn lengths(shard: &crate::engine::Shard, name: &str) -> Vec<u32> {
    let reader = shard.reader().unwrap();
    let field = reader.mapping.field(name).unwrap().field.unwrap();
    let of = |segment: &crate::reader::Segment| -> Vec<u32> {
        let norms = segment.reader.get_fieldnorms_reader(field).unwrap();
        (0..segment.reader.max_doc()).map(|doc| norms.fieldnorm(doc)).collect()
    };
    reader.segments.iter().flat_map(|segment| of(segment)).collect()
}

#[test]
fn overlapping_tokens_do_not_lengthen_a_field() {
    let settings = json!({"analysis": {
        "filter": {"alike": {"type": "synonym", "synonyms": ["a, b, c"]}},
        "analyzer": {"alike": {"tokenizer": "standard", "filter": ["alike"]}},
    }});
    let properties = json!({"properties": {"t": {"type": "text", "analyzer": "alike"}, "raw": {"type": "text"}}});
    let shard = open_with(&FaultFs::new(), mapping_with(properties, settings)).unwrap();
    index(&shard, "0", json!({"t": "a x", "raw": "p q r"})).unwrap();
    index(&shard, "1", json!({"t": "x y z"})).unwrap();
    index(&shard, "2", json!({"t": ["a", "b b"]})).unwrap();
    shard.refresh().unwrap();
    assert_eq!((lengths(&shard, "t"), lengths(&shard, "raw")), (vec![2, 3, 3], vec![3, 0, 0]));
    let total = |shard: &crate::engine::Shard| {
        let reader = shard.reader().unwrap();
        let field = reader.mapping.field("t").unwrap().field.unwrap();
        let segment = &reader.segments[0];
        let stored = segment.reader.inverted_index(field).unwrap().total_num_tokens();
        segment.tokens.get("t").copied().unwrap_or(stored)
    };
    assert_eq!(total(&shard), 4 + 3 + 9);
    delete(&shard, "1").unwrap();
    shard.force_merge(1, false, false).unwrap();
    assert_eq!(lengths(&shard, "t"), [2, 3]);
    assert_eq!(total(&shard), 4 + 9);
}

#[test]
fn totals_stay_exact_where_documents_are_dropped() {
    let properties = json!({"properties": {"t": {"type": "text"}, "plain": {"type": "text", "norms": false}, "b": {"type": "boolean"}}});
    let shard = open_with(&FaultFs::new(), mapping_with(properties, json!({}))).unwrap();
    // Longer than norms tell exactly.
    let text = |count: usize| vec!["w"; count].join(" ");
    for (id, count) in [("0", 47), ("1", 61), ("2", 5)] {
        index(&shard, id, json!({"t": text(count), "plain": text(count), "b": [true, false]})).unwrap();
    }
    shard.refresh().unwrap();
    delete(&shard, "2").unwrap();
    shard.force_merge(1, false, false).unwrap();
    let reader = shard.reader().unwrap();
    let tokens = &reader.segments[0].tokens;
    assert_eq!(["t", "plain", "b"].map(|name| tokens.get(name).copied()), [Some(108), Some(108), Some(4)]);
}
