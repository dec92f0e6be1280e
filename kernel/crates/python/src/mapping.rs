//! `Mapping` and analysis.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use quidditch_core::{Error, analysis, mapping};

use crate::error::{json, raise, run};

#[pyclass(frozen, module = "quidditch_kernel._native")]
pub struct Mapping {
    pub inner: Arc<mapping::Mapping>,
}

type TokenTuple = (String, u32, u32, u32, u32);

#[pymethods]
impl Mapping {
    #[new]
    fn new(py: Python<'_>, mapping: &[u8], settings: &[u8]) -> PyResult<Self> {
        let (mapping, settings) = (json("mapping", mapping)?, json("settings", settings)?);
        let inner = run(py, || mapping::Mapping::compile(&mapping, &settings, None))?;
        Ok(Self { inner })
    }

    fn tokens(&self, analyzer: &str, text: &str) -> PyResult<Vec<TokenTuple>> {
        let analyzer = self.inner.analyzers.get(analyzer).ok_or_else(|| raise(missing(analyzer)))?;
        let tuple = |t: analysis::TokenOut| (t.term, t.position, t.position_length, t.start, t.end);
        Ok(analyzer.tokens(text).into_iter().map(tuple).collect())
    }

    fn normalize(&self, normalizer_or_analyzer: &str, text: &str) -> PyResult<String> {
        let analyzers = &self.inner.analyzers;
        let found = analyzers.normalizer(normalizer_or_analyzer).or_else(|| analyzers.get(normalizer_or_analyzer));
        Ok(found.ok_or_else(|| raise(missing(normalizer_or_analyzer)))?.normalize(text))
    }

    fn analyze<'py>(&self, py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let request = json("request", request)?;
        let body = run(py, || analysis::analyze(&self.inner.analyzers, Some(&self.inner), &request))?;
        Ok(PyBytes::new(py, body.to_string().as_bytes()))
    }
}

fn missing(name: &str) -> Error {
    Error::illegal_argument(format!("failed to find analyzer [{name}]"))
}

/// `_analyze` without an index.
#[pyfunction]
pub fn analyze<'py>(py: Python<'py>, settings: &[u8], request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let (settings, request) = (json("settings", settings)?, json("request", request)?);
    let body = run(py, || analysis::analyze(&analysis::Analyzers::from_settings(&settings)?, None, &request))?;
    Ok(PyBytes::new(py, body.to_string().as_bytes()))
}

/// Builds every analyzer of these index settings.
#[pyfunction]
pub fn check_analysis(py: Python<'_>, settings: &[u8]) -> PyResult<()> {
    let settings = json("settings", settings)?;
    run(py, || analysis::Analyzers::from_settings(&settings)).map(|_| ())
}

/// Whether a Java pattern matches the whole text, in bounded time.
#[pyfunction]
pub fn regex_matches(py: Python<'_>, pattern: &str, text: &str) -> PyResult<bool> {
    run(py, || {
        let regex = analysis::regex::compile(&format!("^(?:{pattern})$"), Some("DOTALL"))?;
        regex.is_match(text).map_err(|_| {
            Error::illegal_argument(format!(
                "the pattern [{pattern}] takes too long to match a text of {} bytes",
                text.len()
            ))
        })
    })
}
