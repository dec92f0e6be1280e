//! The one exception of the border.

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

/// JSON of an argument; `what` names it in the error.
pub fn json(what: &str, data: &[u8]) -> PyResult<serde_json::Value> {
    serde_json::from_slice(data)
        .map_err(|e| raise(quidditch_core::Error::illegal_argument(format!("{what} is no JSON: {e}"))))
}
