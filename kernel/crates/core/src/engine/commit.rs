//! A commit point: which segments the shard consists of, what is deleted in them, and where the translog goes on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::storage::{Fs, record};
use crate::{Error, Result};

const FORMAT: record::Format = record::Format { magic: b"QDCOMMIT", version: 2 };

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
    /// As it was known when the commit was written. (Since version 2.)
    pub global_checkpoint: i64,
}

/// As version 1 had it: of shards without replicas.
#[derive(Deserialize)]
struct First {
    uuid: String,
    history_uuid: String,
    primary_term: u64,
    segments: Vec<CommitSegment>,
    max_seq_no: i64,
    local_checkpoint: i64,
    translog_generation: u64,
    next_container: u64,
}

impl From<First> for Commit {
    fn from(first: First) -> Self {
        let First { uuid, history_uuid, primary_term, segments, max_seq_no, local_checkpoint, .. } = first;
        let (translog_generation, next_container) = (first.translog_generation, first.next_container);
        Self {
            uuid,
            history_uuid,
            primary_term,
            segments,
            max_seq_no,
            local_checkpoint,
            translog_generation,
            next_container,
            global_checkpoint: local_checkpoint,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitSegment {
    pub container: u64,
    /// None: all live.
    pub alive: Option<Vec<u8>>,
}

pub fn path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("commit-{generation}"))
}

impl Commit {
    pub fn write(&self, fs: &dyn Fs, folder: &Path, generation: u64) -> Result<()> {
        let payload = postcard::to_stdvec(self).map_err(|e| Error::io("commit", e))?;
        record::write_durably(fs, &path(folder, generation), FORMAT, &payload)
    }

    /// Of a file's framed content.
    fn decode(version: u32, payload: &[u8], path: &Path) -> Result<Self> {
        let commit = match version {
            1 => postcard::from_bytes::<First>(payload).map(Self::from),
            _ => postcard::from_bytes(payload),
        };
        commit.map_err(|e| Error::corruption(path.display(), 0, e))
    }

    pub fn read_file(fs: &dyn Fs, path: &Path) -> Result<Self> {
        let (version, payload) = record::read(fs, path, FORMAT)?;
        Self::decode(version, &payload, path)
    }

    /// All commits with their generations, the newest first. Older ones are there for copies that went too far: one that cannot be read
    /// does no harm by itself.
    pub fn read_all(fs: &dyn Fs, folder: &Path) -> Result<Vec<(u64, Self)>> {
        let mut found = Vec::new();
        for generation in generations(fs, folder)?.into_iter().rev() {
            match Self::read_file(fs, &path(folder, generation)) {
                Ok(commit) => found.push((generation, commit)),
                Err(error) if found.is_empty() => return Err(error),
                Err(error) => log::warn!("an older commit is left out: {error}"),
            }
        }
        Ok(found)
    }

    /// Removes these commits. `lastingly`: they do not come back after a crash.
    pub fn remove(fs: &dyn Fs, folder: &Path, unwanted: &[u64], lastingly: bool) -> Result<()> {
        for generation in unwanted {
            let path = path(folder, *generation);
            match fs.remove_file(&path) {
                Err(e) if lastingly && fs.exists(&path) => return Err(Error::io(path.display(), e)),
                _ => {}
            }
        }
        if lastingly && !unwanted.is_empty() {
            fs.sync_dir(folder).map_err(|e| Error::io(folder.display(), e))?;
        }
        Ok(())
    }

    /// Removes what an interrupted commit left.
    pub fn remove_unfinished(fs: &dyn Fs, folder: &Path) -> Result<()> {
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
