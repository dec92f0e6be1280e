//! Document ids that nobody gave: time-based, 15 bytes, 20 URL-safe characters, in the byte order that compresses well.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

static SEQUENCE: AtomicU64 = AtomicU64::new(0);
static LAST_MS: Mutex<u64> = Mutex::new(0);

/// Six bytes that tell this process from others.
fn node() -> [u8; 6] {
    use std::sync::OnceLock;
    static NODE: OnceLock<[u8; 6]> = OnceLock::new();
    *NODE.get_or_init(|| {
        let bytes = random().to_le_bytes();
        SEQUENCE.store(random(), Ordering::Relaxed);
        bytes[..6].try_into().expect("6 bytes")
    })
}

/// Unpredictable enough to keep processes apart: the hash seeds that the standard library draws from the system.
pub fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// A new id.
pub fn make_id() -> String {
    let node = node();
    let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed) & 0xff_ffff;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    let time = {
        let mut last = LAST_MS.lock();
        *last = (*last).max(now);
        // A new sequence may not repeat within one millisecond.
        if sequence == 0 {
            *last += 1;
        }
        *last
    };
    let (s, t) = (sequence.to_le_bytes(), time.to_le_bytes());
    let mut bytes = [0; 15];
    bytes[..4].copy_from_slice(&[s[0], s[2], t[2], t[3]]);
    bytes[4..6].copy_from_slice(&[t[4], t[5]]);
    bytes[6..12].copy_from_slice(&node);
    bytes[12..].copy_from_slice(&[t[1], s[1], t[0]]);
    encode(&bytes)
}

/// A random 22-character identifier for histories.
pub fn make_uuid() -> String {
    let mut bytes = [0; 15];
    bytes[..8].copy_from_slice(&random().to_le_bytes());
    bytes[8..].copy_from_slice(&random().to_le_bytes()[..7]);
    encode(&bytes)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn encode(bytes: &[u8; 15]) -> String {
    let mut text = String::with_capacity(20);
    for three in bytes.chunks_exact(3) {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for shift in [18, 12, 6, 0] {
            text.push(char::from(ALPHABET[(bits >> shift) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_are_safe_in_urls() {
        let ids: std::collections::HashSet<String> = (0..100_000).map(|_| make_id()).collect();
        assert_eq!(ids.len(), 100_000);
        assert!(ids.iter().all(|id| id.len() == 20 && id.bytes().all(|b| ALPHABET.contains(&b))));
    }
}
