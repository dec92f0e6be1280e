//! A compiled date format: alternatives in the order in which they are tried.

use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::fields::{Fields, NANOS, Zone};
use super::{iso, zone};
use crate::{Error, Result};

/// Why a text is no date: OpenSearch's sentence and its cause.
#[derive(Debug, Clone, PartialEq)]
pub struct DateError {
    pub reason: String,
    pub cause: String,
}

pub struct DateFormat {
    source: String,
    alternatives: Vec<Alternative>,
}

enum Alternative {
    Iso,
    EpochMillis,
    EpochSecond,
}

impl DateFormat {
    /// The compiled form of `format`, made once per process.
    pub fn get(format: &str) -> Result<Arc<Self>> {
        static KNOWN: LazyLock<RwLock<FxHashMap<String, Arc<DateFormat>>>> = LazyLock::new(Default::default);
        if let Some(known) = KNOWN.read().get(format) {
            return Ok(known.clone());
        }
        let compiled = Arc::new(Self::compile(format)?);
        KNOWN.write().insert(format.to_owned(), compiled.clone());
        Ok(compiled)
    }

    fn compile(format: &str) -> Result<Self> {
        let alternatives = format
            .split("||")
            .map(|part| match part {
                "strict_date_optional_time" | "strict_date_optional_time_nanos" | "date_optional_time" => {
                    Ok(Alternative::Iso)
                }
                "epoch_millis" => Ok(Alternative::EpochMillis),
                "epoch_second" => Ok(Alternative::EpochSecond),
                other => Err(Error::illegal_argument(format!("Invalid format: [{other}]: unknown"))),
            })
            .collect::<Result<_>>()?;
        Ok(Self { source: format.to_owned(), alternatives })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    fn fields(&self, text: &str) -> Option<Fields> {
        self.alternatives.iter().find_map(|alternative| match alternative {
            Alternative::Iso => iso::parse(text),
            Alternative::EpochMillis => epoch(text, 1_000_000),
            Alternative::EpochSecond => epoch(text, NANOS),
        })
    }

    /// Nanoseconds since the epoch.
    pub fn parse(&self, text: &str, round_up: bool, default_zone: &Zone) -> Result<i128, DateError> {
        let fail = |cause: String| DateError {
            reason: format!("failed to parse date field [{text}] with format [{}]", self.source),
            cause,
        };
        let fields = self.fields(text).ok_or_else(|| fail("Failed to parse with all enclosed parsers".to_owned()))?;
        fields.resolve(round_up, default_zone).map_err(fail)
    }

    pub fn parse_millis(&self, text: &str) -> Result<i64, DateError> {
        let nanos = self.parse(text, false, &zone::UTC)?;
        i64::try_from(nanos.div_euclid(1_000_000)).map_err(|_| out_of_range(text))
    }

    pub fn parse_nanos(&self, text: &str) -> Result<i64, DateError> {
        let nanos = self.parse(text, false, &zone::UTC)?;
        i64::try_from(nanos).map_err(|_| out_of_range(text))
    }
}

fn out_of_range(text: &str) -> DateError {
    let reason = format!("date[{text}] is out of the range of a 64-bit instant");
    DateError { cause: reason.clone(), reason }
}

fn epoch(text: &str, unit: i128) -> Option<Fields> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    if digits.is_empty() || digits.len() > 19 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut nanos = digits.parse::<i128>().ok()? * unit;
    let mut width = unit;
    for b in fraction.bytes() {
        width /= 10;
        if !b.is_ascii_digit() || width == 0 {
            return None;
        }
        nanos += i128::from(b - b'0') * width;
    }
    let nanos = if whole.starts_with('-') { -nanos } else { nanos };
    Some(Fields { instant: Some((nanos, 1)), ..Fields::default() })
}
