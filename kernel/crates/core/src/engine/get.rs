//! Documents by id.

use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tantivy::directory::OwnedBytes;

use super::layout::Columns;
use super::shard::Shard;
use super::source::Filter;
use super::versions::Stripe;
use super::write::{Known, conflict};
use crate::bulk::VersionType;
use crate::{Error, Result};

/// A document as it came in.
pub(crate) struct Stored {
    pub source: OwnedBytes,
    pub routing: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Request {
    id: String,
    #[serde(default = "yes")]
    realtime: bool,
    #[serde(default)]
    source: Value,
    #[serde(default)]
    version: Option<i64>,
    #[serde(default)]
    version_type: Option<String>,
    #[serde(default)]
    stored_fields: Option<Vec<String>>,
}

fn yes() -> bool {
    true
}

struct Found {
    known: Known,
    source: Option<OwnedBytes>,
    routing: Option<String>,
}

impl Shard {
    /// The members of a get answer from `_version` on, `_source` last; None if there is no such document.
    pub fn get(&self, request: &[u8]) -> Result<Option<Vec<u8>>> {
        self.check_open()?;
        let request: Request =
            serde_json::from_slice(request).map_err(|e| Error::illegal_argument(format!("bad get request: {e}")))?;
        self.counters.get_total.fetch_add(1, Ordering::Relaxed);
        let found = if request.realtime { self.find_now(&request.id)? } else { self.find_searchable(&request.id)? };
        let Some(found) = found else {
            self.counters.get_missing.fetch_add(1, Ordering::Relaxed);
            return Ok(None);
        };
        check_version(&request, found.known.version).map_err(|error| self.with_place(error))?;
        self.render(&request, found).map(Some)
    }

    fn with_place(&self, error: Error) -> Error {
        let config = self.config();
        error.with_detail(json!({"index": config.index, "shard": config.shard.to_string(), "index_uuid": config.uuid}))
    }

    fn find_now(&self, id: &str) -> Result<Option<Found>> {
        let stripe = self.versions.lock(id);
        let (known, stored) = self.known_source(&stripe, id)?;
        let Some(known) = known.filter(|known| known.target.is_some()) else { return Ok(None) };
        let (source, routing) = stored.map_or((None, None), |stored| (Some(stored.source), stored.routing));
        let source = match source {
            // The translog has all of it; the answer shows what a segment would keep.
            Some(source) if known.location.is_some() => super::source::stored(&self.current().mapping, &source)?,
            source => source,
        };
        Ok(Some(Found { known, source, routing }))
    }

    /// As of the last refresh.
    fn find_searchable(&self, id: &str) -> Result<Option<Found>> {
        let reader = self.reader()?;
        let system = reader.mapping.system;
        for segment in &reader.segments {
            let columns = Columns::open(&segment.reader, system)?;
            let Some(doc) = columns.find(id, |doc| segment.is_alive(doc))? else { continue };
            let (version, stored) = (columns.version(&segment.reader, doc)?, columns.stored(&segment.reader, doc)?);
            let known = Known {
                seq_no: version.seq_no,
                primary_term: version.primary_term,
                version: version.version,
                target: None,
                location: None,
            };
            let routing = stored.routing().map(str::to_owned);
            return Ok(Some(Found { known, source: stored.source, routing }));
        }
        Ok(None)
    }

    /// The newest version and, if the document lives and its source is kept, the source.
    pub(crate) fn known_source(&self, stripe: &Stripe, id: &str) -> Result<(Option<Known>, Option<Stored>)> {
        let layout = self.layout.read();
        let Some(known) = self.known(&layout, stripe, id)? else { return Ok((None, None)) };
        let Some(target) = known.target else { return Ok((Some(known), None)) };
        if let Some(segment) = layout.segment(target.container) {
            let stored = segment.stored(target.doc)?;
            let routing = stored.routing().map(str::to_owned);
            let stored = stored.source.map(|source| Stored { source, routing });
            return Ok((Some(Known { location: None, ..known }), stored));
        }
        drop(layout);
        let location =
            known.location.ok_or_else(|| Error::io("get", "a document in a builder has no translog location"))?;
        let stored = self.translog().read(location, |operation| Stored {
            source: OwnedBytes::new(operation.source.unwrap_or_default().to_vec()),
            routing: operation.routing.map(str::to_owned),
        })?;
        let kept = self.current().mapping.source_enabled;
        Ok((Some(known), kept.then_some(stored)))
    }

    fn render(&self, request: &Request, found: Found) -> Result<Vec<u8>> {
        let Known { version, seq_no, primary_term, .. } = found.known;
        let mut out =
            format!("\"_version\":{version},\"_seq_no\":{seq_no},\"_primary_term\":{primary_term}").into_bytes();
        if let Some(routing) = &found.routing {
            out.extend_from_slice(b",\"_routing\":");
            serde_json::to_writer(&mut out, routing).expect("memory");
        }
        out.extend_from_slice(b",\"found\":true");
        let Some(source) = &found.source else { return Ok(out) };
        if let Some(names) = &request.stored_fields {
            let fields = self.stored_fields(names, source.as_slice())?;
            if !fields.is_empty() {
                out.extend_from_slice(b",\"fields\":");
                serde_json::to_writer(&mut out, &fields).expect("memory");
            }
        }
        let unasked = request.stored_fields.is_some() && request.source.is_null();
        if !unasked && let Some(source) = Filter::parse(&request.source)?.apply(source.as_slice())? {
            out.extend_from_slice(b",\"_source\":");
            out.extend_from_slice(&source);
        }
        Ok(out)
    }

    /// Values of the fields that the mapping stores, taken from the source.
    fn stored_fields(&self, names: &[String], source: &[u8]) -> Result<Map<String, Value>> {
        let mapping = self.current().mapping.clone();
        let mut fields = Map::new();
        let parsed: Value =
            serde_json::from_slice(source).map_err(|e| Error::corruption("stored source", e.column() as u64, e))?;
        for name in names {
            let stored = mapping.field(name).is_some_and(|def| def.params.get("store") == Some(&Value::Bool(true)));
            let mut values = Vec::new();
            if stored {
                collect(&parsed, name, &mut values);
            }
            if !values.is_empty() {
                fields.insert(name.clone(), Value::Array(values));
            }
        }
        Ok(fields)
    }
}

fn collect(value: &Value, path: &str, out: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, out)),
        Value::Null => {}
        value if path.is_empty() => out.push(value.clone()),
        Value::Object(object) => {
            for (key, inner) in object {
                if key == path {
                    collect(inner, "", out);
                } else if let Some(rest) = path.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.')) {
                    collect(inner, rest, out);
                }
            }
        }
        _ => {}
    }
}

fn check_version(request: &Request, current: u64) -> Result<()> {
    let Some(wanted) = request.version else { return Ok(()) };
    // Every type of version asks for equality here.
    request.version_type.as_deref().map_or(Ok(VersionType::Internal), VersionType::parse)?;
    if current as i64 == wanted {
        return Ok(());
    }
    Err(conflict(&request.id, &format!("current version [{current}] is different than the one provided [{wanted}]")))
}
