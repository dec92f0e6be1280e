//! Numbers as unsigned integers of the same order.

/// Order-preserving image of a signed number.
pub fn from_i64(value: i64) -> u64 {
    (value as u64) ^ (1 << 63)
}

pub fn to_i64(bits: u64) -> i64 {
    (bits ^ (1 << 63)) as i64
}

pub fn from_f64(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

pub fn to_f64(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

pub fn from_f32(value: f32) -> u64 {
    let bits = value.to_bits();
    u64::from(if bits >> 31 == 1 { !bits } else { bits | (1 << 31) })
}

pub fn to_f32(bits: u64) -> f32 {
    let bits = bits as u32;
    f32::from_bits(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept() {
        let doubles = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-300, 2.0, f64::INFINITY];
        assert!(doubles.windows(2).all(|pair| from_f64(pair[0]) <= from_f64(pair[1])));
        assert!(doubles.iter().all(|value| to_f64(from_f64(*value)) == *value));
        assert!(from_i64(-1) < from_i64(0) && to_i64(from_i64(i64::MIN)) == i64::MIN);
        assert!(from_f32(-1.0) < from_f32(0.5) && to_f32(from_f32(0.25)) == 0.25);
    }
}
