//! The merging t-digest: centroids that are small near the ends and large in the middle.

use serde::{Deserialize, Serialize};

/// Means and weights of values, ascending by mean, after at most some thousand values of slack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TDigest {
    /// What the user asked for; the number of centroids is about twice that.
    compression: f64,
    means: Vec<f64>,
    weights: Vec<f64>,
    /// Values not merged into the centroids yet.
    fresh: Vec<(f64, f64)>,
    merges: u32,
    total: f64,
    pub min: f64,
    pub max: f64,
}

/// Room beyond twice the compression that the weight limit may need.
const FUDGE: f64 = 10.0;

impl TDigest {
    pub fn new(compression: f64) -> TDigest {
        TDigest {
            compression: compression.max(10.0),
            means: Vec::new(),
            weights: Vec::new(),
            fresh: Vec::new(),
            merges: 0,
            total: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    fn size(&self) -> f64 {
        2.0 * self.compression + FUDGE + if self.compression < 30.0 { 20.0 } else { 0.0 }
    }

    /// The finer compression of the first of two levels.
    fn inner_compression(&self) -> f64 {
        let (size, buffer) = (self.size().floor(), (5.0 * self.size()).floor());
        (buffer / size - 1.0).floor().max(1.0).sqrt() * self.compression
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0.0 && self.fresh.is_empty()
    }

    pub fn bytes(&self) -> usize {
        (self.means.capacity() + self.weights.capacity()) * 8 + self.fresh.capacity() * 16
    }

    pub fn add(&mut self, value: f64) {
        self.add_weighted(value, 1.0);
    }

    fn add_weighted(&mut self, value: f64, weight: f64) {
        if value.is_nan() {
            return;
        }
        let buffer = (5.0 * self.size()) as usize;
        if self.fresh.len() + self.means.len() + 1 >= buffer {
            self.settle();
        }
        self.fresh.push((value, weight));
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub fn merge(&mut self, other: &TDigest) {
        for (mean, weight) in other.means.iter().zip(&other.weights) {
            self.add_weighted(*mean, *weight);
        }
        for (value, weight) in &other.fresh {
            self.add_weighted(*value, *weight);
        }
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// Merges what is fresh into the centroids.
    pub fn settle(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let mut incoming = std::mem::take(&mut self.fresh);
        self.total += incoming.iter().map(|(_, w)| w).sum::<f64>();
        incoming.extend(self.means.drain(..).zip(self.weights.drain(..)));
        incoming.sort_by(|a, b| a.0.total_cmp(&b.0));
        let backwards = self.merges % 2 == 1;
        if backwards {
            incoming.reverse();
        }
        self.merges += 1;
        self.absorb(&incoming);
        if backwards {
            self.means.reverse();
            self.weights.reverse();
        }
        incoming.clear();
        self.fresh = incoming;
        if let (Some(first), Some(last)) = (self.means.first(), self.means.last()) {
            self.min = self.min.min(*first);
            self.max = self.max.max(*last);
        }
    }

    fn absorb(&mut self, incoming: &[(f64, f64)]) {
        let compression = self.inner_compression();
        let normalizer = compression / (4.0 * (self.total / compression).ln() + 24.0);
        let most = |q: f64| q * (1.0 - q) / normalizer;
        let (mut mean, mut weight) = incoming[0];
        let mut so_far = 0.0;
        for (i, (next_mean, next_weight)) in incoming.iter().enumerate().skip(1) {
            let proposed = weight + next_weight;
            let limit = most(so_far / self.total).min(most((so_far + proposed) / self.total));
            let edge = i == 1 || i == incoming.len() - 1;
            if !edge && proposed <= self.total * limit {
                weight = proposed;
                mean += (next_mean - mean) * next_weight / weight;
            } else {
                so_far += weight;
                self.means.push(mean);
                self.weights.push(weight);
                (mean, weight) = (*next_mean, *next_weight);
            }
        }
        self.means.push(mean);
        self.weights.push(weight);
    }

    /// The value at a quantile between 0 and 1; NaN without values.
    pub fn quantile(&mut self, q: f64) -> f64 {
        self.settle();
        let n = self.means.len();
        match n {
            0 => return f64::NAN,
            1 => return self.means[0],
            _ => {}
        }
        let index = q * self.total;
        let (first, last) = (self.weights[0], self.weights[n - 1]);
        if index < 1.0 {
            return self.min;
        }
        if first > 1.0 && index < first / 2.0 {
            return self.min + (index - 1.0) / (first / 2.0 - 1.0) * (self.means[0] - self.min);
        }
        if index > self.total - 1.0 {
            return self.max;
        }
        if last > 1.0 && self.total - index <= last / 2.0 {
            return self.max - (self.total - index - 1.0) / (last / 2.0 - 1.0) * (self.max - self.means[n - 1]);
        }
        let mut so_far = first / 2.0;
        for i in 0..n - 1 {
            let step = (self.weights[i] + self.weights[i + 1]) / 2.0;
            if so_far + step > index {
                return self.between(i, index - so_far, so_far + step - index);
            }
            so_far += step;
        }
        let z1 = index - self.total - last / 2.0;
        weighted(self.means[n - 1], z1, self.max, last / 2.0 - z1)
    }

    /// Between centroids `i` and `i + 1`, `left` and `right` of them in weight; centroids of one value are not spread.
    fn between(&self, i: usize, left: f64, right: f64) -> f64 {
        let mut left_unit = 0.0;
        if self.weights[i] == 1.0 {
            if left < 0.5 {
                return self.means[i];
            }
            left_unit = 0.5;
        }
        let mut right_unit = 0.0;
        if self.weights[i + 1] == 1.0 {
            if right <= 0.5 {
                return self.means[i + 1];
            }
            right_unit = 0.5;
        }
        weighted(self.means[i], right - right_unit, self.means[i + 1], left - left_unit)
    }

    /// The median distance from the median; NaN without values.
    pub fn deviation(mut self) -> f64 {
        let median = self.quantile(0.5);
        let mut distances = TDigest::new(self.compression);
        for (mean, weight) in self.means.iter().zip(&self.weights) {
            distances.add_weighted((median - mean).abs(), *weight);
        }
        distances.quantile(0.5)
    }

    /// The share of values at or below `x`; NaN without values.
    pub fn cdf(&mut self, x: f64) -> f64 {
        self.settle();
        let n = self.means.len();
        if n == 0 {
            return f64::NAN;
        }
        if x < self.min {
            return 0.0;
        }
        if x > self.max {
            return 1.0;
        }
        if n == 1 {
            return 0.5;
        }
        let (first, last) = (self.means[0], self.means[n - 1]);
        if x < first {
            if x == self.min {
                return 0.5 / self.total;
            }
            let inside = (x - self.min) / (first - self.min) * (self.weights[0] / 2.0 - 1.0);
            return (1.0 + inside) / self.total;
        }
        if x > last {
            if x == self.max {
                return 1.0 - 0.5 / self.total;
            }
            let outside = (self.max - x) / (self.max - last) * (self.weights[n - 1] / 2.0 - 1.0);
            return 1.0 - (1.0 + outside) / self.total;
        }
        self.cdf_inside(x)
    }

    fn cdf_inside(&self, x: f64) -> f64 {
        let n = self.means.len();
        let mut so_far = 0.0;
        for i in 0..n - 1 {
            if self.means[i] == x {
                let same: f64 = (i..n).take_while(|j| self.means[*j] == x).map(|j| self.weights[j]).sum();
                return (so_far + same / 2.0) / self.total;
            }
            if self.means[i] <= x && x < self.means[i + 1] {
                let (w0, w1) = (self.weights[i], self.weights[i + 1]);
                if w0 == 1.0 && w1 == 1.0 {
                    return (so_far + 1.0) / self.total;
                }
                let left = if w0 == 1.0 { 0.5 } else { 0.0 };
                let right = if w1 == 1.0 { 0.5 } else { 0.0 };
                let step = (w0 + w1) / 2.0 - left - right;
                let base = so_far + w0 / 2.0 + left;
                return (base + step * (x - self.means[i]) / (self.means[i + 1] - self.means[i])) / self.total;
            }
            so_far += self.weights[i];
        }
        1.0 - 0.5 * self.weights[n - 1] / self.total
    }
}

/// The mean of two values by their weights, never outside of them.
fn weighted(x1: f64, w1: f64, x2: f64, w2: f64) -> f64 {
    let (low, high) = (x1.min(x2), x1.max(x2));
    ((x1 * w1 + x2 * w2) / (w1 + w2)).clamp(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_exact() {
        let mut digest = TDigest::new(100.0);
        [1.0, 51.0, 101.0, 151.0].iter().for_each(|v| digest.add(*v));
        let at = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95].map(|q| digest.quantile(q));
        assert_eq!(at, [1.0, 1.0, 51.0, 101.0, 151.0, 151.0]);
        let below = [0.0, 1.0, 26.0, 51.0, 75.0, 101.0, 150.0, 151.0, 200.0].map(|x| digest.cdf(x));
        assert_eq!(below, [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0]);
        assert!(TDigest::new(100.0).quantile(0.5).is_nan());
    }

    #[test]
    fn many_values_are_close_and_bounded() {
        let mut parts: Vec<TDigest> = (0..4).map(|_| TDigest::new(100.0)).collect();
        for i in 0..100_000u64 {
            let v = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
            parts[(i % 4) as usize].add(v as f64 / (1u64 << 53) as f64);
        }
        let mut all = TDigest::new(100.0);
        parts.iter().for_each(|p| all.merge(p));
        for q in [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999] {
            assert!((all.quantile(q) - q).abs() < 0.005, "{q}");
            assert!((all.cdf(q) - q).abs() < 0.005, "{q}");
        }
        assert!(all.means.len() < 450, "{}", all.means.len());
    }
}
