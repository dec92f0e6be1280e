//! Builders become segments, and searches get to see them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::layout::LiveSegment;
use super::pool::Building;
use super::segment::OpenSegment;
use super::shard::{Listener, Shard};
use crate::{Error, Result};

impl Shard {
    /// Makes everything that was acknowledged before this call visible to searches. Nothing is synced.
    pub fn refresh(self: &Arc<Self>) -> Result<()> {
        let started = Instant::now();
        let (listeners, result) = {
            let _refresh = self.refresh_lock.lock();
            self.check_open()?;
            self.timing.dirty.store(false, Ordering::Relaxed);
            let listeners = std::mem::take(&mut *self.listeners.lock());
            let checkpoint = self.seq_nos.processed_checkpoint();
            let result = self.settle_taken(self.pool.take_all(), "refresh");
            if result.is_ok() {
                self.publish(checkpoint);
            }
            (listeners, result)
        };
        // Whoever waits is let go in any case: a failed shard answers no more.
        listeners.into_iter().for_each(|(_, listener)| listener());
        result?;
        self.counters.refresh_total.fetch_add(1, Ordering::Relaxed);
        self.counters.refresh_nanos.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.schedule_merge();
        Ok(())
    }

    /// Calls back, from whatever thread refreshes, once operations up to `seq_no` are visible; at once if they are.
    pub fn when_refreshed(&self, seq_no: i64, listener: Listener) {
        {
            let mut listeners = self.listeners.lock();
            if self.check_open().is_ok() && self.visible.load(Ordering::Acquire) < seq_no {
                listeners.push((seq_no, listener));
                return;
            }
        }
        listener();
    }

    pub(crate) fn publish(&self, checkpoint: i64) {
        let mut layout = self.layout.write();
        if layout.changed {
            layout.changed = false;
            let generation = self.published.read().generation + 1;
            let reader = Self::point_in_time(&mut layout, generation);
            *self.published.write() = Arc::new(reader);
        }
        drop(layout);
        self.visible.fetch_max(checkpoint, Ordering::Release);
    }

    /// All idle builders become segments that only look-ups by id see.
    pub(crate) fn settle_all(&self, source: &str) -> Result<()> {
        let _refresh = self.refresh_lock.lock();
        self.check_open()?;
        self.settle_taken(self.pool.take_all(), source)
    }

    /// The biggest idle builder becomes a segment if it holds so many bytes. False: there was none.
    pub(crate) fn settle_biggest(&self, at_least: usize) -> bool {
        let _refresh = self.refresh_lock.lock();
        if self.check_open().is_err() {
            return false;
        }
        let Some(building) = self.pool.take_biggest(at_least) else { return false };
        self.timing.dirty.store(true, Ordering::Relaxed);
        self.settle_taken(vec![building], "memory").is_ok()
    }

    /// The caller holds the refresh lock.
    pub(crate) fn settle_taken(&self, taken: Vec<Building>, source: &str) -> Result<()> {
        if taken.is_empty() {
            self.forget_old_versions();
            return Ok(());
        }
        let settled = self.finish_all(taken, source).map_err(|error| self.fail(error))?;
        {
            let mut layout = self.layout.write();
            for (container, segment) in settled {
                layout.settle(container, segment).map_err(|error| self.fail(error))?;
            }
        }
        self.forget_old_versions();
        Ok(())
    }

    /// Several builders are written side by side: their segments are independent.
    fn finish_all(&self, mut taken: Vec<Building>, source: &str) -> Result<Vec<(u64, Option<LiveSegment>)>> {
        for building in &mut taken {
            self.runtime.account(std::mem::take(&mut building.memory), 0);
        }
        let finish = |mut building: Building| Ok((building.container, self.finish(&mut building, source)?));
        if taken.iter().filter(|building| building.builder.is_some()).count() < 2 {
            return taken.into_iter().map(finish).collect();
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = taken.into_iter().map(|building| scope.spawn(move || finish(building))).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|_| Err(Error::io("writing a segment", "the thread panicked")))
            };
            threads.into_iter().map(join).collect()
        })
    }

    fn finish(&self, building: &mut Building, source: &str) -> Result<Option<LiveSegment>> {
        let Some(builder) = building.builder.take() else { return Ok(None) };
        let folder = self.segment_folder(building.container);
        let manifest = Arc::new(builder.finish(source)?);
        // The refresh lock keeps the mapping as it is.
        let current = self.current();
        let open = OpenSegment::open(&self.fs, &folder, manifest, &current.schema.schema)?;
        Ok(Some(LiveSegment::new(building.container, open, current.schema.system, None)?))
    }

    fn forget_old_versions(&self) {
        if self.versions.memory() == 0 {
            return;
        }
        let (limit, building): (u64, std::collections::HashSet<u64>) = {
            let layout = self.layout.read();
            (self.next_container.load(Ordering::Relaxed), layout.builders.keys().copied().collect())
        };
        let gc_deletes = self.config.read().gc_deletes_ms.max(0) as u64;
        let settled = |container| container < limit && !building.contains(&container);
        self.versions.prune(settled, self.seq_nos.processed_checkpoint(), self.runtime.now_ms(), gc_deletes);
    }
}
