//! The bytes of a translog file.
//!
//! Header: magic, u32 format version, u64 generation, u16 + bytes of the shard's uuid, u32 crc32 of the header.
//! Then records: u32 length, u32 crc32 of the payload, payload. All numbers are little-endian. A payload is an operation, a
//! *mark*: "all bytes before this offset had been synced when this was written, and this was the global checkpoint", by which damage is
//! told from a torn tail, or a *trim*: "no operation with a greater sequence number that stands before this counts".
//! Version 1 had no trims, and no checkpoint in its marks.

const MAGIC: &[u8; 8] = b"QDTRNLOG";
pub const VERSION: u32 = 2;

pub const INDEX: u8 = 1;
pub const DELETE: u8 = 2;
pub const NO_OP: u8 = 3;
const MARK: u8 = 4;
const TRIM: u8 = 5;

pub const RECORD_HEADER: usize = 8;
const MARK_LEN: usize = 17;
/// Of version 1.
const FIRST_MARK_LEN: usize = 9;
/// kind, seq_no, primary term, version, flags, length of id, length of routing.
const OPERATION_HEADER: usize = 1 + 8 + 8 + 8 + 1 + 4 + 4;
const HAS_ROUTING: u8 = 1;
const HAS_SOURCE: u8 = 2;

/// One operation as it is written and replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation<'a> {
    pub kind: Kind,
    pub seq_no: i64,
    pub primary_term: u64,
    pub version: u64,
    pub id: &'a str,
    pub routing: Option<&'a str>,
    /// Of an index operation. None: a source that is not kept (never written so today).
    pub source: Option<&'a [u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Index,
    Delete,
    NoOp,
}

pub enum Record<'a> {
    Operation(Operation<'a>),
    Mark(Mark),
    /// Operations before this one count up to this number only.
    Trim(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Bytes before this offset had been synced.
    pub synced: u64,
    /// -1: none is known.
    pub global_checkpoint: i64,
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bad {
    CutOff,
    Checksum,
    Content,
}

impl Bad {
    pub fn reason(self) -> &'static str {
        match self {
            Bad::CutOff => "the record is cut off",
            Bad::Checksum => "the record's checksum does not fit",
            Bad::Content => "the record's content makes no sense",
        }
    }
}

pub fn encode_header(generation: u64, uuid: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&(uuid.len() as u16).to_le_bytes());
    bytes.extend_from_slice(uuid.as_bytes());
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

pub struct Header {
    pub version: u32,
    pub generation: u64,
    pub uuid: String,
    pub len: usize,
}

pub fn decode_header(bytes: &[u8]) -> Option<Header> {
    let fixed = bytes.get(..22)?;
    if &fixed[..8] != MAGIC {
        return None;
    }
    let uuid_len = u16::from_le_bytes(fixed[20..22].try_into().ok()?) as usize;
    let end = 22 + uuid_len;
    let checksum = u32::from_le_bytes(bytes.get(end..end + 4)?.try_into().ok()?);
    if crc32fast::hash(&bytes[..end]) != checksum {
        return None;
    }
    Some(Header {
        version: u32::from_le_bytes(fixed[8..12].try_into().ok()?),
        generation: u64::from_le_bytes(fixed[12..20].try_into().ok()?),
        uuid: String::from_utf8(bytes[22..end].to_vec()).ok()?,
        len: end + 4,
    })
}

/// Appends the record of an operation; answers its length.
pub fn encode(operation: &Operation<'_>, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let routing = operation.routing.unwrap_or_default();
    let source = operation.source.unwrap_or_default();
    let payload = OPERATION_HEADER + operation.id.len() + routing.len() + source.len();
    out.reserve(RECORD_HEADER + payload);
    out.extend_from_slice(&(payload as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(match operation.kind {
        Kind::Index => INDEX,
        Kind::Delete => DELETE,
        Kind::NoOp => NO_OP,
    });
    out.extend_from_slice(&operation.seq_no.to_le_bytes());
    out.extend_from_slice(&operation.primary_term.to_le_bytes());
    out.extend_from_slice(&operation.version.to_le_bytes());
    out.push(u8::from(operation.routing.is_some()) * HAS_ROUTING + u8::from(operation.source.is_some()) * HAS_SOURCE);
    out.extend_from_slice(&(operation.id.len() as u32).to_le_bytes());
    out.extend_from_slice(&(routing.len() as u32).to_le_bytes());
    out.extend_from_slice(operation.id.as_bytes());
    out.extend_from_slice(routing.as_bytes());
    out.extend_from_slice(source);
    seal(out, start)
}

pub fn encode_mark(mark: Mark, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&(MARK_LEN as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(MARK);
    out.extend_from_slice(&mark.synced.to_le_bytes());
    out.extend_from_slice(&mark.global_checkpoint.to_le_bytes());
    seal(out, start)
}

/// Gives the mark at the start of `out` a newer checkpoint.
pub fn renew_mark(out: &mut [u8], global_checkpoint: i64) {
    let end = RECORD_HEADER + MARK_LEN;
    out[end - 8..end].copy_from_slice(&global_checkpoint.to_le_bytes());
    seal(&mut out[..end], 0);
}

pub fn encode_trim(above: i64, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&9u32.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(TRIM);
    out.extend_from_slice(&above.to_le_bytes());
    seal(out, start)
}

fn seal(out: &mut [u8], start: usize) -> usize {
    let checksum = crc32fast::hash(&out[start + RECORD_HEADER..]);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    out.len() - start
}

/// The record at the start of `bytes` and its whole length.
pub fn decode(bytes: &[u8]) -> Result<(Record<'_>, usize), Bad> {
    let header = bytes.get(..RECORD_HEADER).ok_or(Bad::CutOff)?;
    let len = u32::from_le_bytes(header[..4].try_into().expect("4 bytes")) as usize;
    let checksum = u32::from_le_bytes(header[4..].try_into().expect("4 bytes"));
    if len == 0 {
        return Err(Bad::Content);
    }
    let payload = bytes.get(RECORD_HEADER..RECORD_HEADER + len).ok_or(Bad::CutOff)?;
    if crc32fast::hash(payload) != checksum {
        return Err(Bad::Checksum);
    }
    Ok((decode_payload(payload).ok_or(Bad::Content)?, RECORD_HEADER + len))
}

fn decode_payload(payload: &[u8]) -> Option<Record<'_>> {
    let kind = match payload[0] {
        INDEX => Kind::Index,
        DELETE => Kind::Delete,
        NO_OP => Kind::NoOp,
        MARK => return decode_mark(payload).map(Record::Mark),
        TRIM => return Some(Record::Trim(i64::from_le_bytes(payload.get(1..9)?.try_into().ok()?))),
        _ => return None,
    };
    let header = payload.get(..OPERATION_HEADER)?;
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8 bytes"));
    let length = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("4 bytes")) as usize;
    let flags = header[25];
    let id_end = OPERATION_HEADER + length(26);
    let routing_end = id_end + length(30);
    let id = std::str::from_utf8(payload.get(OPERATION_HEADER..id_end)?).ok()?;
    let routing = std::str::from_utf8(payload.get(id_end..routing_end)?).ok()?;
    Some(Record::Operation(Operation {
        kind,
        seq_no: number(1) as i64,
        primary_term: number(9),
        version: number(17),
        id,
        routing: (flags & HAS_ROUTING != 0).then_some(routing),
        source: (flags & HAS_SOURCE != 0).then_some(&payload[routing_end..]),
    }))
}

fn decode_mark(payload: &[u8]) -> Option<Mark> {
    let number = |at: usize| Some(u64::from_le_bytes(payload.get(at..at + 8)?.try_into().ok()?));
    let global_checkpoint = if payload.len() == FIRST_MARK_LEN { -1 } else { number(9)? as i64 };
    Some(Mark { synced: number(1)?, global_checkpoint })
}

/// The greatest offset that some intact mark within `bytes` (a file from `base` on) knows to have been synced.
pub fn synced_according_to_marks(bytes: &[u8]) -> u64 {
    let needles = [MARK_LEN, FIRST_MARK_LEN].map(|len| (len as u32).to_le_bytes());
    let mut greatest = 0;
    for at in 0..bytes.len().saturating_sub(RECORD_HEADER + FIRST_MARK_LEN - 1) {
        if needles.iter().any(|needle| bytes[at..at + 4] == *needle)
            && bytes[at + RECORD_HEADER] == MARK
            && let Ok((Record::Mark(mark), _)) = decode(&bytes[at..])
        {
            greatest = greatest.max(mark.synced);
        }
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Operation<'static> {
        Operation {
            kind: Kind::Index,
            seq_no: 7,
            primary_term: 2,
            version: 3,
            id: "é",
            routing: Some("r"),
            source: Some(b"{\"a\":1}"),
        }
    }

    #[test]
    fn operations_survive() {
        for operation in [
            example(),
            Operation { kind: Kind::Delete, routing: None, source: None, ..example() },
            Operation { kind: Kind::NoOp, id: "", routing: None, source: None, ..example() },
        ] {
            let mut bytes = Vec::new();
            let len = encode(&operation, &mut bytes);
            let Ok((Record::Operation(back), used)) = decode(&bytes) else { panic!("no operation") };
            assert_eq!((back, used), (operation, len));
        }
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let mut bytes = Vec::new();
        encode(&example(), &mut bytes);
        for i in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[i] ^= 0x10;
            assert!(decode(&damaged).is_err(), "byte {i}");
        }
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn marks_and_trims_survive() {
        let mut bytes = Vec::new();
        encode_mark(Mark { synced: 7, global_checkpoint: -1 }, &mut bytes);
        renew_mark(&mut bytes, 5);
        let used = bytes.len();
        encode_trim(12, &mut bytes);
        let Ok((Record::Mark(mark), len)) = decode(&bytes) else { panic!("no mark") };
        assert_eq!((mark, len), (Mark { synced: 7, global_checkpoint: 5 }, used));
        assert_eq!(synced_according_to_marks(&bytes), 7);
        let Ok((Record::Trim(above), _)) = decode(&bytes[used..]) else { panic!("no trim") };
        assert_eq!(above, 12);
    }

    #[test]
    fn marks_of_version_1_are_read() {
        let mut bytes = 9u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        bytes.push(MARK);
        bytes.extend_from_slice(&33u64.to_le_bytes());
        seal(&mut bytes, 0);
        let Ok((Record::Mark(mark), _)) = decode(&bytes) else { panic!("no mark") };
        assert_eq!(mark, Mark { synced: 33, global_checkpoint: -1 });
        assert_eq!(synced_according_to_marks(&bytes), 33);
    }

    #[test]
    fn headers_survive() {
        let bytes = encode_header(12, "abc");
        let header = decode_header(&bytes).unwrap();
        assert_eq!((header.generation, header.uuid.as_str(), header.len), (12, "abc", bytes.len()));
        assert!(decode_header(&bytes[..bytes.len() - 1]).is_none());
    }
}
