//! A shard's files on their way to another node: the source holds a commit, the target gathers its files beside its own shard, takes
//! those that it has already, and puts them in place when all are there.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::commit::{self, Commit};
use super::layout::Container;
use super::seqno::SeqNos;
use super::shard::{Shard, container_of, segment_name};
use super::swap;
use crate::storage::manifest::{self, FileEntry, Manifest};
use crate::storage::{FsFile, SharedFs};
use crate::translog::{Scan, Translog};
use crate::{Error, Result};

const COMMIT: &str = "commit";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileInfo {
    /// Within the shard's folder; `commit` is its commit.
    name: String,
    length: u64,
    checksum: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Listing {
    files: Vec<FileInfo>,
    local_checkpoint: i64,
    max_seq_no: i64,
    history_uuid: String,
}

/// The files of a commit, held until dropped.
pub struct Files {
    shard: Arc<Shard>,
    containers: Vec<Container>,
    commit: Vec<u8>,
    listing: Listing,
}

impl Shard {
    /// The files of the newest commit that holds nothing but what all copies have.
    pub fn files(self: &Arc<Self>) -> Result<Files> {
        let (generation, containers) = self.hold_safe_commit()?;
        let mut files = Files { shard: self.clone(), containers, commit: Vec::new(), listing: Listing::of_nothing() };
        files.list(&commit::path(&self.folder, generation))?;
        Ok(files)
    }

    fn hold_safe_commit(&self) -> Result<(u64, Vec<Container>)> {
        let global_checkpoint = self.translog().global_checkpoint();
        let _flush = self.flush_lock.lock();
        self.check_open()?;
        let mut committed = self.committed.lock();
        let points = std::iter::once(&committed.newest).chain(committed.older.iter().rev());
        let safe = points.into_iter().find(|point| point.max_seq_no <= global_checkpoint);
        let safe = safe.ok_or_else(|| Error::io("recovery", "there is no safe commit"))?.clone();
        let containers: Vec<Container> = safe.segments.iter().copied().collect();
        for container in &containers {
            *committed.held.entry(*container).or_default() += 1;
        }
        Ok((safe.generation, containers))
    }
}

impl Listing {
    fn of_nothing() -> Self {
        Self { files: Vec::new(), local_checkpoint: -1, max_seq_no: -1, history_uuid: String::new() }
    }
}

impl Files {
    fn list(&mut self, path: &Path) -> Result<()> {
        let shard = self.shard.clone();
        let fs = &*shard.fs;
        self.commit = fs.read(path).map_err(|e| Error::io(path.display(), e))?.as_slice().to_vec();
        let commit = Commit::read_file(fs, path)?;
        let checksum = format!("{:08x}", crc32fast::hash(&self.commit));
        let mut files = vec![FileInfo { name: COMMIT.into(), length: self.commit.len() as u64, checksum }];
        for segment in &commit.segments {
            let folder = shard.segment_folder(segment.container);
            let listed = files_of(&Manifest::read(fs, &folder)?, &segment_name(segment.container));
            files.extend(listed);
            let path = folder.join(manifest::FILE);
            let bytes = fs.read(&path).map_err(|e| Error::io(path.display(), e))?;
            let name = format!("segments/{}/{}", segment_name(segment.container), manifest::FILE);
            let checksum = format!("{:08x}", crc32fast::hash(bytes.as_slice()));
            files.push(FileInfo { name, length: bytes.len() as u64, checksum });
        }
        let Commit { local_checkpoint, max_seq_no, history_uuid, .. } = commit;
        self.listing = Listing { files, local_checkpoint, max_seq_no, history_uuid };
        Ok(())
    }

    /// JSON: what there is.
    pub fn manifest(&self) -> Vec<u8> {
        serde_json::to_vec(&self.listing).expect("plain data")
    }

    pub fn read(&self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        let known = self.listing.files.iter().find(|file| file.name == name);
        let file = known.ok_or_else(|| Error::illegal_argument(format!("there is no file [{name}]")))?;
        let length = length.min(file.length.saturating_sub(offset) as usize);
        if name == COMMIT {
            let start = (offset as usize).min(self.commit.len());
            return Ok(self.commit[start..start + length].to_vec());
        }
        let path = self.shard.folder.join(name);
        self.shard.fs.read_at(&path, offset, length).map_err(|e| Error::io(path.display(), e))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let mut committed = self.shard.committed.lock();
        for container in &self.containers {
            let left = committed.held.get_mut(container).map_or(0, |count| {
                *count -= 1;
                *count
            });
            if left == 0 {
                committed.held.remove(container);
            }
        }
    }
}

fn files_of(manifest: &Manifest, segment: &str) -> Vec<FileInfo> {
    let info = |file: &FileEntry| FileInfo {
        name: format!("segments/{segment}/{}", file.name),
        length: file.len,
        checksum: checksum(file),
    };
    manifest.files.iter().map(info).collect()
}

fn checksum(file: &FileEntry) -> String {
    let blocks: Vec<u8> = file.blocks.iter().flat_map(|block| block.to_le_bytes()).collect();
    format!("{:08x}", crc32fast::hash(&blocks))
}

/// A shard that is being received, beside the one that is in place.
pub struct Restore {
    fs: SharedFs,
    folder: PathBuf,
    incoming: PathBuf,
    listing: Listing,
    needed: Mutex<Vec<FileInfo>>,
    reused: (usize, u64),
    open: Mutex<HashMap<String, Incoming>>,
}

/// A file that is being written.
struct Incoming {
    file: Box<dyn FsFile>,
    length: u64,
}

impl Restore {
    /// `folder`: of the shard; `listing`: [`Files::manifest`]. What an earlier attempt has whole is kept, as is what the shard in place
    /// has.
    pub fn start(fs: SharedFs, folder: PathBuf, listing: &[u8]) -> Result<Self> {
        let listing: Listing =
            serde_json::from_slice(listing).map_err(|e| Error::illegal_argument(format!("bad list of files: {e}")))?;
        listing.files.iter().try_for_each(|file| check_name(&file.name))?;
        let incoming = swap::incoming(&folder);
        fs.create_dir_durably(&incoming).map_err(|e| Error::io(incoming.display(), e))?;
        swap::settle(&*fs, &folder)?;
        let mut restore =
            Self { fs, folder, incoming, listing, needed: Mutex::default(), reused: (0, 0), open: Mutex::default() };
        restore.take_stock()?;
        Ok(restore)
    }

    fn take_stock(&mut self) -> Result<()> {
        let mine = self.mine();
        for file in self.listing.files.clone() {
            let target = self.incoming.join(&file.name);
            if file.length == 0 {
                self.create_empty(&target).map_err(|e| Error::io(target.display(), e))?;
                continue;
            }
            let received = self.fs.size(&target).is_ok_and(|size| size == file.length);
            let received = received && self.is_intact(&file, &target);
            let twin = mine.get(&(tail(&file.name).to_owned(), file.length, file.checksum.clone()));
            if received || twin.is_some_and(|twin| self.copy(twin, &target).is_ok()) {
                self.reused.0 += 1;
                self.reused.1 += file.length;
            } else {
                self.needed.get_mut().push(file);
            }
        }
        Ok(())
    }

    /// Whether what an earlier attempt has received is what is to be received.
    fn is_intact(&self, file: &FileInfo, path: &Path) -> bool {
        let Ok(bytes) = self.fs.read(path) else { return false };
        let plain = format!("{:08x}", crc32fast::hash(bytes.as_slice())) == file.checksum;
        plain || {
            let mut sums = manifest::Checksums::default();
            sums.update(bytes.as_slice());
            checksum(&sums.finish(String::new())) == file.checksum
        }
    }

    /// Files of the shard in place, by name within their segment, length and checksum.
    fn mine(&self) -> HashMap<(String, u64, String), PathBuf> {
        let segments = self.folder.join("segments");
        let mut found = HashMap::new();
        for name in self.fs.list(&segments).unwrap_or_default() {
            let folder = segments.join(&name);
            if container_of(&name).is_none() {
                continue;
            }
            let Ok(manifest) = Manifest::read(&*self.fs, &folder) else { continue };
            for file in &manifest.files {
                found.insert((file.name.clone(), file.len, checksum(file)), folder.join(&file.name));
            }
        }
        found
    }

    fn create_empty(&self, path: &Path) -> std::io::Result<()> {
        self.fs.create_dir_all(path.parent().unwrap_or(path))?;
        self.fs.create(path).map(drop)
    }

    fn copy(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        let bytes = self.fs.read(from)?;
        self.fs.create_dir_all(to.parent().unwrap_or(to))?;
        self.fs.create(to)?.write_all(bytes.as_slice())
    }

    /// (name, offset to go on from, length) of what has still to be sent.
    pub fn needed(&self) -> Vec<(String, u64, u64)> {
        let open = self.open.lock();
        let so_far = |file: &FileInfo| open.get(&file.name).map_or(0, |incoming| incoming.length);
        self.needed.lock().iter().map(|file| (file.name.clone(), so_far(file), file.length)).collect()
    }

    /// Files and bytes that need not be sent.
    pub fn reused(&self) -> (usize, u64) {
        self.reused
    }

    /// The next piece of a file; pieces of one file come in order.
    pub fn write(&self, name: &str, offset: u64, data: &[u8]) -> Result<()> {
        let known = self.listing.files.iter().find(|file| file.name == name);
        let file = known.ok_or_else(|| Error::illegal_argument(format!("there is no file [{name}]")))?;
        let path = self.incoming.join(name);
        let context = |e| Error::io(path.display(), e);
        let mut open = self.open.lock();
        if offset == 0 {
            self.fs.create_dir_all(path.parent().unwrap_or(&path)).map_err(context)?;
            let created = self.fs.create(&path).map_err(context)?;
            open.insert(name.to_owned(), Incoming { file: created, length: 0 });
        }
        let misplaced = || Error::illegal_argument(format!("a piece of [{name}] at [{offset}] is out of order"));
        let incoming = open.get_mut(name).filter(|incoming| incoming.length == offset).ok_or_else(misplaced)?;
        incoming.file.write_all(data).map_err(context)?;
        incoming.length += data.len() as u64;
        if incoming.length > file.length {
            return Err(Error::illegal_argument(format!("[{name}] is longer than was said")));
        }
        if incoming.length == file.length {
            open.remove(name);
            self.needed.lock().retain(|file| file.name != name);
        }
        Ok(())
    }

    /// Checks all files, makes them durable with a log of their own, and puts them in place of whatever was there.
    pub fn finish(&self) -> Result<()> {
        self.open.lock().clear();
        let path = self.incoming.join(COMMIT);
        let commit = Commit::read_file(&*self.fs, &path)?;
        let segments = self.incoming.join("segments");
        self.fs.create_dir_all(&segments).map_err(|e| Error::io(segments.display(), e))?;
        let wanted: Vec<String> = commit.segments.iter().map(|segment| segment_name(segment.container)).collect();
        for name in self.fs.list(&segments).map_err(|e| Error::io(segments.display(), e))? {
            if !wanted.contains(&name) {
                let left = segments.join(name);
                self.fs.remove_tree(&left).map_err(|e| Error::io(left.display(), e))?;
            }
        }
        wanted.iter().try_for_each(|name| self.settle_segment(&segments.join(name)))?;
        self.fs.sync_dir(&segments).map_err(|e| Error::io(segments.display(), e))?;
        let translog = self.incoming.join("translog");
        self.fs.remove_tree(&translog).map_err(|e| Error::io(translog.display(), e))?;
        drop(Translog::create(self.fs.clone(), translog, &commit.uuid, commit.max_seq_no)?);
        self.fs.remove_file(&path).map_err(|e| Error::io(path.display(), e))?;
        let global_checkpoint = commit.max_seq_no;
        Commit { translog_generation: 1, global_checkpoint, ..commit }.write(&*self.fs, &self.incoming, 1)?;
        swap::install(&*self.fs, &self.folder)
    }

    fn settle_segment(&self, folder: &Path) -> Result<()> {
        let manifest = Manifest::read(&*self.fs, folder)?;
        manifest.verify(&*self.fs, folder, true)?;
        for name in self.fs.list(folder).map_err(|e| Error::io(folder.display(), e))? {
            let path = folder.join(&name);
            if name != manifest::FILE && !manifest.files.iter().any(|file| file.name == name) {
                self.fs.remove_file(&path).map_err(|e| Error::io(path.display(), e))?;
            } else {
                self.fs.sync_file(&path).map_err(|e| Error::io(path.display(), e))?;
            }
        }
        self.fs.sync_dir(folder).map_err(|e| Error::io(folder.display(), e))
    }

    /// Removes what was received.
    pub fn discard(&self) -> Result<()> {
        self.open.lock().clear();
        self.fs.remove_tree(&self.incoming).map_err(|e| Error::io(self.incoming.display(), e))
    }
}

fn tail(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Names come from another node: nothing may be written elsewhere.
fn check_name(name: &str) -> Result<()> {
    let parts: Vec<&str> = name.split('/').collect();
    let plain = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let shape = match parts.as_slice() {
        [file] => *file == COMMIT,
        ["segments", segment, file] => container_of(segment).is_some() && plain(file),
        _ => false,
    };
    if shape { Ok(()) } else { Err(Error::illegal_argument(format!("[{name}] is no file of a shard"))) }
}

/// What a closed shard on disk is, as JSON; None: there is none.
pub fn inspect(fs: &SharedFs, folder: &Path) -> Result<Option<Vec<u8>>> {
    swap::settle(&**fs, folder)?;
    let commits = Commit::read_all(&**fs, folder)?;
    let Some((_, newest)) = commits.first() else { return Ok(None) };
    let scan = Scan::read(fs.clone(), folder.join("translog"), &newest.uuid, newest.translog_generation)?;
    let told = commits.iter().map(|(_, commit)| commit.global_checkpoint).max().unwrap_or(-1);
    let seq_nos = SeqNos::new(newest.local_checkpoint, newest.max_seq_no);
    scan.replay(newest.translog_generation, |operation, _| {
        seq_nos.advance(operation.seq_no);
        seq_nos.processed([operation.seq_no]);
        Ok(())
    })?;
    let found = json!({
        "history_uuid": newest.history_uuid, "max_seq_no": seq_nos.max(),
        "local_checkpoint": seq_nos.processed_checkpoint(), "primary_term": newest.primary_term,
        "global_checkpoint": scan.global_checkpoint().max(told),
    });
    Ok(Some(found.to_string().into_bytes()))
}
