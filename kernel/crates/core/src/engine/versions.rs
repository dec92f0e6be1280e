//! The version map: what is known of documents that changed since they were last put into a segment, and of deleted ones.
//! A stripe's lock is held for a whole operation, so operations on one document come one after another.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::layout::{Container, Target};
use crate::translog::Location;

const STRIPES: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub seq_no: i64,
    pub primary_term: u64,
    pub version: u64,
    pub place: Place,
    /// None after recovery, when the operation comes from a generation that is read no more.
    pub location: Option<Location>,
    /// Older versions of the document in other builders, as far as those were no segments yet.
    pub earlier: Option<Box<[Target]>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The root document in a builder or the segment that became of it.
    Live { container: Container, doc: u32 },
    /// Deleted by an operation of this builder, at this time (milliseconds of the monotonic clock).
    Deleted { container: Container, at_ms: u64 },
}

impl Place {
    pub fn container(&self) -> Container {
        match *self {
            Place::Live { container, .. } | Place::Deleted { container, .. } => container,
        }
    }
}

pub type Stripe = FxHashMap<Box<str>, Version>;

#[derive(Default)]
pub struct VersionMap {
    stripes: Box<[Mutex<Stripe>]>,
    bytes: AtomicUsize,
}

impl VersionMap {
    pub fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::default()).collect(), bytes: AtomicUsize::new(0) }
    }

    pub fn lock(&self, id: &str) -> MutexGuard<'_, Stripe> {
        let hash = FxBuildHasher.hash_one(id);
        self.stripes[(hash >> 48) as usize % STRIPES].lock()
    }

    /// Notes what an operation did; `stripe` is the locked one of this id.
    pub fn put(&self, stripe: &mut Stripe, id: &str, version: Version) {
        if stripe.insert(id.into(), version).is_none() {
            self.bytes.fetch_add(entry_size(id), Ordering::Relaxed);
        }
    }

    /// Forgets documents whose builder has become a segment (`settled`), and deletions that are old enough as well, if no operation from
    /// before them can still come: `checkpoint` is processed.
    pub fn prune(&self, settled: impl Fn(Container) -> bool, checkpoint: i64, now_ms: u64, gc_deletes_ms: u64) {
        for stripe in &self.stripes {
            let mut stripe = stripe.lock();
            let mut freed = 0;
            stripe.retain(|id, version| {
                let old = match version.place {
                    Place::Live { .. } => true,
                    Place::Deleted { at_ms, .. } => {
                        version.seq_no <= checkpoint && now_ms.saturating_sub(at_ms) >= gc_deletes_ms
                    }
                };
                let keep = !(old && settled(version.place.container()));
                freed += if keep { 0 } else { entry_size(id) };
                keep
            });
            if stripe.capacity() > 64 && stripe.len() * 4 < stripe.capacity() {
                stripe.shrink_to_fit();
            }
            self.bytes.fetch_sub(freed, Ordering::Relaxed);
        }
    }

    /// Estimated bytes held.
    pub fn memory(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

fn entry_size(id: &str) -> usize {
    // Key and value at a load of 7/8 with a control byte, and the key's own allocation.
    (size_of::<(Box<str>, Version)>() + 1) * 8 / 7 + id.len() + 16
}
