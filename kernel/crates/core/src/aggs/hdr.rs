//! Percentiles by a histogram of high dynamic range: a fixed number of significant digits at every magnitude.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Counts by binary magnitude and slot within it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hdr {
    /// Slots of one magnitude, a power of two.
    slots: u32,
    counts: BTreeMap<(i16, u32), u64>,
    zeros: u64,
    total: u64,
}

impl Hdr {
    pub fn new(digits: u32) -> Hdr {
        let slots = (2 * 10u32.pow(digits)).next_power_of_two() / 2;
        Hdr { slots, counts: BTreeMap::new(), zeros: 0, total: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub fn bytes(&self) -> usize {
        self.counts.len() * 32
    }

    pub fn add(&mut self, value: f64) -> Result<()> {
        if value < 0.0 || !value.is_finite() {
            return Err(Error::new(
                "array_index_out_of_bounds_exception",
                400,
                format!("Histogram recorded value cannot be negative or infinite, was [{value}]"),
            ));
        }
        self.total += 1;
        if value == 0.0 {
            self.zeros += 1;
        } else {
            *self.counts.entry(self.slot(value)).or_default() += 1;
        }
        Ok(())
    }

    pub fn merge(&mut self, other: &Hdr) {
        for (slot, count) in &other.counts {
            *self.counts.entry(*slot).or_default() += count;
        }
        self.zeros += other.zeros;
        self.total += other.total;
    }

    fn slot(&self, value: f64) -> (i16, u32) {
        let mut exponent = value.log2().floor() as i32;
        // The logarithm may round across a power of two.
        if 2f64.powi(exponent) > value {
            exponent -= 1;
        } else if 2f64.powi(exponent + 1) <= value {
            exponent += 1;
        }
        let inside = value / 2f64.powi(exponent) * f64::from(self.slots);
        (exponent as i16, inside as u32)
    }

    /// The highest value that counts as the same as those of a slot, in units of the lowest magnitude's slots.
    fn highest(&self, slot: (i16, u32)) -> f64 {
        let lowest = self.counts.keys().next().map_or(0, |(exponent, _)| *exponent);
        let scale = 2f64.powi(i32::from(slot.0 - lowest));
        let units = f64::from(slot.1 + 1) * scale - 1.0;
        units * 2f64.powi(i32::from(lowest)) / f64::from(self.slots)
    }

    /// The value at a percentile between 0 and 100; NaN without values.
    pub fn percentile(&self, percent: f64) -> f64 {
        if self.total == 0 {
            return f64::NAN;
        }
        let percent = percent.next_down().clamp(0.0, 100.0);
        let wanted = ((percent * self.total as f64) / 100.0).ceil().max(1.0) as u64;
        let mut seen = self.zeros;
        if seen >= wanted {
            return 0.0;
        }
        for (slot, count) in &self.counts {
            seen += count;
            if seen >= wanted {
                return self.highest(*slot);
            }
        }
        f64::NAN
    }

    /// The percentage of values at or below `value`.
    pub fn rank(&self, value: f64) -> f64 {
        if self.total == 0 {
            return f64::NAN;
        }
        if value < 0.0 {
            return 0.0;
        }
        let mut seen = self.zeros;
        if value > 0.0 && value.is_finite() {
            seen += self.counts.range(..=self.slot(value)).map(|(_, c)| c).sum::<u64>();
        } else if value > 0.0 {
            seen = self.total;
        }
        100.0 * seen as f64 / self.total as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_hdr_histogram() {
        let mut hdr = Hdr::new(3);
        [1.0, 51.0, 101.0, 151.0].iter().for_each(|v| hdr.add(*v).unwrap());
        let at = [1.0, 25.0, 50.0, 75.0, 99.0].map(|p| hdr.percentile(p));
        assert_eq!(at, [1.0, 1.0, 51.0302734375, 101.0615234375, 151.1240234375]);
        assert_eq!([1.0, 26.0, 51.0, 75.0, 151.0].map(|v| hdr.rank(v)), [25.0, 25.0, 50.0, 50.0, 100.0]);
        assert!(hdr.add(-1.0).is_err());
    }
}
