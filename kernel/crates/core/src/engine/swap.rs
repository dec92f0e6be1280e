//! A folder of a shard takes the place of another one, such that a crash leaves the one or the other.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::storage::Fs;
use crate::{Error, Result};

fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = folder.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    folder.with_file_name(name)
}

/// Where a shard is received.
pub(crate) fn incoming(folder: &Path) -> PathBuf {
    beside(folder, ".recovering")
}

fn outgoing(folder: &Path) -> PathBuf {
    beside(folder, ".replaced")
}

/// Ends a change of places that was interrupted: what had been there is there again, or removed.
pub(crate) fn settle(fs: &dyn Fs, folder: &Path) -> Result<()> {
    let old = outgoing(folder);
    if !fs.is_dir(&old) {
        return Ok(());
    }
    if fs.is_dir(folder) {
        return fs.remove_tree(&old).map_err(|e| Error::io(old.display(), e));
    }
    fs.rename(&old, folder).map_err(|e| Error::io(old.display(), e))?;
    sync_above(fs, folder)
}

/// Puts the received folder, all of which is durable, into its place.
pub(crate) fn install(fs: &dyn Fs, folder: &Path) -> Result<()> {
    settle(fs, folder)?;
    let (new, old) = (incoming(folder), outgoing(folder));
    if fs.is_dir(folder) {
        fs.rename(folder, &old).map_err(|e| Error::io(folder.display(), e))?;
    }
    fs.rename(&new, folder).map_err(|e| Error::io(new.display(), e))?;
    sync_above(fs, folder)?;
    fs.remove_tree(&old).map_err(|e| Error::io(old.display(), e))
}

fn sync_above(fs: &dyn Fs, folder: &Path) -> Result<()> {
    let above = folder.parent().unwrap_or(folder);
    fs.sync_dir(above).map_err(|e| Error::io(above.display(), e))
}
