use super::*;
use crate::storage::{Crash, FaultFs, Fs};

fn operation(seq_no: i64, source: &[u8]) -> Operation<'_> {
    Operation { kind: Kind::Index, seq_no, primary_term: 1, version: 1, id: "x", routing: None, source: Some(source) }
}

fn folder() -> PathBuf {
    "/shard/translog".into()
}

fn create(fs: &FaultFs) -> Translog {
    fs.create_dir_durably(&folder()).unwrap();
    Translog::create(Arc::new(fs.clone()), folder(), "uuid", -1).unwrap()
}

fn open(fs: &FaultFs, from: u64) -> Result<(Translog, Vec<i64>)> {
    let mut seen = Vec::new();
    let scan = Scan::read(Arc::new(fs.clone()), folder(), "uuid", from)?;
    scan.replay(from, |operation, _| {
        seen.push(operation.seq_no);
        Ok(())
    })?;
    let global_checkpoint = scan.global_checkpoint();
    Ok((Translog::resume(scan, from, global_checkpoint)?, seen))
}

fn file(generation: u64) -> PathBuf {
    folder().join(format!("translog-{generation}.tlog"))
}

#[test]
fn synced_operations_survive_and_others_may_not() {
    let fs = FaultFs::new();
    let log = create(&fs);
    let first = log.append(&operation(0, b"{}")).unwrap();
    log.sync(first).unwrap();
    log.append(&operation(1, b"{}")).unwrap();
    let (_, seen) = open(&fs.crash(Crash::Forget), 1).unwrap();
    assert_eq!(seen, [0]);
}

#[test]
fn reads_from_buffer_and_file() {
    let fs = FaultFs::new();
    let log = create(&fs);
    let a = log.append(&operation(0, b"one")).unwrap();
    log.sync(a).unwrap();
    let b = log.append(&operation(1, b"two")).unwrap();
    for (location, expected) in [(a, b"one"), (b, b"two")] {
        let source = log.read(location, |operation| operation.source.unwrap().to_vec()).unwrap();
        assert_eq!(source, expected);
    }
}

#[test]
fn rolls_trims_and_goes_on() {
    let fs = FaultFs::new();
    let log = create(&fs);
    log.append(&operation(0, b"{}")).unwrap();
    assert_eq!(log.roll().unwrap(), 2);
    let b = log.append(&operation(1, b"{}")).unwrap();
    log.sync(b).unwrap();
    let (_, seen) = open(&fs.crash(Crash::Forget), 1).unwrap();
    assert_eq!(seen, [0, 1]);
    let fs = FaultFs::new();
    let log = create(&fs);
    log.append(&operation(0, b"{}")).unwrap();
    log.roll().unwrap();
    log.trim(2, 2, Retention::NONE).unwrap();
    assert_eq!(log.stats().operations, 0);
    let (log, seen) = open(&fs.crash(Crash::Keep), 2).unwrap();
    assert!(seen.is_empty());
    assert_eq!(log.stats().generation, 2);
}

#[test]
fn torn_tail_is_cut() {
    for seed in 0..200 {
        let fs = FaultFs::new();
        let log = create(&fs);
        let first = log.append(&operation(0, b"{\"a\":1}")).unwrap();
        log.sync(first).unwrap();
        for i in 1..20 {
            log.append(&operation(i, &[b'x'; 50])).unwrap();
        }
        fs.fail_after(1 + seed % 2, true);
        log.sync_all().unwrap_err();
        let after = fs.crash(Crash::Mix(seed));
        let (log, seen) = open(&after, 1).unwrap();
        assert!(seen.iter().copied().eq(0..seen.len() as i64) && !seen.is_empty(), "seed {seed}: {seen:?}");
        // The cut is durable and the log goes on behind it.
        let next = log.append(&operation(99, b"{}")).unwrap();
        log.sync(next).unwrap();
        let (_, again) = open(&after.crash(Crash::Forget), 1).unwrap();
        assert_eq!(again, [seen, vec![99]].concat());
    }
}

#[test]
fn damage_in_the_middle_is_named() {
    let fs = FaultFs::new();
    let log = create(&fs);
    let mut locations = Vec::new();
    for i in 0..5 {
        let location = log.append(&operation(i, b"{\"field\":\"value\"}")).unwrap();
        log.sync(location).unwrap();
        locations.push(location);
    }
    log.close().unwrap();
    for location in locations {
        // `crash` kills only the log that used the files; the files stay for the next round.
        let damaged = fs.crash(Crash::Keep);
        damaged.damage(&file(1), location.offset as usize + 20);
        let error = open(&damaged, 1).err().expect("damage is refused");
        assert_eq!(error.kind, "corruption_exception");
        let expected = format!("{} at offset {}", file(1).display(), location.offset);
        assert!(error.reason.starts_with(&expected), "{}", error.reason);
    }
}

#[test]
fn a_missing_generation_is_named() {
    let fs = FaultFs::new();
    let log = create(&fs);
    log.append(&operation(0, b"{}")).unwrap();
    log.roll().unwrap();
    log.append(&operation(1, b"{}")).unwrap();
    log.roll().unwrap();
    let after = fs.crash(Crash::Keep);
    crate::storage::Fs::remove_file(&after, &file(2)).unwrap();
    let error = open(&after, 1).err().unwrap();
    assert!(error.reason.contains("translog-2.tlog"), "{}", error.reason);
}

#[test]
fn after_a_failed_sync_nothing_is_accepted() {
    let fs = FaultFs::new();
    let log = create(&fs);
    fs.fail_after(1, false);
    let location = log.append(&operation(0, b"{}")).unwrap();
    log.sync(location).unwrap_err();
    log.append(&operation(1, b"{}")).unwrap_err();
    assert!(log.failure().is_some());
}

#[test]
fn one_sync_serves_all_waiting() {
    let fs = FaultFs::new();
    let log = Arc::new(create(&fs));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = log.clone();
            scope.spawn(move || {
                for i in 0..50 {
                    let location = log.append(&operation(thread * 50 + i, b"{}")).unwrap();
                    log.sync(location).unwrap();
                }
            });
        }
    });
    let (_, mut seen) = open(&fs.crash(Crash::Forget), 1).unwrap();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..400));
}

#[test]
fn the_last_record_of_a_number_counts_and_a_trim_voids_those_before_it() {
    let fs = FaultFs::new();
    let log = create(&fs);
    for seq_no in 0..5 {
        log.append(&operation(seq_no, b"old")).unwrap();
    }
    log.trim_above(2).unwrap();
    let last = log.append(&operation(2, b"new")).unwrap();
    log.sync(last).unwrap();
    let (log, seen) = open(&fs.crash(Crash::Forget), 1).unwrap();
    assert_eq!(seen, [0, 1, 2]);
    let log = Arc::new(log);
    let history = log.history(1).unwrap();
    assert_eq!(history.places().iter().map(|(seq_no, _)| *seq_no).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(history.places()[1].1, last);
}

#[test]
fn the_global_checkpoint_lasts_with_the_next_sync() {
    let fs = FaultFs::new();
    let log = create(&fs);
    let first = log.append(&operation(0, b"{}")).unwrap();
    log.sync(first).unwrap();
    log.set_global_checkpoint(0);
    let fs = fs.crash(Crash::Forget);
    let (log, _) = open(&fs, 1).unwrap();
    assert_eq!(log.global_checkpoint(), -1);
    log.set_global_checkpoint(0);
    log.sync_checkpoint().unwrap();
    let (log, _) = open(&fs.crash(Crash::Forget), 1).unwrap();
    assert_eq!(log.global_checkpoint(), 0);
    log.set_global_checkpoint(-1);
    assert_eq!(log.global_checkpoint(), 0);
}

#[test]
fn history_comes_by_number_in_pieces_and_is_kept_as_long_as_it_is_read() {
    let fs = FaultFs::new();
    let log = Arc::new(create(&fs));
    for seq_no in [1, 0, 3, 2, 5, 4, 6, 7] {
        log.append(&operation(seq_no, format!("{seq_no}").as_bytes())).unwrap();
        if seq_no == 2 {
            log.roll().unwrap();
        }
    }
    let mut history = log.history(1).unwrap();
    assert!(history.is_complete(1, 7) && !history.is_complete(1, 8) && !history.is_complete(0, 7));
    let newest = log.stats().generation;
    log.trim(newest, newest, Retention::NONE).unwrap();
    let mut seen = Vec::new();
    loop {
        let piece = history.next(100).unwrap();
        if piece.is_empty() {
            break;
        }
        let mut rest = piece.as_slice();
        while let Ok((format::Record::Operation(operation), len)) = format::decode(rest) {
            assert_eq!(operation.source.unwrap(), format!("{}", operation.seq_no).as_bytes());
            seen.push(operation.seq_no);
            rest = &rest[len..];
        }
    }
    assert_eq!(seen, (1..8).collect::<Vec<_>>());
    drop(history);
    log.trim(newest, newest, Retention::NONE).unwrap();
    assert!(log.history(1).unwrap().is_empty());
}

#[test]
fn retention_keeps_generations_for_copies_that_come_back() {
    let fs = FaultFs::new();
    let log = Arc::new(create(&fs));
    for seq_no in 0..6 {
        log.append(&operation(seq_no, b"{}")).unwrap();
        log.roll().unwrap();
    }
    let newest = log.stats().generation;
    log.trim(newest, newest, Retention { from_seq_no: 3, bytes: 1 << 20 }).unwrap();
    assert!(log.history(3).unwrap().is_complete(3, 5) && !log.history(2).unwrap().is_complete(2, 5));
    drop(log);
    let (log, _) = open(&fs, newest).unwrap();
    let log = Arc::new(log);
    assert!(log.history(3).unwrap().is_complete(3, 5), "after a start too");
    log.trim(newest, newest, Retention { from_seq_no: 0, bytes: 1 }).unwrap();
    assert!(log.history(3).unwrap().is_empty());
}
