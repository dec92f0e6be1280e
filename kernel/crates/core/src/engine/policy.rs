//! Which segments to merge: tiers of similar size, after Lucene's TieredMergePolicy.

/// A segment as the policy sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub container: u64,
    /// Without the share of deleted documents.
    pub live_bytes: u64,
    pub bytes: u64,
    pub docs: u32,
    pub deleted: u32,
}

#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub per_tier: f64,
    pub max_at_once: usize,
    /// Smaller segments count as this big.
    pub floor: u64,
    pub max_merged: u64,
    /// Above this share of deleted documents merges that reclaim them are preferred.
    pub deletes_allowed: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { per_tier: 10.0, max_at_once: 10, floor: 16 << 20, max_merged: 5 << 30, deletes_allowed: 0.2 }
    }
}

impl Policy {
    fn floored(&self, candidate: &Candidate) -> u64 {
        candidate.live_bytes.max(self.floor)
    }

    /// How many segments an index of this size may have.
    fn allowed(&self, total: u64, smallest: u64) -> usize {
        let (mut left, mut level, mut allowed) = (total as f64, smallest.max(self.floor) as f64, 0.0);
        while left / level >= self.per_tier && level < self.max_merged as f64 {
            allowed += self.per_tier;
            left -= self.per_tier * level;
            level *= self.max_at_once as f64;
        }
        (allowed + (left / level).ceil()).max(self.per_tier) as usize
    }

    /// The best merge, if one is due. `candidates` are not being merged already.
    pub fn find(&self, candidates: &[Candidate]) -> Option<Vec<u64>> {
        let mut sorted = candidates.to_vec();
        sorted.sort_by(|a, b| b.live_bytes.cmp(&a.live_bytes).then(a.container.cmp(&b.container)));
        let (docs, deleted) =
            sorted.iter().fold((0u64, 0u64), |(n, d), c| (n + u64::from(c.docs), d + u64::from(c.deleted)));
        let too_many_deleted = deleted as f64 > self.deletes_allowed * (docs + deleted).max(1) as f64;
        // Segments of about the greatest size are left alone unless much of them is deleted.
        sorted.retain(|c| {
            c.live_bytes < self.max_merged / 2
                || (too_many_deleted && f64::from(c.deleted) > self.deletes_allowed * f64::from(c.docs))
        });
        let total: u64 = sorted.iter().map(|c| self.floored(c)).sum();
        let smallest = sorted.last()?.live_bytes;
        if sorted.len() <= self.allowed(total, smallest) && !too_many_deleted {
            return None;
        }
        self.best(&sorted)
    }

    fn best(&self, sorted: &[Candidate]) -> Option<Vec<u64>> {
        let mut best: Option<(f64, Vec<u64>)> = None;
        for start in 0..sorted.len() {
            let mut merge: Vec<&Candidate> = Vec::new();
            let mut bytes = 0;
            for candidate in &sorted[start..] {
                if merge.len() == self.max_at_once {
                    break;
                }
                if bytes + candidate.live_bytes <= self.max_merged {
                    bytes += candidate.live_bytes;
                    merge.push(candidate);
                }
            }
            let worthwhile = merge.len() > 1
                || merge.first().is_some_and(|c| {
                    c.deleted > 0 && c.docs > 0 && f64::from(c.deleted) > self.deletes_allowed * f64::from(c.docs)
                });
            if !worthwhile {
                continue;
            }
            let score = self.score(&merge);
            if best.as_ref().is_none_or(|(least, _)| score < *least) {
                best = Some((score, merge.iter().map(|candidate| candidate.container).collect()));
            }
            if sorted.len() - start <= self.max_at_once {
                break;
            }
        }
        best.map(|(_, merge)| merge)
    }

    /// Lower is better: even sizes, small totals, many deletions.
    fn score(&self, merge: &[&Candidate]) -> f64 {
        let floored: u64 = merge.iter().map(|candidate| self.floored(candidate)).sum();
        let live: u64 = merge.iter().map(|candidate| candidate.live_bytes).sum();
        let before: u64 = merge.iter().map(|candidate| candidate.bytes).sum();
        let skew = self.floored(merge[0]) as f64 / floored as f64;
        let reclaimed = live as f64 / before.max(1) as f64;
        skew * (live.max(1) as f64).powf(0.05) * reclaimed.powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(sizes: &[u64]) -> Vec<Candidate> {
        let make = |(i, size): (usize, &u64)| Candidate {
            container: i as u64,
            live_bytes: size << 20,
            bytes: size << 20,
            docs: 1000,
            deleted: 0,
        };
        sizes.iter().enumerate().map(make).collect()
    }

    #[test]
    fn few_segments_are_left_alone() {
        assert_eq!(Policy::default().find(&candidates(&[1; 10])), None);
        assert_eq!(Policy::default().find(&[]), None);
    }

    #[test]
    fn many_small_ones_are_merged_and_big_ones_are_not() {
        let merge = Policy::default().find(&candidates(&[4000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])).unwrap();
        assert_eq!(merge.len(), 10);
        assert!(!merge.contains(&0));
    }

    #[test]
    fn a_steady_stream_stays_bounded() {
        let policy = Policy::default();
        let mut segments: Vec<Candidate> = Vec::new();
        let (mut next, mut written) = (0, 0u64);
        for _ in 0..3000 {
            segments.push(Candidate { container: next, live_bytes: 3 << 20, bytes: 3 << 20, docs: 100, deleted: 0 });
            next += 1;
            while let Some(merge) = policy.find(&segments) {
                let bytes = segments.iter().filter(|c| merge.contains(&c.container)).map(|c| c.bytes).sum();
                segments.retain(|c| !merge.contains(&c.container));
                segments.push(Candidate { container: next, live_bytes: bytes, bytes, docs: 1000, deleted: 0 });
                written += bytes;
                next += 1;
            }
        }
        assert!(segments.len() <= 40, "{}", segments.len());
        assert!(written < 6 * 3000 * (3 << 20), "written {} times", written / (3000 * (3 << 20)));
    }

    #[test]
    fn deletions_are_reclaimed() {
        let mut one = candidates(&[100]);
        one[0].deleted = 400;
        one[0].docs = 600;
        one[0].live_bytes = 60 << 20;
        assert_eq!(Policy::default().find(&one), Some(vec![0]));
    }
}
