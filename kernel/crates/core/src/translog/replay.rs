//! Reading a translog back: all of it, or an error that says where it is damaged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Location;
use super::format::{self, Operation, Record};
use crate::storage::{Fs, SharedFs};
use crate::{Error, Result};

/// What a log is read for.
pub enum Entry<'a> {
    Operation(Operation<'a>, Location),
    /// The operations before it count up to this number only.
    Trim(i64),
}

/// Which of the records with the same number counts: a copy that followed another primary holds several. The last one wins, and a trim
/// voids those before it.
#[derive(Debug, Default)]
pub struct Winners {
    places: BTreeMap<i64, Location>,
}

impl Winners {
    pub fn take(&mut self, entry: &Entry<'_>) {
        match entry {
            Entry::Operation(operation, location) => drop(self.places.insert(operation.seq_no, *location)),
            Entry::Trim(above) => drop(self.places.split_off(&(above + 1))),
        }
    }

    pub fn counts(&self, seq_no: i64, location: Location) -> bool {
        self.places.get(&seq_no) == Some(&location)
    }

    /// By ascending number, from `from` on.
    pub fn from(&self, from: i64) -> impl Iterator<Item = (i64, Location)> + '_ {
        self.places.range(from..).map(|(seq_no, location)| (*seq_no, *location))
    }
}

/// What one generation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub operations: u64,
    /// Up to the end of the last intact record.
    pub len: u64,
    pub max_seq_no: i64,
    /// As far as its marks tell that it is synced.
    pub synced: u64,
    /// The newest that its marks tell; -1: none.
    pub global_checkpoint: i64,
}

impl Default for Extent {
    fn default() -> Self {
        Self { operations: 0, len: 0, max_seq_no: -1, synced: 0, global_checkpoint: -1 }
    }
}

pub fn file_name(generation: u64) -> String {
    format!("translog-{generation}.tlog")
}

fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix("translog-")?.strip_suffix(".tlog")?.parse().ok()
}

/// Generations in the folder, ascending.
pub fn generations(fs: &dyn Fs, folder: &Path) -> Result<Vec<u64>> {
    let names = match fs.list(folder) {
        Ok(names) => names,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(folder.display(), e)),
    };
    let mut found: Vec<u64> = names.iter().filter_map(|name| generation_of(name)).collect();
    found.sort_unstable();
    Ok(found)
}

/// One generation being read.
pub struct Reader<'a> {
    pub fs: &'a dyn Fs,
    pub path: PathBuf,
    pub uuid: &'a str,
    pub generation: u64,
    /// A torn tail is possible only here: older generations were synced before newer ones were made.
    pub last: bool,
}

impl Reader<'_> {
    /// Calls back for every operation and every trim. None: the file of the last generation was never finished, not even its header.
    pub fn read(&self, mut each: impl FnMut(Entry<'_>) -> Result<()>) -> Result<Option<Extent>> {
        let file = self.fs.read(&self.path).map_err(|e| Error::io(self.path.display(), e))?;
        let bytes = file.as_slice();
        let Some(start) = self.header(bytes)? else { return Ok(None) };
        let mut extent = Extent { len: start as u64, synced: start as u64, ..Extent::default() };
        while (extent.len as usize) < bytes.len() {
            let at = extent.len as usize;
            let (record, len) = match format::decode(&bytes[at..]) {
                Ok(found) => found,
                Err(bad) => {
                    self.judge_damage(&bytes[at..], at as u64, bad)?;
                    break;
                }
            };
            match record {
                Record::Operation(operation) => {
                    extent.operations += 1;
                    extent.max_seq_no = extent.max_seq_no.max(operation.seq_no);
                    let location = Location { generation: self.generation, offset: at as u64, len: len as u32 };
                    each(Entry::Operation(operation, location))?;
                }
                Record::Mark(mark) => {
                    extent.synced = extent.synced.max(mark.synced);
                    extent.global_checkpoint = extent.global_checkpoint.max(mark.global_checkpoint);
                }
                Record::Trim(above) => each(Entry::Trim(above))?,
            }
            extent.len += len as u64;
        }
        Ok(Some(extent))
    }

    fn header(&self, bytes: &[u8]) -> Result<Option<usize>> {
        let damaged = |reason: String| Error::corruption(self.path.display(), 0, reason);
        let Some(header) = format::decode_header(bytes) else {
            return if self.last { Ok(None) } else { Err(damaged("the header is damaged".into())) };
        };
        if header.version > format::VERSION {
            let (found, known) = (header.version, format::VERSION);
            let text = format!(
                "{}: format version {found} is newer than {known}, the newest that this version reads",
                self.path.display()
            );
            return Err(Error::too_new(text));
        }
        if header.uuid != self.uuid || header.generation != self.generation {
            return Err(damaged(format!("the file belongs to shard {} generation {}", header.uuid, header.generation)));
        }
        Ok(Some(header.len))
    }

    /// Ok: a torn tail. Err: bytes that had been synced are damaged.
    fn judge_damage(&self, rest: &[u8], at: u64, bad: format::Bad) -> Result<()> {
        if !self.last || format::synced_according_to_marks(rest) > at {
            return Err(Error::corruption(self.path.display(), at, bad.reason()));
        }
        log::warn!(
            "{}: cutting off a torn tail of {} bytes at offset {at}: {}",
            self.path.display(),
            rest.len(),
            bad.reason()
        );
        Ok(())
    }
}

/// A log on disk, read once from some generation on: whole, or an error says where it is damaged.
pub struct Scan {
    pub fs: SharedFs,
    pub folder: PathBuf,
    pub uuid: String,
    pub extents: BTreeMap<u64, Extent>,
    /// Generations before these, kept as history.
    pub older: Vec<u64>,
    /// None: every record counts.
    winners: Option<Winners>,
}

impl Scan {
    /// Of a log that is to be started.
    pub fn nothing(fs: SharedFs, folder: PathBuf, uuid: &str) -> Self {
        Self { fs, folder, uuid: uuid.to_owned(), extents: BTreeMap::new(), older: Vec::new(), winners: None }
    }

    pub fn read(fs: SharedFs, folder: PathBuf, uuid: &str, from: u64) -> Result<Self> {
        let found = generations(&*fs, &folder)?;
        let last = found.last().copied().unwrap_or(0);
        if last < from {
            let path = folder.join(file_name(from));
            return Err(Error::corruption(path.display(), 0, "the generation that the commit names is missing"));
        }
        if let Some(missing) = (from..=last).find(|generation| !found.contains(generation)) {
            let path = folder.join(file_name(missing));
            return Err(Error::corruption(path.display(), 0, "the generation is missing"));
        }
        let older = found.into_iter().filter(|generation| *generation < from).collect();
        let mut scan = Self { older, ..Self::nothing(fs, folder, uuid) };
        let mut trimmed = false;
        for generation in from..=last {
            let reader = scan.reader(generation, last);
            let extent = reader.read(|entry| {
                trimmed |= matches!(entry, Entry::Trim(_));
                Ok(())
            })?;
            match extent {
                Some(extent) => drop(scan.extents.insert(generation, extent)),
                None if generation > from => log::warn!("{}: removing an unfinished generation", reader.path.display()),
                None => return Err(Error::corruption(reader.path.display(), 0, "the header is damaged")),
            }
        }
        if trimmed {
            let mut winners = Winners::default();
            scan.each(from, |entry| {
                winners.take(&entry);
                Ok(())
            })?;
            scan.winners = Some(winners);
        }
        Ok(scan)
    }

    fn reader(&self, generation: u64, last: u64) -> Reader<'_> {
        let path = self.folder.join(file_name(generation));
        Reader { fs: &*self.fs, path, uuid: &self.uuid, generation, last: generation == last }
    }

    fn each(&self, from: u64, mut each: impl FnMut(Entry<'_>) -> Result<()>) -> Result<()> {
        let last = self.newest();
        for generation in self.extents.range(from..).map(|(generation, _)| *generation) {
            self.reader(generation, last).read(&mut each)?;
        }
        Ok(())
    }

    /// Calls back for every operation of these generations that counts, in the order in which they were written.
    pub fn replay(&self, from: u64, mut each: impl FnMut(Operation<'_>, Location) -> Result<()>) -> Result<()> {
        self.each(from, |entry| match entry {
            Entry::Operation(operation, location) if self.counts(operation.seq_no, location) => {
                each(operation, location)
            }
            _ => Ok(()),
        })
    }

    fn counts(&self, seq_no: i64, location: Location) -> bool {
        self.winners.as_ref().is_none_or(|winners| winners.counts(seq_no, location))
    }

    pub fn newest(&self) -> u64 {
        *self.extents.last_key_value().expect("there is at least one generation").0
    }

    pub fn global_checkpoint(&self) -> i64 {
        self.extents.values().map(|extent| extent.global_checkpoint).max().unwrap_or(-1)
    }
}
