//! `Runtime` and `Shard`.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quidditch_core::storage::OsFs;
use quidditch_core::{Error, engine};

use crate::bulk::{Slice, SliceResult};
use crate::error::{raise, run};
use crate::mapping::Mapping;
use crate::reader::Reader;
use crate::transfer::{Files, History};

/// What all shards of a process share.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Runtime {
    inner: Arc<engine::Runtime>,
}

#[pymethods]
impl Runtime {
    #[new]
    fn new(config: &[u8]) -> PyResult<Self> {
        let config: engine::RuntimeConfig = serde_json::from_slice(config)
            .map_err(|e| raise(Error::illegal_argument(format!("bad runtime configuration: {e}"))))?;
        Ok(Self { inner: engine::Runtime::new(&config).map_err(raise)? })
    }

    fn stats<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.stats())
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.inner.close());
    }
}

/// One shard of an index on this node.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Shard {
    inner: Arc<engine::Shard>,
}

#[pymethods]
impl Shard {
    #[staticmethod]
    fn open(py: Python<'_>, runtime: &Runtime, path: PathBuf, config: &[u8], mapping: &Mapping) -> PyResult<Self> {
        let (runtime, mapping) = (runtime.inner.clone(), mapping.inner.clone());
        let inner = run(py, || engine::Shard::open(&runtime, Arc::new(OsFs), path, config, mapping))?;
        Ok(Self { inner })
    }

    fn configure(&self, py: Python<'_>, config: &[u8]) -> PyResult<()> {
        run(py, || self.inner.configure(config))
    }

    fn set_mapping(&self, py: Python<'_>, mapping: &Mapping) -> PyResult<()> {
        let mapping = mapping.inner.clone();
        run(py, || self.inner.set_mapping(mapping))
    }

    #[pyo3(signature = (slice, sync = true, retried = false))]
    fn bulk(&self, py: Python<'_>, slice: &Slice, sync: bool, retried: bool) -> PyResult<SliceResult> {
        let slice = slice.inner.clone();
        let manner = engine::Manner { unsynced: !sync, retried };
        let result = run(py, || self.inner.bulk_as(&slice, manner))?;
        Ok(SliceResult::new(result, Some(slice)))
    }

    #[pyo3(signature = (slice, result, sync = true))]
    fn retry(&self, py: Python<'_>, slice: &Slice, result: &SliceResult, sync: bool) -> PyResult<()> {
        let slice = slice.inner.clone();
        let manner = engine::Manner { unsynced: !sync, retried: false };
        run(py, || self.inner.retry_as(&slice, &mut result.locked(), manner))
    }

    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        run(py, || self.inner.sync())
    }

    #[pyo3(signature = (operations, primary_term, sync = true))]
    fn apply(&self, py: Python<'_>, operations: &[u8], primary_term: u64, sync: bool) -> PyResult<()> {
        run(py, || self.inner.replicate(operations, primary_term, !sync))
    }

    fn checkpoints(&self) -> (i64, i64, i64, i64) {
        self.inner.checkpoints()
    }

    fn set_global_checkpoint(&self, value: i64) {
        self.inner.set_global_checkpoint(value);
    }

    fn promote(&self, py: Python<'_>, primary_term: u64) -> PyResult<()> {
        run(py, || self.inner.promote(primary_term))
    }

    fn trim_above(&self, py: Python<'_>, max_seq_no: i64) -> PyResult<()> {
        run(py, || self.inner.trim_above(max_seq_no))
    }

    fn history(&self, py: Python<'_>, from_seq_no: i64) -> PyResult<Option<History>> {
        Ok(run(py, || self.inner.history(from_seq_no))?.map(History::new))
    }

    fn retain_history(&self, from_seq_no: i64) {
        self.inner.retain_history(from_seq_no);
    }

    fn history_uuid(&self) -> String {
        self.inner.history_uuid()
    }

    fn files(&self, py: Python<'_>) -> PyResult<Files> {
        Ok(Files { inner: run(py, || self.inner.files())? })
    }

    fn get<'py>(&self, py: Python<'py>, request: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let found = run(py, || self.inner.get(request))?;
        Ok(found.map(|members| PyBytes::new(py, &members)))
    }

    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        run(py, || self.inner.refresh())
    }

    fn when_refreshed(&self, py: Python<'_>, seq_no: i64, callback: Py<PyAny>) {
        py.detach(|| self.inner.when_refreshed(seq_no, listener(callback)));
    }

    fn when_failed(&self, py: Python<'_>, callback: Py<PyAny>) {
        py.detach(|| self.inner.when_failed(listener(callback)));
    }

    fn failure(&self) -> Option<String> {
        self.inner.failure().map(|error| error.to_string())
    }

    fn flush(&self, py: Python<'_>, force: bool, wait_if_ongoing: bool) -> PyResult<()> {
        run(py, || self.inner.flush(force, wait_if_ongoing))
    }

    fn force_merge(
        &self,
        py: Python<'_>,
        max_num_segments: i64,
        only_expunge_deletes: bool,
        flush: bool,
    ) -> PyResult<()> {
        run(py, || self.inner.force_merge(max_num_segments, only_expunge_deletes, flush))
    }

    fn reader(&self) -> PyResult<Reader> {
        Ok(Reader { inner: self.inner.reader().map_err(raise)? })
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let stats = run(py, || self.inner.stats())?;
        Ok(PyBytes::new(py, &stats))
    }

    fn segments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let segments = run(py, || self.inner.segments())?;
        Ok(PyBytes::new(py, &segments))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        run(py, || self.inner.close())
    }

    fn abandon(&self, py: Python<'_>) {
        py.detach(|| self.inner.abandon());
    }
}

fn listener(callback: Py<PyAny>) -> Box<dyn FnOnce() + Send> {
    Box::new(move || {
        Python::attach(|py| {
            if let Err(error) = callback.call0(py) {
                error.write_unraisable(py, None);
            }
        });
    })
}
