//! Power goes at every single file operation of a script; afterwards every acknowledged operation is there with its last content.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::storage::Crash;

/// What was acknowledged, and what was tried last without an answer.
#[derive(Default)]
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
                // It goes on from there, over one more crash.
                if !at.is_multiple_of(4) {
                    continue;
                }
                index(&shard, "after", json!({"n": 1})).unwrap();
                let shard =
                    open(&disk.crash(Crash::Forget)).unwrap_or_else(|error| panic!("{context}, again: {error}"));
                assert_eq!(source(&shard, "after"), Some(json!({"n": 1})), "{context}");
            }
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
