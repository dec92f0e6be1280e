//! All file access of the kernel: one trait, two implementations, and tantivy's directory on top of it.
//!
//! - [`Fs`]: the trait; [`OsFs`]: the operating system; [`FaultFs`]: a file system in memory that fails, tears writes and forgets
//! - [`record`]: small files (commits, manifests) in a checksummed, versioned frame
//! - [`manifest`]: what a segment's folder must hold, with checksums per block
//! - [`directory`], [`composite`]: a segment's folder as tantivy sees it

pub mod composite;
pub mod directory;
mod fault;
pub mod manifest;
mod os;
pub mod record;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tantivy::directory::OwnedBytes;

pub use fault::{Crash, EIO, ENOSPC, FaultFs};
pub use os::OsFs;

/// A file being written. Nothing is durable before `sync`, nor is its name before the folder's `sync_dir`.
pub trait FsFile: io::Write + Send + Sync {
    fn sync(&mut self) -> io::Result<()>;
}

/// The file operations that the kernel needs. Paths are absolute.
pub trait Fs: fmt::Debug + Send + Sync + 'static {
    /// Creates the folder and its parents; fine if it exists.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Names in a folder, sorted; `NotFound` if there is no such folder.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    fn exists(&self, path: &Path) -> bool;
    fn is_dir(&self, path: &Path) -> bool;
    fn size(&self, path: &Path) -> io::Result<u64>;
    /// A new, empty file; an existing one is emptied.
    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>>;
    /// Writes `bytes` over an existing file from `from` on (what is there is not taken away first), cuts it behind them, and goes on
    /// writing there.
    fn rewrite(&self, path: &Path, from: u64, bytes: &[u8]) -> io::Result<Box<dyn FsFile>>;
    /// The whole file; big ones are mapped, so the file may not change afterwards.
    fn read(&self, path: &Path) -> io::Result<OwnedBytes>;
    /// A piece of a file that may still be growing.
    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Makes a closed file's content durable.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Creates the folder and its parents such that they last. The two above are made durable in any case: whoever made them may
    /// have ended before he did.
    fn create_dir_durably(&self, path: &Path) -> io::Result<()> {
        let missing = path.ancestors().take_while(|folder| !self.is_dir(folder)).count();
        self.create_dir_all(path)?;
        path.ancestors().skip(1).take(missing.max(2)).try_for_each(|above| self.sync_dir(above))
    }

    /// Removes a folder of files; fine if it is not there.
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let names = match self.list(path) {
            Ok(names) => names,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(e),
        };
        for name in names {
            let child = path.join(name);
            if self.is_dir(&child) {
                self.remove_tree(&child)?;
            } else {
                self.remove_file(&child)?;
            }
        }
        self.remove_dir(path)
    }
}

pub type SharedFs = Arc<dyn Fs>;
