//! Small files in one frame: magic, format version, length, payload, crc32 of all before it.

use std::io::Write;
use std::path::Path;

use crate::storage::Fs;
use crate::{Error, Result};

const HEADER: usize = 8 + 4 + 8;

/// A kind of framed file.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    pub magic: &'static [u8; 8],
    /// The newest version that this program reads and the one that it writes.
    pub version: u32,
}

/// Writes the file; the caller syncs.
pub fn write(fs: &dyn Fs, path: &Path, format: Format, payload: &[u8]) -> Result<()> {
    let bytes = frame(format, payload);
    let mut file = fs.create(path).map_err(|e| Error::io(path.display(), e))?;
    file.write_all(&bytes).map_err(|e| Error::io(path.display(), e))
}

/// Writes beside, syncs, renames, syncs the folder: the file is there wholly and for good, or not at all.
pub fn write_durably(fs: &dyn Fs, path: &Path, format: Format, payload: &[u8]) -> Result<()> {
    let temporary = path.with_extension("tmp");
    let context = |e| Error::io(path.display(), e);
    let mut file = fs.create(&temporary).map_err(context)?;
    file.write_all(&frame(format, payload)).map_err(context)?;
    file.sync().map_err(context)?;
    drop(file);
    fs.rename(&temporary, path).map_err(context)?;
    fs.sync_dir(path.parent().unwrap_or(path)).map_err(context)
}

/// The payload and the version that it was written with.
pub fn read(fs: &dyn Fs, path: &Path, format: Format) -> Result<(u32, Vec<u8>)> {
    let bytes = fs.read(path).map_err(|e| Error::io(path.display(), e))?;
    let bytes = bytes.as_slice();
    let damaged = |offset: usize, reason: &str| Error::corruption(path.display(), offset as u64, reason);
    if bytes.len() < HEADER + 4 {
        return Err(damaged(bytes.len(), "the file is cut off"));
    }
    if &bytes[..8] != format.magic {
        return Err(damaged(0, "this is no file of its kind"));
    }
    let version = u32::from_le_bytes(bytes[8..12].try_into().expect("4 bytes"));
    let length = u64::from_le_bytes(bytes[12..20].try_into().expect("8 bytes"));
    if version > format.version {
        let text = format!(
            "{}: format version {version} is newer than {}, the newest that this version reads",
            path.display(),
            format.version
        );
        return Err(Error::too_new(text));
    }
    if length != (bytes.len() - HEADER - 4) as u64 {
        return Err(damaged(12, "the length does not fit the file"));
    }
    let (body, checksum) = bytes.split_at(bytes.len() - 4);
    if crc32fast::hash(body) != u32::from_le_bytes(checksum.try_into().expect("4 bytes")) {
        return Err(damaged(HEADER, "the checksum does not fit the content"));
    }
    Ok((version, body[HEADER..].to_vec()))
}

fn frame(format: Format, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len() + 4);
    bytes.extend_from_slice(format.magic);
    bytes.extend_from_slice(&format.version.to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(payload);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}
