//! The shard: its parts and their life.
//!
//! Locks, in the order in which they are taken: merge, flush, refresh, gate, a stripe of the version map, layout, the rest. No thread takes
//! `layout` twice. The gate is held for reading by whoever writes operations, and for writing while flush rolls the translog, so that
//! a generation holds exactly the operations of the builders taken at that moment.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::builder::SegmentSchema;
use super::config::ShardConfig;
use super::layout::{Container, Layout};
use super::pool::Pool;
use super::runtime::Runtime;
use super::seqno::SeqNos;
use super::stats::Counters;
use super::versions::VersionMap;
use crate::mapping::Mapping;
use crate::reader::ShardReader;
use crate::storage::SharedFs;
use crate::translog::Translog;
use crate::{Error, Result};

/// The mapping as writers use it.
pub(crate) struct Current {
    pub mapping: Arc<Mapping>,
    pub schema: SegmentSchema,
    /// Grows when the schema or its analyzers change.
    pub version: u64,
}

/// A commit on disk.
#[derive(Debug, Default, Clone)]
pub(crate) struct Point {
    pub generation: u64,
    pub segments: HashSet<Container>,
    pub max_seq_no: i64,
    pub translog_generation: u64,
}

/// The commits on disk and what they refer to.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    pub newest: Point,
    /// Oldest first: kept until the newest is safe, that is, holds nothing but what all copies have.
    pub older: Vec<Point>,
    /// Those of a commit being written.
    pub next: HashSet<Container>,
    /// How many copy the files of a segment.
    pub held: HashMap<Container, usize>,
    /// Folders merged away that a commit still needs.
    pub garbage: Vec<Container>,
    pub history_uuid: String,
    /// The global checkpoint that the commits tell.
    pub global_checkpoint: i64,
    /// Living root documents.
    pub docs: u64,
}

impl Committed {
    pub fn needs(&self, container: Container) -> bool {
        self.newest.segments.contains(&container)
            || self.next.contains(&container)
            || self.held.contains_key(&container)
            || self.older.iter().any(|point| point.segments.contains(&container))
    }

    /// How many of the older ones nobody needs when all copies have what lies below `global_checkpoint`.
    pub fn dispensable(&self, global_checkpoint: i64) -> usize {
        if self.newest.max_seq_no <= global_checkpoint {
            return self.older.len();
        }
        self.older.iter().rposition(|point| point.max_seq_no <= global_checkpoint).unwrap_or(0)
    }

    /// The first generation of the log that some commit needs.
    pub fn first_generation(&self) -> u64 {
        let all = self.older.iter().chain([&self.newest]).map(|point| point.translog_generation);
        all.min().expect("there is a newest")
    }
}

pub(crate) type Listener = Box<dyn FnOnce() + Send>;

pub struct Shard {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) fs: SharedFs,
    pub(crate) folder: PathBuf,
    pub(crate) config: RwLock<Arc<ShardConfig>>,
    pub(crate) current: RwLock<Arc<Current>>,
    pub(crate) versions: VersionMap,
    pub(crate) seq_nos: SeqNos,
    pub(crate) translog: OnceLock<Arc<Translog>>,
    pub(crate) layout: RwLock<Layout>,
    pub(crate) pool: Pool,
    pub(crate) next_container: AtomicU64,
    pub(crate) published: RwLock<Arc<ShardReader>>,
    /// Operations up to here are visible to searches.
    pub(crate) visible: AtomicI64,
    pub(crate) listeners: Mutex<Vec<(i64, Listener)>>,
    pub(crate) gate: RwLock<()>,
    pub(crate) refresh_lock: Mutex<()>,
    pub(crate) flush_lock: Mutex<()>,
    pub(crate) merge_lock: Mutex<()>,
    pub(crate) committed: Mutex<Committed>,
    /// History from here on is kept for other copies.
    pub(crate) retain_from: AtomicI64,
    pub(crate) failed: OnceLock<Error>,
    pub(crate) failure_listener: Mutex<Option<Listener>>,
    pub(crate) closed: AtomicBool,
    /// Calls off merges.
    pub(crate) cancelled: Arc<AtomicBool>,
    pub(crate) counters: Counters,
    pub(crate) timing: Timing,
}

/// When something is due, in milliseconds of the runtime's clock.
#[derive(Default)]
pub(crate) struct Timing {
    pub refresh_at: AtomicU64,
    pub sync_at: AtomicU64,
    pub last_write: AtomicU64,
    pub refresh_queued: AtomicBool,
    pub sync_queued: AtomicBool,
    pub flush_queued: AtomicBool,
    pub merge_queued: AtomicBool,
    /// Something was written since the last refresh.
    pub dirty: AtomicBool,
}

/// A shard that nobody writes to gives its builders' memory back after this time.
const IDLE_BUILDER_MS: u64 = 30_000;
/// And flushes after this.
const IDLE_FLUSH_MS: u64 = 300_000;
/// The log goes on in a new generation, so that old ones can be removed, when one has so many bytes.
const GENERATION_BYTES: u64 = 64 << 20;
/// A shard with so few uncommitted operations, and bytes of them, closes without a commit.
const QUICK_OPERATIONS: u64 = 100;
const QUICK_BYTES: u64 = 64 << 10;

impl Shard {
    pub(crate) fn translog(&self) -> &Arc<Translog> {
        self.translog.get().expect("set when the shard opens")
    }

    pub(crate) fn config(&self) -> Arc<ShardConfig> {
        self.config.read().clone()
    }

    pub(crate) fn current(&self) -> Arc<Current> {
        self.current.read().clone()
    }

    pub(crate) fn segments_folder(&self) -> PathBuf {
        self.folder.join("segments")
    }

    pub(crate) fn segment_folder(&self, container: Container) -> PathBuf {
        self.segments_folder().join(segment_name(container))
    }

    pub(crate) fn new_container(&self) -> Container {
        self.next_container.fetch_add(1, Ordering::Relaxed)
    }

    /// Err once the shard is closed or has met a fault after which its state is not certain.
    pub(crate) fn check_open(&self) -> Result<()> {
        if let Some(error) = self.failed.get() {
            return Err(Error::closed(format_args!("{} has failed ({error}) and", self.name())));
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed(self.name()));
        }
        Ok(())
    }

    pub(crate) fn name(&self) -> String {
        let config = self.config();
        format!("[{}][{}]", config.index, config.shard)
    }

    /// Notes a fault after which the shard accepts nothing until it is opened again, and tells who listens.
    pub(crate) fn fail(&self, error: Error) -> Error {
        if self.failed.set(error.clone()).is_ok() {
            log::error!("{} failed: {error}", self.name());
            if let Some(listener) = self.failure_listener.lock().take() {
                if self.runtime.has_background() {
                    // This thread may hold any lock of the shard.
                    self.runtime.work(listener);
                } else {
                    listener();
                }
            }
        }
        error
    }

    /// The fault after which the shard accepts nothing any more.
    pub fn failure(&self) -> Option<Error> {
        self.failed.get().cloned()
    }

    /// Calls back once, from a thread of the runtime, when the shard fails; at once if it has. Not after it was closed.
    pub fn when_failed(&self, listener: Listener) {
        let mut place = self.failure_listener.lock();
        if self.failed.get().is_none() {
            *place = Some(listener);
            return;
        }
        drop(place);
        listener();
    }

    /// Dynamic settings.
    pub fn configure(&self, json: &[u8]) -> Result<()> {
        self.check_open()?;
        let new = ShardConfig::parse(json)?;
        let syncs = new.durability == super::config::Durability::Request;
        if new.primary_term < self.config().primary_term {
            return Err(self.old_term(new.primary_term));
        }
        self.timing.refresh_at.store(0, Ordering::Relaxed);
        *self.config.write() = Arc::new(new);
        // Behind the change: from here on nothing is acknowledged that would wait for a sync.
        if syncs { self.sync() } else { Ok(()) }
    }

    /// From now on documents are parsed and searched by this mapping.
    pub fn set_mapping(&self, mapping: Arc<Mapping>) -> Result<()> {
        let _refresh = self.refresh_lock.lock();
        self.check_open()?;
        let old = self.current();
        if Arc::ptr_eq(&old.mapping, &mapping) {
            return Ok(());
        }
        let schema = SegmentSchema::of(&mapping);
        let same = schema.schema == old.schema.schema;
        let version = old.version + 1;
        *self.current.write() = Arc::new(Current { mapping: mapping.clone(), schema: schema.clone(), version });
        let mut layout = self.layout.write();
        if !same {
            for segment in &mut layout.segments {
                let folder = self.segment_folder(segment.container);
                let opened = segment.open.reopen(&self.fs, &folder, &schema.schema);
                let replaced = opened.and_then(|open| segment.replace_open(open, schema.system));
                replaced.map_err(|error| self.fail(error))?;
            }
        }
        layout.mapping = mapping;
        let generation = self.published.read().generation;
        let reader = Self::point_in_time(&mut layout, generation + 1);
        *self.published.write() = Arc::new(reader);
        Ok(())
    }

    pub(crate) fn point_in_time(layout: &mut Layout, generation: u64) -> ShardReader {
        ShardReader {
            index: layout.index.clone(),
            shard: layout.shard,
            generation,
            segments: layout.segments.iter_mut().map(super::layout::LiveSegment::publish).collect(),
            mapping: layout.mapping.clone(),
            doc_count: layout.segments.iter().map(|segment| u64::from(segment.live_roots())).sum(),
        }
    }

    /// The point in time of the last refresh.
    pub fn reader(&self) -> Result<Arc<ShardReader>> {
        self.check_open()?;
        Ok(self.published.read().clone())
    }

    pub(crate) fn biggest_builder(&self) -> usize {
        self.pool.biggest()
    }

    /// What the runtime's timer does for this shard.
    pub(crate) fn tick(self: &Arc<Self>, now: u64) {
        if self.check_open().is_err() {
            return;
        }
        let config = self.config();
        let timing = &self.timing;
        let due = |at: &AtomicU64, interval: i64| interval >= 0 && now >= at.load(Ordering::Relaxed);
        if due(&timing.refresh_at, config.refresh_interval_ms) {
            timing.refresh_at.store(now + config.refresh_interval_ms.max(1) as u64, Ordering::Relaxed);
            if timing.dirty.load(Ordering::Relaxed) || !self.listeners.lock().is_empty() {
                self.once(&timing.refresh_queued, |shard| {
                    shard.timing.refresh_queued.store(false, Ordering::Relaxed);
                    shard.refresh().ok();
                });
            }
        }
        if config.durability == super::config::Durability::Async && due(&timing.sync_at, config.sync_interval_ms) {
            timing.sync_at.store(now + config.sync_interval_ms.max(1) as u64, Ordering::Relaxed);
            self.once(&timing.sync_queued, |shard| {
                shard.timing.sync_queued.store(false, Ordering::Relaxed);
                shard.sync().ok();
            });
        }
        let idle = now.saturating_sub(timing.last_write.load(Ordering::Relaxed));
        if idle > IDLE_BUILDER_MS && self.pool.waiting_since(now.saturating_sub(IDLE_BUILDER_MS)) {
            self.once(&timing.refresh_queued, |shard| {
                shard.timing.refresh_queued.store(false, Ordering::Relaxed);
                shard.settle_all("idle").ok();
            });
        }
        if self.has_dispensable_commits() {
            self.once(&timing.flush_queued, |shard| {
                shard.drop_dispensable_commits().ok();
                shard.timing.flush_queued.store(false, Ordering::Relaxed);
            });
        }
        if self.translog().generation_bytes() > GENERATION_BYTES {
            self.once(&timing.sync_queued, |shard| {
                shard.translog().roll().map_err(|error| shard.fail(error)).ok();
                shard.timing.sync_queued.store(false, Ordering::Relaxed);
            });
        }
        let uncommitted = self.translog().stats();
        if uncommitted.uncommitted_size_in_bytes > config.translog_flush_bytes
            || (idle > IDLE_FLUSH_MS && uncommitted.uncommitted_operations > 0)
            // Segments merged away take disk space until the next commit.
            || (idle > IDLE_BUILDER_MS && !self.committed.lock().garbage.is_empty())
        {
            self.once(&timing.flush_queued, |shard| {
                shard.flush(false, true).ok();
                shard.timing.flush_queued.store(false, Ordering::Relaxed);
            });
        }
    }

    fn once(self: &Arc<Self>, queued: &AtomicBool, job: impl FnOnce(&Arc<Self>) + Send + 'static) {
        if !queued.swap(true, Ordering::Relaxed) {
            let shard = self.clone();
            self.runtime.work(move || job(&shard));
        }
    }

    /// Makes durable what was acknowledged without a sync.
    pub fn sync(&self) -> Result<()> {
        self.check_open()?;
        let checkpoint = self.seq_nos.processed_checkpoint();
        self.translog().sync_checkpoint().map_err(|error| self.fail(error))?;
        self.persisted(checkpoint);
        Ok(())
    }

    /// Operations up to here are on disk; without other copies that is all that counts.
    pub(crate) fn persisted(&self, checkpoint: i64) {
        self.seq_nos.persisted(checkpoint);
        if !self.config.read().replicated {
            self.translog().set_global_checkpoint(checkpoint);
        }
    }

    /// Syncs, commits if there is something to commit, and lets go of everything. The shard's readers stay usable; its folder is not
    /// touched any more.
    pub fn close(&self) -> Result<()> {
        self.cancelled.store(true, Ordering::Relaxed);
        let flushed = match self.check_open() {
            Ok(()) if self.replays_quickly() => Ok(()),
            Ok(()) => self.flush(false, true),
            Err(_) => Ok(()),
        };
        self.let_go(|shard| shard.translog().close().map_err(|error| shard.fail(error)))?;
        flushed
    }

    /// Lets go of everything and writes nothing: the folder is about to be removed.
    pub fn abandon(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.let_go(|_| Ok(())).ok();
    }

    /// What the next opening has to replay is so little that a commit would cost more.
    fn replays_quickly(&self) -> bool {
        let stats = self.translog().stats();
        (1..=QUICK_OPERATIONS).contains(&stats.uncommitted_operations)
            && stats.uncommitted_size_in_bytes <= QUICK_BYTES
            && self.committed.lock().garbage.is_empty()
    }

    fn let_go(&self, last: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        // Whoever is in the middle of something ends first, and finds the shard closed the next time.
        let _merge = self.merge_lock.lock();
        let _flush = self.flush_lock.lock();
        let _refresh = self.refresh_lock.lock();
        let _gate = self.gate.write();
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.failure_listener.lock().take();
        let result = if self.failed.get().is_none() { last(self) } else { Ok(()) };
        for building in self.pool.take_all() {
            self.runtime.account(building.memory, 0);
        }
        let listeners = std::mem::take(&mut *self.listeners.lock());
        listeners.into_iter().for_each(|(_, listener)| listener());
        result
    }
}

/// As Lucene names segments: `_` and the number to the base 36.
pub(crate) fn segment_name(container: Container) -> String {
    let mut digits = Vec::new();
    let mut rest = container;
    while rest > 0 || digits.is_empty() {
        digits.push(char::from_digit((rest % 36) as u32, 36).expect("less than 36"));
        rest /= 36;
    }
    std::iter::once('_').chain(digits.into_iter().rev()).collect()
}

pub(crate) fn container_of(name: &str) -> Option<Container> {
    Container::from_str_radix(name.strip_prefix('_')?, 36).ok()
}

/// Whether a folder holds anything of a shard.
pub(crate) fn has_content(fs: &SharedFs, folder: &Path) -> bool {
    fs.list(folder).is_ok_and(|names| !names.is_empty())
}
