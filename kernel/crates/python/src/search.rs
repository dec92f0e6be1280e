//! `Plan`, `Outcome` and the calls of a search.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use quidditch_core::aggs;
use quidditch_core::interrupt::{self, Interruptible};
use quidditch_core::reader::ShardReader;
use quidditch_core::search::{self, Target, block, dfs};
use quidditch_core::{Error, Result};

use crate::error::{raise, run};
use crate::reader::Reader;

/// A parsed plan, shared between threads.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Plan {
    inner: Arc<search::Plan>,
}

#[pymethods]
impl Plan {
    #[new]
    fn new(plan: &[u8]) -> PyResult<Self> {
        Ok(Self { inner: Arc::new(search::Plan::parse(plan).map_err(raise)?) })
    }

    fn can_match(&self, py: Python<'_>, reader: &Reader) -> bool {
        py.detach(|| self.inner.can_match(&reader.inner))
    }

    fn cost(&self, readers: Vec<PyRef<'_, Reader>>) -> u64 {
        self.inner.cost(&shards(&readers))
    }
}

/// Ends the searches that it was given to, from any thread.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Cancel {
    inner: interrupt::Cancel,
}

#[pymethods]
impl Cancel {
    #[new]
    fn new() -> Self {
        Self { inner: interrupt::Cancel::default() }
    }

    fn cancel(&self) {
        self.inner.cancel();
    }

    #[getter]
    fn cancelled(&self) -> bool {
        self.inner.cancelled()
    }
}

/// (shard's place, error type, reason, status).
type Failure = (usize, String, String, u16);

/// What a search answers.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Outcome {
    inner: search::Outcome,
    taken: Duration,
}

#[pymethods]
impl Outcome {
    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.body)
    }

    #[getter]
    fn aggregations_at(&self) -> Option<usize> {
        self.inner.aggregations_at
    }

    #[getter]
    fn timed_out(&self) -> bool {
        self.inner.timed_out
    }

    #[getter]
    fn terminated_early(&self) -> Option<bool> {
        self.inner.terminated_early
    }

    #[getter]
    fn failures(&self) -> Vec<Failure> {
        self.inner.failures.clone()
    }

    #[getter]
    fn total(&self) -> u64 {
        self.inner.total
    }

    #[getter]
    fn seconds(&self) -> f64 {
        self.taken.as_secs_f64()
    }

    #[getter]
    fn last_sort<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.inner.last_sort.as_ref().map(|bytes| PyBytes::new(py, bytes))
    }

    #[getter]
    fn scroll<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.inner.scroll.as_ref().map(|bytes| PyBytes::new(py, bytes))
    }
}

fn shards(readers: &[PyRef<'_, Reader>]) -> Vec<Arc<ShardReader>> {
    readers.iter().map(|reader| Arc::clone(&reader.inner)).collect()
}

/// Runs without the GIL and brings bytes back.
fn bytes<'py>(py: Python<'py>, work: impl Send + FnOnce() -> Result<Vec<u8>>) -> PyResult<Bound<'py, PyBytes>> {
    let result = run(py, work)?;
    Ok(PyBytes::new(py, &result))
}

#[pyfunction]
#[pyo3(name = "search", signature = (readers, plan, plans = None, cursor = None, cancel = None, statistics = None))]
pub fn search_shards(
    py: Python<'_>,
    readers: Vec<(String, u32, String, PyRef<'_, Reader>)>,
    plan: &Plan,
    plans: Option<Vec<PyRef<'_, Plan>>>,
    cursor: Option<&[u8]>,
    cancel: Option<&Cancel>,
    statistics: Option<&[u8]>,
) -> PyResult<Outcome> {
    let targets: Vec<Target> = readers
        .into_iter()
        .enumerate()
        .map(|(at, (index, shard, node, reader))| {
            let own = plans.as_ref().and_then(|plans| plans.get(at)).map(|plan| Arc::clone(&plan.inner));
            Target { index, shard, node, reader: Arc::clone(&reader.inner), plan: own }
        })
        .collect();
    let plan = Arc::clone(&plan.inner);
    let cancel = cancel.map(|cancel| &cancel.inner);
    run(py, || {
        let _interruptible = Interruptible::new(None, cancel);
        let _scope = scope(statistics)?;
        // Without the wait for the interpreter's lock.
        let started = Instant::now();
        search::search(&targets, &plan, cursor).map(|inner| Outcome { inner, taken: started.elapsed() })
    })
}

/// Scores by statistics of several shards, if there are any.
fn scope(statistics: Option<&[u8]>) -> Result<dfs::Scope> {
    let collected: Option<dfs::Collected> = statistics.map(block::decode).transpose()?;
    Ok(dfs::Scope::enter(collected.map(|all| dfs::Purpose::Replace(Arc::new(all)))))
}

fn cursor_of(bytes: Option<&[u8]>) -> Result<Option<search::Cursor>> {
    bytes.map(block::decode).transpose()
}

#[pyfunction]
#[pyo3(signature = (reader, plan, cursor = None, place = 0, cancel = None, statistics = None))]
pub fn query<'py>(
    py: Python<'py>,
    reader: &Reader,
    plan: &Plan,
    cursor: Option<&[u8]>,
    place: usize,
    cancel: Option<&Cancel>,
    statistics: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (reader, plan) = (&reader.inner, &plan.inner);
    let cancel = cancel.map(|cancel| &cancel.inner);
    bytes(py, || {
        let _interruptible = Interruptible::new(None, cancel);
        let _scope = scope(statistics)?;
        block::encode(&search::query(reader, plan, cursor_of(cursor)?.as_ref(), place)?)
    })
}

#[pyfunction]
#[pyo3(signature = (reader, plan, cancel = None))]
pub fn statistics<'py>(
    py: Python<'py>,
    reader: &Reader,
    plan: &Plan,
    cancel: Option<&Cancel>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (reader, plan) = (&reader.inner, &plan.inner);
    let cancel = cancel.map(|cancel| &cancel.inner);
    bytes(py, || {
        let _interruptible = Interruptible::new(None, cancel);
        block::encode(&dfs::gather(reader, plan)?)
    })
}

#[pyfunction]
pub fn merge_statistics(py: Python<'_>, blocks: Vec<Vec<u8>>) -> PyResult<Bound<'_, PyBytes>> {
    bytes(py, || {
        let parts: Result<Vec<dfs::Collected>> = blocks.iter().map(|bytes| block::decode(bytes)).collect();
        block::encode(&dfs::Collected::sum(parts?))
    })
}

#[pyfunction]
#[pyo3(signature = (plan, blocks, cursor = None, cancel = None, places = None))]
pub fn merge<'py>(
    py: Python<'py>,
    plan: &Plan,
    blocks: Vec<PyBackedBytes>,
    cursor: Option<&[u8]>,
    cancel: Option<&Cancel>,
    places: Option<Vec<u32>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let plan = &plan.inner;
    let cancel = cancel.map(|cancel| &cancel.inner);
    bytes(py, || {
        let _interruptible = Interruptible::new(None, cancel);
        block::encode(&search::merge_page(plan, placed(&blocks, places)?, cursor_of(cursor)?.as_ref())?)
    })
}

#[pyfunction]
#[pyo3(signature = (plan, blocks, places, cancel = None))]
pub fn reduce<'py>(
    py: Python<'py>,
    plan: &Plan,
    blocks: Vec<PyBackedBytes>,
    places: Vec<u32>,
    cancel: Option<&Cancel>,
) -> PyResult<Bound<'py, PyBytes>> {
    let plan = &plan.inner;
    let cancel = cancel.map(|cancel| &cancel.inner);
    bytes(py, || {
        let _interruptible = Interruptible::new(None, cancel);
        block::encode(&search::reduce(plan, placed(&blocks, Some(places))?)?)
    })
}

/// Results with the places of their shards: those that are given, else one after the other.
fn placed(blocks: &[PyBackedBytes], places: Option<Vec<u32>>) -> Result<Vec<(u32, block::ShardResult)>> {
    let places = places.unwrap_or_else(|| (0..blocks.len() as u32).collect());
    if places.len() != blocks.len() {
        return Err(Error::illegal_argument(format!("[{}] places for [{}] results", places.len(), blocks.len())));
    }
    places.into_iter().zip(blocks).map(|(place, bytes)| Ok((place, block::decode(bytes)?))).collect()
}

#[pyfunction]
pub fn set_request_limit(limit: usize) {
    aggs::set_limit(limit);
}

#[pyfunction]
pub fn request_memory() -> (usize, u64) {
    aggs::memory()
}

#[pyfunction]
pub fn fetch_refs<'py>(py: Python<'py>, merged: &[u8]) -> PyResult<Vec<(u32, Bound<'py, PyBytes>)>> {
    let refs = search::fetch_refs(&block::decode(merged).map_err(raise)?);
    refs.into_iter().map(|(shard, refs)| Ok((shard, PyBytes::new(py, &block::encode(&refs).map_err(raise)?)))).collect()
}

#[pyfunction]
#[allow(clippy::too_many_arguments)]
#[pyo3(signature = (index, shard, reader, plan, refs, node = "", cancel = None, statistics = None))]
pub fn fetch<'py>(
    py: Python<'py>,
    index: &str,
    shard: u32,
    reader: &Reader,
    plan: &Plan,
    refs: &[u8],
    node: &str,
    cancel: Option<&Cancel>,
    statistics: Option<&[u8]>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (reader, plan) = (&reader.inner, &plan.inner);
    let cancel = cancel.map(|cancel| &cancel.inner);
    bytes(py, || {
        let _interruptible = Interruptible::new(None, cancel);
        let _scope = scope(statistics)?;
        let refs: block::Refs = block::decode(refs)?;
        block::encode(&search::fetch::fetch(index, shard, node, reader, plan, &refs)?)
    })
}

#[pyfunction]
#[pyo3(signature = (plan, merged, hits, cursor = None))]
pub fn render(
    py: Python<'_>,
    plan: &Plan,
    merged: &[u8],
    hits: Vec<Vec<u8>>,
    cursor: Option<&[u8]>,
) -> PyResult<Outcome> {
    let plan = &plan.inner;
    let inner = run(py, || {
        let fetched: Result<Vec<block::Fetched>> = hits.iter().map(|bytes| block::decode(bytes)).collect();
        let merged = block::decode(merged)?;
        let mut outcome = search::render(plan, &merged, fetched?);
        outcome.scroll = search::next_page(plan, &merged, cursor_of(cursor)?.as_ref())?;
        Ok(outcome)
    })?;
    Ok(Outcome { inner, taken: Duration::ZERO })
}

#[pyfunction]
pub fn format_number(value: f64, pattern: &str) -> String {
    aggs::decimal(value, pattern)
}

#[pyfunction]
#[pyo3(signature = (readers, plan, cancel = None))]
pub fn count(py: Python<'_>, readers: Vec<PyRef<'_, Reader>>, plan: &Plan, cancel: Option<&Cancel>) -> PyResult<u64> {
    let (shards, plan) = (shards(&readers), &plan.inner);
    let cancel = cancel.map(|cancel| &cancel.inner);
    run(py, || {
        let _interruptible = Interruptible::new(None, cancel);
        search::count(&shards, plan)
    })
}

#[pyfunction]
pub fn explain<'py>(py: Python<'py>, reader: &Reader, plan: &Plan, id: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let (reader, plan) = (&reader.inner, &plan.inner);
    let explained = run(py, || search::explain(reader, plan, id))?;
    Ok(explained.map(|bytes| PyBytes::new(py, &bytes)))
}
