//! The log of operations since the last commit: what makes an acknowledged write durable before its segment is.
//!
//! Appending only copies into a buffer; [`Translog::sync`] writes and syncs for everyone who waits (group commit). A generation is a
//! file; flush rolls to a new one and, once the commit is durable, trims the old ones. After a failed write or sync nothing is accepted
//! any more: what the disk holds is then unknown until the shard is opened again.

pub mod format;
mod history;
mod replay;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

pub use format::{Kind, Operation};
pub use history::{History, Retention};
pub use replay::{Extent, Scan, file_name};

use crate::storage::{FsFile, SharedFs};
use crate::{Error, Result};

/// The buffer is written out, without a sync, when it grows beyond this.
const SPILL: usize = 4 << 20;

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    pub generation: u64,
    pub offset: u64,
    pub len: u32,
}

impl Location {
    fn end(&self) -> (u64, u64) {
        (self.generation, self.offset + u64::from(self.len))
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    pub operations: u64,
    pub size_in_bytes: u64,
    pub uncommitted_operations: u64,
    pub uncommitted_size_in_bytes: u64,
    pub generation: u64,
}

pub struct Translog {
    fs: SharedFs,
    folder: PathBuf,
    uuid: String,
    /// Operations up to here are on all copies in sync; goes into the marks.
    global: AtomicI64,
    /// As of the last sync.
    global_synced: AtomicI64,
    tail: Mutex<Tail>,
    /// Held while writing and syncing; waiting for it is waiting for the group commit.
    file: Mutex<Current>,
}

/// What is not written yet. Never locked before `file` is, when both are.
struct Tail {
    generation: u64,
    /// Where `buffer` starts in the file.
    start: u64,
    buffer: Vec<u8>,
    /// Operations are in the buffer (a mark always is).
    dirty: bool,
    /// The piece that is being written, for readers.
    in_flight: Option<(u64, Arc<Vec<u8>>)>,
    extents: BTreeMap<u64, Extent>,
    /// Generations on disk before those, of which nobody has asked what they hold.
    older: Vec<u64>,
    /// The first generation that the last commit does not cover.
    committed: u64,
    /// How many read the history from a generation on.
    held: BTreeMap<u64, usize>,
    failed: Option<Error>,
}

struct Current {
    file: Box<dyn FsFile>,
    generation: u64,
    written: u64,
    synced: u64,
}

impl Translog {
    /// Starts the log of a new shard with generation 1.
    pub fn create(fs: SharedFs, folder: PathBuf, uuid: &str, global_checkpoint: i64) -> Result<Self> {
        fs.create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
        Self::start(Scan::nothing(fs, folder, uuid), 1, 1, global_checkpoint)
    }

    /// Goes on behind what was read. `committed`: the first generation that the commit does not cover.
    pub fn resume(scan: Scan, committed: u64, global_checkpoint: i64) -> Result<Self> {
        let newest = scan.newest();
        let extent = scan.extents[&newest];
        if extent.len == format::encode_header(newest, &scan.uuid).len() as u64 {
            return Self::go_on(scan, newest, committed, global_checkpoint);
        }
        settle_tail(&scan.fs, &scan.folder.join(replay::file_name(newest)), extent)?;
        Self::start(scan, newest + 1, committed, global_checkpoint)
    }

    /// Goes on behind the header of an existing generation that has nothing else.
    fn go_on(scan: Scan, generation: u64, committed: u64, global: i64) -> Result<Self> {
        let path = scan.folder.join(replay::file_name(generation));
        // Whoever made the file may have ended before it, or its name, was durable: the first sync takes the header along.
        let header = format::encode_header(generation, &scan.uuid);
        let len = header.len() as u64;
        let file = scan.fs.rewrite(&path, 0, &header).map_err(|e| Error::io(path.display(), e))?;
        scan.fs.sync_dir(&scan.folder).map_err(|e| Error::io(scan.folder.display(), e))?;
        Ok(Self::with(scan, Current { file, generation, written: len, synced: len }, committed, global))
    }

    fn start(scan: Scan, generation: u64, committed: u64, global: i64) -> Result<Self> {
        let current = new_file(&scan.fs, &scan.folder, &scan.uuid, generation)?;
        Ok(Self::with(scan, current, committed, global))
    }

    fn with(scan: Scan, current: Current, committed: u64, global: i64) -> Self {
        let Scan { fs, folder, uuid, mut extents, older, .. } = scan;
        extents.insert(current.generation, Extent { len: current.written, ..Extent::default() });
        let mut tail = Tail {
            generation: current.generation,
            start: current.written,
            buffer: Vec::new(),
            dirty: false,
            in_flight: None,
            extents,
            older,
            committed,
            held: BTreeMap::new(),
            failed: None,
        };
        tail.mark(current.synced);
        Self {
            fs,
            folder,
            uuid,
            global: AtomicI64::new(global),
            global_synced: AtomicI64::new(-1),
            tail: Mutex::new(tail),
            file: Mutex::new(current),
        }
    }

    /// Operations up to here are on all copies in sync. Never goes back.
    pub fn set_global_checkpoint(&self, value: i64) {
        self.global.fetch_max(value, Ordering::Relaxed);
    }

    pub fn global_checkpoint(&self) -> i64 {
        self.global.load(Ordering::Relaxed)
    }

    /// What the log tells of it after a crash.
    pub fn global_checkpoint_synced(&self) -> i64 {
        self.global_synced.load(Ordering::Relaxed)
    }

    /// Adds an operation; not durable before [`Translog::sync`].
    pub fn append(&self, operation: &Operation<'_>) -> Result<Location> {
        self.add(operation.seq_no, |buffer| format::encode(operation, buffer))
    }

    /// Adds the record of an operation as it is.
    pub fn append_record(&self, record: &[u8], seq_no: i64) -> Result<Location> {
        self.add(seq_no, |buffer| {
            buffer.extend_from_slice(record);
            record.len()
        })
    }

    /// Voids the operations so far with greater numbers; durable on return.
    pub fn trim_above(&self, seq_no: i64) -> Result<()> {
        let location = self.add(-1, |buffer| format::encode_trim(seq_no, buffer))?;
        self.sync(location)
    }

    fn add(&self, seq_no: i64, encode: impl FnOnce(&mut Vec<u8>) -> usize) -> Result<Location> {
        let (location, spill) = {
            let mut tail = self.tail.lock();
            if let Some(error) = &tail.failed {
                return Err(error.clone());
            }
            let offset = tail.start + tail.buffer.len() as u64;
            let len = encode(&mut tail.buffer);
            tail.dirty = true;
            let generation = tail.generation;
            let extent = tail.extents.entry(generation).or_default();
            extent.operations += u64::from(seq_no >= 0);
            extent.len = offset + len as u64;
            extent.max_seq_no = extent.max_seq_no.max(seq_no);
            (Location { generation, offset, len: len as u32 }, tail.buffer.len() > SPILL)
        };
        if spill && let Some(mut file) = self.file.try_lock() {
            self.write_out(&mut file, false)?;
        }
        Ok(location)
    }

    /// Returns when the operation, and all before it, are durable.
    pub fn sync(&self, location: Location) -> Result<()> {
        let mut file = self.file.lock();
        if (file.generation, file.synced) >= location.end() {
            return Ok(());
        }
        self.write_out(&mut file, true)
    }

    /// Makes durable whatever there is.
    pub fn sync_all(&self) -> Result<()> {
        self.sync_rest(&mut self.file.lock())
    }

    /// The same, and the global checkpoint.
    pub fn sync_checkpoint(&self) -> Result<()> {
        let mut file = self.file.lock();
        if self.global_checkpoint() > self.global_checkpoint_synced() {
            return self.write_out(&mut file, true);
        }
        self.sync_rest(&mut file)
    }

    fn sync_rest(&self, file: &mut Current) -> Result<()> {
        let dirty = self.tail.lock().dirty;
        if dirty || file.synced < file.written { self.write_out(file, true) } else { Ok(()) }
    }

    fn write_out(&self, file: &mut Current, sync: bool) -> Result<()> {
        let global = self.global_checkpoint();
        let piece = {
            let mut tail = self.tail.lock();
            if let Some(error) = &tail.failed {
                return Err(error.clone());
            }
            format::renew_mark(&mut tail.buffer, global);
            tail.take(if sync { None } else { Some(file.synced) })
        };
        let result = write_piece(file, &piece, sync);
        if sync && result.is_ok() {
            self.global_synced.fetch_max(global, Ordering::Relaxed);
        }
        let mut tail = self.tail.lock();
        tail.in_flight = None;
        result.map_err(|e| {
            let path = self.folder.join(replay::file_name(file.generation));
            let error = Error::io(format!("translog {}", path.display()), e);
            tail.failed = Some(error.clone());
            error
        })
    }

    /// Starts a new generation; everything before it is durable. Answers the new one's number.
    pub fn roll(&self) -> Result<u64> {
        let mut file = self.file.lock();
        // The closing mark follows in a write of its own. All of it before the next generation exists: from then on this one
        // counts as complete.
        self.sync_rest(&mut file)?;
        let mut tail = loop {
            self.write_out(&mut file, true)?;
            let tail = self.tail.lock();
            if !tail.dirty {
                break tail;
            }
        };
        let generation = file.generation + 1;
        let next = match new_file(&self.fs, &self.folder, &self.uuid, generation) {
            Ok(next) => next,
            Err(error) => {
                tail.failed = Some(error.clone());
                return Err(error);
            }
        };
        tail.generation = generation;
        tail.start = next.written;
        tail.buffer.clear();
        tail.mark(next.written);
        tail.extents.insert(generation, Extent { len: next.written, ..Extent::default() });
        *file = next;
        Ok(generation)
    }

    /// Tells which generations commits need: all from `needed` on the oldest of them, from `committed` on the newest. Those that nobody
    /// needs are removed.
    pub fn trim(&self, needed: u64, committed: u64, retention: Retention) -> Result<()> {
        let old = {
            let mut tail = self.tail.lock();
            tail.committed = committed;
            let first = tail.first_retained(needed, retention);
            let old: Vec<u64> = tail.extents.range(..first).map(|(generation, _)| *generation).collect();
            tail.extents.retain(|generation, _| *generation >= first);
            let (gone, kept) = std::mem::take(&mut tail.older).into_iter().partition(|generation| *generation < first);
            tail.older = kept;
            [old, gone].concat()
        };
        for generation in &old {
            self.fs.remove_file(&self.folder.join(replay::file_name(*generation))).ok();
        }
        Ok(())
    }

    /// The first generation that may hold operations above `seq_no`, or the newest.
    pub fn first_above(&self, seq_no: i64) -> u64 {
        let tail = self.tail.lock();
        let above = |(_, extent): &(&u64, &Extent)| extent.max_seq_no > seq_no;
        tail.extents.iter().find(above).map_or(tail.generation, |(generation, _)| *generation)
    }

    pub fn max_seq_no(&self) -> i64 {
        self.tail.lock().extents.values().map(|extent| extent.max_seq_no).max().unwrap_or(-1)
    }

    /// Bytes in the generation that is written now.
    pub fn generation_bytes(&self) -> u64 {
        let tail = self.tail.lock();
        tail.extents.get(&tail.generation).map_or(0, |extent| extent.len)
    }

    /// Reads one operation back, from memory or file.
    pub fn read<T>(&self, location: Location, use_it: impl FnOnce(Operation<'_>) -> T) -> Result<T> {
        let bytes = {
            let tail = self.tail.lock();
            tail.find(location).map(<[u8]>::to_vec)
        };
        let path = self.folder.join(replay::file_name(location.generation));
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self
                .fs
                .read_at(&path, location.offset, location.len as usize)
                .map_err(|e| Error::io(path.display(), e))?,
        };
        match format::decode(&bytes) {
            Ok((format::Record::Operation(operation), _)) => Ok(use_it(operation)),
            Ok(_) => Err(Error::corruption(path.display(), location.offset, "there is no operation here")),
            Err(bad) => Err(Error::corruption(path.display(), location.offset, bad.reason())),
        }
    }

    pub fn stats(&self) -> Stats {
        let tail = self.tail.lock();
        let sum = |from: u64| {
            tail.extents.range(from..).fold((0, 0), |(n, len), (_, extent)| (n + extent.operations, len + extent.len))
        };
        let ((operations, size_in_bytes), (uncommitted_operations, uncommitted_size_in_bytes)) =
            (sum(0), sum(tail.committed));
        Stats {
            operations,
            size_in_bytes,
            uncommitted_operations,
            uncommitted_size_in_bytes,
            generation: tail.generation,
        }
    }

    /// Why the log accepts nothing any more.
    pub fn failure(&self) -> Option<Error> {
        self.tail.lock().failed.clone()
    }

    /// Syncs and writes the closing mark, by which any later damage can be told from a torn tail. A generation without operations
    /// needs none.
    pub fn close(&self) -> Result<()> {
        let mut file = self.file.lock();
        self.sync_rest(&mut file)?;
        let unused = file.written == format::encode_header(file.generation, &self.uuid).len() as u64;
        if unused { Ok(()) } else { self.write_out(&mut file, true) }
    }
}

impl Tail {
    /// The first generation to be kept: what commits need, what is being read, and history as far as it is wanted.
    fn first_retained(&self, needed: u64, retention: Retention) -> u64 {
        let held = self.held.keys().next().copied().unwrap_or(u64::MAX);
        let mut first = needed;
        let mut bytes = 0;
        for (generation, extent) in self.extents.range(..needed).rev() {
            bytes += extent.len;
            if extent.max_seq_no < retention.from_seq_no || bytes > retention.bytes {
                break;
            }
            first = *generation;
        }
        first.min(held)
    }

    /// Starts a buffer by telling how far the file is synced; the checkpoint comes when it is written.
    fn mark(&mut self, synced: u64) {
        format::encode_mark(format::Mark { synced, global_checkpoint: -1 }, &mut self.buffer);
        self.dirty = false;
    }

    /// Hands out the buffer for writing. `synced`: how far the file will be synced then; None: to the end of this piece.
    fn take(&mut self, synced: Option<u64>) -> Arc<Vec<u8>> {
        let capacity = self.buffer.len().min(SPILL);
        let piece = Arc::new(std::mem::replace(&mut self.buffer, Vec::with_capacity(capacity)));
        self.in_flight = Some((self.start, piece.clone()));
        self.start += piece.len() as u64;
        self.mark(synced.unwrap_or(self.start));
        piece
    }

    fn find(&self, location: Location) -> Option<&[u8]> {
        if location.generation != self.generation {
            return None;
        }
        let (from, len) = (location.offset, location.len as usize);
        let (start, bytes) = if from >= self.start {
            (self.start, self.buffer.as_slice())
        } else {
            let (start, piece) = self.in_flight.as_ref()?;
            (*start, piece.as_slice())
        };
        let at = from.checked_sub(start)? as usize;
        bytes.get(at..at + len)
    }
}

/// Makes durable what was read of the newest generation, and cuts off what was not. Its writer may have died between writing and
/// syncing, and after a sync that failed the system takes for written what is not: hence once more, without taking it away first.
fn settle_tail(fs: &SharedFs, path: &Path, extent: Extent) -> Result<()> {
    let context = |e| Error::io(path.display(), e);
    let from = extent.synced.min(extent.len);
    let tail = fs.read_at(path, from, (extent.len - from) as usize).map_err(context)?;
    fs.rewrite(path, from, &tail).map_err(context)?.sync().map_err(context)
}

fn write_piece(file: &mut Current, piece: &[u8], sync: bool) -> std::io::Result<()> {
    file.file.write_all(piece)?;
    file.written += piece.len() as u64;
    if sync {
        file.file.sync()?;
        file.synced = file.written;
    }
    Ok(())
}

fn new_file(fs: &SharedFs, folder: &Path, uuid: &str, generation: u64) -> Result<Current> {
    let path = folder.join(replay::file_name(generation));
    let context = |e| Error::io(path.display(), e);
    let header = format::encode_header(generation, uuid);
    let mut file = fs.create(&path).map_err(context)?;
    file.write_all(&header).map_err(context)?;
    file.sync().map_err(context)?;
    fs.sync_dir(folder).map_err(context)?;
    let len = header.len() as u64;
    Ok(Current { file, generation, written: len, synced: len })
}

#[cfg(test)]
mod tests;
