//! Operations read back by number, for copies that catch up.

use std::sync::Arc;

use super::replay::{self, Entry, Reader, Winners};
use super::{Location, Translog, format};
use crate::{Error, Result};

/// What is kept of the log beyond what commits need: operations from a number on, but not more bytes than these.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    pub from_seq_no: i64,
    pub bytes: u64,
}

impl Retention {
    pub const NONE: Self = Self { from_seq_no: i64::MAX, bytes: 0 };
}

/// Operations in the order of their numbers; what they stand in is not trimmed as long as this lives.
pub struct History {
    log: Arc<Translog>,
    held: u64,
    places: Vec<(i64, Location)>,
    next: usize,
    upto: i64,
}

/// Records that stand closer together than this are read in one piece.
const GAP: u64 = 4 << 10;
/// Most bytes read in one piece.
const PIECE: u64 = 4 << 20;

impl Translog {
    /// All operations that count from `from` to the newest, by number. The number of an operation may be missing.
    pub fn history(self: &Arc<Self>, from: i64) -> Result<History> {
        // What is read is in files that do not grow any more.
        if self.generation_bytes() > format::encode_header(1, &self.uuid).len() as u64 {
            self.roll()?;
        }
        let (held, generations) = {
            let mut tail = self.tail.lock();
            self.look_into_older(&mut tail, from)?;
            let newest = tail.generation;
            let wanted = tail.extents.range(..newest).find(|(_, extent)| extent.max_seq_no >= from);
            let first = wanted.map_or(newest, |(generation, _)| *generation);
            *tail.held.entry(first).or_default() += 1;
            (first, tail.extents.range(first..newest).map(|(generation, _)| *generation).collect::<Vec<_>>())
        };
        let mut history = History { log: Arc::clone(self), held, places: Vec::new(), next: 0, upto: i64::MAX };
        let mut winners = Winners::default();
        for generation in generations {
            self.reader(generation).read(|entry| {
                if !matches!(&entry, Entry::Operation(operation, _) if operation.seq_no < from) {
                    winners.take(&entry);
                }
                Ok(())
            })?;
        }
        history.places = winners.from(from).collect();
        Ok(history)
    }

    fn reader(&self, generation: u64) -> Reader<'_> {
        let path = self.folder.join(replay::file_name(generation));
        Reader { fs: &*self.fs, path, uuid: &self.uuid, generation, last: false }
    }

    /// Reads what generations from before the last start hold, if the others do not go back far enough.
    fn look_into_older(&self, tail: &mut super::Tail, from: i64) -> Result<()> {
        if tail.older.is_empty() || tail.extents.values().any(|extent| (0..=from).contains(&extent.max_seq_no)) {
            return Ok(());
        }
        for generation in std::mem::take(&mut tail.older) {
            if let Some(extent) = self.reader(generation).read(|_| Ok(()))? {
                tail.extents.insert(generation, extent);
            }
        }
        Ok(())
    }
}

impl History {
    /// Whether every number from `from` to `to` is there, and none above.
    pub fn is_complete(&self, from: i64, to: i64) -> bool {
        let wanted = usize::try_from(to - from + 1).unwrap_or(0);
        self.places.len() == wanted && self.places.last().is_none_or(|(seq_no, _)| *seq_no == to)
    }

    /// Leaves out what is above.
    pub fn up_to(mut self, to: i64) -> Self {
        self.places.truncate(self.places.partition_point(|(seq_no, _)| *seq_no <= to));
        self.upto = to;
        self
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The number up to which it goes, be there operations or not.
    pub fn max_seq_no(&self) -> i64 {
        self.upto
    }

    pub fn bytes(&self) -> u64 {
        self.places.iter().map(|(_, location)| u64::from(location.len)).sum()
    }

    pub fn places(&self) -> &[(i64, Location)] {
        &self.places
    }

    /// Records of the next operations, at least one; empty at the end.
    pub fn next(&mut self, max_bytes: u64) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        while let Some(run) = self.run(max_bytes.min(PIECE), out.len() as u64, max_bytes) {
            let (first, last) = (self.places[self.next].1, self.places[run - 1].1);
            let path = self.log.folder.join(replay::file_name(first.generation));
            let len = last.offset + u64::from(last.len) - first.offset;
            let read = self.log.fs.read_at(&path, first.offset, len as usize);
            let bytes = read.map_err(|e| Error::io(path.display(), e))?;
            for (_, location) in &self.places[self.next..run] {
                let at = (location.offset - first.offset) as usize;
                out.extend_from_slice(&bytes[at..at + location.len as usize]);
            }
            self.next = run;
        }
        Ok(out)
    }

    /// The end of the run from `next` on that one read takes. None: nothing is left, or there is enough.
    fn run(&self, piece: u64, so_far: u64, max_bytes: u64) -> Option<usize> {
        let (_, first) = *self.places.get(self.next)?;
        if so_far > 0 && so_far + u64::from(first.len) > max_bytes {
            return None;
        }
        let mut end = self.next + 1;
        let mut last = first;
        while let Some((_, location)) = self.places.get(end) {
            let follows = location.generation == last.generation && location.offset >= last.offset;
            let near = follows && location.offset - last.offset <= u64::from(last.len) + GAP;
            let until = location.offset.saturating_sub(first.offset) + u64::from(location.len);
            if !near || until > piece || so_far + until > max_bytes {
                break;
            }
            last = *location;
            end += 1;
        }
        Some(end)
    }
}

impl Drop for History {
    fn drop(&mut self) {
        let mut tail = self.log.tail.lock();
        if let Some(count) = tail.held.get_mut(&self.held) {
            *count -= 1;
            if *count == 0 {
                tail.held.remove(&self.held);
            }
        }
    }
}
