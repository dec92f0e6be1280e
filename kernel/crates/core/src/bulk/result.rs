//! What a shard answers to its slice: the bytes of each item's answer.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::item::Action;
use super::slice::Slice;
use crate::mapping::UnknownField;
use crate::{Error, Result};

/// What became of an operation.
#[derive(Debug, Clone)]
pub enum Outcome {
    Done(Answer),
    Failed(Error),
    /// Nothing happened: the mapping must grow first.
    Unknown(Vec<UnknownField>),
}

#[derive(Debug, Clone)]
pub struct Answer {
    /// created, updated, deleted, not_found, noop
    pub result: &'static str,
    pub version: u64,
    pub seq_no: i64,
    pub primary_term: u64,
    pub status: u16,
    /// The inside of `get`, for updates that asked for the source.
    pub get: Option<Vec<u8>>,
}

/// The answers of one slice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SliceResult {
    buffer: Vec<u8>,
    slots: Vec<Slot>,
    pub max_seq_no: i64,
    /// Records of what was written, for the other copies.
    #[serde(skip)]
    pub operations: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    #[default]
    Missing,
    Unknown,
    Failed,
    Done,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Slot {
    state: State,
    start: usize,
    end: usize,
    /// Where `forced_refresh` would stand.
    refresh_at: usize,
    /// Start and end of the object that counts the copies; equal: that is not to be changed.
    copies: (usize, usize),
}

/// Where parts of an answer stand.
#[derive(Default)]
struct Marks {
    refresh_at: usize,
    copies: (usize, usize),
}

impl SliceResult {
    pub fn new(len: usize) -> Self {
        let buffer = Vec::with_capacity(len * 160);
        Self { buffer, slots: vec![Slot::default(); len], max_seq_no: -1, operations: Vec::new() }
    }

    pub fn set(&mut self, slice: &Slice, i: usize, outcome: Outcome) {
        let item = &slice.items[i];
        let start = self.buffer.len();
        let mut marks = Marks::default();
        let state = match outcome {
            Outcome::Done(answer) => {
                self.max_seq_no = self.max_seq_no.max(if answer.result == "noop" { -1 } else { answer.seq_no });
                marks = render_answer(&mut self.buffer, slice, item.action, &item.id, &answer);
                State::Done
            }
            Outcome::Failed(error) => {
                let error = error_object(&error);
                self.buffer.extend(render_error(item.action, &slice.index, Some(&item.id), &error));
                State::Failed
            }
            Outcome::Unknown(fields) => {
                serde_json::to_writer(&mut self.buffer, &fields).expect("plain data");
                State::Unknown
            }
        };
        let Marks { refresh_at, copies } = marks;
        self.slots[i] = Slot { state, start, end: self.buffer.len(), refresh_at, copies };
    }

    /// Tells in every item that was done how many copies there are and have it. `failures`: the inside of a list, may be empty.
    pub fn set_copies(&mut self, total: u32, successful: u32, failures: &[u8]) {
        let failed = total.min(failures_in(failures));
        let mut counts = format!("{{\"total\":{total},\"successful\":{successful},\"failed\":{failed}").into_bytes();
        if failed > 0 {
            counts.extend_from_slice(b",\"failures\":");
            counts.extend_from_slice(failures);
        }
        counts.push(b'}');
        let old = std::mem::take(&mut self.buffer);
        self.buffer.reserve(old.len() + self.slots.len() * 16);
        for slot in &mut self.slots {
            let (start, (from, to)) = (self.buffer.len(), slot.copies);
            if from == to {
                self.buffer.extend_from_slice(&old[slot.start..slot.end]);
            } else {
                self.buffer.extend_from_slice(&old[slot.start..from]);
                slot.copies = (self.buffer.len(), self.buffer.len() + counts.len());
                self.buffer.extend_from_slice(&counts);
                self.buffer.extend_from_slice(&old[to..slot.end]);
            }
            slot.refresh_at = if slot.refresh_at == 0 { 0 } else { slot.refresh_at - slot.start + start };
            (slot.start, slot.end) = (start, self.buffer.len());
        }
    }

    /// Makes an item fail with this error object (`type`, `reason`, `status`, …).
    pub fn reject(&mut self, slice: &Slice, i: usize, error: &Value) {
        let item = &slice.items[i];
        let start = self.buffer.len();
        self.buffer.extend(render_error(item.action, &slice.index, Some(&item.id), error));
        self.slots[i] = Slot { state: State::Failed, start, end: self.buffer.len(), ..Slot::default() };
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Items that stopped at unknown fields, with the fields as JSON.
    pub fn unknown(&self) -> Vec<(usize, &[u8])> {
        let stopped = |slot: &&Slot| slot.state == State::Unknown;
        let slots = self.slots.iter().enumerate();
        slots.filter(|(_, slot)| stopped(slot)).map(|(i, slot)| (i, &self.buffer[slot.start..slot.end])).collect()
    }

    pub fn is_unknown(&self, i: usize) -> bool {
        self.slots[i].state == State::Unknown
    }

    pub fn failed(&self, i: usize) -> bool {
        self.slots[i].state != State::Done
    }

    /// The answer of one item, `{"index": {…, "status": 201}}`.
    pub fn item(&self, i: usize) -> &[u8] {
        self.slots.get(i).map_or(&[], |slot| &self.buffer[slot.start..slot.end])
    }

    /// Appends the answer of one item, with `forced_refresh` if it succeeded.
    fn render_item(&self, i: usize, forced_refresh: bool, out: &mut Vec<u8>) {
        let slot = self.slots[i];
        let bytes = self.item(i);
        if !forced_refresh || slot.refresh_at == 0 {
            return out.extend_from_slice(bytes);
        }
        let (before, after) = bytes.split_at(slot.refresh_at - slot.start);
        out.extend_from_slice(before);
        out.extend_from_slice(b",\"forced_refresh\":true");
        out.extend_from_slice(after);
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("plain data")
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        postcard::from_bytes(bytes).map_err(|_| Error::illegal_argument("these bytes are no result of a slice"))
    }
}

fn render_answer(out: &mut Vec<u8>, slice: &Slice, action: Action, id: &str, answer: &Answer) -> Marks {
    use std::io::Write;
    head(out, action, &slice.index, Some(id));
    let Answer { version, result, .. } = answer;
    write!(out, ",\"_version\":{version},\"result\":\"{result}\"").expect("memory");
    let refresh_at = if answer.result == "noop" { 0 } else { out.len() };
    let nothing = slice.single && *result == "noop";
    let (total, successful) = if nothing { (0, 0) } else { (slice.total_copies, 1) };
    out.extend_from_slice(b",\"_shards\":");
    let from = out.len();
    write!(out, "{{\"total\":{total},\"successful\":{successful},\"failed\":0}}").expect("memory");
    let copies = if nothing { (from, from) } else { (from, out.len()) };
    write!(out, ",\"_seq_no\":{},\"_primary_term\":{}", answer.seq_no, answer.primary_term).expect("memory");
    if let Some(get) = &answer.get {
        out.extend_from_slice(b",\"get\":{");
        out.extend_from_slice(get);
        out.push(b'}');
    }
    write!(out, ",\"status\":{}}}}}", answer.status).expect("memory");
    Marks { refresh_at, copies }
}

/// How many there are in a JSON list.
fn failures_in(list: &[u8]) -> u32 {
    serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(list).map_or(0, |list| list.len() as u32)
}

fn head(out: &mut Vec<u8>, action: Action, index: &str, id: Option<&str>) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(action.name().as_bytes());
    out.extend_from_slice(b"\":{\"_index\":");
    json_text(out, index);
    out.extend_from_slice(b",\"_id\":");
    match id {
        Some(id) => json_text(out, id),
        None => out.extend_from_slice(b"null"),
    }
}

fn json_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        serde_json::to_writer(out, text).expect("memory");
    }
}

/// The answer of an item that failed; `error` has a `status` besides the members of the error.
pub(super) fn render_error(action: Action, index: &str, id: Option<&str>, error: &Value) -> Vec<u8> {
    let mut error = error.clone();
    let status = error.as_object_mut().and_then(|error| error.shift_remove("status")).unwrap_or(json!(500));
    let mut out = Vec::new();
    head(&mut out, action, index, id);
    out.extend_from_slice(format!(",\"status\":{status},\"error\":{error}}}}}").as_bytes());
    out
}

/// `{type, reason, …, status}`
pub fn error_object(error: &Error) -> Value {
    let mut object = json!({"type": error.kind, "reason": error.reason});
    if let Some(Value::Object(detail)) = &error.detail {
        for (key, value) in detail {
            object[key] = value.clone();
        }
    }
    object["status"] = json!(error.status);
    object
}

/// Joins the answers in the order of the items. Answers the body and whether any item failed.
pub fn render(
    items: usize,
    rejected: &[(usize, Vec<u8>)],
    results: &[(&Slice, &SliceResult)],
    took_ms: u64,
    forced_refresh: bool,
) -> (Vec<u8>, bool) {
    enum Source<'a> {
        Missing,
        Rejected(&'a [u8]),
        Slice(&'a SliceResult, usize),
    }
    let mut order: Vec<Source<'_>> = (0..items).map(|_| Source::Missing).collect();
    let mut errors = false;
    for (i, answer) in rejected {
        errors = true;
        order[*i] = Source::Rejected(answer);
    }
    for (slice, result) in results {
        for (i, item) in slice.items.iter().enumerate().take(result.len()) {
            errors |= result.failed(i);
            order[item.position] = Source::Slice(result, i);
        }
    }
    let size: usize = results.iter().map(|(_, result)| result.buffer.len() + result.len() * 30).sum();
    let mut out = Vec::with_capacity(size + 64);
    out.extend_from_slice(format!("{{\"took\":{took_ms},\"errors\":{errors},\"items\":[").as_bytes());
    for (i, source) in order.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        match source {
            Source::Missing => out.extend_from_slice(b"null"),
            Source::Rejected(answer) => out.extend_from_slice(answer),
            Source::Slice(result, i) => result.render_item(i, forced_refresh, &mut out),
        }
    }
    out.extend_from_slice(b"]}");
    (out, errors)
}
