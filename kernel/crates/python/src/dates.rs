//! Dates: parsing with date math, printing, checking formats.

use pyo3::prelude::*;
use quidditch_core::dates::{self, DateFormat, Zone};
use quidditch_core::{Error, Result};

use crate::error::raise;

const MILLI: i128 = 1_000_000;

#[pyfunction]
pub fn parse_date(
    text: &str,
    format: &str,
    now_ms: i64,
    round_up: bool,
    time_zone: Option<&str>,
    nanos: bool,
) -> PyResult<i64> {
    parse(text, format, now_ms, round_up, time_zone, nanos).map_err(raise)
}

fn parse(text: &str, format: &str, now_ms: i64, round_up: bool, time_zone: Option<&str>, nanos: bool) -> Result<i64> {
    let format = DateFormat::get(format)?;
    let zone = time_zone.map(dates::parse_zone).transpose()?;
    let at = dates::parse_math(text, &format, i128::from(now_ms) * MILLI, round_up, zone.as_ref())?;
    let out_of_range = |_| Error::illegal_argument(format!("date[{text}] is out of range"));
    if nanos {
        i64::try_from(at).map_err(out_of_range)
    } else {
        i64::try_from(at.div_euclid(MILLI)).map_err(out_of_range)
    }
}

#[pyfunction]
pub fn format_date(value: i64, format: &str, time_zone: Option<&str>, nanos: bool) -> PyResult<String> {
    let run = || -> Result<String> {
        let format = DateFormat::get(format)?;
        let zone = time_zone.map(dates::parse_zone).transpose()?.unwrap_or(Zone::Fixed(0));
        Ok(if nanos { format.print_nanos(value, &zone) } else { format.print_millis(value, &zone) })
    };
    run().map_err(raise)
}

#[pyfunction]
pub fn check_date_format(format: &str) -> PyResult<()> {
    DateFormat::get(format).map(|_| ()).map_err(raise)
}
