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
    zone::parse(name).ok_or_else(|| {
        let reason = format!("Unknown time-zone ID: {name}");
        let cause = serde_json::json!({"type": "zone_rules_exception", "reason": reason});
        Error::illegal_argument(format!("java.time.zone.ZoneRulesException: {reason}"))
            .with_detail(serde_json::json!({"caused_by": cause}))
    })
}

#[cfg(test)]
mod tests;
