use serde_json::json;

use super::*;
use crate::storage::Crash;

#[test]
fn documents_live_through_their_changes() {
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    let created = index(&shard, "1", json!({"t": "one"})).unwrap();
    assert_eq!(
        created,
        json!({"_index": "i", "_id": "1", "_version": 1, "result": "created", "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": 0, "_primary_term": 1, "status": 201})
    );
    assert_eq!(visible(&shard).len(), 0);
    assert_eq!(source(&shard, "1"), Some(json!({"t": "one"})));
    assert_eq!(get_with(&shard, json!({"id": "1", "realtime": false})), None);
    shard.refresh().unwrap();
    assert_eq!(visible(&shard)["1"], json!({"t": "one"}));
    assert_eq!(get_with(&shard, json!({"id": "1", "realtime": false})).unwrap()["_source"], json!({"t": "one"}));
    let updated = index(&shard, "1", json!({"t": "two"})).unwrap();
    assert_eq!(
        (updated["_version"].clone(), updated["result"].clone(), updated["status"].clone()),
        (json!(2), json!("updated"), json!(200))
    );
    assert_eq!(visible(&shard)["1"], json!({"t": "one"}));
    assert_eq!(source(&shard, "1"), Some(json!({"t": "two"})));
    shard.refresh().unwrap();
    assert_eq!(visible(&shard)["1"], json!({"t": "two"}));
    let deleted = delete(&shard, "1").unwrap();
    assert_eq!((deleted["_version"].clone(), deleted["result"].clone()), (json!(3), json!("deleted")));
    assert_eq!(source(&shard, "1"), None);
    assert_eq!(visible(&shard).len(), 1);
    shard.refresh().unwrap();
    assert_eq!(visible(&shard).len(), 0);
    let missing = delete(&shard, "1").unwrap();
    assert_eq!(
        (missing["_version"].clone(), missing["result"].clone(), missing["status"].clone()),
        (json!(4), json!("not_found"), json!(404))
    );
    assert_eq!(index(&shard, "1", json!({})).unwrap()["_version"], 5);
}

#[test]
fn changes_within_one_builder_leave_the_last() {
    let shard = open(&FaultFs::new()).unwrap();
    for n in 0..5 {
        index(&shard, "a", json!({"n": n})).unwrap();
        index(&shard, "b", json!({"n": n})).unwrap();
    }
    delete(&shard, "b").unwrap();
    shard.refresh().unwrap();
    assert_eq!(visible(&shard), BTreeMap::from([("a".to_owned(), json!({"n": 4}))]));
}

#[test]
fn nested_children_die_with_their_root() {
    let shard = open(&FaultFs::new()).unwrap();
    let doc = json!({"n": 1, "c": [{"k": "x"}, {"k": "y"}]});
    for id in ["1", "2", "3"] {
        index(&shard, id, doc.clone()).unwrap();
    }
    shard.refresh().unwrap();
    assert_eq!((visible(&shard).len(), living_docs(&shard)), (3, 9));
    delete(&shard, "2").unwrap();
    index(&shard, "3", json!({"c": {"k": "z"}})).unwrap();
    shard.refresh().unwrap();
    assert_eq!((visible(&shard).len(), living_docs(&shard)), (2, 5));
    shard.force_merge(1, false, false).unwrap();
    assert_eq!(shard.reader().unwrap().segments.len(), 1);
    assert_eq!((visible(&shard).len(), living_docs(&shard)), (2, 5));
    delete(&shard, "1").unwrap();
    shard.refresh().unwrap();
    assert_eq!((visible(&shard).len(), living_docs(&shard)), (1, 2));
}

#[test]
fn a_search_goes_on_in_segments_that_a_merge_removed() {
    let shard = open(&FaultFs::new()).unwrap();
    for id in ["1", "2"] {
        index(&shard, id, json!({"t": "quick"})).unwrap();
        shard.refresh().unwrap();
    }
    let before = [shard.reader().unwrap()];
    shard.force_merge(1, false, false).unwrap();
    shard.refresh().unwrap();
    for query in [
        json!({"fuzzy": {"field": "t", "value": "quik", "edits": 1}}),
        json!({"wildcard": {"field": "t", "value": "q*"}}),
        json!({"phrase": {"field": "t", "terms": [[0, ["quick"]], [1, ["quick"]]]}}),
    ] {
        let plan = crate::search::Plan::parse(json!({"query": query}).to_string().as_bytes()).unwrap();
        let expected = if query.get("phrase").is_some() { 0 } else { 2 };
        assert_eq!(crate::search::count(&before, &plan).unwrap(), expected, "{query}");
    }
}

#[test]
fn conflicts_read_as_opensearchs() {
    let shard = open(&FaultFs::new()).unwrap();
    let reason = |op: Value| {
        let answer = write(&shard, op, json!({})).unwrap();
        assert_eq!(answer["status"], 409, "{answer}");
        assert_eq!(answer["error"]["type"], "version_conflict_engine_exception");
        assert_eq!((answer["error"]["index"].clone(), answer["error"]["shard"].clone()), (json!("i"), json!("0")));
        answer["error"]["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        reason(json!({"action": "index", "id": "1", "if_seq_no": 3, "if_primary_term": 1})),
        "[1]: version conflict, required seqNo [3], primary term [1]. but no document was found"
    );
    index(&shard, "1", json!({})).unwrap();
    for refreshed in [false, true] {
        if refreshed {
            shard.refresh().unwrap();
        }
        assert_eq!(
            reason(json!({"action": "create", "id": "1"})),
            "[1]: version conflict, document already exists (current version [1])"
        );
        assert_eq!(
            reason(json!({"action": "delete", "id": "1", "if_seq_no": 3, "if_primary_term": 1})),
            "[1]: version conflict, required seqNo [3], primary term [1]. current document has seqNo [0] and primary term [1]"
        );
        assert_eq!(
            reason(json!({"action": "index", "id": "1", "version": 1, "version_type": "external"})),
            "[1]: version conflict, current version [1] is higher or equal to the one provided [1]"
        );
        assert_eq!(
            reason(json!({"action": "index", "id": "1", "version": 0, "version_type": "external_gte"})),
            "[1]: version conflict, current version [1] is higher than the one provided [0]"
        );
    }
    let external =
        write(&shard, json!({"action": "index", "id": "1", "version": 7, "version_type": "external"}), json!({}));
    assert_eq!(external.unwrap()["_version"], 7);
    let matched = write(&shard, json!({"action": "index", "id": "1", "if_seq_no": 1, "if_primary_term": 1}), json!({}));
    assert_eq!(matched.unwrap()["_version"], 8);
    let error = shard.get(json!({"id": "1", "version": 3}).to_string().as_bytes()).err().unwrap();
    assert_eq!(error.reason, "[1]: version conflict, current version [8] is different than the one provided [3]");
}

#[test]
fn updates_merge_upsert_and_notice_nothing() {
    let shard = open(&FaultFs::new()).unwrap();
    let missing = update(&shard, "1", json!({"doc": {"n": 1}})).unwrap();
    assert_eq!(missing["status"], 404);
    assert_eq!(missing["error"]["reason"], "[1]: document missing");
    let created = update(&shard, "1", json!({"doc": {"n": 1}, "upsert": {"n": 0}})).unwrap();
    assert_eq!((created["result"].clone(), created["status"].clone()), (json!("created"), json!(201)));
    assert_eq!(source(&shard, "1"), Some(json!({"n": 0})));
    for refreshed in [false, true] {
        if refreshed {
            shard.refresh().unwrap();
        }
        let noop = update(&shard, "1", json!({"doc": {"n": 0}})).unwrap();
        assert_eq!((noop["result"].clone(), noop["_version"].clone()), (json!("noop"), json!(1)));
        assert_eq!(noop["_shards"]["total"], 0);
    }
    let changed = update(&shard, "1", json!({"doc": {"t": "x"}, "_source": true})).unwrap();
    assert_eq!(changed["result"], "updated");
    assert_eq!(changed["get"], json!({"_seq_no": 1, "_primary_term": 1, "found": true, "_source": {"n": 0, "t": "x"}}));
    let forced = update(&shard, "1", json!({"doc": {"t": "x"}, "detect_noop": false})).unwrap();
    assert_eq!((forced["result"].clone(), forced["_version"].clone()), (json!("updated"), json!(3)));
    let upserted = update(&shard, "2", json!({"doc": {"n": 9}, "doc_as_upsert": true})).unwrap();
    assert_eq!(upserted["result"], "created");
    shard.refresh().unwrap();
    assert_eq!(visible(&shard)["1"], json!({"n": 0, "t": "x"}));
}

#[test]
fn unknown_fields_wait_for_the_mapping() {
    let shard = open(&FaultFs::new()).unwrap();
    let slice = slice(json!({"action": "index", "id": "1", "index": "i"}), json!({"new": "x"}));
    let mut result = shard.bulk(&slice).unwrap();
    let unknown: Value = serde_json::from_slice(result.unknown()[0].1).unwrap();
    assert_eq!((unknown[0]["path"].clone(), unknown[0]["type"].clone()), (json!("new"), json!("string")));
    assert_eq!(source(&shard, "1"), None);
    let grown = crate::testkit::mapping(json!({"properties": {"t": {"type": "text"}, "new": {"type": "text"}}}));
    shard.set_mapping(grown).unwrap();
    shard.retry(&slice, &mut result).unwrap();
    assert_eq!(answer(&result)["result"], "created");
    shard.refresh().unwrap();
    assert_eq!(visible(&shard)["1"], json!({"new": "x"}));
}

#[test]
fn late_fields_are_readable_in_old_segments_and_merge() {
    let shard = open_with(&FaultFs::new(), mapping(json!({"properties": {"a": {"type": "text"}}}))).unwrap();
    index(&shard, "1", json!({"a": "x"})).unwrap();
    shard.refresh().unwrap();
    let grown =
        mapping(json!({"properties": {"0": {"type": "text"}, "a": {"type": "text"}, "z": {"type": "keyword"}}}));
    shard.set_mapping(grown.clone()).unwrap();
    let reader = shard.reader().unwrap();
    let field = grown.field("0").unwrap().field.unwrap();
    assert_eq!(reader.segments[0].reader.get_fieldnorms_reader(field).unwrap().fieldnorm(0), 0);
    index(&shard, "2", json!({"0": "y y", "z": "k"})).unwrap();
    shard.force_merge(1, false, false).unwrap();
    let reader = shard.reader().unwrap();
    let norms = reader.segments[0].reader.get_fieldnorms_reader(field).unwrap();
    assert_eq!((reader.segments.len(), norms.fieldnorm(0), norms.fieldnorm(1)), (1, 0, 2));
}

#[test]
fn recovery_finds_everything() {
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    for n in 0..20 {
        index(&shard, &n.to_string(), json!({"n": n, "t": "word"})).unwrap();
        if n == 7 {
            shard.flush(false, true).unwrap();
        }
        if n == 12 {
            shard.refresh().unwrap();
        }
    }
    delete(&shard, "3").unwrap();
    delete(&shard, "15").unwrap();
    index(&shard, "4", json!({"n": 400})).unwrap();
    for crash in [Crash::Forget, Crash::Keep] {
        let shard = open(&fs.crash(crash)).unwrap();
        let found = visible(&shard);
        assert_eq!(found.len(), 18);
        assert_eq!(found["4"], json!({"n": 400}));
        assert!(!found.contains_key("3") && !found.contains_key("15"));
        assert_eq!(get(&shard, "4").unwrap()["_version"], 2);
        assert_eq!(index(&shard, "new", json!({})).unwrap()["_seq_no"], 23);
    }
}

#[test]
fn closing_commits_unless_little_is_to_be_replayed() {
    for (documents, replayed) in [(1, 1), (150, 0)] {
        let fs = FaultFs::new();
        let shard = open(&fs).unwrap();
        for n in 0..documents {
            index(&shard, &n.to_string(), json!({"n": 1})).unwrap();
        }
        shard.close().unwrap();
        assert_eq!(index(&shard, "2", json!({})).err().unwrap().kind, "already_closed_exception");
        let shard = open(&fs.crash(Crash::Forget)).unwrap();
        let stats: Value = serde_json::from_slice(&shard.stats().unwrap()).unwrap();
        assert_eq!(stats["recovery"]["translog_operations"], replayed);
        assert_eq!(stats["docs"]["count"], documents);
        assert_eq!(visible(&shard)["0"], json!({"n": 1}));
    }
}

#[test]
fn a_shard_that_nobody_wrote_to_opens_and_closes_without_a_sync_of_a_file() {
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    index(&shard, "1", json!({"n": 1})).unwrap();
    shard.flush(true, true).unwrap();
    shard.close().unwrap();
    let fs = fs.crash(Crash::Keep);
    let shard = open(&fs).unwrap();
    shard.close().unwrap();
    shard.close().unwrap();
    assert!(
        !fs.log().iter().any(|what| what.starts_with("sync ") && !what.starts_with("sync folder")),
        "{:?}",
        fs.log()
    );
}

#[test]
fn an_abandoned_shard_writes_nothing_more() {
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    index(&shard, "1", json!({"n": 1})).unwrap();
    let before = fs.operations();
    shard.abandon();
    assert_eq!(fs.operations(), before);
    assert_eq!(shard.flush(true, true).err().unwrap().kind, "already_closed_exception");
    assert_eq!(fs.operations(), before);
}

#[test]
fn listeners_are_called_when_their_operation_is_visible() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let shard = open(&FaultFs::new()).unwrap();
    index(&shard, "1", json!({})).unwrap();
    let called = Arc::new(AtomicU32::new(0));
    let listener = || {
        let called = called.clone();
        Box::new(move || {
            called.fetch_add(1, Ordering::SeqCst);
        })
    };
    shard.when_refreshed(0, listener());
    assert_eq!(called.load(Ordering::SeqCst), 0);
    shard.refresh().unwrap();
    assert_eq!(called.load(Ordering::SeqCst), 1);
    shard.when_refreshed(0, listener());
    assert_eq!(called.load(Ordering::SeqCst), 2);
}

#[test]
fn damage_is_refused_by_file_and_offset() {
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    index(&shard, "1", json!({"t": "some words"})).unwrap();
    shard.flush(true, true).unwrap();
    shard.close().unwrap();
    let names: Vec<PathBuf> = {
        let fs = fs.crash(Crash::Keep);
        let list = |path: &std::path::Path| -> Vec<PathBuf> {
            crate::storage::Fs::list(&fs, path).unwrap().iter().map(|name| path.join(name)).collect()
        };
        list(&folder().join("segments")).iter().flat_map(|segment| list(segment)).collect()
    };
    assert!(names.len() >= 7, "{names:?}");
    for name in names {
        let damaged = fs.crash(Crash::Keep);
        damaged.damage(&name, 5);
        let error = open(&damaged).err().unwrap_or_else(|| panic!("{} is accepted", name.display()));
        assert_eq!(error.kind, "corruption_exception");
        assert!(error.reason.starts_with(&format!("{} at offset 0", name.display())), "{}", error.reason);
    }
}

#[test]
fn an_overdrawn_budget_turns_builders_into_segments_that_searches_do_not_see() {
    let config = super::super::RuntimeConfig { indexing_buffer_bytes: Some(1), ..Default::default() };
    let runtime = Runtime::new(&config).unwrap();
    let fs: SharedFs = Arc::new(FaultFs::new());
    let shard = Shard::open(&runtime, fs, folder(), &super::config(), plain_mapping()).unwrap();
    for n in 0..3 {
        index(&shard, "1", json!({"n": n})).unwrap();
        assert_eq!(shard.biggest_builder(), 0);
    }
    assert_eq!(visible(&shard).len(), 0);
    assert_eq!(source(&shard, "1"), Some(json!({"n": 2})));
    let stats: Value = serde_json::from_slice(&shard.stats().unwrap()).unwrap();
    assert_eq!(stats["segments"]["count"], 3);
    shard.refresh().unwrap();
    assert_eq!(visible(&shard)["1"], json!({"n": 2}));
    shard.close().unwrap();
}
