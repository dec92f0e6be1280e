//! One operation: look the document up, check its version, number it, index it, log it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;
use tantivy::directory::OwnedBytes;

use super::document::RootMeta;
use super::layout::{Layout, Target};
use super::pool::Building;
use super::shard::{Current, Shard};
use super::versions::{Place, Stripe, Version};
use crate::bulk::VersionType;
use crate::mapping::ParsedDoc;
use crate::translog::{Kind, Location, Operation, format};
use crate::{Error, Result};

/// A batch of operations by one thread: the builder it uses and what it has done so far.
pub(crate) struct Work<'a> {
    pub shard: &'a Shard,
    pub current: Arc<Current>,
    pub primary_term: u64,
    replicated: bool,
    building: Option<Building>,
    pub last: Option<Location>,
    /// Records of the operations, for the other copies.
    pub records: Vec<u8>,
    seq_nos: Vec<i64>,
    now_ms: u64,
}

/// The version that a document has now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub seq_no: i64,
    pub primary_term: u64,
    pub version: u64,
    /// None: deleted.
    pub target: Option<Target>,
    pub location: Option<Location>,
}

/// What has to hold for an operation to go ahead.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Conditions {
    pub create: bool,
    pub version: Option<i64>,
    pub version_type: VersionType,
    pub if_seq_no: Option<i64>,
    pub if_primary_term: Option<i64>,
}

/// A document to be indexed.
pub(crate) struct Document<'a> {
    pub id: &'a str,
    pub routing: Option<&'a str>,
    /// As it came in: what the translog keeps.
    pub source: OwnedBytes,
    pub parsed: ParsedDoc,
    /// What `_source` keeps of it.
    pub stored: Option<OwnedBytes>,
}

/// What an operation deletes, and what a later one in another builder has to delete besides.
struct Replaced {
    targets: smallvec::SmallVec<[Target; 2]>,
    earlier: Option<Box<[Target]>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub version: u64,
    pub seq_no: i64,
    /// The document existed.
    pub existed: bool,
}

impl<'a> Work<'a> {
    pub fn start(shard: &'a Shard) -> Self {
        let current = shard.current();
        let building = shard.pool.take(current.version).unwrap_or_else(|| {
            let deletions = Arc::default();
            // Numbered under the lock: whoever reads the layout knows all builders with lower numbers.
            let mut layout = shard.layout.write();
            let container = shard.new_container();
            layout.builders.insert(container, Arc::clone(&deletions));
            Building::new(container, current.version, deletions)
        });
        let config = shard.config();
        Self {
            shard,
            current,
            primary_term: config.primary_term,
            replicated: config.replicated,
            building: Some(building),
            last: None,
            records: Vec::new(),
            seq_nos: Vec::new(),
            now_ms: shard.runtime.now_ms(),
        }
    }

    fn building(&mut self) -> &mut Building {
        self.building.as_mut().expect("held until the end")
    }

    /// Gives the builder back; the operations count as done. Answers where the last one stands in the translog.
    pub fn finish(mut self) -> Option<Location> {
        let mut building = self.building.take().expect("held until the end");
        let memory = building.measure();
        self.shard.runtime.account(building.memory, memory);
        building.memory = memory;
        building.touched_ms = self.now_ms;
        self.shard.pool.give_back(building);
        self.shard.seq_nos.processed(self.seq_nos.drain(..));
        if self.last.is_some() {
            self.shard.timing.last_write.store(self.now_ms, Ordering::Relaxed);
            self.shard.timing.dirty.store(true, Ordering::Relaxed);
        }
        self.last
    }

    /// Bytes in the builder.
    pub fn memory(&self) -> usize {
        self.building.as_ref().map_or(0, Building::measure)
    }

    pub fn index(
        &mut self,
        stripe: &mut MutexGuard<'_, Stripe>,
        document: Document<'_>,
        conditions: Conditions,
        new_id: bool,
    ) -> Result<Written> {
        let shard = self.shard;
        let layout = shard.layout.read();
        let known = if new_id { None } else { shard.known(&layout, stripe, document.id)? };
        let version = check(document.id, known.as_ref(), conditions)?;
        let replaced = self.replaced(&layout, stripe, document.id, known.and_then(|known| known.target))?;
        // From here on the operation is done, or the shard has failed.
        let seq_no = shard.seq_nos.assign();
        self.apply_index(stripe, document, Numbers { version, seq_no, primary_term: self.primary_term }, replaced)?;
        Ok(Written { version, seq_no, existed: known.is_some_and(|known| known.target.is_some()) })
    }

    fn apply_index(
        &mut self,
        stripe: &mut MutexGuard<'_, Stripe>,
        document: Document<'_>,
        numbers: Numbers,
        replaced: Replaced,
    ) -> Result<()> {
        let doc = self.add(document.parsed, document.stored, numbers, &replaced)?;
        let operation = Operation {
            kind: Kind::Index,
            seq_no: numbers.seq_no,
            primary_term: numbers.primary_term,
            version: numbers.version,
            id: document.id,
            routing: document.routing,
            source: Some(document.source.as_slice()),
        };
        let location = self.log(&operation)?;
        let container = self.building().container;
        self.note(stripe, document.id, numbers, Place::Live { container, doc }, Some(location), replaced.earlier);
        Ok(())
    }

    /// All that an operation on this document has to delete. Builders become segments in any order, each with its own deletions:
    /// what the builder of the version before this one would delete, this one deletes as well, lest it comes first.
    fn replaced(
        &mut self,
        layout: &Layout,
        stripe: &MutexGuard<'_, Stripe>,
        id: &str,
        target: Option<Target>,
    ) -> Result<Replaced> {
        let mut replaced = Replaced { targets: target.into_iter().collect(), earlier: None };
        let Some(entry) = stripe.get(id) else { return Ok(replaced) };
        let before = entry.place.container();
        if !layout.builders.contains_key(&before) {
            return Ok(replaced);
        }
        let in_builder = |target: &&Target| layout.builders.contains_key(&target.container);
        let mut earlier: Vec<Target> = entry.earlier.iter().flatten().filter(in_builder).copied().collect();
        if before != self.building().container {
            replaced.targets.extend(earlier.iter().copied());
            for segment in &layout.segments {
                let found = segment.find_all(id)?;
                let container = segment.container;
                replaced.targets.extend(found.into_iter().map(|doc| Target { container, doc }));
            }
            earlier.extend(target.as_ref().filter(in_builder));
        }
        replaced.earlier = (!earlier.is_empty()).then(|| earlier.into_boxed_slice());
        Ok(replaced)
    }

    fn add(
        &mut self,
        parsed: ParsedDoc,
        stored: Option<OwnedBytes>,
        numbers: Numbers,
        replaced: &Replaced,
    ) -> Result<u32> {
        let meta = RootMeta {
            source: stored,
            seq_no: numbers.seq_no,
            primary_term: numbers.primary_term,
            version: numbers.version,
        };
        let (shard, current) = (self.shard, self.current.clone());
        let folder = |container| shard.segment_folder(container);
        let building = self.building();
        let doc = building
            .add(&shard.fs, folder, &current.schema, parsed, meta)
            .map_err(|error| shard.fail(Error::io("indexing a document", error)))?;
        replaced.targets.iter().for_each(|target| building.delete(*target));
        Ok(doc)
    }

    fn log(&mut self, operation: &Operation<'_>) -> Result<Location> {
        let shard = self.shard;
        let start = self.records.len();
        format::encode(operation, &mut self.records);
        let location = shard.translog().append_record(&self.records[start..], operation.seq_no);
        if !self.replicated {
            self.records.truncate(start);
        }
        self.logged(location.map_err(|error| shard.fail(error))?, operation.seq_no)
    }

    fn logged(&mut self, location: Location, seq_no: i64) -> Result<Location> {
        self.last = Some(location);
        self.seq_nos.push(seq_no);
        Ok(location)
    }

    /// Takes over an operation that the primary has numbered: its record goes to the log in any case, the document is indexed unless a
    /// newer one is here. (Of two operations on a document the greater number wins.)
    pub fn replicate(&mut self, operation: &Operation<'_>, record: &[u8]) -> Result<()> {
        let shard = self.shard;
        shard.seq_nos.advance(operation.seq_no);
        let location = shard.translog().append_record(record, operation.seq_no).map_err(|error| shard.fail(error))?;
        shard.replay_one(self, operation, location).map_err(|error| shard.fail(error))?;
        self.logged(location, operation.seq_no).map(drop)
    }

    fn note(
        &self,
        stripe: &mut MutexGuard<'_, Stripe>,
        id: &str,
        numbers: Numbers,
        place: Place,
        location: Option<Location>,
        earlier: Option<Box<[Target]>>,
    ) {
        let Numbers { version, seq_no, primary_term } = numbers;
        let entry = Version { seq_no, primary_term, version, place, location, earlier };
        self.shard.versions.put(stripe, id, entry);
    }

    pub fn delete(&mut self, stripe: &mut MutexGuard<'_, Stripe>, id: &str, conditions: Conditions) -> Result<Written> {
        let shard = self.shard;
        let layout = shard.layout.read();
        let known = shard.known(&layout, stripe, id)?;
        let version = check(id, known.as_ref(), conditions)?;
        let target = known.and_then(|known| known.target);
        let replaced = self.replaced(&layout, stripe, id, target)?;
        let seq_no = shard.seq_nos.assign();
        let numbers = Numbers { version, seq_no, primary_term: self.primary_term };
        let operation = Operation {
            kind: Kind::Delete,
            seq_no,
            primary_term: numbers.primary_term,
            version,
            id,
            routing: None,
            source: None,
        };
        let location = self.log(&operation)?;
        self.apply_delete(stripe, id, numbers, replaced, Some(location));
        Ok(Written { version, seq_no, existed: target.is_some() })
    }

    fn apply_delete(
        &mut self,
        stripe: &mut MutexGuard<'_, Stripe>,
        id: &str,
        numbers: Numbers,
        replaced: Replaced,
        location: Option<Location>,
    ) {
        let building = self.building();
        replaced.targets.iter().for_each(|target| building.delete(*target));
        building.used = true;
        let place = Place::Deleted { container: self.building().container, at_ms: self.now_ms };
        self.note(stripe, id, numbers, place, location, replaced.earlier);
    }

    /// Applies an operation that stands in the translog, unless the document is newer already.
    pub fn replay_index(&mut self, document: Document<'_>, numbers: Numbers, location: Location) -> Result<()> {
        let shard = self.shard;
        let mut stripe = shard.versions.lock(document.id);
        let layout = shard.layout.read();
        let known = shard.known(&layout, &stripe, document.id)?;
        if known.is_some_and(|known| known.seq_no >= numbers.seq_no) {
            return Ok(());
        }
        let id = document.id;
        let replaced = self.replaced(&layout, &stripe, id, known.and_then(|known| known.target))?;
        let doc = self.add(document.parsed, document.stored, numbers, &replaced)?;
        let container = self.building().container;
        self.note(&mut stripe, id, numbers, Place::Live { container, doc }, Some(location), replaced.earlier);
        Ok(())
    }

    pub fn replay_delete(&mut self, id: &str, numbers: Numbers, location: Location) -> Result<()> {
        let shard = self.shard;
        let mut stripe = shard.versions.lock(id);
        let layout = shard.layout.read();
        let known = shard.known(&layout, &stripe, id)?;
        if known.is_none_or(|known| known.seq_no < numbers.seq_no) {
            let replaced = self.replaced(&layout, &stripe, id, known.and_then(|known| known.target))?;
            self.apply_delete(&mut stripe, id, numbers, replaced, Some(location));
        }
        Ok(())
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if let Some(building) = self.building.take() {
            // A panic on the way: what the builder holds is not certain.
            self.shard.runtime.account(building.memory, 0);
            self.shard.fail(Error::io("indexing", "the thread panicked"));
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub version: u64,
    pub seq_no: i64,
    pub primary_term: u64,
}

impl Shard {
    /// The newest version of a document, deleted ones included as long as they are remembered.
    pub(crate) fn known(&self, layout: &Layout, stripe: &Stripe, id: &str) -> Result<Option<Known>> {
        if let Some(version) = stripe.get(id) {
            let &Version { seq_no, primary_term, version, place, location, .. } = version;
            let target = match place {
                Place::Deleted { .. } => None,
                Place::Live { container, doc } => {
                    // A merge may have taken the segment away since: then the terms know the document.
                    if layout.builders.contains_key(&container) || layout.segment(container).is_some() {
                        Some(Target { container, doc })
                    } else {
                        return self.known_by_term(layout, id);
                    }
                }
            };
            return Ok(Some(Known { seq_no, primary_term, version, target, location }));
        }
        self.known_by_term(layout, id)
    }

    fn known_by_term(&self, layout: &Layout, id: &str) -> Result<Option<Known>> {
        for segment in layout.segments.iter().rev() {
            if let Some(doc) = segment.find(id)? {
                let stored = segment.version(doc)?;
                return Ok(Some(Known {
                    seq_no: stored.seq_no,
                    primary_term: stored.primary_term,
                    version: stored.version,
                    target: Some(Target { container: segment.container, doc }),
                    location: None,
                }));
            }
        }
        Ok(None)
    }
}

/// The new version, or OpenSearch's conflict.
fn check(id: &str, known: Option<&Known>, conditions: Conditions) -> Result<u64> {
    let live = known.is_some_and(|known| known.target.is_some());
    if let Some(seq_no) = conditions.if_seq_no {
        let term = conditions.if_primary_term.unwrap_or(0);
        let required = format!("required seqNo [{seq_no}], primary term [{term}].");
        match known.filter(|_| live) {
            None => return Err(conflict(id, &format!("{required} but no document was found"))),
            Some(known) if known.seq_no != seq_no || known.primary_term as i64 != term => {
                let (now, term) = (known.seq_no, known.primary_term);
                let found = format!("{required} current document has seqNo [{now}] and primary term [{term}]");
                return Err(conflict(id, &found));
            }
            Some(_) => {}
        }
    }
    let current = known.map(|known| known.version);
    if conditions.create && live {
        let text = format!("document already exists (current version [{}])", current.unwrap_or(0));
        return Err(conflict(id, &text));
    }
    let Some(provided) = conditions.version.filter(|_| conditions.version_type != VersionType::Internal) else {
        return Ok(current.map_or(1, |version| version + 1));
    };
    let refused = match (conditions.version_type, current.map(|version| version as i64)) {
        (VersionType::External, Some(now)) if now >= provided => Some((now, "higher or equal to")),
        (VersionType::ExternalGte, Some(now)) if now > provided => Some((now, "higher than")),
        _ => None,
    };
    if let Some((now, relation)) = refused {
        let text = format!("current version [{now}] is {relation} the one provided [{provided}]");
        return Err(conflict(id, &text));
    }
    Ok(provided.max(0) as u64)
}

pub(crate) fn conflict(id: &str, explanation: &str) -> Error {
    let reason = format!("[{id}]: version conflict, {explanation}");
    Error::new("version_conflict_engine_exception", 409, reason)
}
