//! A file system in memory for tests: it counts operations, fails or "loses power" at a chosen one, and afterwards shows
//! only what a disk may show: content that was synced, names whose folder was synced, and any part of the rest.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::directory::OwnedBytes;

use super::{Fs, FsFile};

/// What is left of the operations that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Nothing: the sternest disk.
    Forget,
    /// Everything: as after `kill -9`, where the page cache survives. What was not synced may still be lost later.
    Keep,
    /// Any mixture, chosen by the seed: some names, a prefix of some content, sometimes with a garbled last sector.
    Mix(u64),
}

#[derive(Debug, Default, Clone)]
struct Node {
    data: Vec<u8>,
    /// Content as of the last sync.
    durable: Vec<u8>,
    /// Pieces whose sync failed: the system takes them for written, so no later sync writes them.
    lost: Vec<Range<usize>>,
}

impl Node {
    fn sync(&mut self) {
        let before = std::mem::replace(&mut self.durable, self.data.clone());
        for lost in &self.lost {
            for at in lost.start..lost.end.min(self.durable.len()) {
                self.durable[at] = before.get(at).copied().unwrap_or(0);
            }
        }
    }

    fn fail_sync(&mut self) {
        let same = self.data.iter().zip(&self.durable).take_while(|(now, then)| now == then).count();
        self.lost.push(same..self.data.len());
    }

    /// Writes over what is there, which is to be synced again.
    fn rewrite(&mut self, from: usize, bytes: &[u8]) {
        self.data.truncate(from + bytes.len());
        self.data.resize(from + bytes.len(), 0);
        self.data[from..].copy_from_slice(bytes);
        self.lost.iter_mut().for_each(|lost| lost.end = lost.end.min(from));
    }
}

#[derive(Debug, Default, Clone)]
struct State {
    nodes: Vec<Node>,
    files: BTreeMap<PathBuf, usize>,
    durable_files: BTreeMap<PathBuf, usize>,
    dirs: BTreeSet<PathBuf>,
    durable_dirs: BTreeSet<PathBuf>,
    operations: u64,
    reads: Cell<u64>,
    fail_at: Option<u64>,
    /// The failing operation answers this error, and everything after it works.
    once: Option<i32>,
    fail_read_at: Option<u64>,
    /// Nothing can be written or created.
    full: bool,
    /// After the failing operation everything fails, as for a process that is gone.
    dead: bool,
    /// The failing operation takes effect (wholly, or half of a write) before everything stops.
    partial: bool,
    log: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct FaultFs {
    state: Arc<Mutex<State>>,
}

struct FaultFile {
    fs: FaultFs,
    node: usize,
    path: PathBuf,
}

/// The system's numbers of "input/output error" and "no space left on device".
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

fn gone() -> io::Error {
    io::Error::other("injected fault")
}

fn not_found(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no file {}", path.display()))
}

impl State {
    /// Counts one changing operation. True: carry it out; false: carry it out by half, then everything is dead.
    fn step(&mut self, what: &str, path: &Path) -> io::Result<bool> {
        if self.dead {
            return Err(gone());
        }
        self.operations += 1;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.log.push(format!("{what} {name}"));
        if self.full && matches!(what, "write" | "create" | "mkdir" | "rewrite") {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        if self.fail_at == Some(self.operations) {
            if let Some(code) = self.once {
                return Err(io::Error::from_raw_os_error(code));
            }
            self.dead = true;
            return if self.partial { Ok(false) } else { Err(gone()) };
        }
        Ok(true)
    }

    fn sync(&mut self, node: usize, path: &Path) -> io::Result<()> {
        match self.step("sync", path) {
            Ok(whole) => {
                self.nodes[node].sync();
                if whole { Ok(()) } else { Err(gone()) }
            }
            Err(error) => {
                if self.once.is_some() {
                    self.nodes[node].fail_sync();
                }
                Err(error)
            }
        }
    }

    /// Counts one read.
    fn reading(&self) -> io::Result<()> {
        if self.dead {
            return Err(gone());
        }
        self.reads.set(self.reads.get() + 1);
        if self.fail_read_at == Some(self.reads.get()) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        Ok(())
    }

    fn node(&self, path: &Path) -> io::Result<usize> {
        self.reading()?;
        self.files.get(path).copied().ok_or_else(|| not_found(path))
    }
}

impl Default for FaultFs {
    fn default() -> Self {
        let root = BTreeSet::from([PathBuf::from("/")]);
        let state = State { dirs: root.clone(), durable_dirs: root, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl FaultFs {
    pub fn new() -> Self {
        Self::default()
    }

    /// Changing operations so far: writes, syncs, creations, renames, removals.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// What the operations were, oldest first.
    pub fn log(&self) -> Vec<String> {
        self.state.lock().log.clone()
    }

    /// Lets the n-th operation from now on (1 = the next) fail, and everything after it. `partial`: it takes effect first, a write by half.
    pub fn fail_after(&self, n: u64, partial: bool) {
        let mut state = self.state.lock();
        state.fail_at = Some(state.operations + n);
        state.partial = partial;
        state.once = None;
    }

    /// Lets the n-th changing operation from now on answer this error of the system (half of a write is done); what follows works.
    pub fn fail_once(&self, n: u64, code: i32) {
        self.fail_after(n, false);
        self.state.lock().once = Some(code);
    }

    /// Reads so far.
    pub fn reads(&self) -> u64 {
        self.state.lock().reads.get()
    }

    /// Lets the n-th read from now on fail, and only that one.
    pub fn fail_read_once(&self, n: u64) {
        let mut state = self.state.lock();
        state.fail_read_at = Some(state.reads.get() + n);
    }

    /// From now on nothing can be written or created, or can again.
    pub fn set_full(&self, full: bool) {
        self.state.lock().full = full;
    }

    /// The disk as the next start finds it. The old object stays dead.
    pub fn crash(&self, crash: Crash) -> FaultFs {
        let mut state = self.state.lock();
        if crash == Crash::Keep {
            let after = State {
                dead: false,
                fail_at: None,
                once: None,
                fail_read_at: None,
                operations: 0,
                log: Vec::new(),
                ..state.clone()
            };
            state.dead = true;
            return FaultFs { state: Arc::new(Mutex::new(after)) };
        }
        state.dead = true;
        let mut random = Random(match crash {
            Crash::Mix(seed) => seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            _ => 1,
        });
        let mut dirs = state.durable_dirs.clone();
        if let Crash::Mix(_) = crash {
            dirs = &dirs | &state.dirs;
            dirs.retain(|dir| (state.dirs.contains(dir) && state.durable_dirs.contains(dir)) || random.flip());
        }
        let whole = dirs.clone();
        dirs.retain(|dir| dir.ancestors().all(|above| whole.contains(above)));
        let names: BTreeSet<&PathBuf> = state.files.keys().chain(state.durable_files.keys()).collect();
        let mut after = State { dirs: dirs.clone(), durable_dirs: dirs, ..State::default() };
        for name in names {
            if !name.parent().is_some_and(|parent| after.dirs.contains(parent)) {
                continue;
            }
            let (now, durable) = (state.files.get(name), state.durable_files.get(name));
            let chosen = match crash {
                Crash::Forget => durable,
                Crash::Keep => now,
                Crash::Mix(_) if now == durable || random.flip() => now,
                Crash::Mix(_) => durable,
            };
            let Some(&node) = chosen else { continue };
            let data = content(&state.nodes[node], crash, &mut random);
            after.nodes.push(Node { durable: data.clone(), data, lost: Vec::new() });
            after.files.insert(name.clone(), after.nodes.len() - 1);
        }
        after.durable_files = after.files.clone();
        FaultFs { state: Arc::new(Mutex::new(after)) }
    }

    /// Flips bits of one stored byte.
    pub fn damage(&self, path: &Path, offset: usize) {
        let mut state = self.state.lock();
        let node = state.files[path];
        state.nodes[node].data[offset] ^= 0x55;
        state.nodes[node].durable = state.nodes[node].data.clone();
    }
}

fn content(node: &Node, crash: Crash, random: &mut Random) -> Vec<u8> {
    match crash {
        Crash::Forget => node.durable.clone(),
        Crash::Keep => node.data.clone(),
        Crash::Mix(_) => {
            if node.data.len() <= node.durable.len() || !node.data.starts_with(&node.durable) {
                return if random.flip() { node.data.clone() } else { node.durable.clone() };
            }
            let unsynced = node.data.len() - node.durable.len();
            let keep = random.next() as usize % (unsynced + 1);
            let mut data = node.data[..node.durable.len() + keep].to_vec();
            if keep > 0 && random.flip() {
                let from = node.durable.len() + keep.saturating_sub(1 + random.next() as usize % keep);
                data[from..].fill(0);
            }
            data
        }
    }
}

/// xorshift: the tests need repeatable chance, not good chance.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn flip(&mut self) -> bool {
        self.next() & 16 != 0
    }
}

impl Write for FaultFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut state = self.fs.state.lock();
        let whole = match state.step("write", &self.path) {
            Ok(whole) => whole,
            Err(error) => {
                if !state.dead && !state.full {
                    state.nodes[self.node].data.extend_from_slice(&buf[..buf.len() / 2]);
                }
                return Err(error);
            }
        };
        let part = if whole { buf } else { &buf[..buf.len() / 2] };
        state.nodes[self.node].data.extend_from_slice(part);
        if whole { Ok(buf.len()) } else { Err(gone()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FsFile for FaultFile {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.fs.state.lock();
        state.sync(self.node, &self.path)
    }
}

impl FaultFs {
    /// One changing operation on the tables; by half means: it happened, but the caller never hears of it.
    fn change(&self, what: &str, path: &Path, act: impl FnOnce(&mut State) -> io::Result<()>) -> io::Result<()> {
        let mut state = self.state.lock();
        let whole = state.step(what, path)?;
        act(&mut state)?;
        if whole { Ok(()) } else { Err(gone()) }
    }
}

impl Fs for FaultFs {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.change("mkdir", path, |state| {
            state.dirs.extend(path.ancestors().map(Path::to_path_buf));
            Ok(())
        })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state.lock();
        state.reading()?;
        if !state.dirs.contains(path) {
            return Err(not_found(path));
        }
        let names: BTreeSet<String> = state
            .files
            .keys()
            .chain(state.dirs.iter())
            .filter(|p| p.parent() == Some(path))
            .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
            .collect();
        Ok(names.into_iter().collect())
    }

    fn exists(&self, path: &Path) -> bool {
        let state = self.state.lock();
        state.files.contains_key(path) || state.dirs.contains(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.state.lock().dirs.contains(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        let state = self.state.lock();
        Ok(state.nodes[state.node(path)?].data.len() as u64)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FsFile>> {
        let mut node = 0;
        self.change("create", path, |state| {
            if !path.parent().is_some_and(|parent| state.dirs.contains(parent)) {
                return Err(not_found(path));
            }
            state.nodes.push(Node::default());
            node = state.nodes.len() - 1;
            state.files.insert(path.to_path_buf(), node);
            Ok(())
        })?;
        Ok(Box::new(FaultFile { fs: self.clone(), node, path: path.to_path_buf() }))
    }

    fn rewrite(&self, path: &Path, from: u64, bytes: &[u8]) -> io::Result<Box<dyn FsFile>> {
        let mut node = 0;
        self.change("rewrite", path, |state| {
            node = *state.files.get(path).ok_or_else(|| not_found(path))?;
            state.nodes[node].rewrite(from as usize, bytes);
            Ok(())
        })?;
        Ok(Box::new(FaultFile { fs: self.clone(), node, path: path.to_path_buf() }))
    }

    fn read(&self, path: &Path) -> io::Result<OwnedBytes> {
        let state = self.state.lock();
        Ok(OwnedBytes::new(state.nodes[state.node(path)?].data.clone()))
    }

    fn read_at(&self, path: &Path, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let state = self.state.lock();
        let data = &state.nodes[state.node(path)?].data;
        data.get(offset as usize..offset as usize + len)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        let node = *state.files.get(path).ok_or_else(|| not_found(path))?;
        state.sync(node, path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.change("sync folder", path, |state| {
            state.durable_files.retain(|name, _| name.parent() != Some(path));
            let now: Vec<_> = state
                .files
                .iter()
                .filter(|(name, _)| name.parent() == Some(path))
                .map(|(n, i)| (n.clone(), *i))
                .collect();
            state.durable_files.extend(now);
            state.durable_dirs.retain(|dir| dir.parent() != Some(path));
            let below: Vec<_> = state.dirs.iter().filter(|dir| dir.parent() == Some(path)).cloned().collect();
            state.durable_dirs.extend(below);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change("rename", to, |state| {
            let node = state.files.remove(from).ok_or_else(|| not_found(from))?;
            state.files.insert(to.to_path_buf(), node);
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change("remove", path, |state| state.files.remove(path).map(|_| ()).ok_or_else(|| not_found(path)))
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.change("rmdir", path, |state| {
            let empty = !state.files.keys().any(|name| name.parent() == Some(path));
            if !empty {
                return Err(io::Error::other("folder is not empty"));
            }
            state.dirs.remove(path);
            Ok(())
        })
    }
}
