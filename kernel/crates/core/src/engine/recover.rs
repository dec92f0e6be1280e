//! Opening a shard: the newest commit, then the translog behind it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use tantivy::directory::OwnedBytes;

use super::alive::Alive;
use super::builder::SegmentSchema;
use super::commit::{Commit, CommitSegment};
use super::config::{Check, ShardConfig};
use super::flush::shard_uuid;
use super::layout::{Layout, LiveSegment};
use super::pool::Pool;
use super::runtime::Runtime;
use super::segment::OpenSegment;
use super::seqno::{NO_OPS, SeqNos};
use super::shard::{Committed, Current, Shard, container_of, has_content, segment_name};
use super::versions::VersionMap;
use super::write::{Document, Numbers, Work};
use crate::bulk::ids::make_uuid;
use crate::mapping::{DocError, Mapping};
use crate::storage::SharedFs;
use crate::storage::manifest::Manifest;
use crate::translog::format::encode_header;
use crate::translog::{Kind, Location, Operation, Translog};
use crate::{Error, Result};

/// During replay a builder of this size becomes a segment.
const REPLAY_BUILDER: usize = 64 << 20;

impl Shard {
    /// Creates the shard in an empty or missing folder, otherwise recovers it.
    pub fn open(
        runtime: &Arc<Runtime>,
        fs: SharedFs,
        folder: PathBuf,
        config: &[u8],
        mapping: Arc<Mapping>,
    ) -> Result<Arc<Self>> {
        let config = ShardConfig::parse(config)?;
        let started = Instant::now();
        let segments = folder.join("segments");
        let (generation, commit) = match Commit::read_newest(&*fs, &folder)? {
            Some(found) => found,
            None if config.existing => {
                return Err(Error::corruption(folder.display(), 0, "the shard has data, but there is no commit"));
            }
            None => create(&fs, &folder, &config)?,
        };
        fs.create_dir_all(&segments).map_err(|e| Error::io(segments.display(), e))?;
        // The commit's writer may have ended before its name was durable.
        fs.sync_dir(&folder).map_err(|e| Error::io(folder.display(), e))?;
        if commit.uuid != shard_uuid(&config.uuid, config.shard) {
            let path = folder.join(format!("commit-{generation}"));
            return Err(Error::corruption(path.display(), 0, format!("the folder belongs to shard {}", commit.uuid)));
        }
        remove_leftovers(&fs, &folder, generation, &commit)?;
        let shard = Arc::new(Self::assemble(runtime, fs, folder, config, mapping, generation, &commit)?);
        shard.replay(&commit)?;
        let replayed = shard.translog().stats().uncommitted_operations;
        shard.counters.recovered(replayed, started.elapsed());
        runtime.register(&shard);
        shard.refresh()?;
        Ok(shard)
    }

    fn assemble(
        runtime: &Arc<Runtime>,
        fs: SharedFs,
        folder: PathBuf,
        config: ShardConfig,
        mapping: Arc<Mapping>,
        generation: u64,
        commit: &Commit,
    ) -> Result<Self> {
        let schema = SegmentSchema::of(&mapping);
        let mut layout = Layout::new(config.index.as_str().into(), config.shard, mapping.clone());
        for segment in &commit.segments {
            layout.segments.push(open_segment(&fs, &folder, segment, &schema, config.check_on_startup)?);
        }
        let published = Self::point_in_time(&mut layout, 1);
        let committed = Committed {
            generation,
            segments: commit.segments.iter().map(|segment| segment.container).collect(),
            history_uuid: commit.history_uuid.clone(),
            max_seq_no: commit.max_seq_no,
            docs: published.doc_count,
            ..Committed::default()
        };
        Ok(Self {
            runtime: runtime.clone(),
            fs,
            folder,
            config: RwLock::new(Arc::new(config)),
            current: RwLock::new(Arc::new(Current { mapping, schema, version: 1 })),
            versions: VersionMap::new(),
            seq_nos: SeqNos::new(commit.local_checkpoint),
            translog: OnceLock::new(),
            layout: RwLock::new(layout),
            pool: Pool::default(),
            next_container: AtomicU64::new(commit.next_container),
            published: RwLock::new(Arc::new(published)),
            visible: AtomicI64::new(NO_OPS),
            listeners: Mutex::default(),
            gate: RwLock::new(()),
            refresh_lock: Mutex::default(),
            flush_lock: Mutex::default(),
            merge_lock: Mutex::default(),
            committed: Mutex::new(committed),
            failed: OnceLock::new(),
            failure_listener: Mutex::default(),
            closed: AtomicBool::new(false),
            cancelled: Arc::default(),
            counters: Default::default(),
            timing: Default::default(),
        })
    }

    fn replay(&self, commit: &Commit) -> Result<()> {
        let mut work: Option<Work<'_>> = None;
        let mut seen: Vec<i64> = Vec::new();
        let mut since = 0;
        let translog = Translog::open(
            self.fs.clone(),
            self.folder.join("translog"),
            &commit.uuid,
            commit.translog_generation,
            |operation, location| {
                self.seq_nos.advance(operation.seq_no);
                seen.push(operation.seq_no);
                let current = work.get_or_insert_with(|| Work::start(self));
                self.replay_one(current, &operation, location)?;
                since += 1;
                if since % 1_000 == 0 && current.memory() > REPLAY_BUILDER {
                    work.take().map(Work::finish);
                    self.settle_all("replay")?;
                }
                Ok(())
            },
        );
        work.take().map(Work::finish);
        let translog = translog?;
        self.seq_nos.processed(seen);
        self.translog.set(translog).ok();
        self.fill_gaps()?;
        self.seq_nos.persisted(self.seq_nos.processed_checkpoint());
        Ok(())
    }

    fn replay_one(&self, work: &mut Work<'_>, operation: &Operation<'_>, location: Location) -> Result<()> {
        let numbers =
            Numbers { version: operation.version, seq_no: operation.seq_no, primary_term: operation.primary_term };
        match operation.kind {
            Kind::NoOp => Ok(()),
            Kind::Delete => work.replay_delete(operation.id, numbers, location),
            Kind::Index => {
                let source = OwnedBytes::new(operation.source.unwrap_or_default().to_vec());
                let mapping = work.current.mapping.clone();
                let document = super::apply::document(&mapping, operation.id, operation.routing, source.clone());
                let document = match document {
                    Ok(document) => document,
                    Err(error) => accepted(&mapping, operation, source, error)?,
                };
                work.replay_index(document, numbers, location)
            }
        }
    }

    /// Numbers whose operations never became durable (nobody was told of them) are taken up by no-ops.
    fn fill_gaps(&self) -> Result<()> {
        let primary_term = self.config().primary_term;
        let (mut next, max) = (self.seq_nos.processed_checkpoint() + 1, self.seq_nos.max());
        let mut last = None;
        while next <= max {
            let operation = Operation {
                kind: Kind::NoOp,
                seq_no: next,
                primary_term,
                version: 1,
                id: "",
                routing: None,
                source: None,
            };
            last = Some(self.translog().append(&operation)?);
            self.seq_nos.processed([next]);
            next = self.seq_nos.processed_checkpoint() + 1;
        }
        last.map_or(Ok(()), |last| self.translog().sync(last))
    }
}

/// The document was acknowledged under an earlier mapping or other settings, which may have become stricter since: what the mapping
/// of today refuses is left out of the index, and the source is kept.
fn accepted<'a>(
    mapping: &Mapping,
    operation: &'a Operation<'_>,
    source: OwnedBytes,
    error: DocError,
) -> Result<Document<'a>> {
    let reason = match error {
        DocError::Invalid(error) => error.reason,
        DocError::Unknown(fields) => format!("{:?}", fields.iter().map(|field| &field.path).collect::<Vec<_>>()),
    };
    let (id, seq_no) = (operation.id, operation.seq_no);
    log::warn!("operation {seq_no} on [{id}] in the translog does not fit the mapping any more: {reason}");
    let stored = super::source::stored(mapping, &source)?;
    let parsed = mapping.parse_accepted(id, operation.routing, source.as_slice());
    Ok(Document { id, routing: operation.routing, source, parsed, stored })
}

/// A new, empty shard. Fails if the folder holds anything of one.
fn create(fs: &SharedFs, folder: &std::path::Path, config: &ShardConfig) -> Result<(u64, Commit)> {
    let (segments, translog) = (folder.join("segments"), folder.join("translog"));
    let uuid = shard_uuid(&config.uuid, config.shard);
    let header = encode_header(1, &uuid).len() as u64;
    let written = fs.list(&translog).unwrap_or_default().iter().any(|name| {
        // A translog is started before the first commit is written; it can hold nothing yet.
        name != "translog-1.tlog" || fs.size(&translog.join(name)).unwrap_or(0) > header
    });
    if has_content(fs, &segments) || written {
        return Err(Error::corruption(folder.display(), 0, "there are segments or operations but no commit"));
    }
    fs.create_dir_durably(folder).map_err(|e| Error::io(folder.display(), e))?;
    drop(Translog::create(fs.clone(), translog, &uuid)?);
    let commit = Commit {
        uuid,
        history_uuid: make_uuid(),
        primary_term: config.primary_term,
        segments: Vec::new(),
        max_seq_no: NO_OPS,
        local_checkpoint: NO_OPS,
        translog_generation: 1,
        next_container: 0,
    };
    commit.write(&**fs, folder, 1)?;
    Ok((1, commit))
}

/// What a crash left: segments of no commit, older commits, temporary files.
fn remove_leftovers(fs: &SharedFs, folder: &std::path::Path, generation: u64, commit: &Commit) -> Result<()> {
    Commit::remove_older(&**fs, folder, generation)?;
    let segments = folder.join("segments");
    let named: std::collections::HashSet<String> =
        commit.segments.iter().map(|segment| segment_name(segment.container)).collect();
    for name in fs.list(&segments).map_err(|e| Error::io(segments.display(), e))? {
        if container_of(&name).is_some() && !named.contains(&name) {
            fs.remove_tree(&segments.join(&name)).map_err(|e| Error::io(segments.display(), e))?;
        }
    }
    Ok(())
}

fn open_segment(
    fs: &SharedFs,
    folder: &std::path::Path,
    segment: &CommitSegment,
    schema: &SegmentSchema,
    check: Check,
) -> Result<LiveSegment> {
    let folder = folder.join("segments").join(segment_name(segment.container));
    let manifest = Manifest::read(&**fs, &folder)?;
    manifest.verify(&**fs, &folder, check == Check::Content)?;
    let open = OpenSegment::open(fs, &folder, Arc::new(manifest), &schema.schema)?;
    let alive = match &segment.alive {
        None => None,
        Some(bytes) => {
            let damaged = || Error::corruption(folder.display(), 0, "the commit's deletions do not fit the segment");
            let alive = Alive::from_bytes(bytes).filter(|alive| alive.max_doc() == open.manifest.max_doc);
            Some(alive.ok_or_else(damaged)?)
        }
    };
    LiveSegment::new(segment.container, open, schema.system, alive)
}
