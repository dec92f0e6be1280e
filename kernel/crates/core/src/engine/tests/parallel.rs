//! Several threads write, refresh, merge and flush at once; at the end every document is there once, with its last content.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;
use crate::storage::Crash;

const WRITERS: u64 = 4;
const ROUNDS: u64 = 400;
const DOCUMENTS: u64 = 40;

/// Each writer has documents of its own; returns what they hold at the end.
fn write_all(shard: &Shard, writer: u64) -> BTreeMap<String, Value> {
    let mut last = BTreeMap::new();
    let mut state = writer * 7919 + 1;
    for round in 0..ROUNDS {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = format!("{writer}-{}", (state >> 33) % DOCUMENTS);
        if (state >> 40).is_multiple_of(5) {
            delete(shard, &id).unwrap();
            last.remove(&id);
        } else {
            let doc = json!({"n": round, "t": "some words", "c": [{"k": "x"}, {"k": "y"}]});
            index(shard, &id, doc.clone()).unwrap();
            assert_eq!(source(shard, &id), Some(doc.clone()));
            last.insert(id, doc);
        }
    }
    last
}

#[test]
fn nothing_is_lost_doubled_or_stale() {
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    let done = AtomicBool::new(false);
    let expected: BTreeMap<String, Value> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn({
                    let shard = &shard;
                    move || write_all(shard, writer)
                })
            })
            .collect();
        scope.spawn(|| {
            let mut n = 0u32;
            while !done.load(Ordering::Relaxed) {
                shard.refresh().unwrap();
                // Panics if a document is there twice.
                visible(&shard);
                n += 1;
                if n.is_multiple_of(7) {
                    shard.flush(false, true).unwrap();
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                shard.force_merge(2, false, false).unwrap();
            }
        });
        let all = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        done.store(true, Ordering::Relaxed);
        all
    });
    shard.refresh().unwrap();
    assert_eq!(visible(&shard), expected);
    assert_eq!(living_docs(&shard), expected.len() * 3);
    let stats: Value = serde_json::from_slice(&shard.stats().unwrap()).unwrap();
    assert_eq!(stats["seq_no"]["local_checkpoint"], (WRITERS * ROUNDS - 1) as i64);
    shard.force_merge(1, false, false).unwrap();
    shard.refresh().unwrap();
    assert_eq!(visible(&shard), expected);
    let shard = open(&fs.crash(Crash::Forget)).unwrap();
    assert_eq!(visible(&shard), expected);
}
