//! Merges: in the background by the policy, or on demand. Deletions that come while a merge runs are carried over.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::alive::{Alive, Ranks};
use super::layout::{Container, Layout, LiveSegment, Target};
use super::policy::{Candidate, Policy};
use super::segment::{MergeInput, OpenSegment, merge};
use super::shard::Shard;
use crate::{Error, Result};

/// What a merge reads, frozen when it starts.
struct Source {
    container: Container,
    max_doc: u32,
    alive: Option<Alive>,
}

impl Shard {
    pub(crate) fn schedule_merge(self: &Arc<Self>) {
        if !self.runtime.has_background()
            || self.timing.merge_queued.load(Ordering::Relaxed)
            || self.next_merge().is_none()
        {
            return;
        }
        if !self.timing.merge_queued.swap(true, Ordering::Relaxed) {
            let shard = Arc::downgrade(self);
            self.runtime.merge(move || {
                if let Some(shard) = shard.upgrade() {
                    shard.merge_while_due().ok();
                    shard.timing.merge_queued.store(false, Ordering::Relaxed);
                }
            });
        }
    }

    /// Merges until the policy is content.
    pub fn merge_while_due(&self) -> Result<()> {
        let _merge = self.merge_lock.lock();
        while self.check_open().is_ok()
            && let Some(containers) = self.next_merge()
        {
            self.merge_segments(&containers)?;
        }
        Ok(())
    }

    fn candidates(layout: &Layout) -> Vec<Candidate> {
        let idle = layout.segments.iter().filter(|segment| !segment.merging);
        idle.map(|segment| {
            let bytes = segment.open.manifest.size_in_bytes();
            let (docs, live) = (u64::from(segment.open.manifest.max_doc.max(1)), u64::from(segment.live_docs()));
            Candidate {
                container: segment.container,
                live_bytes: (u128::from(bytes) * u128::from(live) / u128::from(docs)) as u64,
                bytes,
                docs: segment.open.manifest.max_doc,
                deleted: segment.deleted_docs(),
            }
        })
        .collect()
    }

    fn next_merge(&self) -> Option<Vec<Container>> {
        let layout = self.layout.read();
        // Segments without a living document go first: they cost nothing.
        let dead: Vec<Container> = layout
            .segments
            .iter()
            .filter(|segment| !segment.merging && segment.live_docs() == 0)
            .map(|segment| segment.container)
            .collect();
        if dead.is_empty() { Policy::default().find(&Self::candidates(&layout)) } else { Some(dead) }
    }

    /// Merges until at most so many segments are left (-1: as the policy likes), or rewrites segments with deletions. Then makes it
    /// visible and, if asked, commits.
    pub fn force_merge(self: &Arc<Self>, max_num_segments: i64, only_expunge_deletes: bool, flush: bool) -> Result<()> {
        self.refresh()?;
        if only_expunge_deletes {
            self.expunge_deletes()?;
        } else if max_num_segments > 0 {
            self.merge_down_to(max_num_segments as usize)?;
        } else {
            self.merge_while_due()?;
        }
        if flush {
            self.flush(false, true)?;
        }
        self.refresh()
    }

    fn expunge_deletes(&self) -> Result<()> {
        let _merge = self.merge_lock.lock();
        let many = |c: &Candidate| f64::from(c.deleted) > 0.1 * f64::from(c.docs);
        let affected: Vec<Container> = Self::candidates(&self.layout.read())
            .iter()
            .filter(|candidate| many(candidate))
            .map(|candidate| candidate.container)
            .collect();
        for container in affected {
            self.check_open()?;
            self.merge_segments(&[container])?;
        }
        Ok(())
    }

    fn merge_down_to(&self, max: usize) -> Result<()> {
        let _merge = self.merge_lock.lock();
        loop {
            self.check_open()?;
            let mut candidates = Self::candidates(&self.layout.read());
            let clean = candidates.iter().all(|candidate| candidate.deleted == 0);
            if candidates.len() < max || (candidates.len() == max && (clean || max > 1)) {
                return Ok(());
            }
            candidates.sort_by_key(|candidate| candidate.live_bytes);
            candidates.truncate(candidates.len() - max + 1);
            let containers: Vec<Container> = candidates.iter().map(|candidate| candidate.container).collect();
            if containers.is_empty() {
                return Ok(());
            }
            self.merge_segments(&containers)?;
        }
    }

    /// Merges these into one. The caller holds the merge lock.
    fn merge_segments(&self, containers: &[Container]) -> Result<()> {
        let started = Instant::now();
        let (sources, inputs) = self.start_merge(containers);
        let bytes: u64 = inputs.iter().map(|input| input.manifest.size_in_bytes()).sum();
        let docs: u64 = inputs.iter().map(|input| u64::from(input.manifest.max_doc)).sum();
        let target = self.new_container();
        let merged = self.write_merged(inputs, target);
        let result = merged.and_then(|merged| self.finish_merge(&sources, merged));
        if result.is_err() {
            let mut layout = self.layout.write();
            layout.segments.iter_mut().filter(|s| containers.contains(&s.container)).for_each(|s| s.merging = false);
            drop(layout);
            self.discard(vec![target]);
        }
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::closed(self.name()));
        }
        result.map_err(|error| self.fail(error))?;
        self.discard(containers.to_vec());
        self.counters.merged(docs, bytes, started.elapsed());
        Ok(())
    }

    fn start_merge(&self, containers: &[Container]) -> (Vec<Source>, Vec<MergeInput>) {
        let mut layout = self.layout.write();
        let mut sources = Vec::new();
        let mut inputs = Vec::new();
        for segment in layout.segments.iter_mut().filter(|segment| containers.contains(&segment.container)) {
            segment.merging = true;
            let max_doc = segment.open.manifest.max_doc;
            sources.push(Source { container: segment.container, max_doc, alive: segment.alive.clone() });
            if segment.live_docs() > 0 {
                inputs.push(MergeInput {
                    folder: self.segment_folder(segment.container),
                    manifest: segment.open.manifest.clone(),
                    alive: segment.alive.as_ref().map(Alive::to_tantivy),
                    roots: segment.live_roots(),
                });
            }
        }
        (sources, inputs)
    }

    /// None: nothing in the sources was alive.
    fn write_merged(&self, inputs: Vec<MergeInput>, target: Container) -> Result<Option<LiveSegment>> {
        if inputs.is_empty() {
            return Ok(None);
        }
        let folder = self.segment_folder(target);
        let current = self.current();
        let manifest = merge(&self.fs, inputs, &current.schema.schema, folder.clone(), self.cancelled.clone())?;
        let open = OpenSegment::open(&self.fs, &folder, Arc::new(manifest), &current.schema.schema)?;
        Ok(Some(LiveSegment::new(target, open, current.schema.system, None)?))
    }

    fn finish_merge(&self, sources: &[Source], merged: Option<LiveSegment>) -> Result<()> {
        let mut layout = self.layout.write();
        let mut merged = merged;
        if let Some(segment) = &mut merged {
            let (mapping, folder) = (layout.mapping.clone(), self.segment_folder(segment.container));
            if *segment.open.reader.schema() != mapping.schema {
                let open = segment.open.reopen(&self.fs, &folder, &mapping.schema)?;
                segment.replace_open(open, mapping.system)?;
            }
        }
        let moves = Moves::new(sources);
        if let Some(segment) = &mut merged {
            for target in moves.died_meanwhile(&layout) {
                segment.kill_one(target);
            }
            segment.recount_roots()?;
        }
        let container = merged.as_ref().map(|segment| segment.container);
        for deletions in layout.builders.values() {
            let mut deletions = deletions.0.lock();
            deletions.retain_mut(|target| moves.carry_over(target, container));
        }
        let at = layout.segments.iter().position(|segment| moves.starts.contains_key(&segment.container));
        layout.segments.retain(|segment| !moves.starts.contains_key(&segment.container));
        if let Some(segment) = merged {
            let at = at.unwrap_or(0).min(layout.segments.len());
            layout.segments.insert(at, segment);
        }
        layout.changed = true;
        self.timing.dirty.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Where documents of the sources stand in the merged segment.
struct Moves<'a> {
    sources: &'a [Source],
    /// By container: the first new id, and the ranks within the source.
    starts: HashMap<Container, (u32, Ranks<'a>)>,
}

impl<'a> Moves<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut starts = HashMap::new();
        let mut start = 0;
        for source in sources {
            starts.insert(source.container, (start, Ranks::new(source.alive.as_ref())));
            start += source.max_doc - source.alive.as_ref().map_or(0, Alive::deleted);
        }
        Self { sources, starts }
    }

    /// New ids of the documents that died in the sources since the merge started.
    fn died_meanwhile(&self, layout: &Layout) -> Vec<u32> {
        let mut died = Vec::new();
        for source in self.sources {
            let Some(now) = layout.segment(source.container).and_then(|segment| segment.alive.as_ref()) else {
                continue;
            };
            let (start, ranks) = &self.starts[&source.container];
            let full = source.alive.is_none().then(|| Alive::full(source.max_doc));
            let before = source.alive.as_ref().or(full.as_ref()).expect("one of them is there");
            died.extend(before.died_until(now).filter_map(|doc| ranks.rank(doc)).map(|rank| start + rank));
        }
        died
    }

    /// Points a deletion at the merged segment. False: its target is dead already.
    fn carry_over(&self, target: &mut Target, merged: Option<Container>) -> bool {
        let Some((start, ranks)) = self.starts.get(&target.container) else { return true };
        let (Some(rank), Some(container)) = (ranks.rank(target.doc), merged) else { return false };
        *target = Target { container, doc: start + rank };
        true
    }
}
