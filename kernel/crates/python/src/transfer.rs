//! `History`, `Files`, `Restore`: what one copy hands to another.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quidditch_core::engine;
use quidditch_core::storage::{OsFs, SharedFs};
use quidditch_core::translog;

use crate::error::run;

/// Operations of a shard from a number on.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct History {
    inner: Mutex<translog::History>,
}

impl History {
    pub fn new(inner: translog::History) -> Self {
        Self { inner: Mutex::new(inner) }
    }

    fn locked(&self) -> MutexGuard<'_, translog::History> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl History {
    #[getter]
    fn max_seq_no(&self) -> i64 {
        self.locked().max_seq_no()
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.locked().bytes()
    }

    fn __len__(&self) -> usize {
        self.locked().len()
    }

    fn next<'py>(&self, py: Python<'py>, max_bytes: u64) -> PyResult<Bound<'py, PyBytes>> {
        let piece = run(py, || self.locked().next(max_bytes))?;
        Ok(PyBytes::new(py, &piece))
    }
}

/// The files of a commit.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Files {
    pub inner: engine::Files,
}

#[pymethods]
impl Files {
    fn manifest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.manifest())
    }

    fn read<'py>(&self, py: Python<'py>, name: &str, offset: u64, length: usize) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = run(py, || self.inner.read(name, offset, length))?;
        Ok(PyBytes::new(py, &bytes))
    }
}

/// A shard that is being received.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Restore {
    inner: engine::Restore,
}

#[pymethods]
impl Restore {
    #[new]
    fn new(py: Python<'_>, path: PathBuf, manifest: &[u8]) -> PyResult<Self> {
        Ok(Self { inner: run(py, || engine::Restore::start(Arc::new(OsFs), path, manifest))? })
    }

    fn needed(&self) -> Vec<(String, u64, u64)> {
        self.inner.needed()
    }

    fn reused(&self) -> (usize, u64) {
        self.inner.reused()
    }

    fn write(&self, py: Python<'_>, name: &str, offset: u64, data: &[u8]) -> PyResult<()> {
        run(py, || self.inner.write(name, offset, data))
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        run(py, || self.inner.finish())
    }

    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        run(py, || self.inner.discard())
    }
}

#[pyfunction]
pub fn inspect_shard(py: Python<'_>, path: PathBuf) -> PyResult<Option<Bound<'_, PyBytes>>> {
    let fs: SharedFs = Arc::new(OsFs);
    let found = run(py, || engine::inspect(&fs, &path))?;
    Ok(found.map(|found| PyBytes::new(py, &found)))
}
