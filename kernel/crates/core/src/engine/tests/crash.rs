//! Power goes at every single file operation of a script; afterwards every acknowledged operation is there with its last content.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::storage::{Crash, EIO, ENOSPC};

/// What was acknowledged, and what was tried last without an answer.
#[derive(Default, Clone)]
struct Model {
    acknowledged: BTreeMap<String, Option<Value>>,
    in_doubt: BTreeMap<String, Option<Value>>,
}

impl Model {
    fn write(&mut self, shard: &Shard, id: &str, value: Option<Value>) -> Result<()> {
        let result = match &value {
            Some(source) => index(shard, id, source.clone()),
            None => delete(shard, id),
        };
        match result {
            Ok(_) => drop(self.acknowledged.insert(id.to_owned(), value)),
            Err(error) => {
                self.in_doubt.insert(id.to_owned(), value);
                return Err(error);
            }
        }
        Ok(())
    }

    fn check(&self, shard: &Shard, context: &str) {
        let found = visible(shard);
        for (id, expected) in &self.acknowledged {
            let now = found.get(id).cloned();
            let doubtful = self.in_doubt.get(id).is_some_and(|tried| *tried == now);
            assert!(now == *expected || doubtful, "{context}: [{id}] is {now:?}, acknowledged was {expected:?}");
            assert_eq!(source(shard, id), now, "{context}: get of [{id}]");
        }
        for (id, value) in &found {
            let known = self.acknowledged.contains_key(id) || self.in_doubt.get(id) == Some(&Some(value.clone()));
            assert!(known, "{context}: [{id}] was never written");
        }
    }
}

type Script = fn(&Arc<Shard>, &mut Model) -> Result<()>;

fn doc(n: usize) -> Option<Value> {
    Some(json!({"n": n, "t": "some words", "c": [{"k": "x"}]}))
}

fn flushing(shard: &Arc<Shard>, model: &mut Model) -> Result<()> {
    for n in 0..3 {
        model.write(shard, &n.to_string(), doc(n))?;
    }
    shard.flush(false, true)?;
    model.write(shard, "1", doc(10))?;
    model.write(shard, "0", None)?;
    model.write(shard, "3", doc(3))?;
    shard.flush(false, true)?;
    model.write(shard, "2", doc(20))?;
    shard.flush(true, true)?;
    model.write(shard, "4", doc(4))
}

fn merging(shard: &Arc<Shard>, model: &mut Model) -> Result<()> {
    for n in 0..3 {
        model.write(shard, &n.to_string(), doc(n))?;
        shard.refresh()?;
    }
    shard.flush(false, true)?;
    model.write(shard, "1", doc(10))?;
    shard.refresh()?;
    shard.force_merge(1, false, false)?;
    model.write(shard, "0", None)?;
    shard.refresh()?;
    shard.flush(false, true)?;
    shard.force_merge(1, false, true)?;
    model.write(shard, "5", doc(5))
}

fn rolling(shard: &Arc<Shard>, model: &mut Model) -> Result<()> {
    for n in 0..3 {
        model.write(shard, "same", doc(n))?;
        shard.translog().roll()?;
        model.write(shard, &n.to_string(), doc(n))?;
    }
    model.write(shard, "same", None)?;
    shard.close()
}

fn run(fs: &FaultFs, script: Script) -> (Model, Result<()>) {
    let mut model = Model::default();
    let result = open(fs).and_then(|shard| script(&shard, &mut model));
    (model, result)
}

fn crash_everywhere(name: &str, script: Script) {
    let fs = FaultFs::new();
    let (model, result) = run(&fs, script);
    result.unwrap();
    model.check(&open(&fs.crash(Crash::Forget)).unwrap(), name);
    let operations = fs.operations();
    assert!(operations > 40, "{name}: {operations} operations");
    for at in 1..=operations {
        for partial in [false, true] {
            let fs = FaultFs::new();
            fs.fail_after(at, partial);
            let (model, result) = run(&fs, script);
            // Removals of what is not needed any more may fail without harm.
            let what = fs.log().last().cloned().unwrap_or_default();
            assert!(result.is_err() || what.starts_with("rm") || what.starts_with("remove"), "{name} {at}: {what}");
            for crash in if partial { [Crash::Mix(at), Crash::Keep] } else { [Crash::Forget, Crash::Mix(at + 1000)] } {
                // The seconds of each pair are for variety.
                if matches!(crash, Crash::Keep | Crash::Mix(1000..)) && !at.is_multiple_of(3) {
                    continue;
                }
                let context = format!("{name}: crash {crash:?} at operation {at} ({what}), partial {partial}");
                let disk = fs.crash(crash);
                let shard = open(&disk).unwrap_or_else(|error| panic!("{context}: {error}"));
                model.check(&shard, &context);
                // It goes on from there, over one more crash: the power goes after the process had gone.
                if at.is_multiple_of(4) || crash == Crash::Keep {
                    goes_on(&disk, &shard, &mut model.clone(), &context);
                }
            }
        }
    }
}

fn goes_on(disk: &FaultFs, shard: &Arc<Shard>, model: &mut Model, context: &str) {
    // What was in doubt is decided now: it stays as it was found.
    for (id, _) in std::mem::take(&mut model.in_doubt) {
        model.acknowledged.insert(id.clone(), source(shard, &id));
    }
    model.write(shard, "after", doc(1)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let shard = open(&disk.crash(Crash::Forget)).unwrap_or_else(|error| panic!("{context}, again: {error}"));
    model.check(&shard, &format!("{context}, again"));
}

/// One operation fails and the process lives: it must not go on as if nothing were. Opened again in the same process, the shard has
/// what was acknowledged, and keeps it over a loss of power.
fn fault_everywhere(name: &str, script: Script) {
    let fs = FaultFs::new();
    run(&fs, script).1.unwrap();
    for at in 1..=fs.operations() {
        for code in if at.is_multiple_of(3) { [EIO, ENOSPC].as_slice() } else { &[EIO] } {
            let code = *code;
            let fs = FaultFs::new();
            fs.fail_once(at, code);
            let mut model = Model::default();
            let mut opened = None;
            let result = open(&fs).and_then(|shard| script(opened.insert(shard), &mut model));
            let what = fs.log()[at as usize - 1].clone();
            let context = format!("{name}: error {code} of operation {at} ({what})");
            assert!(result.is_err() || what.starts_with("rm") || what.starts_with("remove"), "{context}");
            if let Some(shard) = opened {
                if result.is_err() && shard.failure().is_some() {
                    assert_eq!(index(&shard, "later", json!({})).unwrap_err().kind, "already_closed_exception");
                }
                shard.close().ok();
            }
            let shard = open(&fs).unwrap_or_else(|error| panic!("{context}: {error}"));
            model.check(&shard, &context);
            goes_on(&fs, &shard, &mut model, &context);
        }
    }
}

/// The disk is full from some operation on; once there is space again, everything acknowledged is there.
fn full_everywhere(name: &str, script: Script) {
    let fs = FaultFs::new();
    run(&fs, script).1.unwrap();
    for at in (1..=fs.operations()).step_by(3) {
        let fs = FaultFs::new();
        fs.fail_once(at, ENOSPC);
        let mut model = Model::default();
        let mut opened = None;
        let result = open(&fs).and_then(|shard| script(opened.insert(shard), &mut model));
        fs.set_full(true);
        if let Some(shard) = opened {
            shard.close().ok();
        }
        let context = format!("{name}: full at operation {at}");
        if result.is_ok() {
            continue;
        }
        open(&fs).map_or_else(
            |error| assert!(error.reason.contains("os error 28") || error.kind == "corruption_exception", "{error}"),
            |shard| model.check(&shard, &context),
        );
        fs.set_full(false);
        let shard = open(&fs).unwrap_or_else(|error| panic!("{context}: {error}"));
        model.check(&shard, &context);
        goes_on(&fs, &shard, &mut model, &context);
    }
}

#[test]
fn a_single_fault_fails_the_shard_and_no_more() {
    fault_everywhere("flush", flushing);
    fault_everywhere("merge", merging);
    fault_everywhere("roll", rolling);
}

#[test]
fn a_full_disk_costs_nothing_that_was_acknowledged() {
    full_everywhere("flush", flushing);
    full_everywhere("merge", merging);
}

#[test]
fn a_read_that_fails_fails_the_opening_only() {
    let fs = FaultFs::new();
    let (model, result) = run(&fs, flushing);
    result.unwrap();
    let disk = fs.crash(Crash::Keep);
    let before = disk.reads();
    open(&disk.crash(Crash::Keep)).unwrap();
    let probe = fs.crash(Crash::Keep);
    open(&probe).unwrap();
    let reads = probe.reads() - before;
    assert!(reads > 20, "{reads}");
    for at in 1..=reads {
        let disk = fs.crash(Crash::Keep);
        disk.fail_read_once(at);
        let error = open(&disk).err();
        let shard = open(&disk).unwrap_or_else(|again| panic!("read {at}: {error:?}, then {again}"));
        model.check(&shard, &format!("read {at}: {error:?}"));
    }
}

#[test]
fn an_answer_that_relies_on_another_operation_waits_until_that_is_durable() {
    let requests = [
        (json!({"action": "update", "id": "1"}), json!({"doc": {"n": 1}})),
        (json!({"action": "create", "id": "1"}), json!({"n": 2})),
        (json!({"action": "delete", "id": "1", "if_seq_no": 7, "if_primary_term": 1}), json!({})),
    ];
    for refreshed in [false, true] {
        for (op, body) in &requests {
            let fs = FaultFs::new();
            let shard = open(&fs).unwrap();
            let durability = |name: &str| {
                let config =
                    json!({"index": "i", "uuid": "u", "shard": 0, "refresh_interval_ms": -1, "durability": name});
                super::super::config::ShardConfig::parse(config.to_string().as_bytes()).unwrap()
            };
            // Stands for an operation of somebody else whose sync is still under way.
            *shard.config.write() = Arc::new(durability("async"));
            index(&shard, "1", json!({"n": 1})).unwrap();
            *shard.config.write() = Arc::new(durability("request"));
            if refreshed {
                shard.refresh().unwrap();
            }
            write(&shard, op.clone(), body.clone()).unwrap();
            let shard = open(&fs.crash(Crash::Forget)).unwrap();
            assert_eq!(source(&shard, "1"), Some(json!({"n": 1})), "{op}");
        }
    }
}

#[test]
fn a_commit_does_not_count_what_came_after_it() {
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    for n in 0..5 {
        index(&shard, &n.to_string(), json!({})).unwrap();
    }
    shard.flush(true, true).unwrap();
    let shard = open(&fs.crash(Crash::Forget)).unwrap();
    assert_eq!((shard.seq_nos.max(), shard.seq_nos.processed_checkpoint()), (4, 4));
}

#[test]
fn a_shard_in_use_is_not_made_anew() {
    let config = json!({"index": "i", "uuid": "u", "shard": 0, "existing": true}).to_string();
    let fs: SharedFs = Arc::new(FaultFs::new());
    let error = Shard::open(&Runtime::manual(), fs, folder(), config.as_bytes(), plain_mapping()).err().unwrap();
    assert_eq!(error.kind, "corruption_exception");
    assert!(error.reason.contains("there is no commit"), "{}", error.reason);
}

#[test]
fn the_failure_is_told_once() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let fs = FaultFs::new();
    let shard = open(&fs).unwrap();
    let told = Arc::new(AtomicU32::new(0));
    let listener = |told: &Arc<AtomicU32>| {
        let told = told.clone();
        Box::new(move || {
            told.fetch_add(1, Ordering::SeqCst);
        })
    };
    shard.when_failed(listener(&told));
    index(&shard, "1", json!({})).unwrap();
    assert_eq!(told.load(Ordering::SeqCst), 0);
    fs.fail_once(1, EIO);
    assert_eq!(index(&shard, "2", json!({})).unwrap_err().kind, "io_exception");
    assert_eq!(told.load(Ordering::SeqCst), 1);
    shard.when_failed(listener(&told));
    assert_eq!(told.load(Ordering::SeqCst), 2);
    shard.close().unwrap();
}

#[test]
fn what_a_stricter_mapping_refuses_is_replayed_all_the_same() {
    let loose = mapping(json!({"dynamic": "false", "properties": {
        "n": {"type": "long", "ignore_malformed": true}, "k": {"type": "keyword", "ignore_above": 3}
    }}));
    let documents = [
        json!({"n": "no number", "x": 1}),
        json!({"n": {"a": [1]}, "deep": {"a": {"b": 1}}}),
        json!({"deep": "flat", "k": "longer"}),
        json!({"n": 5, "x": "word", "k": ["a", "b"]}),
    ];
    for dynamic in ["strict", "true", "false"] {
        let fs = FaultFs::new();
        let shard = open_with(&fs, loose.clone()).unwrap();
        for (n, document) in documents.iter().enumerate() {
            index(&shard, &n.to_string(), document.clone()).unwrap();
        }
        let strict = mapping(json!({"dynamic": dynamic, "properties": {
            "n": {"type": "long"}, "x": {"type": "long"}, "k": {"type": "keyword", "ignore_above": 3},
            "deep": {"properties": {"a": {"type": "object", "properties": {"b": {"type": "date"}}}}}
        }}));
        let shard = open_with(&fs.crash(Crash::Forget), strict).unwrap_or_else(|error| panic!("{dynamic}: {error}"));
        let found = visible(&shard);
        for (n, document) in documents.iter().enumerate() {
            assert_eq!(found[&n.to_string()], *document);
            assert_eq!(source(&shard, &n.to_string()).as_ref(), Some(document));
        }
    }
}

#[test]
fn inside_flush() {
    crash_everywhere("flush", flushing);
}

#[test]
fn inside_merge() {
    crash_everywhere("merge", merging);
}

#[test]
fn inside_translog_roll() {
    crash_everywhere("roll", rolling);
}
