//! What all shards of a process share: the memory budget of builders, the clock, and the threads that refresh, sync, flush and merge.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::Deserialize;
use serde_json::json;

use super::shard::Shard;
use crate::{Error, Result};

/// How often the timer looks at the shards.
const TICK: Duration = Duration::from_millis(50);
const MAX_DEFAULT_BUDGET: u64 = 1 << 30;
/// Threads for refreshes, syncs and flushes in the background.
const WORKERS: usize = 2;

#[derive(Debug, Clone, Default, Deserialize)]
pub struct RuntimeConfig {
    /// Default: a tenth of the machine's memory, at most 1 GiB.
    #[serde(default)]
    pub indexing_buffer_bytes: Option<u64>,
    #[serde(default)]
    pub merge_threads: Option<usize>,
    #[serde(default)]
    pub node_name: Option<String>,
}

const TRIM_AFTER: usize = 32 << 20;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
unsafe extern "C" {
    fn malloc_trim(pad: usize) -> i32;
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: Mutex<(VecDeque<Job>, bool)>,
    ready: Condvar,
}

impl Queue {
    fn push(&self, job: Job) {
        self.jobs.lock().0.push_back(job);
        self.ready.notify_one();
    }

    fn run(&self) {
        loop {
            let job = {
                let mut jobs = self.jobs.lock();
                loop {
                    if jobs.1 {
                        return;
                    }
                    if let Some(job) = jobs.0.pop_front() {
                        break job;
                    }
                    self.ready.wait(&mut jobs);
                }
            };
            if std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)).is_err() {
                log::error!("a background job panicked");
            }
        }
    }

    fn stop(&self) {
        let mut jobs = self.jobs.lock();
        jobs.1 = true;
        jobs.0.clear();
        self.ready.notify_all();
    }
}

pub struct Runtime {
    budget: usize,
    used: AtomicUsize,
    /// Bytes that builders gave back since the allocator last returned memory to the system.
    freed: AtomicUsize,
    started: Instant,
    shards: Mutex<Vec<Weak<Shard>>>,
    workers: Arc<Queue>,
    mergers: Arc<Queue>,
    closed: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// False: nothing happens by itself (crash tests).
    background: bool,
}

impl Runtime {
    pub fn new(config: &RuntimeConfig) -> Result<Arc<Self>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mergers = config.merge_threads.unwrap_or_else(|| (cores / 2).clamp(1, 4));
        let runtime = Arc::new(Self::without_threads(config.indexing_buffer_bytes, true));
        let timer = Arc::downgrade(&runtime);
        let closed = runtime.closed.clone();
        let mut threads = vec![spawn("timer", move || tick_until_closed(&timer, &closed))?];
        for _ in 0..WORKERS {
            let queue = runtime.workers.clone();
            threads.push(spawn("worker", move || queue.run())?);
        }
        for _ in 0..mergers {
            let queue = runtime.mergers.clone();
            threads.push(spawn("merge", move || queue.run())?);
        }
        *runtime.threads.lock() = threads;
        Ok(runtime)
    }

    /// A runtime in which nothing happens unless it is asked for.
    pub fn manual() -> Arc<Self> {
        Arc::new(Self::without_threads(None, false))
    }

    fn without_threads(budget: Option<u64>, background: bool) -> Self {
        Self {
            budget: budget.unwrap_or_else(|| (physical_memory() / 10).min(MAX_DEFAULT_BUDGET)) as usize,
            used: AtomicUsize::new(0),
            freed: AtomicUsize::new(0),
            started: Instant::now(),
            shards: Mutex::default(),
            workers: Arc::default(),
            mergers: Arc::default(),
            closed: Arc::default(),
            threads: Mutex::default(),
            background,
        }
    }

    /// Milliseconds of a clock that never goes back.
    pub fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    pub fn budget(&self) -> usize {
        self.budget
    }

    pub(crate) fn register(&self, shard: &Arc<Shard>) {
        let mut shards = self.shards.lock();
        shards.retain(|known| known.strong_count() > 0);
        shards.push(Arc::downgrade(shard));
    }

    fn shards(&self) -> Vec<Arc<Shard>> {
        self.shards.lock().iter().filter_map(Weak::upgrade).collect()
    }

    /// A builder's memory went from `before` to `after` bytes.
    pub(crate) fn account(&self, before: usize, after: usize) {
        if after >= before {
            self.used.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.used.fetch_sub(before - after, Ordering::Relaxed);
            self.freed.fetch_add(before - after, Ordering::Relaxed);
        }
    }

    pub(crate) fn over_budget(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.budget
    }

    /// Turns the node's biggest idle builders into segments until the budget holds. Done by the thread that overdrew it.
    pub(crate) fn relieve(&self) {
        while self.over_budget() {
            let biggest = self.shards().into_iter().map(|shard| (shard.biggest_builder(), shard));
            let Some((size, shard)) = biggest.max_by_key(|(size, _)| *size) else { return };
            if size == 0 || !shard.settle_biggest(size) {
                return;
            }
        }
    }

    /// The allocator keeps what builders gave back, page by page torn: have it return the pages.
    fn trim(&self) {
        if self.freed.load(Ordering::Relaxed) > TRIM_AFTER {
            self.freed.store(0, Ordering::Relaxed);
            #[cfg(all(target_os = "linux", target_env = "gnu"))]
            // SAFETY: a plain call of glibc without preconditions.
            self.workers.push(Box::new(|| {
                unsafe { malloc_trim(0) };
            }));
        }
    }

    pub(crate) fn work(&self, job: impl FnOnce() + Send + 'static) {
        if self.background {
            self.workers.push(Box::new(job));
        }
    }

    pub(crate) fn merge(&self, job: impl FnOnce() + Send + 'static) {
        if self.background {
            self.mergers.push(Box::new(job));
        }
    }

    pub(crate) fn has_background(&self) -> bool {
        self.background
    }

    pub fn stats(&self) -> Vec<u8> {
        let stats = json!({
            "indexing_buffer": {"limit_in_bytes": self.budget, "used_in_bytes": self.used.load(Ordering::Relaxed)},
            "shards": self.shards().len(),
        });
        stats.to_string().into_bytes()
    }

    /// Ends the threads; shards are closed by whoever opened them.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.workers.stop();
        self.mergers.stop();
        let current = std::thread::current().id();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.thread().id() != current {
                thread.join().ok();
            }
        }
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.close();
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("kernel-{name}"))
        .spawn(body)
        .map_err(|e| Error::io("starting a thread", e))
}

fn tick_until_closed(runtime: &Weak<Runtime>, closed: &AtomicBool) {
    while !closed.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        let Some(runtime) = runtime.upgrade() else { return };
        let now = runtime.now_ms();
        for shard in runtime.shards() {
            shard.tick(now);
        }
        runtime.trim();
    }
}

/// Bytes of RAM; 4 GiB where the system does not tell.
fn physical_memory() -> u64 {
    let known = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    known.map_or(4 << 30, |kilobytes| kilobytes * 1024)
}
