//! The Python border: convert, release the GIL, map errors. No logic.

mod dates;
mod error;
mod mapping;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::dates::{check_date_format, format_date, parse_date};
    #[pymodule_export]
    use crate::error::KernelError;
    #[pymodule_export]
    use crate::mapping::{Mapping, analyze, check_analysis};
}
