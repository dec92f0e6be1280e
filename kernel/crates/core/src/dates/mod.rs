//! Dates in OpenSearch's formats: parsing, printing, date math.

pub mod civil;
mod epoch;
mod fields;
mod format;
mod iso;
mod math;
mod named;
mod pattern;
mod print;
mod scan;
pub mod zone;

pub use fields::Zone;
pub use format::{DateError, DateFormat, to_nanos};
pub use math::parse as parse_math;

use crate::{Error, Result};

/// A zone by offset or IANA name, as `time_zone` of a request names it.
pub fn parse_zone(name: &str) -> Result<Zone> {
    zone::parse(name).ok_or_else(|| Error::illegal_argument(format!("Unknown time-zone ID: {name}")))
}

#[cfg(test)]
mod tests;
