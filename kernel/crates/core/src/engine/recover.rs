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
use super::config::{Check, Role, ShardConfig};
use super::flush::shard_uuid;
use super::layout::{Layout, LiveSegment};
use super::pool::Pool;
use super::runtime::Runtime;
use super::segment::OpenSegment;
use super::seqno::{NO_OPS, SeqNos};
use super::shard::{Committed, Current, Point, Shard, container_of, has_content, segment_name};
use super::swap;
use super::versions::VersionMap;
use super::write::{Document, Numbers, Work};
use crate::bulk::ids::make_uuid;
use crate::mapping::{DocError, Mapping};
use crate::storage::SharedFs;
use crate::storage::manifest::Manifest;
use crate::translog::format::encode_header;
use crate::translog::{Kind, Location, Operation, Scan, Translog};
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
        swap::settle(&*fs, &folder)?;
        let segments = folder.join("segments");
        let mut commits = Commit::read_all(&*fs, &folder)?;
        if commits.is_empty() {
            if config.existing {
                return Err(Error::corruption(folder.display(), 0, "the shard has data, but there is no commit"));
            }
            commits.push(create(&fs, &folder, &config)?);
        }
        fs.create_dir_all(&segments).map_err(|e| Error::io(segments.display(), e))?;
        // The commit's writer may have ended before its name was durable.
        fs.sync_dir(&folder).map_err(|e| Error::io(folder.display(), e))?;
        let (generation, newest) = &commits[0];
        if newest.uuid != shard_uuid(&config.uuid, config.shard) {
            let path = super::commit::path(&folder, *generation);
            return Err(Error::corruption(path.display(), 0, format!("the folder belongs to shard {}", newest.uuid)));
        }
        let origin = Origin::choose(&fs, &folder, &config, commits)?;
        let shard = Arc::new(Self::assemble(runtime, fs, folder, config, mapping, &origin)?);
        shard.replay(origin)?;
        shard.begin_history()?;
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
        origin: &Origin,
    ) -> Result<Self> {
        let commit = &origin.commit;
        let schema = SegmentSchema::of(&mapping);
        let mut layout = Layout::new(config.index.as_str().into(), config.shard, mapping.clone());
        for segment in &commit.segments {
            layout.segments.push(open_segment(&fs, &folder, segment, &schema, config.check_on_startup)?);
        }
        let published = Self::point_in_time(&mut layout, 1);
        let committed = Committed {
            newest: origin.point.clone(),
            older: origin.older.clone(),
            history_uuid: commit.history_uuid.clone(),
            global_checkpoint: commit.global_checkpoint,
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
            seq_nos: SeqNos::new(commit.local_checkpoint, commit.max_seq_no),
            translog: OnceLock::new(),
            layout: RwLock::new(layout),
            pool: Pool::default(),
            next_container: AtomicU64::new(origin.next_container),
            published: RwLock::new(Arc::new(published)),
            visible: AtomicI64::new(NO_OPS),
            listeners: Mutex::default(),
            gate: RwLock::new(()),
            refresh_lock: Mutex::default(),
            flush_lock: Mutex::default(),
            merge_lock: Mutex::default(),
            committed: Mutex::new(committed),
            retain_from: AtomicI64::new(i64::MAX),
            failed: OnceLock::new(),
            failure_listener: Mutex::default(),
            closed: AtomicBool::new(false),
            cancelled: Arc::default(),
            counters: Default::default(),
            timing: Default::default(),
        })
    }

    /// Gives the shard's history another name, for good, where that was asked for.
    fn begin_history(&self) -> Result<()> {
        let config = self.config();
        if !config.new_history || config.role == Role::Replica {
            return Ok(());
        }
        self.committed.lock().history_uuid = make_uuid();
        self.flush(true, true)
    }

    fn replay(&self, origin: Origin) -> Result<()> {
        let Origin { commit, scan, upto, global_checkpoint, .. } = origin;
        let mut work: Option<Work<'_>> = None;
        let mut seen: Vec<i64> = Vec::new();
        let mut since = 0;
        let replayed = scan.replay(commit.translog_generation, |operation, location| {
            if operation.seq_no <= commit.local_checkpoint || operation.seq_no > upto {
                return Ok(());
            }
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
        });
        work.take().map(Work::finish);
        replayed?;
        self.seq_nos.processed(seen);
        let translog = Translog::resume(scan, commit.translog_generation, global_checkpoint)?;
        self.translog.set(Arc::new(translog)).ok();
        if self.config.read().role == Role::Primary {
            self.fill_gaps()?;
        }
        self.persisted(self.seq_nos.processed_checkpoint());
        Ok(())
    }

    pub(crate) fn replay_one(&self, work: &mut Work<'_>, operation: &Operation<'_>, location: Location) -> Result<()> {
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
    pub(crate) fn fill_gaps(&self) -> Result<()> {
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
pub(crate) fn accepted<'a>(
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
    drop(Translog::create(fs.clone(), translog, &uuid, NO_OPS)?);
    let commit = Commit {
        uuid,
        history_uuid: make_uuid(),
        primary_term: config.primary_term,
        segments: Vec::new(),
        max_seq_no: NO_OPS,
        local_checkpoint: NO_OPS,
        translog_generation: 1,
        next_container: 0,
        global_checkpoint: NO_OPS,
    };
    commit.write(&**fs, folder, 1)?;
    Ok((1, commit))
}

/// Where a shard begins: a commit, the log behind it, and how far of it.
struct Origin {
    commit: Commit,
    point: Point,
    older: Vec<Point>,
    next_container: u64,
    scan: Scan,
    /// The greatest number of an operation that is taken from the log.
    upto: i64,
    global_checkpoint: i64,
}

impl Origin {
    /// A primary takes all that there is. A replica goes back to the newest commit that holds nothing beyond what all copies have; later
    /// ones are removed, while the log keeps what they held.
    fn choose(
        fs: &SharedFs,
        folder: &std::path::Path,
        config: &ShardConfig,
        commits: Vec<(u64, Commit)>,
    ) -> Result<Self> {
        let translog = folder.join("translog");
        let whole = |(_, commit): &(u64, Commit)| is_whole(fs, folder, commit);
        let (newest, others) = commits.split_first().expect("there is one");
        let mut usable = vec![newest.clone()];
        usable.extend(others.iter().filter(|each| whole(each)).cloned());
        let from = usable.iter().map(|(_, commit)| commit.translog_generation).min().expect("there is one");
        let scan = Scan::read(fs.clone(), translog, &newest.1.uuid, from)?;
        let told = usable.iter().map(|(_, commit)| commit.global_checkpoint).max().unwrap_or(NO_OPS);
        let global_checkpoint = scan.global_checkpoint().max(told);
        let next_container = newest.1.next_container;
        let (upto, at) = match config.role {
            Role::Primary => (i64::MAX, 0),
            Role::Replica => {
                let upto = config.recover_to.unwrap_or(global_checkpoint);
                let safe = usable.iter().position(|(_, commit)| commit.max_seq_no <= upto);
                (upto, safe.ok_or_else(|| no_safe_commit(config, upto))?)
            }
        };
        let kept: Vec<u64> = usable[at..].iter().map(|(generation, _)| *generation).collect();
        let unwanted: Vec<u64> =
            commits.iter().map(|(generation, _)| *generation).filter(|g| !kept.contains(g)).collect();
        Commit::remove(&**fs, folder, &unwanted, true)?;
        let mut rest = usable.into_iter().skip(at);
        let (generation, commit) = rest.next().expect("it was found");
        let mut older: Vec<Point> = rest.map(|(generation, commit)| point(generation, &commit)).collect();
        older.reverse();
        let point = point(generation, &commit);
        remove_leftovers(fs, folder, older.iter().chain([&point]))?;
        Ok(Self { commit, point, older, next_container, scan, upto, global_checkpoint })
    }
}

fn no_safe_commit(config: &ShardConfig, upto: i64) -> Error {
    let (index, shard) = (&config.index, config.shard);
    let text = format!("[{index}][{shard}] every commit here holds operations above the global checkpoint [{upto}]");
    Error::new("recovery_failed_exception", 500, text)
}

fn point(generation: u64, commit: &Commit) -> Point {
    Point {
        generation,
        segments: commit.segments.iter().map(|segment| segment.container).collect(),
        max_seq_no: commit.max_seq_no,
        translog_generation: commit.translog_generation,
    }
}

/// Whether all that an older commit names is there: it may have come back after its files were removed.
fn is_whole(fs: &SharedFs, folder: &std::path::Path, commit: &Commit) -> bool {
    let log = folder.join("translog").join(crate::translog::file_name(commit.translog_generation));
    let segments = folder.join("segments");
    let there = |segment: &CommitSegment| {
        let folder = segments.join(segment_name(segment.container));
        Manifest::read(&**fs, &folder).is_ok_and(|manifest| manifest.verify(&**fs, &folder, false).is_ok())
    };
    fs.exists(&log) && commit.segments.iter().all(there)
}

/// What a crash left: segments of no commit, temporary files.
fn remove_leftovers<'a>(
    fs: &SharedFs,
    folder: &std::path::Path,
    points: impl Iterator<Item = &'a Point>,
) -> Result<()> {
    Commit::remove_unfinished(&**fs, folder)?;
    let segments = folder.join("segments");
    let named: std::collections::HashSet<String> =
        points.flat_map(|point| point.segments.iter().map(|container| segment_name(*container))).collect();
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
