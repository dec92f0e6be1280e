//! Applying a slice of a bulk, item by item.

use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::{Map, Value, json};
use tantivy::directory::OwnedBytes;

use super::config::Durability;
use super::shard::Shard;
use super::source;
use super::versions::Stripe;
use super::write::{Conditions, Document, Known, Work, Written};
use crate::bulk::update::{UpdateBody, merge};
use crate::bulk::{Action, Answer, Item, Outcome, Slice, SliceResult};
use crate::mapping::{DocError, Mapping};
use crate::{Error, Result};

/// How a slice is applied.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Not durable on return: the caller syncs.
    pub unsynced: bool,
    /// The same slice may have been applied before.
    pub retried: bool,
}

/// A builder that holds this much becomes a segment whatever the budget says: tantivy addresses at most 4 GiB per builder.
const MAX_BUILDER: usize = 1 << 30;

impl Shard {
    /// Applies a slice; durable on return under `request`.
    pub fn bulk(&self, slice: &Slice) -> Result<SliceResult> {
        self.bulk_as(slice, Manner::default())
    }

    pub fn bulk_as(&self, slice: &Slice, manner: Manner) -> Result<SliceResult> {
        let mut result = SliceResult::new(slice.len());
        self.apply_slice(slice, &mut result, manner, |_, _| true)?;
        Ok(result)
    }

    /// Applies those items again that stopped at unknown fields.
    pub fn retry(&self, slice: &Slice, result: &mut SliceResult) -> Result<()> {
        self.retry_as(slice, result, Manner::default())
    }

    pub fn retry_as(&self, slice: &Slice, result: &mut SliceResult, manner: Manner) -> Result<()> {
        self.apply_slice(slice, result, manner, SliceResult::is_unknown)
    }

    fn apply_slice(
        &self,
        slice: &Slice,
        result: &mut SliceResult,
        manner: Manner,
        wanted: impl Fn(&SliceResult, usize) -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        let full;
        let mut relied = false;
        let last = {
            let _gate = self.gate.read();
            self.check_open()?;
            let mut work = Work::start(self);
            let mut stopped = false;
            for (i, item) in slice.items.iter().enumerate() {
                if wanted(result, i) {
                    let outcome = if stopped {
                        foresee(&work, slice, item)
                    } else {
                        self.apply_item(&mut work, slice, item, manner)
                    };
                    stopped |= matches!(outcome, Outcome::Unknown(_));
                    relied |= relies_on_others(&outcome);
                    result.set(slice, i, outcome);
                }
            }
            full = work.memory() > MAX_BUILDER;
            result.operations = std::mem::take(&mut work.records);
            work.finish()
        };
        // Not under the gate: a flush that waits for it holds the refresh lock.
        if full {
            self.settle_biggest(MAX_BUILDER);
        }
        if let Some(error) = self.failed.get() {
            return Err(error.clone());
        }
        if (relied || last.is_some()) && !manner.unsynced && self.config.read().durability == Durability::Request {
            let checkpoint = self.seq_nos.processed_checkpoint();
            let synced = match last {
                Some(last) if !relied => self.translog().sync(last),
                _ => self.translog().sync_all(),
            };
            synced.map_err(|error| self.fail(error))?;
            self.persisted(checkpoint);
        }
        self.counters.index_nanos.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
        if self.runtime.over_budget() {
            self.runtime.relieve();
        }
        Ok(())
    }

    fn apply_item(&self, work: &mut Work<'_>, slice: &Slice, item: &Item, manner: Manner) -> Outcome {
        let result = match item.action {
            Action::Index | Action::Create => self.apply_index(work, slice.source(item), item, manner),
            Action::Delete => self.apply_delete(work, item),
            Action::Update => self.apply_update(work, slice, item),
        };
        match result {
            Ok(answer) => Outcome::Done(answer),
            Err(DocError::Unknown(fields)) => Outcome::Unknown(fields),
            Err(DocError::Invalid(error)) => {
                self.counters.index_failed.fetch_add(1, Ordering::Relaxed);
                Outcome::Failed(self.located(error))
            }
        }
    }

    /// Conflicts and missing documents name index and shard.
    fn located(&self, error: Error) -> Error {
        if !matches!(
            error.kind,
            "version_conflict_engine_exception" | "document_missing_exception" | "document_source_missing_exception"
        ) {
            return error;
        }
        let config = self.config();
        let detail = json!({"index": config.index, "shard": config.shard.to_string(), "index_uuid": config.uuid});
        error.with_detail(detail)
    }

    fn apply_index(
        &self,
        work: &mut Work<'_>,
        source: OwnedBytes,
        item: &Item,
        manner: Manner,
    ) -> Result<Answer, DocError> {
        let mapping = work.current.mapping.clone();
        let document = document(&mapping, &item.id, item.routing.as_deref(), source)?;
        let mut stripe = self.versions.lock(&item.id);
        // A document whose id was made for it is there only if the first try has written it: once more then, and as if it were new.
        let again = item.auto_id && manner.retried;
        let conditions = Conditions { create: item.action == Action::Create && !again, ..conditions(item) };
        let new = item.auto_id && !manner.retried;
        let written = work.index(&mut stripe, document, conditions, new).map_err(DocError::Invalid)?;
        drop(stripe);
        self.counters.index_total.fetch_add(1, Ordering::Relaxed);
        Ok(answer(work, written, if written.existed && !again { ("updated", 200) } else { ("created", 201) }))
    }

    fn apply_delete(&self, work: &mut Work<'_>, item: &Item) -> Result<Answer, DocError> {
        let mut stripe = self.versions.lock(&item.id);
        let written = work.delete(&mut stripe, &item.id, conditions(item)).map_err(DocError::Invalid)?;
        drop(stripe);
        self.counters.delete_total.fetch_add(1, Ordering::Relaxed);
        Ok(answer(work, written, if written.existed { ("deleted", 200) } else { ("not_found", 404) }))
    }

    fn apply_update(&self, work: &mut Work<'_>, slice: &Slice, item: &Item) -> Result<Answer, DocError> {
        let bytes = slice.source(item);
        let body = UpdateBody::parse(bytes.as_slice()).map_err(DocError::Invalid)?;
        if body.script.is_some() {
            let text = "failed to execute script: scripts are not supported";
            return Err(DocError::Invalid(Error::illegal_argument(text)));
        }
        let mut stripe = self.versions.lock(&item.id);
        let (known, stored) = self.known_source(&stripe, &item.id).map_err(DocError::Invalid)?;
        let live = known.filter(|known| known.target.is_some());
        let Some(known) = live else { return self.upsert(work, &mut stripe, item, &body) };
        self.counters.update_conditions(item, &known).map_err(DocError::Invalid)?;
        let Some(stored) = stored else {
            let text = format!("[{}]: document source missing", item.id);
            return Err(DocError::Invalid(Error::new("document_source_missing_exception", 400, text)));
        };
        let doc = body.doc.map_or("{}", |doc| doc.get());
        let mut source = object(stored.source.as_slice())?;
        let changed = merge(&mut source, object(doc.as_bytes())?);
        if !changed && item.detect_noop {
            self.counters.noop_total.fetch_add(1, Ordering::Relaxed);
            let Known { version, seq_no, primary_term, .. } = known;
            let get = self.update_get(item, stored.source.as_slice(), seq_no, primary_term)?;
            return Ok(Answer { result: "noop", version, seq_no, primary_term, status: 200, get });
        }
        let routing = stored.routing.or_else(|| item.routing.clone());
        let bytes = OwnedBytes::new(serde_json::to_vec(&source).expect("it was JSON"));
        let written = self.write_updated(work, &mut stripe, item, routing.as_deref(), bytes.clone())?;
        let get = self.update_get(item, bytes.as_slice(), written.seq_no, work.primary_term)?;
        Ok(Answer { get, ..answer(work, written, ("updated", 200)) })
    }

    fn upsert(
        &self,
        work: &mut Work<'_>,
        stripe: &mut parking_lot::MutexGuard<'_, Stripe>,
        item: &Item,
        body: &UpdateBody<'_>,
    ) -> Result<Answer, DocError> {
        let upsert = if item.doc_as_upsert { body.doc } else { body.upsert };
        let Some(upsert) = upsert else {
            let text = format!("[{}]: document missing", item.id);
            return Err(DocError::Invalid(Error::new("document_missing_exception", 404, text)));
        };
        let bytes = OwnedBytes::new(upsert.get().as_bytes().to_vec());
        let written = self.write_updated(work, stripe, item, item.routing.as_deref(), bytes.clone())?;
        let get = self.update_get(item, bytes.as_slice(), written.seq_no, work.primary_term)?;
        Ok(Answer { get, ..answer(work, written, ("created", 201)) })
    }

    fn write_updated(
        &self,
        work: &mut Work<'_>,
        stripe: &mut parking_lot::MutexGuard<'_, Stripe>,
        item: &Item,
        routing: Option<&str>,
        source: OwnedBytes,
    ) -> Result<Written, DocError> {
        let mapping = work.current.mapping.clone();
        let document = document(&mapping, &item.id, routing, source)?;
        let written = work.index(stripe, document, conditions(item), false).map_err(DocError::Invalid)?;
        self.counters.index_total.fetch_add(1, Ordering::Relaxed);
        Ok(written)
    }

    /// The inside of `get` in the answer of an update that asked for the source.
    fn update_get(&self, item: &Item, source: &[u8], seq_no: i64, term: u64) -> Result<Option<Vec<u8>>, DocError> {
        let Some(wanted) = &item.fetch_source else { return Ok(None) };
        let wanted: Value = serde_json::from_str(wanted).unwrap_or(Value::Bool(true));
        let filter = source::Filter::parse(&wanted).map_err(DocError::Invalid)?;
        let mut get = format!("\"_seq_no\":{seq_no},\"_primary_term\":{term},\"found\":true").into_bytes();
        if let Some(source) = filter.apply(source).map_err(DocError::Invalid)? {
            get.extend_from_slice(b",\"_source\":");
            get.extend_from_slice(&source);
        }
        Ok((filter.keeps_any()).then_some(get))
    }
}

impl super::stats::Counters {
    /// The conditions of an update hold against the document that it read.
    fn update_conditions(&self, item: &Item, known: &Known) -> Result<()> {
        let (Some(seq_no), Some(term)) = (item.if_seq_no, item.if_primary_term) else { return Ok(()) };
        if known.seq_no == seq_no && known.primary_term as i64 == term {
            return Ok(());
        }
        let text = format!(
            "required seqNo [{seq_no}], primary term [{term}]. current document has seqNo [{}] and primary term [{}]",
            known.seq_no, known.primary_term
        );
        Err(super::write::conflict(&item.id, &text))
    }
}

/// An answer that tells of another operation ("noop", "document already exists") holds only if that one is durable: whoever tries
/// again after a timeout takes it for success.
fn relies_on_others(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done(answer) => answer.result == "noop",
        Outcome::Failed(error) => matches!(error.status, 404 | 409),
        Outcome::Unknown(_) => false,
    }
}

/// An item behind one that stopped waits too, for the order of a bulk is kept; the fields that it will need are already told.
fn foresee(work: &Work<'_>, slice: &Slice, item: &Item) -> Outcome {
    let source = slice.source(item);
    let parse = |bytes: &[u8]| match work.current.mapping.parse(&item.id, item.routing.as_deref(), bytes) {
        Err(DocError::Unknown(fields)) => fields,
        _ => Vec::new(),
    };
    Outcome::Unknown(match item.action {
        Action::Index | Action::Create => parse(source.as_slice()),
        Action::Delete => Vec::new(),
        Action::Update => match UpdateBody::parse(source.as_slice()) {
            Ok(body) => {
                [body.doc, body.upsert].into_iter().flatten().flat_map(|part| parse(part.get().as_bytes())).collect()
            }
            Err(_) => Vec::new(),
        },
    })
}

/// Parses a document by the mapping.
pub(crate) fn document<'a>(
    mapping: &Mapping,
    id: &'a str,
    routing: Option<&'a str>,
    source: OwnedBytes,
) -> Result<Document<'a>, DocError> {
    let parsed = mapping.parse(id, routing, source.as_slice())?;
    let stored = source::stored(mapping, &source).map_err(DocError::Invalid)?;
    Ok(Document { id, routing, source, parsed, stored })
}

fn object(bytes: &[u8]) -> Result<Map<String, Value>, DocError> {
    serde_json::from_slice(bytes).map_err(|e| {
        let text = format!("failed to parse the document: {e}");
        DocError::Invalid(Error::new("mapper_parsing_exception", 400, text))
    })
}

fn conditions(item: &Item) -> Conditions {
    Conditions {
        create: false,
        version: item.version,
        version_type: item.version_type,
        if_seq_no: item.if_seq_no,
        if_primary_term: item.if_primary_term,
    }
}

fn answer(work: &Work<'_>, written: Written, (result, status): (&'static str, u16)) -> Answer {
    let Written { version, seq_no, .. } = written;
    Answer { result, version, seq_no, primary_term: work.primary_term, status, get: None }
}
