//! Commits: what is in segments becomes durable there, and the translog is cut.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::commit::{Commit, CommitSegment};
use super::layout::Container;
use super::shard::{Point, Shard};
use crate::storage::manifest;
use crate::translog::Retention;
use crate::{Error, Result};

impl Shard {
    /// Writes a commit point if there is something new, or if forced. `wait_if_ongoing` false: does nothing while another flush runs.
    pub fn flush(&self, force: bool, wait_if_ongoing: bool) -> Result<()> {
        let _flush = if wait_if_ongoing {
            self.flush_lock.lock()
        } else {
            let Some(guard) = self.flush_lock.try_lock() else { return Ok(()) };
            guard
        };
        self.check_open()?;
        if !force && !self.has_uncommitted() {
            self.counters.flush_total.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let started = Instant::now();
        let commit = self.prepare()?;
        self.write_commit(commit).map_err(|error| self.fail(error))?;
        self.counters.flush_total.fetch_add(1, Ordering::Relaxed);
        self.counters.flush_nanos.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn has_uncommitted(&self) -> bool {
        if self.translog().stats().uncommitted_operations > 0 {
            return true;
        }
        let layout = self.layout.read();
        let committed = self.committed.lock();
        layout.segments.len() != committed.newest.segments.len()
            || layout.segments.iter().any(|segment| !committed.newest.segments.contains(&segment.container))
    }

    /// Rolls the translog and turns all builders into segments; what the commit refers to stays until it is written.
    fn prepare(&self) -> Result<Commit> {
        let _refresh = self.refresh_lock.lock();
        let (translog_generation, max_seq_no, local_checkpoint, taken) = {
            let _gate = self.gate.write();
            self.translog().roll().map_err(|error| self.fail(error))?;
            // Now: what is written once the gate is open is not in this commit.
            let checkpoint = self.seq_nos.processed_checkpoint();
            self.persisted(checkpoint);
            // Above a gap the log has to tell once more: an operation that fills it may be older than a deletion that came before it.
            (self.translog().first_above(checkpoint), self.seq_nos.max(), checkpoint, self.pool.take_all())
        };
        self.settle_taken(taken, "flush")?;
        let layout = self.layout.read();
        let segments: Vec<CommitSegment> = layout
            .segments
            .iter()
            .map(|segment| CommitSegment {
                container: segment.container,
                alive: segment.alive.as_ref().map(super::alive::Alive::to_bytes),
            })
            .collect();
        let mut committed = self.committed.lock();
        committed.docs = layout.segments.iter().map(|segment| u64::from(segment.live_roots())).sum();
        committed.next = segments.iter().map(|segment| segment.container).collect();
        let config = self.config();
        Ok(Commit {
            uuid: shard_uuid(&config.uuid, config.shard),
            history_uuid: committed.history_uuid.clone(),
            primary_term: config.primary_term,
            segments,
            max_seq_no,
            local_checkpoint,
            translog_generation,
            next_container: self.next_container.load(Ordering::Relaxed),
            global_checkpoint: self.translog().global_checkpoint(),
        })
    }

    fn write_commit(&self, commit: Commit) -> Result<()> {
        self.sync_segments(&commit)?;
        let generation = self.committed.lock().newest.generation + 1;
        commit.write(&*self.fs, &self.folder, generation)?;
        {
            let mut committed = self.committed.lock();
            let newest = Point {
                generation,
                segments: std::mem::take(&mut committed.next),
                max_seq_no: commit.max_seq_no,
                translog_generation: commit.translog_generation,
            };
            let before = std::mem::replace(&mut committed.newest, newest);
            committed.older.push(before);
            committed.global_checkpoint = committed.global_checkpoint.max(commit.global_checkpoint);
        }
        self.let_old_commits_go()
    }

    /// What a crash leaves of the global checkpoint.
    fn lasting_global_checkpoint(&self) -> i64 {
        self.translog().global_checkpoint_synced().max(self.committed.lock().global_checkpoint)
    }

    pub(crate) fn has_dispensable_commits(&self) -> bool {
        let lasting = self.lasting_global_checkpoint();
        self.committed.lock().dispensable(lasting) > 0
    }

    pub(crate) fn drop_dispensable_commits(&self) -> Result<()> {
        let _flush = self.flush_lock.lock();
        self.check_open()?;
        self.let_old_commits_go().map_err(|error| self.fail(error))
    }

    /// Removes the commits that nobody needs, what only they needed, and the log behind them. The caller holds the flush lock.
    fn let_old_commits_go(&self) -> Result<()> {
        let lasting = self.lasting_global_checkpoint();
        let (unwanted, needed, newest, garbage) = {
            let mut committed = self.committed.lock();
            let count = committed.dispensable(lasting);
            let unwanted: Vec<u64> = committed.older.drain(..count).map(|point| point.generation).collect();
            let newest = committed.newest.translog_generation;
            (unwanted, committed.first_generation(), newest, std::mem::take(&mut committed.garbage))
        };
        Commit::remove(&*self.fs, &self.folder, &unwanted, false)?;
        self.translog().trim(needed, newest, self.retention())?;
        self.discard(garbage);
        Ok(())
    }

    fn retention(&self) -> Retention {
        let from_seq_no = self.retain_from.load(Ordering::Relaxed);
        if from_seq_no == i64::MAX {
            return Retention::NONE;
        }
        Retention { from_seq_no, bytes: self.config.read().retention_bytes }
    }

    fn sync_segments(&self, commit: &Commit) -> Result<()> {
        let already: std::collections::HashSet<Container> = self.committed.lock().newest.segments.clone();
        let fresh: Vec<Container> =
            commit.segments.iter().map(|s| s.container).filter(|container| !already.contains(container)).collect();
        for container in &fresh {
            self.sync_segment(*container)?;
        }
        if !fresh.is_empty() {
            let folder = self.segments_folder();
            self.fs.sync_dir(&folder).map_err(|e| Error::io(folder.display(), e))?;
        }
        Ok(())
    }

    fn sync_segment(&self, container: Container) -> Result<()> {
        let folder = self.segment_folder(container);
        for name in self.fs.list(&folder).map_err(|e| Error::io(folder.display(), e))? {
            let path = folder.join(&name);
            self.fs.sync_file(&path).map_err(|e| Error::io(path.display(), e))?;
        }
        debug_assert!(self.fs.exists(&folder.join(manifest::FILE)));
        self.fs.sync_dir(&folder).map_err(|e| Error::io(folder.display(), e))
    }

    /// Removes the folders that nobody refers to any more; the others wait for the next commit.
    pub(crate) fn discard(&self, containers: Vec<Container>) {
        for container in containers {
            {
                let mut committed = self.committed.lock();
                if committed.needs(container) {
                    committed.garbage.push(container);
                    continue;
                }
            }
            let folder = self.segment_folder(container);
            if let Err(e) = self.fs.remove_tree(&folder) {
                log::warn!("{}: cannot be removed: {e}", folder.display());
            }
        }
    }
}

pub(crate) fn shard_uuid(index_uuid: &str, shard: u32) -> String {
    format!("{index_uuid}/{shard}")
}
