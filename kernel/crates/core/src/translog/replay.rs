//! Reading a translog back: all of it, or an error that says where it is damaged.

use std::path::{Path, PathBuf};

use super::Location;
use super::format::{self, Operation, Record};
use crate::storage::Fs;
use crate::{Error, Result};

/// What one generation holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    pub operations: u64,
    /// Up to the end of the last intact record.
    pub len: u64,
    pub max_seq_no: i64,
    /// As far as its marks tell that it is synced.
    pub synced: u64,
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
    /// Calls back for every operation. None: the file of the last generation was never finished, not even its header.
    pub fn read(&self, mut each: impl FnMut(Operation<'_>, Location) -> Result<()>) -> Result<Option<Extent>> {
        let file = self.fs.read(&self.path).map_err(|e| Error::io(self.path.display(), e))?;
        let bytes = file.as_slice();
        let Some(start) = self.header(bytes)? else { return Ok(None) };
        let mut extent = Extent { operations: 0, len: start as u64, max_seq_no: -1, synced: start as u64 };
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
                    each(operation, Location { generation: self.generation, offset: at as u64, len: len as u32 })?;
                }
                Record::Mark(synced) => extent.synced = extent.synced.max(synced),
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
