//! The one exception of the border.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

create_exception!(_native, KernelError, PyException, "args: (type, reason, status, detail as JSON bytes)");

/// From a kernel fault to `KernelError`.
pub fn raise(e: quidditch_core::Error) -> PyErr {
    Python::attach(|py| {
        let detail = e.detail.map_or_else(|| b"{}".to_vec(), |d| d.to_string().into_bytes());
        KernelError::new_err((e.kind, e.reason, e.status, PyBytes::new(py, &detail).unbind()))
    })
}

/// Runs work of the kernel without the GIL. A panic becomes an error like any other: Python's exception for panics is one that
/// `except Exception` does not catch, so whoever keeps a loop going would end.
pub fn run<T: Send>(py: Python<'_>, work: impl FnOnce() -> quidditch_core::Result<T> + Send) -> PyResult<T> {
    let guarded = || catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|cause| Err(panicked(&*cause)));
    py.detach(guarded).map_err(raise)
}

fn panicked(cause: &(dyn std::any::Any + Send)) -> quidditch_core::Error {
    let said = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied());
    quidditch_core::Error::new("exception", 500, format!("a bug in the kernel: {}", said.unwrap_or("it panicked")))
}

/// JSON of an argument; `what` names it in the error.
pub fn json(what: &str, data: &[u8]) -> PyResult<serde_json::Value> {
    serde_json::from_slice(data)
        .map_err(|e| raise(quidditch_core::Error::illegal_argument(format!("{what} is no JSON: {e}"))))
}
