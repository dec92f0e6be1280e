//! `Bulk`, `Slice`, `SliceResult` and routing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quidditch_core::{Error, bulk};

use crate::error::{json, raise, run};

fn bad(what: &str) -> impl FnOnce(serde_json::Error) -> PyErr + '_ {
    move |e| raise(Error::illegal_argument(format!("bad {what}: {e}")))
}

/// A parsed `_bulk` body.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Bulk {
    inner: bulk::Bulk,
    rejected: Mutex<Vec<(usize, Vec<u8>)>>,
}

#[pymethods]
impl Bulk {
    fn indices(&self) -> Vec<String> {
        self.inner.names.clone()
    }

    fn creating(&self) -> Vec<String> {
        self.inner.creating()
    }

    fn odd<'py>(&self, py: Python<'py>) -> Vec<(usize, Bound<'py, PyBytes>)> {
        self.inner.odd().into_iter().map(|(i, odd)| (i, PyBytes::new(py, &odd))).collect()
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn route(&self, py: Python<'_>, targets: &[u8], rejects: &[u8]) -> PyResult<Vec<(String, u32, Slice)>> {
        let targets: HashMap<String, bulk::Target> = serde_json::from_slice(targets).map_err(bad("targets"))?;
        let rejects: bulk::Rejects = serde_json::from_slice(rejects).map_err(bad("rejects"))?;
        let routed = run(py, || self.inner.route(&targets, &rejects))?;
        *lock(&self.rejected) = routed.rejected;
        let wrap = |slice: bulk::Slice| (slice.index.clone(), slice.shard, Slice { inner: Arc::new(slice) });
        Ok(routed.slices.into_iter().map(wrap).collect())
    }

    #[pyo3(signature = (results, took_ms, forced_refresh = false))]
    fn render<'py>(
        &self,
        py: Python<'py>,
        results: Vec<(PyRef<'py, Slice>, PyRef<'py, SliceResult>)>,
        took_ms: u64,
        forced_refresh: bool,
    ) -> (Bound<'py, PyBytes>, bool) {
        let guards: Vec<_> = results.iter().map(|(slice, result)| (slice.inner.clone(), result.locked())).collect();
        let pairs: Vec<(&bulk::Slice, &bulk::SliceResult)> =
            guards.iter().map(|(slice, result)| (slice.as_ref(), &**result)).collect();
        let rejected = lock(&self.rejected);
        let (body, errors) = bulk::render(self.inner.len(), &rejected, &pairs, took_ms, forced_refresh);
        (PyBytes::new(py, &body), errors)
    }
}

/// What one shard gets of a bulk.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Slice {
    pub inner: Arc<bulk::Slice>,
}

#[pymethods]
impl Slice {
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = py.detach(|| self.inner.to_bytes());
        PyBytes::new(py, &bytes)
    }

    #[staticmethod]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        Ok(Self { inner: Arc::new(bulk::Slice::from_bytes(data.to_vec()).map_err(raise)?) })
    }

    #[staticmethod]
    fn single(op: &[u8], source: &[u8]) -> PyResult<Self> {
        Ok(Self { inner: Arc::new(bulk::Slice::single(op, source.to_vec()).map_err(raise)?) })
    }

    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn fail(&self, error: &[u8]) -> PyResult<SliceResult> {
        Ok(SliceResult::new(self.inner.fail(&json("error", error)?), Some(self.inner.clone())))
    }
}

/// What a shard answers to its slice.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct SliceResult {
    inner: Mutex<bulk::SliceResult>,
    /// None: it came over the wire, and nobody said what it is the result of.
    slice: Option<Arc<bulk::Slice>>,
}

impl SliceResult {
    pub fn new(inner: bulk::SliceResult, slice: Option<Arc<bulk::Slice>>) -> Self {
        Self { inner: Mutex::new(inner), slice }
    }

    pub fn locked(&self) -> MutexGuard<'_, bulk::SliceResult> {
        lock(&self.inner)
    }
}

#[pymethods]
impl SliceResult {
    fn unknown<'py>(&self, py: Python<'py>) -> Vec<(usize, Bound<'py, PyBytes>)> {
        self.locked().unknown().into_iter().map(|(i, fields)| (i, PyBytes::new(py, fields))).collect()
    }

    fn reject(&self, item: usize, error: &[u8]) -> PyResult<()> {
        let error = json("error", error)?;
        let mut inner = self.locked();
        if item >= inner.len() {
            return Err(raise(Error::illegal_argument(format!("there is no item {item}"))));
        }
        match &self.slice {
            Some(slice) => inner.reject(slice, item, &error),
            None => return Err(raise(Error::illegal_argument("only the result of a local slice can be changed"))),
        }
        Ok(())
    }

    fn max_seq_no(&self) -> i64 {
        self.locked().max_seq_no
    }

    fn operations<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.locked().operations)
    }

    fn set_copies(&self, total: u32, successful: u32, failures: &[u8]) {
        self.locked().set_copies(total, successful, failures);
    }

    fn item<'py>(&self, py: Python<'py>, item: usize) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.locked().item(item))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.locked().to_bytes())
    }

    #[staticmethod]
    #[pyo3(signature = (data, slice = None))]
    fn from_bytes(data: &[u8], slice: Option<&Slice>) -> PyResult<Self> {
        let inner = bulk::SliceResult::from_bytes(data).map_err(raise)?;
        Ok(Self::new(inner, slice.map(|slice| slice.inner.clone())))
    }
}

/// A panic elsewhere leaves plain data behind: go on with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[pyfunction]
#[pyo3(signature = (body, default_index, defaults))]
pub fn split_bulk(py: Python<'_>, body: &[u8], default_index: Option<&str>, defaults: &[u8]) -> PyResult<Bulk> {
    let defaults: bulk::Defaults = serde_json::from_slice(defaults).map_err(bad("defaults"))?;
    let inner = run(py, || bulk::Bulk::split(body.to_vec(), default_index, &defaults))?;
    Ok(Bulk { inner, rejected: Mutex::default() })
}

#[pyfunction]
#[pyo3(signature = (id, routing, routing_shards, shards, partition_size))]
pub fn shard_for(id: &str, routing: Option<&str>, routing_shards: u32, shards: u32, partition_size: u32) -> u32 {
    bulk::shard_for(id, routing, routing_shards, shards, partition_size)
}

#[pyfunction]
pub fn make_id() -> String {
    bulk::ids::make_id()
}
