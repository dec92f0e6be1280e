//! Which documents of a segment live: a bit set of our own that can change, and tantivy's form of it that cannot.

use tantivy::directory::OwnedBytes;
use tantivy::fastfield::AliveBitSet;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alive {
    max_doc: u32,
    words: Vec<u64>,
}

impl Alive {
    /// All live.
    pub fn full(max_doc: u32) -> Self {
        let mut words = vec![u64::MAX; (max_doc as usize).div_ceil(64)];
        if !max_doc.is_multiple_of(64)
            && let Some(last) = words.last_mut()
        {
            *last = (1 << (max_doc % 64)) - 1;
        }
        Self { max_doc, words }
    }

    /// From the bytes of [`Alive::to_bytes`]; None if they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<4>()?;
        let max_doc = u32::from_le_bytes(*head);
        let words: Vec<u64> =
            rest.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes"))).collect();
        if words.len() != (max_doc as usize).div_ceil(64) || rest.len() % 8 != 0 {
            return None;
        }
        let alive: u32 = words.iter().map(|word| word.count_ones()).sum();
        (alive <= max_doc).then_some(Self { max_doc, words })
    }

    /// tantivy's serialised form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.words.len() * 8);
        bytes.extend_from_slice(&self.max_doc.to_le_bytes());
        self.words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
        bytes
    }

    pub fn to_tantivy(&self) -> AliveBitSet {
        AliveBitSet::open(OwnedBytes::new(self.to_bytes()))
    }

    #[inline]
    pub fn is_alive(&self, doc: u32) -> bool {
        self.words[doc as usize / 64] >> (doc % 64) & 1 != 0
    }

    /// Answers whether the document was alive.
    pub fn kill(&mut self, doc: u32) -> bool {
        let word = &mut self.words[doc as usize / 64];
        let bit = 1 << (doc % 64);
        let was = *word & bit != 0;
        *word &= !bit;
        was
    }

    pub fn max_doc(&self) -> u32 {
        self.max_doc
    }

    /// Counted anew: it is asked rarely, and a counter beside the bits would be a second truth.
    pub fn deleted(&self) -> u32 {
        self.max_doc - self.words.iter().map(|word| word.count_ones()).sum::<u32>()
    }

    /// Documents that are alive here and dead in `later`.
    pub fn died_until<'a>(&'a self, later: &'a Alive) -> impl Iterator<Item = u32> + 'a {
        self.words.iter().zip(&later.words).enumerate().flat_map(|(i, (before, after))| {
            let mut bits = before & !after;
            std::iter::from_fn(move || {
                (bits != 0).then(|| {
                    let bit = bits.trailing_zeros();
                    bits &= bits - 1;
                    i as u32 * 64 + bit
                })
            })
        })
    }
}

/// Answers how many documents before a given one are alive, quickly.
pub struct Ranks<'a> {
    alive: Option<&'a Alive>,
    before: Vec<u32>,
}

impl<'a> Ranks<'a> {
    /// None: all live.
    pub fn new(alive: Option<&'a Alive>) -> Self {
        let mut sum = 0;
        let before = alive.map_or(Vec::new(), |alive| {
            let words = alive.words.iter();
            words
                .map(|word| {
                    sum += word.count_ones();
                    sum - word.count_ones()
                })
                .collect()
        });
        Self { alive, before }
    }

    /// The document's new id when only the living are kept; None for a dead one.
    pub fn rank(&self, doc: u32) -> Option<u32> {
        let Some(alive) = self.alive else { return Some(doc) };
        if !alive.is_alive(doc) {
            return None;
        }
        let word = alive.words[doc as usize / 64] & ((1 << (doc % 64)) - 1);
        Some(self.before[doc as usize / 64] + word.count_ones())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_deaths_agree_with_counting() {
        let mut before = Alive::full(200);
        (0..200).step_by(3).for_each(|doc| assert!(before.kill(doc)));
        assert!(!before.kill(0));
        let mut after = before.clone();
        for doc in [1, 64, 127, 199] {
            after.kill(doc);
        }
        let died: Vec<u32> = before.died_until(&after).collect();
        assert_eq!(died, [1, 64, 127, 199]);
        let ranks = Ranks::new(Some(&before));
        let mut expected = 0;
        for doc in 0..200 {
            let alive = doc % 3 != 0;
            assert_eq!(ranks.rank(doc), alive.then_some(expected), "{doc}");
            expected += u32::from(alive);
        }
        assert_eq!(Alive::from_bytes(&after.to_bytes()), Some(after.clone()));
        assert_eq!(after.to_tantivy().num_alive_docs() as u32, 200 - after.deleted());
        assert_eq!(Alive::from_bytes(&after.to_bytes()[..20]), None);
    }
}
