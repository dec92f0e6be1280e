//! The Python border: convert, release the GIL, map errors. No logic.

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {}
