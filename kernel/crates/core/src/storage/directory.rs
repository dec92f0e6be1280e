//! One segment's folder as tantivy's `Directory`: files go through `Fs` and are checksummed on the way, tantivy's own
//! bookkeeping files (meta.json and its like) are dropped, for the shard keeps the truth elsewhere, and composite files are
//! shown under the current schema.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, TerminatingWrite, WatchCallback, WatchHandle, WritePtr,
};

use super::composite::View;
use super::manifest::{Checksums, FileEntry};
use super::{FsFile, SharedFs};

#[derive(Clone)]
pub struct SegmentDirectory {
    inner: Arc<Inner>,
}

struct Inner {
    fs: SharedFs,
    folder: PathBuf,
    /// None while the segment is being written.
    view: Option<View>,
    /// Files that somebody holds open: they are readable also when a merge has removed them.
    opened: Mutex<FxHashMap<PathBuf, Weak<dyn FileHandle>>>,
    written: Mutex<Vec<FileEntry>>,
    /// What is written otherwise into the file of norms, by offset.
    norms: Mutex<BTreeMap<u64, u8>>,
    /// Makes every further write fail: how a merge is called off.
    cancelled: Arc<AtomicBool>,
}

impl SegmentDirectory {
    pub fn for_writing(fs: SharedFs, folder: PathBuf, cancelled: Arc<AtomicBool>) -> Self {
        Self::new(fs, folder, None, cancelled)
    }

    pub fn for_reading(fs: SharedFs, folder: PathBuf, view: View) -> Self {
        Self::new(fs, folder, Some(view), Arc::default())
    }

    fn new(fs: SharedFs, folder: PathBuf, view: Option<View>, cancelled: Arc<AtomicBool>) -> Self {
        let inner = Inner {
            fs,
            folder,
            view,
            opened: Mutex::default(),
            written: Mutex::default(),
            norms: Mutex::default(),
            cancelled,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The files written and closed so far.
    pub fn written(&self) -> Vec<FileEntry> {
        let mut files = self.inner.written.lock().clone();
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files
    }
}

impl SegmentDirectory {
    /// Replaces bytes of the file of norms, which is written and read back when tantivy finishes the segment. (Its own checksum in that
    /// file's footer is of the bytes before; nobody reads it, the manifest has the right one.)
    pub fn replace_norms(&self, bytes: BTreeMap<u64, u8>) {
        *self.inner.norms.lock() = bytes;
    }
}

impl fmt::Debug for SegmentDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentDirectory({})", self.inner.folder.display())
    }
}

struct Writer {
    file: Box<dyn FsFile>,
    checksums: Option<Checksums>,
    name: String,
    directory: SegmentDirectory,
    /// Bytes written so far.
    len: u64,
}

impl Writer {
    /// The bytes to write where norms are replaced in them.
    fn replaced(&self, buf: &[u8]) -> Option<Vec<u8>> {
        if !self.name.ends_with(".fieldnorm") {
            return None;
        }
        let norms = self.directory.inner.norms.lock();
        let mut here = norms.range(self.len..self.len + buf.len() as u64).peekable();
        here.peek()?;
        let mut bytes = buf.to_vec();
        here.for_each(|(at, norm)| bytes[(at - self.len) as usize] = *norm);
        Some(bytes)
    }
}

impl Write for Writer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.directory.inner.cancelled.load(Ordering::Relaxed) {
            return Err(io::Error::other("called off"));
        }
        let replaced = self.replaced(buf);
        let buf = replaced.as_deref().unwrap_or(buf);
        let written = self.file.write(buf)?;
        self.len += written as u64;
        if let Some(checksums) = &mut self.checksums {
            checksums.update(&buf[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl TerminatingWrite for Writer {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.file.flush()?;
        if let Some(checksums) = self.checksums.take() {
            let entry = checksums.finish(std::mem::take(&mut self.name));
            self.directory.inner.written.lock().push(entry);
        }
        Ok(())
    }
}

impl SegmentDirectory {
    fn open_file(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let wrap = |e| OpenReadError::wrap_io_error(e, path.to_path_buf());
        let bytes = self.inner.fs.read(&self.inner.folder.join(path)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_path_buf()),
            _ => wrap(e),
        })?;
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match &self.inner.view {
            Some(view) => view.show(extension, bytes).map_err(wrap),
            None => Ok(Arc::new(bytes)),
        }
    }
}

impl Directory for SegmentDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        if self.inner.view.is_none() {
            return self.open_file(path);
        }
        let mut opened = self.inner.opened.lock();
        if let Some(handle) = opened.get(path).and_then(Weak::upgrade) {
            return Ok(handle);
        }
        let handle = self.open_file(path)?;
        opened.insert(path.to_path_buf(), Arc::downgrade(&handle));
        Ok(handle)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.inner
            .fs
            .remove_file(&self.inner.folder.join(path))
            .map_err(|e| DeleteError::IoError { io_error: Arc::new(e), filepath: path.to_path_buf() })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.inner.fs.exists(&self.inner.folder.join(path)))
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = self
            .inner
            .fs
            .create(&self.inner.folder.join(path))
            .map_err(|e| OpenWriteError::wrap_io_error(e, path.to_path_buf()))?;
        let writer = Writer {
            file,
            checksums: Some(Checksums::default()),
            name: path.to_string_lossy().into_owned(),
            directory: self.clone(),
            len: 0,
        };
        Ok(BufWriter::new(Box::new(writer)))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        Err(OpenReadError::FileDoesNotExist(path.to_path_buf()))
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        Ok(DirectoryLock::from(Box::new(())))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
