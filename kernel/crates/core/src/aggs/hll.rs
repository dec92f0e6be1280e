//! Counting of distinct values: exact by their hashes up to a threshold, by HyperLogLog registers beyond it.

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

/// The distinct hashes, or what is left of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Distinct {
    precision: u8,
    threshold: u32,
    state: State,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum State {
    Exact(FxHashSet<u64>),
    Registers(#[serde(with = "bytes")] Vec<u8>),
}

/// Registers as a piece, not one by one; the bytes written are the same.
mod bytes {
    use std::fmt;

    use serde::de::{Deserializer, Error, Visitor};
    use serde::ser::Serializer;

    pub fn serialize<S: Serializer>(registers: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(registers)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Registers;
        impl Visitor<'_> for Registers {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("registers")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Registers)
    }
}

const MIN_PRECISION: u32 = 4;
const MAX_PRECISION: u32 = 18;
/// The highest threshold that changes anything.
const MAX_THRESHOLD: u64 = 40_000;

impl Distinct {
    /// As exact as OpenSearch is up to `threshold` distinct values.
    pub fn new(threshold: u64) -> Distinct {
        let threshold = threshold.min(MAX_THRESHOLD);
        let entries = (threshold as f64 / 0.75).ceil() as u64;
        let bits = (64 - (entries * 4).leading_zeros()).max(1);
        let precision = bits.clamp(MIN_PRECISION, MAX_PRECISION) as u8;
        Distinct { precision, threshold: threshold as u32, state: State::Exact(FxHashSet::default()) }
    }

    /// Adds the 64-bit hash of a value.
    #[inline]
    pub fn add(&mut self, hash: u64) {
        match &mut self.state {
            State::Registers(registers) => register(registers, self.precision, hash),
            State::Exact(set) => {
                set.insert(hash);
                if set.len() > self.threshold as usize {
                    self.condense();
                }
            }
        }
    }

    /// Adds the hashes of many distinct values.
    pub fn add_distinct(&mut self, hashes: &[u64]) {
        if hashes.len() > self.threshold as usize {
            self.condense();
        }
        hashes.iter().for_each(|hash| self.add(*hash));
    }

    fn condense(&mut self) {
        if let State::Exact(set) = &self.state {
            let mut registers = vec![0; 1 << self.precision];
            set.iter().for_each(|hash| register(&mut registers, self.precision, *hash));
            self.state = State::Registers(registers);
        }
    }

    pub fn merge(&mut self, other: &Distinct) {
        match &other.state {
            State::Exact(set) => set.iter().for_each(|hash| self.add(*hash)),
            State::Registers(theirs) => {
                self.condense();
                if let State::Registers(ours) = &mut self.state {
                    ours.iter_mut().zip(theirs).for_each(|(a, b)| *a = (*a).max(*b));
                }
            }
        }
    }

    pub fn bytes(&self) -> usize {
        match &self.state {
            State::Exact(set) => set.capacity() * 9,
            State::Registers(registers) => registers.len(),
        }
    }

    pub fn count(&self) -> u64 {
        match &self.state {
            State::Exact(set) => set.len() as u64,
            State::Registers(registers) => estimate(registers, self.precision),
        }
    }
}

#[inline]
fn register(registers: &mut [u8], precision: u8, hash: u64) {
    let at = (hash >> (64 - precision)) as usize;
    let rest = hash << precision;
    let rank = (rest.leading_zeros() as u8).min(64 - precision) + 1;
    registers[at] = registers[at].max(rank);
}

/// Ertl's improved raw estimator, which needs no tables of biases.
fn estimate(registers: &[u8], precision: u8) -> u64 {
    let m = registers.len() as f64;
    let q = 64 - usize::from(precision);
    let mut counts = vec![0u32; q + 2];
    registers.iter().for_each(|r| counts[usize::from(*r)] += 1);
    let mut z = m * tau(1.0 - f64::from(counts[q + 1]) / m);
    for k in (1..=q).rev() {
        z = 0.5 * (z + f64::from(counts[k]));
    }
    z += m * sigma(f64::from(counts[0]) / m);
    (m * m / (2.0 * 2f64.ln() * z)).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// Spreads the bits of a number.
#[inline]
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash of bytes that is the same on every node.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut h = 0x243f_6a88_85a3_08d3u64 ^ bytes.len() as u64;
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        h = fold(h ^ u64::from_le_bytes(*word), 0x9fb2_1c65_1e98_df25);
    }
    let mut last = [0u8; 8];
    last[..tail.len()].copy_from_slice(tail);
    mix(fold(h ^ u64::from_le_bytes(last), 0xd6e8_feb8_6659_fd93))
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let wide = u128::from(a) * u128::from(b);
    (wide as u64) ^ ((wide >> 64) as u64) ^ a.rotate_left(23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_below_the_threshold_close_above() {
        for (n, threshold) in [(0u64, 3000u64), (1, 0), (3000, 3000), (100_000, 3000), (1_000_000, 3000), (50_000, 100)]
        {
            let mut parts = [Distinct::new(threshold), Distinct::new(threshold)];
            for i in 0..n {
                let hash = hash_bytes(format!("term {i}").as_bytes());
                parts[(i % 2) as usize].add(hash);
                parts[(i / 2 % 2) as usize].add(hash);
            }
            let [mut all, other] = parts;
            all.merge(&other);
            let error = (all.count() as f64 - n as f64).abs() / (n as f64).max(1.0);
            if n <= threshold {
                assert_eq!(all.count(), n);
            }
            assert!(error < if threshold == 100 { 0.12 } else { 0.025 }, "{n} {threshold}: {}", all.count());
        }
    }

    #[test]
    fn hashes_of_near_bytes_differ() {
        let all: FxHashSet<u64> = (0..100_000u32).map(|i| hash_bytes(&i.to_be_bytes()) >> 8).collect();
        assert_eq!(all.len(), 100_000);
        assert_ne!(hash_bytes(b"a"), hash_bytes(b"a\0"));
    }
}
