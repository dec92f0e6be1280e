//! Shows a segment's composite files (terms, postings, positions, norms) under another schema than they were written with.
//!
//! tantivy addresses the parts of such a file by field id and insists on norms for every text field. Here the ids of the
//! file are translated by name to those of the current schema, and text fields that the segment was written without get
//! norms of zero. Nothing is copied but the file's small table of contents.
//!
//! Layout: parts · VInt(count) · count × (VInt(offset delta), u32 field, VInt(index)) · u32 length of this table · tantivy's own footer.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use tantivy::HasLen;
use tantivy::directory::{FileHandle, OwnedBytes};
use tantivy::schema::{FieldType, Schema};

/// Ids above any real field's, for parts whose field the schema lacks.
const UNKNOWN: u32 = u32::MAX;

/// What a segment was written with, and what it is to be seen as.
#[derive(Debug, Clone)]
pub struct View {
    /// Field names by the ids in the files.
    pub fields: Arc<Vec<String>>,
    pub schema: Schema,
    pub max_doc: u32,
}

impl View {
    /// The file as tantivy shall see it. `extension` is the file's.
    pub fn show(&self, extension: &str, file: OwnedBytes) -> io::Result<Arc<dyn FileHandle>> {
        if !matches!(extension, "term" | "idx" | "pos" | "fieldnorm") {
            return Ok(Arc::new(file));
        }
        let table = Table::parse(&file)?;
        let renumbered: Vec<Entry> = table.entries.iter().map(|entry| self.renumber(*entry)).collect();
        let missing = if extension == "fieldnorm" { self.missing_norms(&renumbered) } else { Vec::new() };
        if missing.is_empty() && renumbered == table.entries {
            return Ok(Arc::new(file));
        }
        Ok(Arc::new(self.compose(file, &table, renumbered, &missing)))
    }

    fn renumber(&self, entry: Entry) -> Entry {
        let field = self
            .fields
            .get(entry.field as usize)
            .and_then(|name| self.schema.get_field(name).ok())
            .map_or(UNKNOWN - entry.field, |field| field.field_id());
        Entry { field, ..entry }
    }

    fn missing_norms(&self, present: &[Entry]) -> Vec<u32> {
        self.schema
            .fields()
            .filter(|(_, entry)| {
                matches!(entry.field_type(), FieldType::Str(_)) && entry.is_indexed() && entry.has_fieldnorms()
            })
            .map(|(field, _)| field.field_id())
            .filter(|id| !present.iter().any(|entry| entry.field == *id))
            .collect()
    }

    fn compose(&self, file: OwnedBytes, table: &Table, mut entries: Vec<Entry>, missing: &[u32]) -> Pieces {
        let len = self.max_doc as usize;
        for (i, field) in missing.iter().enumerate() {
            entries.push(Entry { offset: (table.start + i * len) as u64, field: *field, index: 0 });
        }
        let mut pieces = Pieces::default();
        pieces.push(file.slice(0..table.start));
        if !missing.is_empty() {
            let zeros = OwnedBytes::new(vec![0; len]);
            missing.iter().for_each(|_| pieces.push(zeros.clone()));
        }
        pieces.push(OwnedBytes::new(Table::encode(&entries)));
        pieces.push(file.slice(table.end..file.len()));
        pieces
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    offset: u64,
    field: u32,
    index: u64,
}

struct Table {
    entries: Vec<Entry>,
    /// Where the table starts, that is where the parts end.
    start: usize,
    /// Where tantivy's footer starts.
    end: usize,
}

impl Table {
    fn parse(file: &OwnedBytes) -> io::Result<Self> {
        let bytes = file.as_slice();
        let u32_before = |end: usize| -> io::Result<usize> {
            let start = end.checked_sub(4).ok_or_else(cut_off)?;
            Ok(u32::from_le_bytes(bytes[start..end].try_into().expect("4 bytes")) as usize)
        };
        // tantivy's footer: payload, u32 length of the payload, u32 magic.
        let footer = u32_before(bytes.len().checked_sub(4).ok_or_else(cut_off)?)?;
        let end = bytes.len().checked_sub(8 + footer).ok_or_else(cut_off)?;
        let start = end.checked_sub(4 + u32_before(end)?).ok_or_else(cut_off)?;
        let mut rest = &bytes[start..end - 4];
        let count = read_vint(&mut rest)?;
        let mut entries = Vec::with_capacity(count.min(1 << 16) as usize);
        let mut offset = 0;
        for _ in 0..count {
            offset += read_vint(&mut rest)?;
            let (field, after) = rest.split_first_chunk::<4>().ok_or_else(cut_off)?;
            rest = after;
            entries.push(Entry { offset, field: u32::from_le_bytes(*field), index: read_vint(&mut rest)? });
        }
        Ok(Self { entries, start, end })
    }

    fn encode(entries: &[Entry]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_vint(&mut bytes, entries.len() as u64);
        let mut previous = 0;
        for entry in entries {
            write_vint(&mut bytes, entry.offset - previous);
            bytes.extend_from_slice(&entry.field.to_le_bytes());
            write_vint(&mut bytes, entry.index);
            previous = entry.offset;
        }
        let len = bytes.len() as u32;
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the composite file is cut off")
}

/// tantivy's VInt: seven bits a byte, lowest first, the last byte marked by its high bit.
fn read_vint(bytes: &mut &[u8]) -> io::Result<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(cut_off)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 != 0 {
            return Ok(value);
        }
    }
    Err(cut_off())
}

fn write_vint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8);
        value >>= 7;
    }
    bytes.push(value as u8 | 0x80);
}

/// A file put together from pieces; a read within one piece copies nothing.
#[derive(Default)]
struct Pieces {
    pieces: Vec<(usize, OwnedBytes)>,
    len: usize,
}

impl Pieces {
    fn push(&mut self, bytes: OwnedBytes) {
        let start = self.len;
        self.len += bytes.len();
        self.pieces.push((start, bytes));
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pieces({} bytes)", self.len)
    }
}

impl HasLen for Pieces {
    fn len(&self) -> usize {
        self.len
    }
}

impl FileHandle for Pieces {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        let mut joined = Vec::new();
        let first = self.pieces.partition_point(|(start, bytes)| start + bytes.len() <= range.start);
        for (start, bytes) in &self.pieces[first.min(self.pieces.len())..] {
            let (from, to) = (range.start.max(*start), range.end.min(start + bytes.len()));
            if *start >= range.end {
                break;
            }
            if from >= to {
                continue;
            }
            if (from, to) == (range.start, range.end) {
                return Ok(bytes.slice(from - start..to - start));
            }
            joined.extend_from_slice(&bytes.as_slice()[from - start..to - start]);
        }
        if joined.len() != range.len() {
            return Err(cut_off());
        }
        Ok(OwnedBytes::new(joined))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_survive_encoding() {
        let entries = vec![
            Entry { offset: 0, field: 3, index: 0 },
            Entry { offset: 300, field: 1, index: 1 },
            Entry { offset: 300, field: UNKNOWN, index: 0 },
            Entry { offset: 1 << 40, field: 70_000, index: 0 },
        ];
        let mut file = Table::encode(&entries);
        file.extend_from_slice(b"{}\x02\0\0\0\x39\x05\0\0");
        let table = Table::parse(&OwnedBytes::new(file)).unwrap();
        assert_eq!(table.entries, entries);
        assert_eq!(table.start, 0);
    }

    #[test]
    fn pieces_read_like_one_file() {
        let mut pieces = Pieces::default();
        for part in [&b"abc"[..], b"", b"defg", b"h"] {
            pieces.push(OwnedBytes::new(part.to_vec()));
        }
        for from in 0..=8 {
            for to in from..=8 {
                assert_eq!(pieces.read_bytes(from..to).unwrap().as_slice(), &b"abcdefgh"[from..to]);
            }
        }
        assert!(pieces.read_bytes(7..9).is_err());
    }
}
