//! A compiled date format: alternatives in the order in which they are tried.

use std::sync::{Arc, LazyLock};

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::fields::{Fields, NANOS, Zone};
use super::pattern::{self, Item, Mode};
use super::{epoch, iso, named, print, scan, zone};
use crate::{Error, Result};

/// Why a text is no date, with its cause: OpenSearch's types and sentences.
#[derive(Debug, Clone, PartialEq)]
pub struct DateError {
    pub kind: &'static str,
    pub reason: String,
    pub cause: Option<Box<DateError>>,
}

impl DateError {
    pub(super) fn new(kind: &'static str, reason: String) -> Self {
        Self { kind, reason, cause: None }
    }

    pub(super) fn caused_by(mut self, cause: DateError) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    fn json(&self) -> serde_json::Value {
        let mut body = serde_json::json!({"type": self.kind, "reason": self.reason});
        if let Some(cause) = &self.cause {
            body["caused_by"] = cause.json();
        }
        body
    }
}

impl From<DateError> for Error {
    fn from(e: DateError) -> Self {
        let error = Error::new(e.kind, 400, e.reason.clone());
        match &e.cause {
            Some(cause) => error.with_detail(serde_json::json!({"caused_by": cause.json()})),
            None => error,
        }
    }
}

/// Immutable and shared: [`DateFormat::get`] keeps one per format text.
pub struct DateFormat {
    source: String,
    alternatives: Vec<Alternative>,
}

struct Alternative {
    kind: Kind,
    parse: Vec<Item>,
    print: Vec<Item>,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Has a byte parser besides its items.
    Iso,
    Items,
    EpochMillis,
    EpochSecond,
}

enum Failure {
    /// The text does not fit.
    Text(DateError),
    /// It fits, and names a day that does not exist.
    Value(String),
}

impl DateFormat {
    /// The compiled form of `format` (`||` between alternatives), made once per process.
    pub fn get(format: &str) -> Result<Arc<Self>> {
        static KNOWN: LazyLock<RwLock<FxHashMap<String, Arc<DateFormat>>>> = LazyLock::new(Default::default);
        if let Some(known) = KNOWN.read().get(format) {
            return Ok(known.clone());
        }
        let compiled = Arc::new(Self::compile(format)?);
        let mut known = KNOWN.write();
        // Formats come from users: a stranger's thousands must not stay for ever.
        if known.len() > 10_000 {
            known.clear();
        }
        known.insert(format.to_owned(), compiled.clone());
        Ok(compiled)
    }

    fn compile(format: &str) -> Result<Self> {
        if format.is_empty() {
            return Err(Error::illegal_argument("No date pattern provided"));
        }
        // A leading 8 marked java patterns when others were still around.
        let body = format.strip_prefix('8').unwrap_or(format);
        let alternatives = body.split("||").map(Alternative::compile).collect::<Result<_>>()?;
        Ok(Self { source: format.to_owned(), alternatives })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Nanoseconds since the epoch. `round_up` completes a missing time to the end of its unit.
    pub fn parse(&self, text: &str, round_up: bool, default_zone: &Zone) -> Result<i128, DateError> {
        let wrong = || {
            let reason = format!("failed to parse date field [{text}] with format [{}]", self.source);
            DateError::new("illegal_argument_exception", reason)
        };
        let several = self.alternatives.len() > 1;
        let mut last = None;
        for alternative in &self.alternatives {
            match alternative.parse(text, round_up, default_zone) {
                Ok(instant) => return Ok(instant),
                Err(Failure::Value(reason)) => return Err(DateError::new("date_time_exception", reason)),
                Err(Failure::Text(cause)) => last = Some(cause),
            }
        }
        let all =
            || DateError::new("date_time_parse_exception", "Failed to parse with all enclosed parsers".to_owned());
        Err(wrong().caused_by(last.filter(|_| !several).unwrap_or_else(all)))
    }

    /// Epoch milliseconds of a document's value.
    #[inline]
    pub fn parse_millis(&self, text: &str) -> Result<i64, DateError> {
        let nanos = self.parse(text, false, &zone::UTC)?;
        i64::try_from(nanos.div_euclid(1_000_000))
            .map_err(|_| DateError::new("illegal_argument_exception", format!("date[{text}] is out of range")))
    }

    /// Epoch nanoseconds of a document's value; the range is 1970 to 2262.
    pub fn parse_nanos(&self, text: &str) -> Result<i64, DateError> {
        to_nanos(self.parse(text, false, &zone::UTC)?)
    }

    /// The instant in the first alternative's form.
    pub fn print(&self, nanos: i128, zone: &Zone) -> String {
        match self.alternatives.first() {
            Some(first) => first.print(nanos, zone),
            None => String::new(),
        }
    }

    pub fn print_millis(&self, millis: i64, zone: &Zone) -> String {
        self.print(i128::from(millis) * 1_000_000, zone)
    }

    pub fn print_nanos(&self, nanos: i64, zone: &Zone) -> String {
        self.print(i128::from(nanos), zone)
    }
}

/// An instant of a date_nanos field, or OpenSearch's refusal.
pub fn to_nanos(nanos: i128) -> Result<i64, DateError> {
    // As many decimals as there are, in threes.
    let pattern = match nanos.rem_euclid(NANOS) {
        0 => "uuuu-MM-dd'T'HH:mm:ss",
        rest if rest % 1_000_000 == 0 => "uuuu-MM-dd'T'HH:mm:ss.SSS",
        rest if rest % 1000 == 0 => "uuuu-MM-dd'T'HH:mm:ss.SSSSSS",
        _ => "uuuu-MM-dd'T'HH:mm:ss.SSSSSSSSS",
    };
    let shown = || DateFormat::get(pattern).map(|format| format.print(nanos, &zone::UTC)).unwrap_or_default();
    let (side, limit) =
        if nanos < 0 { ("before", "the epoch in 1970") } else { ("after", "2262-04-11T23:47:16.854775807") };
    match i64::try_from(nanos) {
        Ok(nanos) if nanos >= 0 => Ok(nanos),
        _ => {
            let reason = format!("date[{}Z] is {side} {limit} and cannot be stored in nanosecond resolution", shown());
            Err(DateError::new("illegal_argument_exception", reason))
        }
    }
}

impl Alternative {
    fn compile(name: &str) -> Result<Self> {
        let epoch = |kind| Self { kind, parse: vec![], print: vec![], mode: Mode::Strict };
        match name {
            "epoch_millis" => return Ok(epoch(Kind::EpochMillis)),
            "epoch_second" => return Ok(epoch(Kind::EpochSecond)),
            _ => {}
        }
        let invalid = |why: String| {
            Error::illegal_argument(format!("Invalid format: [{name}]: {why}"))
                .with_detail(serde_json::json!({"caused_by": {"type": "illegal_argument_exception", "reason": why}}))
        };
        if let Some(named) = named::find(name) {
            let iso = matches!(name, "strict_date_optional_time" | "strict_date_optional_time_nanos");
            return Ok(Self {
                kind: if iso { Kind::Iso } else { Kind::Items },
                parse: pattern::compile(&named.parse, named.mode).map_err(invalid)?,
                print: pattern::compile(&named.print, Mode::Strict).map_err(invalid)?,
                mode: named.mode,
            });
        }
        let items = pattern::compile(name, Mode::Java).map_err(invalid)?;
        Ok(Self { kind: Kind::Items, parse: items.clone(), print: items, mode: Mode::Java })
    }

    #[inline]
    fn parse(&self, text: &str, round_up: bool, default_zone: &Zone) -> Result<i128, Failure> {
        let fast = match self.kind {
            Kind::Iso => iso::parse(text),
            Kind::EpochMillis => epoch::parse(text, 1_000_000),
            Kind::EpochSecond => epoch::parse(text, NANOS),
            Kind::Items => None,
        };
        if let Some(Ok(instant)) = fast.map(|fields| fields.resolve(round_up, default_zone)) {
            return Ok(instant);
        }
        if matches!(self.kind, Kind::EpochMillis | Kind::EpochSecond) {
            let reason = "Failed to parse with all enclosed parsers".to_owned();
            return Err(Failure::Text(DateError::new("date_time_parse_exception", reason)));
        }
        self.scan(text, round_up, default_zone)
    }

    fn scan(&self, text: &str, round_up: bool, default_zone: &Zone) -> Result<i128, Failure> {
        let fail = |what: String| {
            let shown: String = if text.chars().count() > 64 {
                text.chars().take(64).chain("...".chars()).collect()
            } else {
                text.to_owned()
            };
            DateError::new("date_time_parse_exception", format!("Text '{shown}' could not be parsed{what}"))
        };
        let mut fields = Fields::default();
        let end = scan::items(&self.parse, text, 0, self.mode, &mut fields)
            .map_err(|at| Failure::Text(fail(format!(" at index {at}"))))?;
        if end < text.len() {
            return Err(Failure::Text(fail(format!(", unparsed text found at index {end}"))));
        }
        fields.resolve(round_up, default_zone).map_err(|why| {
            if self.mode == Mode::Java && why.starts_with("Invalid date") {
                return Failure::Value(why);
            }
            Failure::Text(fail(format!(": {why}")).caused_by(DateError::new("date_time_exception", why)))
        })
    }

    fn print(&self, nanos: i128, zone: &Zone) -> String {
        match self.kind {
            Kind::EpochMillis => epoch::print(nanos, 1_000_000),
            Kind::EpochSecond => epoch::print(nanos, NANOS),
            _ => {
                let mut out = String::with_capacity(32);
                print::items(&self.print, &print::Local::new(nanos, zone), &mut out);
                out
            }
        }
    }
}
