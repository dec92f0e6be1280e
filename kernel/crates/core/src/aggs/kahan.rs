//! Compensated (Kahan) summation as OpenSearch does it.

/// A running sum with what rounding lost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Kahan {
    pub sum: f64,
    delta: f64,
}

impl Kahan {
    #[inline(always)]
    pub fn add(&mut self, value: f64) {
        self.add_with(value, 0.0);
    }

    #[inline(always)]
    fn add_with(&mut self, value: f64, delta: f64) {
        if !value.is_finite() {
            self.sum += value;
        }
        if self.sum.is_finite() {
            let corrected = value + (self.delta + delta);
            let updated = self.sum + corrected;
            self.delta = corrected - (updated - self.sum);
            self.sum = updated;
        }
    }

    pub fn merge(&mut self, other: &Kahan) {
        self.add_with(other.sum, other.delta);
    }
}

const LANES: usize = 8;
/// Shorter blocks are summed value by value, in the order OpenSearch adds them.
const SHORT: usize = 256;

/// Adds a block. Long blocks run in independent lanes, which the processor overlaps.
pub fn sum_block(total: &mut Kahan, values: &[f64]) {
    if values.len() < SHORT {
        values.iter().for_each(|v| total.add(*v));
        return;
    }
    let mut sum = [0.0f64; LANES];
    let mut delta = [0.0f64; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            let corrected = chunk[lane] + delta[lane];
            let updated = sum[lane] + corrected;
            delta[lane] = corrected - (updated - sum[lane]);
            sum[lane] = updated;
        }
    }
    if sum.iter().any(|s| !s.is_finite()) {
        values.iter().for_each(|v| total.add(*v));
        return;
    }
    for lane in 0..LANES {
        total.add_with(sum[lane], delta[lane]);
    }
    rest.iter().for_each(|v| total.add(*v));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_rounding_loses() {
        let mut sum = Kahan::default();
        for _ in 0..10 {
            sum.add(0.1);
        }
        assert_eq!(sum.sum, 1.0);
        let mut block = Kahan::default();
        sum_block(&mut block, &vec![0.1; 1000]);
        assert_eq!(block.sum, 100.0);
    }

    #[test]
    fn infinities_pass_through() {
        let mut sum = Kahan::default();
        sum_block(&mut sum, &[vec![1.0; 300], vec![f64::INFINITY]].concat());
        assert_eq!(sum.sum, f64::INFINITY);
        sum.add(f64::NEG_INFINITY);
        assert!(sum.sum.is_nan());
    }
}
