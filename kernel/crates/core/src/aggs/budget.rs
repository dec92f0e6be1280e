//! Memory of aggregations: what one request holds on a shard, and all requests of the process together.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::{Error, Result};

static USED: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
static TRIPPED: AtomicU64 = AtomicU64::new(0);

/// The process is asked for at least so many bytes at a time.
const STEP: usize = 4096;

/// Bytes that all requests of the process may hold together (`indices.breaker.request.limit`).
pub fn set_limit(bytes: usize) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// Bytes that requests hold now, and how often one was refused more.
pub fn memory() -> (usize, u64) {
    (USED.load(Ordering::Relaxed), TRIPPED.load(Ordering::Relaxed))
}

/// Memory that one request may use on this shard, shared by all of its collectors; given back when the last of them is gone.
#[derive(Clone)]
pub struct Budget(Rc<Share>);

struct Share {
    used: Cell<usize>,
    charged: Cell<usize>,
    limit: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        USED.fetch_sub(self.charged.get(), Ordering::Relaxed);
    }
}

impl Budget {
    pub fn new(limit: usize) -> Budget {
        Budget(Rc::new(Share { used: Cell::new(0), charged: Cell::new(0), limit }))
    }

    /// Takes `bytes` more, or fails as OpenSearch's request circuit breaker.
    pub fn add(&self, bytes: usize) -> Result<()> {
        self.add_for(bytes, "<reused_arrays>")
    }

    /// Likewise; the failure says for what.
    pub fn add_for(&self, bytes: usize, label: &str) -> Result<()> {
        let used = self.0.used.get() + bytes;
        self.0.used.set(used);
        if used > self.0.limit {
            return Err(too_large(used, self.0.limit, label));
        }
        let charged = self.0.charged.get();
        if used <= charged {
            return Ok(());
        }
        let more = (used - charged).max(STEP);
        let wanted = USED.fetch_add(more, Ordering::Relaxed) + more;
        let limit = LIMIT.load(Ordering::Relaxed);
        if wanted > limit {
            USED.fetch_sub(more, Ordering::Relaxed);
            return Err(too_large(wanted, limit, label));
        }
        self.0.charged.set(charged + more);
        Ok(())
    }
}

fn too_large(wanted: usize, limit: usize, label: &str) -> Error {
    TRIPPED.fetch_add(1, Ordering::Relaxed);
    let reason = format!(
        "[request] Data too large, data for [{label}] would be [{wanted}/{}], which is larger than the limit of [{limit}/{}]",
        human(wanted),
        human(limit)
    );
    Error::new("circuit_breaking_exception", 429, reason).with_detail(serde_json::json!({
        "bytes_wanted": wanted, "bytes_limit": limit, "durability": "TRANSIENT"
    }))
}

fn human(bytes: usize) -> String {
    let mut value = bytes as f64;
    let mut unit = "b";
    for next in ["kb", "mb", "gb"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{:.1}{unit}", (value * 10.0).floor() / 10.0).replace(".0", "")
}
