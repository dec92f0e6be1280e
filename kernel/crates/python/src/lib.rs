//! The Python border: convert, release the GIL, map errors. No logic.

mod bulk;
mod dates;
mod error;
mod mapping;
mod reader;
mod search;
mod shard;
mod transfer;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::bulk::{Bulk, Slice, SliceResult, make_id, shard_for, split_bulk};
    #[pymodule_export]
    use crate::dates::{check_date_format, format_date, parse_date};
    #[pymodule_export]
    use crate::error::KernelError;
    #[pymodule_export]
    use crate::mapping::{Mapping, analyze, check_analysis, regex_matches};
    #[pymodule_export]
    use crate::reader::Reader;
    #[pymodule_export]
    use crate::search::{
        Cancel, Outcome, Plan, count, explain, fetch, fetch_refs, format_number, merge, merge_statistics, query,
        reduce, render, request_memory, search_shards, set_request_limit, statistics,
    };
    #[pymodule_export]
    use crate::shard::{Runtime, Shard};
    #[pymodule_export]
    use crate::transfer::{Files, History, Restore, inspect_shard};
}
