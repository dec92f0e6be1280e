//! Several copies of a shard: what a replica takes over, goes back from, restores, and hands on.

use serde_json::json;

use super::*;
use crate::engine::{Manner, Restore};
use crate::storage::{Crash, OsFs};

fn open_as(fs: &FaultFs, more: Value) -> Result<Arc<Shard>> {
    let mut config: Value = serde_json::from_slice(&config()).unwrap();
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    let fs: SharedFs = Arc::new(fs.clone());
    Shard::open(&Runtime::manual(), fs, folder(), config.to_string().as_bytes(), plain_mapping())
}

fn primary(fs: &FaultFs) -> Arc<Shard> {
    open_as(fs, json!({"replicated": true})).unwrap()
}

fn replica(fs: &FaultFs, more: Value) -> Result<Arc<Shard>> {
    let mut config = json!({"replicated": true, "role": "replica"});
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    open_as(fs, config)
}

/// Writes on the primary; answers the records for the replicas.
fn put(shard: &Shard, id: &str, value: i64) -> Vec<u8> {
    let op = json!({"action": "index", "id": id, "index": "i"});
    shard.bulk(&slice(op, json!({"n": value}))).unwrap().operations
}

fn remove(shard: &Shard, id: &str) -> Vec<u8> {
    let op = json!({"action": "delete", "id": id, "index": "i"});
    shard.bulk(&slice(op, json!({}))).unwrap().operations
}

fn number(shard: &Shard, id: &str) -> Option<i64> {
    source(shard, id).map(|source| source["n"].as_i64().unwrap())
}

fn same(one: &Arc<Shard>, other: &Arc<Shard>) {
    one.refresh().unwrap();
    other.refresh().unwrap();
    assert_eq!(visible(one), visible(other));
    for id in visible(one).keys() {
        assert_eq!(get(one, id), get(other, id), "{id}");
    }
}

#[test]
fn a_replica_takes_operations_in_any_order_and_twice() {
    let (one, two) = (primary(&FaultFs::new()), replica(&FaultFs::new(), json!({})).unwrap());
    let mut records =
        vec![put(&one, "a", 1), put(&one, "b", 2), remove(&one, "a"), put(&one, "a", 3), put(&one, "b", 4)];
    records.push(remove(&one, "b"));
    for at in [5, 0, 3, 3, 1, 4, 2, 0] {
        two.replicate(&records[at], 1, false).unwrap();
        two.refresh().unwrap();
    }
    assert_eq!(two.checkpoints(), (5, 5, 5, -1));
    same(&one, &two);
    assert_eq!((number(&two, "a"), number(&two, "b")), (Some(3), None));
}

#[test]
fn a_deletion_is_remembered_until_nothing_older_can_come() {
    let fs = FaultFs::new();
    let two = replica(&fs, json!({"gc_deletes_ms": 0})).unwrap();
    let one = primary(&FaultFs::new());
    let (early, gone) = (put(&one, "a", 1), remove(&one, "a"));
    two.replicate(&gone, 1, false).unwrap();
    two.refresh().unwrap();
    two.refresh().unwrap();
    two.flush(true, true).unwrap();
    drop(two);
    let two = replica(&fs, json!({"gc_deletes_ms": 0, "recover_to": 10})).unwrap();
    two.replicate(&early, 1, false).unwrap();
    assert_eq!(number(&two, "a"), None);
}

#[test]
fn an_older_term_is_refused() {
    let two = replica(&FaultFs::new(), json!({"primary_term": 3})).unwrap();
    let record = put(&primary(&FaultFs::new()), "a", 1);
    let error = two.replicate(&record, 2, false).unwrap_err();
    assert_eq!((error.kind, error.status), ("illegal_argument_exception", 400));
    assert!(error.reason.contains("primary term [2] is too old (current [3])"), "{error}");
    assert!(two.replicate(&record[..record.len() - 1], 3, false).is_err());
    assert_eq!(two.checkpoints().0, -1);
}

/// A replica that has 0..=4 with the global checkpoint at 1 and a commit on either side of it.
fn ahead(fs: &FaultFs) -> Vec<Vec<u8>> {
    let (one, two) = (primary(&FaultFs::new()), replica(fs, json!({})).unwrap());
    let records: Vec<Vec<u8>> = (0..5).map(|n| put(&one, &n.to_string(), n)).collect();
    two.replicate(&records[..2].concat(), 1, false).unwrap();
    two.set_global_checkpoint(1);
    two.flush(true, true).unwrap();
    two.replicate(&records[2..].concat(), 1, false).unwrap();
    two.flush(true, true).unwrap();
    records
}

#[test]
fn a_replica_goes_back_to_what_all_copies_have() {
    let fs = FaultFs::new();
    ahead(&fs);
    let two = replica(&fs, json!({})).unwrap();
    assert_eq!(two.checkpoints(), (1, 1, 1, 1));
    assert_eq!((number(&two, "1"), number(&two, "2")), (Some(1), None));
    drop(two);
    let two = replica(&fs, json!({"recover_to": 3})).unwrap();
    assert_eq!(two.checkpoints(), (3, 3, 3, 1));
    drop(two);
    // Nothing is lost by that.
    let again = primary(&fs);
    assert_eq!(again.checkpoints().0, 4);
    assert_eq!(number(&again, "4"), Some(4));
}

#[test]
fn a_promoted_copy_restores_what_it_went_back_from() {
    let fs = FaultFs::new();
    let records = ahead(&fs);
    let two = replica(&fs, json!({})).unwrap();
    two.replicate(&records[3], 1, false).unwrap();
    two.promote(2).unwrap();
    assert_eq!(two.checkpoints(), (4, 4, 4, 1));
    assert_eq!((number(&two, "2"), number(&two, "4")), (Some(2), Some(4)));
    let (mut history, mut bytes) = (two.history(2).unwrap().unwrap(), Vec::new());
    while let piece = history.next(1).unwrap()
        && !piece.is_empty()
    {
        bytes.extend(piece);
    }
    assert_eq!(bytes, records[2..].concat());
    assert!(two.replicate(&records[2], 1, false).is_err());
}

#[test]
fn what_was_trimmed_does_not_come_back() {
    let fs = FaultFs::new();
    ahead(&fs);
    let two = replica(&fs, json!({"primary_term": 2})).unwrap();
    two.trim_above(2).unwrap();
    let other = open_as(&FaultFs::new(), json!({"replicated": true, "primary_term": 2})).unwrap();
    let records: Vec<Vec<u8>> = (0..4).map(|n| put(&other, "x", 10 + n)).collect();
    two.replicate(&records[3], 2, false).unwrap();
    two.flush(true, true).unwrap();
    drop(two);
    let two = open_as(&fs.crash(Crash::Forget), json!({"replicated": true, "primary_term": 3})).unwrap();
    assert_eq!(two.checkpoints().0, 3);
    assert_eq!((number(&two, "2"), number(&two, "4"), number(&two, "x")), (Some(2), None, Some(13)));
}

#[test]
fn gaps_are_filled_under_the_new_term() {
    let fs = FaultFs::new();
    let one = primary(&FaultFs::new());
    let records: Vec<Vec<u8>> = (0..3).map(|n| put(&one, &n.to_string(), n)).collect();
    let two = replica(&fs, json!({})).unwrap();
    two.replicate(&[records[0].clone(), records[2].clone()].concat(), 1, false).unwrap();
    assert_eq!(two.checkpoints().1, 0);
    two.promote(2).unwrap();
    assert_eq!(two.checkpoints().1, 2);
    assert!(two.history(0).unwrap().is_some());
    two.replicate(&records[1], 2, false).unwrap();
    assert_eq!(number(&two, "1"), None, "its number is taken");
}

#[test]
fn commits_that_may_be_gone_back_to_stay() {
    let fs = FaultFs::new();
    let one = primary(&fs);
    put(&one, "a", 1);
    one.set_global_checkpoint(0);
    one.flush(true, true).unwrap();
    put(&one, "a", 2);
    one.flush(true, true).unwrap();
    one.force_merge(1, false, true).unwrap();
    let commits = |fs: &FaultFs| crate::storage::Fs::list(fs, &folder()).unwrap().len() - 2;
    assert!(commits(&fs) > 1);
    one.set_global_checkpoint(1);
    one.sync().unwrap();
    assert!(one.has_dispensable_commits());
    one.drop_dispensable_commits().unwrap();
    assert_eq!(commits(&fs), 1);
    let two = replica(&fs.crash(Crash::Forget), json!({})).unwrap();
    assert_eq!(number(&two, "a"), Some(2));
}

#[test]
fn a_new_history_has_another_name_for_good() {
    let fs = FaultFs::new();
    let one = primary(&fs);
    put(&one, "a", 1);
    let before = one.history_uuid();
    drop(one);
    let one = open_as(&fs, json!({"replicated": true, "primary_term": 2, "new_history": true})).unwrap();
    let after = one.history_uuid();
    assert_ne!(before, after);
    drop(one);
    let one = open_as(&fs.crash(Crash::Forget), json!({"replicated": true, "primary_term": 3})).unwrap();
    assert_eq!((one.history_uuid(), number(&one, "a")), (after, Some(1)));
}

#[test]
fn a_retried_bulk_does_not_double_documents_with_generated_ids() {
    let one = primary(&FaultFs::new());
    for action in ["index", "create"] {
        let op = json!({"action": action, "id": action, "auto_id": true, "index": "i"});
        let slice = slice(op, json!({"n": 1}));
        one.bulk(&slice).unwrap();
        let again = one.bulk_as(&slice, Manner { retried: true, unsynced: true }).unwrap();
        assert_eq!(
            (answer(&again)["result"].as_str(), answer(&again)["status"].as_i64()),
            (Some("created"), Some(201))
        );
    }
    one.sync().unwrap();
    one.refresh().unwrap();
    assert_eq!(one.reader().unwrap().doc_count, 2);
}

#[test]
fn the_answer_counts_the_copies() {
    let one = primary(&FaultFs::new());
    let op = json!({"action": "index", "id": "a", "index": "i", "total_copies": 3});
    let mut result = one.bulk(&slice(op, json!({"n": 1}))).unwrap();
    result.set_copies(3, 2, br#"[{"_node":"x"}]"#);
    let expected = json!({"total": 3, "successful": 2, "failed": 1, "failures": [{"_node": "x"}]});
    assert_eq!(answer(&result)["_shards"], expected);
    result.set_copies(3, 3, b"[]");
    assert_eq!(answer(&result)["_shards"], json!({"total": 3, "successful": 3, "failed": 0}));
    assert_eq!(answer(&result)["_seq_no"], 0);
}

fn send(from: &Arc<Shard>, to: &Restore) {
    let files = from.files().unwrap();
    for (name, start, length) in to.needed() {
        let mut at = start;
        while at < length || at == 0 {
            let piece = files.read(&name, at, 700).unwrap();
            to.write(&name, at, &piece).unwrap();
            at += piece.len() as u64;
        }
    }
}

#[test]
fn files_go_to_another_node_and_only_once() {
    let here = tempfile::tempdir().unwrap();
    let there = tempfile::tempdir().unwrap();
    let open = |at: &std::path::Path, more: Value| {
        let mut config = json!({"index": "i", "uuid": "u", "shard": 0, "refresh_interval_ms": -1, "replicated": true});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let fs: SharedFs = Arc::new(OsFs);
        Shard::open(&Runtime::manual(), fs, at.join("0"), config.to_string().as_bytes(), plain_mapping()).unwrap()
    };
    let one = open(here.path(), json!({}));
    (0..50).for_each(|n| drop(put(&one, &n.to_string(), n)));
    remove(&one, "7");
    one.set_global_checkpoint(50);
    let restore = |one: &Arc<Shard>| {
        one.flush(false, true).unwrap();
        let listing = one.files().unwrap().manifest();
        Restore::start(Arc::new(OsFs), there.path().join("0"), &listing).unwrap()
    };
    let first = restore(&one);
    assert_eq!(first.reused(), (0, 0));
    let all = first.needed().len();
    send(&one, &first);
    let resumed = restore(&one);
    assert_eq!((resumed.needed().len(), resumed.reused().0), (0, all));
    assert!(first.needed().is_empty());
    resumed.finish().unwrap();
    let two = open(there.path(), json!({"role": "replica"}));
    assert_eq!(two.checkpoints(), (50, 50, 50, 50));
    assert_eq!(two.history_uuid(), one.history_uuid());
    same(&one, &two);
    // The segments are there already: only what came since is sent.
    let more = put(&one, "new", 1);
    two.replicate(&more, 1, false).unwrap();
    one.set_global_checkpoint(51);
    two.close().unwrap();
    let second = restore(&one);
    assert!(second.reused().0 > 0 && second.needed().iter().any(|(name, ..)| name == "commit"));
    send(&one, &second);
    second.finish().unwrap();
    same(&one, &open(there.path(), json!({"role": "replica"})));
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let here = tempfile::tempdir().unwrap();
    let one = primary(&FaultFs::new());
    put(&one, "a", 1);
    one.set_global_checkpoint(0);
    one.flush(false, true).unwrap();
    let files = one.files().unwrap();
    let restore = Restore::start(Arc::new(OsFs), here.path().join("0"), &files.manifest()).unwrap();
    for (name, _, length) in restore.needed() {
        let mut bytes = files.read(&name, 0, length as usize).unwrap();
        if name.ends_with(".store") {
            bytes[3] ^= 1;
        }
        restore.write(&name, 0, &bytes).unwrap();
    }
    assert_eq!(restore.finish().unwrap_err().kind, "corruption_exception");
    assert!(!here.path().join("0").exists());
    for name in ["../x", "segments/_0/../../x", "segments/x/y", "/etc/passwd", "commit-1"] {
        let listing = json!({"files": [{"name": name, "length": 1, "checksum": ""}], "local_checkpoint": 0, "max_seq_no": 0, "history_uuid": ""});
        let refused = Restore::start(Arc::new(OsFs), here.path().join("0"), listing.to_string().as_bytes());
        assert!(refused.is_err_and(|error| error.status == 400), "{name}");
    }
}
