//! `Reader`: a point in time of one shard.

use std::sync::Arc;

use pyo3::prelude::*;
use quidditch_core::reader::ShardReader;

/// Holds its segments until dropped.
#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Reader {
    pub inner: Arc<ShardReader>,
}

#[pymethods]
impl Reader {
    fn generation(&self) -> u64 {
        self.inner.generation
    }

    fn doc_count(&self) -> u64 {
        self.inner.doc_count
    }
}
