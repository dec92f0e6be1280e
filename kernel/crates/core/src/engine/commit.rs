//! A commit point: which segments the shard consists of, what is deleted in them, and where the translog goes on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::storage::{Fs, record};
use crate::{Error, Result};

const FORMAT: record::Format = record::Format { magic: b"QDCOMMIT", version: 1 };

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Of the index, with the shard's number.
    pub uuid: String,
    /// Of the shard's history: a new one whenever operations may have been lost on purpose.
    pub history_uuid: String,
    pub primary_term: u64,
    pub segments: Vec<CommitSegment>,
    pub max_seq_no: i64,
    pub local_checkpoint: i64,
    /// The first generation whose operations are not in the segments.
    pub translog_generation: u64,
    /// Number of the next builder; folders of lower numbers are never written again.
    pub next_container: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSegment {
    pub container: u64,
    /// None: all live.
    pub alive: Option<Vec<u8>>,
}

fn path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("commit-{generation}"))
}

impl Commit {
    pub fn write(&self, fs: &dyn Fs, folder: &Path, generation: u64) -> Result<()> {
        let payload = postcard::to_stdvec(self).map_err(|e| Error::io("commit", e))?;
        record::write_durably(fs, &path(folder, generation), FORMAT, &payload)
    }

    /// The newest commit and its generation; None if there is none.
    pub fn read_newest(fs: &dyn Fs, folder: &Path) -> Result<Option<(u64, Self)>> {
        let Some(generation) = generations(fs, folder)?.pop() else { return Ok(None) };
        let path = path(folder, generation);
        let (_, payload) = record::read(fs, &path, FORMAT)?;
        let commit = postcard::from_bytes(&payload).map_err(|e| Error::corruption(path.display(), 0, e))?;
        Ok(Some((generation, commit)))
    }

    /// Removes commits older than `newest` and what an interrupted commit left.
    pub fn remove_older(fs: &dyn Fs, folder: &Path, newest: u64) -> Result<()> {
        for generation in generations(fs, folder)? {
            if generation < newest {
                fs.remove_file(&path(folder, generation)).ok();
            }
        }
        for name in fs.list(folder).map_err(|e| Error::io(folder.display(), e))? {
            if name.ends_with(".tmp") {
                fs.remove_file(&folder.join(name)).ok();
            }
        }
        Ok(())
    }
}

fn generations(fs: &dyn Fs, folder: &Path) -> Result<Vec<u64>> {
    let names = match fs.list(folder) {
        Ok(names) => names,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(folder.display(), e)),
    };
    let mut found: Vec<u64> = names.iter().filter_map(|name| name.strip_prefix("commit-")?.parse().ok()).collect();
    found.sort_unstable();
    Ok(found)
}
