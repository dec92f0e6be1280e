//! What a segment's folder must hold: files with lengths and checksums per block, and the field table that it was written with.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::storage::{Fs, record};
use crate::{Error, Result};

pub const FILE: &str = "manifest";
const FORMAT: record::Format = record::Format { magic: b"QDSEGMNT", version: 2 };

/// Bytes covered by one checksum.
pub const BLOCK: usize = 1 << 20;

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct FileEntry {
    pub name: String,
    pub len: u64,
    /// crc32 of each block of [`BLOCK`] bytes.
    pub blocks: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Manifest {
    /// tantivy's segment id: the files' stem.
    pub uuid: String,
    pub max_doc: u32,
    /// Documents that are no nested children.
    pub roots: u32,
    /// Field names by the field id that the files use.
    pub fields: Vec<String>,
    pub files: Vec<FileEntry>,
    pub max_seq_no: i64,
    /// One line on where it comes from: `refresh`, `flush`, `merge`.
    pub source: String,
    /// Tokens of text fields by name, where the files hold an estimate only: after merges that dropped documents. (Since version 2.)
    pub tokens: BTreeMap<String, u64>,
}

/// As version 1 had it.
#[derive(Deserialize)]
struct First {
    uuid: String,
    max_doc: u32,
    roots: u32,
    fields: Vec<String>,
    files: Vec<FileEntry>,
    max_seq_no: i64,
    source: String,
}

impl From<First> for Manifest {
    fn from(first: First) -> Self {
        let First { uuid, max_doc, roots, fields, files, max_seq_no, source } = first;
        Self { uuid, max_doc, roots, fields, files, max_seq_no, source, tokens: BTreeMap::new() }
    }
}

impl Manifest {
    pub fn size_in_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len).sum()
    }

    pub fn write(&self, fs: &dyn Fs, folder: &Path) -> Result<()> {
        let payload = postcard::to_stdvec(self).map_err(|e| Error::io("segment manifest", e))?;
        record::write(fs, &folder.join(FILE), FORMAT, &payload)
    }

    pub fn read(fs: &dyn Fs, folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let (version, payload) = record::read(fs, &path, FORMAT)?;
        let manifest = match version {
            1 => postcard::from_bytes::<First>(&payload).map(Self::from),
            _ => postcard::from_bytes(&payload),
        };
        manifest.map_err(|e| Error::corruption(path.display(), 0, e))
    }

    /// Lengths always, content if asked for.
    pub fn verify(&self, fs: &dyn Fs, folder: &Path, content: bool) -> Result<()> {
        for entry in &self.files {
            let path = folder.join(&entry.name);
            let len =
                fs.size(&path).map_err(|e| Error::corruption(path.display(), 0, format!("cannot be opened: {e}")))?;
            if len != entry.len {
                let reason = format!("the file has {len} bytes, {} were written", entry.len);
                return Err(Error::corruption(path.display(), len.min(entry.len), reason));
            }
            if content {
                verify_blocks(fs, &path, entry)?;
            }
        }
        Ok(())
    }
}

fn verify_blocks(fs: &dyn Fs, path: &Path, entry: &FileEntry) -> Result<()> {
    let bytes = fs.read(path).map_err(|e| Error::io(path.display(), e))?;
    for (i, block) in bytes.as_slice().chunks(BLOCK).enumerate() {
        if entry.blocks.get(i) != Some(&crc32fast::hash(block)) {
            let reason = format!("the checksum of the block of {} bytes from here does not fit", block.len());
            return Err(Error::corruption(path.display(), (i * BLOCK) as u64, reason));
        }
    }
    Ok(())
}

/// Checksums of a file while it is written.
#[derive(Debug, Default)]
pub struct Checksums {
    len: u64,
    blocks: Vec<u32>,
    current: crc32fast::Hasher,
}

impl Checksums {
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = BLOCK - (self.len as usize % BLOCK);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.current.update(now);
            self.len += now.len() as u64;
            if now.len() == room {
                self.blocks.push(std::mem::take(&mut self.current).finalize());
            }
            bytes = rest;
        }
    }

    pub fn finish(mut self, name: String) -> FileEntry {
        if !(self.len as usize).is_multiple_of(BLOCK) {
            self.blocks.push(self.current.finalize());
        }
        FileEntry { name, len: self.len, blocks: self.blocks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_is_read() {
        #[derive(Serialize)]
        struct Old<'a>(&'a str, u32, u32, Vec<String>, Vec<FileEntry>, i64, &'a str);
        let fs = crate::storage::OsFs;
        let folder = tempfile::tempdir().unwrap();
        let payload = postcard::to_stdvec(&Old("id", 7, 5, vec!["a".into()], vec![], 9, "merge")).unwrap();
        record::write(&fs, &folder.path().join(FILE), record::Format { version: 1, ..FORMAT }, &payload).unwrap();
        let read = Manifest::read(&fs, folder.path()).unwrap();
        assert_eq!((read.max_doc, read.roots, read.max_seq_no, read.source.as_str()), (7, 5, 9, "merge"));
        assert!(read.tokens.is_empty());
        let tokens = BTreeMap::from([("a".to_owned(), 3)]);
        Manifest { tokens, ..read }.write(&fs, folder.path()).unwrap();
        assert_eq!(Manifest::read(&fs, folder.path()).unwrap().tokens["a"], 3);
    }

    #[test]
    fn checksums_do_not_depend_on_the_pieces() {
        let data: Vec<u8> = (0..3 * BLOCK + 17).map(|i| (i * 31 % 251) as u8).collect();
        let mut pieces = Checksums::default();
        data.chunks(70_001).for_each(|piece| pieces.update(piece));
        let entry = pieces.finish("f".into());
        let expected: Vec<u32> = data.chunks(BLOCK).map(crc32fast::hash).collect();
        assert_eq!((entry.len, entry.blocks), (data.len() as u64, expected));
    }
}
