//! All clauses must match; the score is the sum of the scored ones, added in double precision in the order of the clauses.

use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, SeekDangerResult, TERMINATED};

/// Leapfrogs from the rarest clause on.
pub struct Conjunction {
    lead: Box<dyn Scorer>,
    others: Vec<Box<dyn Scorer>>,
    /// Scored clauses in their order: 0 is the lead, i the other i - 1.
    scored: Vec<usize>,
}

impl Conjunction {
    /// Clauses with whether each adds to the score.
    pub fn build(clauses: Vec<(Box<dyn Scorer>, bool)>) -> Box<dyn Scorer> {
        let mut clauses: Vec<(usize, Box<dyn Scorer>, bool)> =
            clauses.into_iter().enumerate().map(|(order, (scorer, scored))| (order, scorer, scored)).collect();
        if clauses.len() == 1
            && let Some((_, scorer, scored)) = clauses.pop()
        {
            return if scored { scorer } else { Box::new(Unscored(scorer)) };
        }
        clauses.sort_by_key(|(_, scorer, _)| scorer.cost());
        let mut order: Vec<(usize, usize)> =
            clauses.iter().enumerate().filter(|(_, clause)| clause.2).map(|(at, clause)| (clause.0, at)).collect();
        order.sort_unstable();
        let scored = order.into_iter().map(|(_, at)| at).collect();
        let mut scorers = clauses.into_iter().map(|(_, scorer, _)| scorer);
        let Some(lead) = scorers.next() else { return crate::search::query::nothing() };
        let mut conjunction = Conjunction { lead, others: scorers.collect(), scored };
        conjunction.start();
        Box::new(conjunction)
    }

    /// The first aligned document, by plain seeks: the clauses may stand anywhere.
    fn start(&mut self) {
        let mut candidate = self.lead.doc();
        'outer: while candidate < TERMINATED {
            for other in &mut self.others {
                let doc = if other.doc() < candidate { other.seek(candidate) } else { other.doc() };
                if doc > candidate {
                    candidate = self.lead.seek(doc.min(TERMINATED));
                    continue 'outer;
                }
            }
            return;
        }
        self.lead.seek(TERMINATED);
    }

    #[inline]
    fn align(&mut self, mut candidate: DocId) -> DocId {
        'outer: while candidate < TERMINATED {
            for other in &mut self.others {
                if let SeekDangerResult::SeekLowerBound(bound) = other.seek_danger(candidate) {
                    candidate = self.lead.seek(bound.min(TERMINATED));
                    continue 'outer;
                }
            }
            return candidate;
        }
        TERMINATED
    }
}

impl DocSet for Conjunction {
    fn advance(&mut self) -> DocId {
        let candidate = self.lead.advance();
        self.align(candidate)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target <= self.lead.doc() {
            return self.lead.doc();
        }
        let candidate = self.lead.seek(target);
        self.align(candidate)
    }

    fn doc(&self) -> DocId {
        self.lead.doc()
    }

    fn size_hint(&self) -> u32 {
        self.others.iter().map(|other| other.size_hint()).fold(self.lead.size_hint(), u32::min)
    }

    fn cost(&self) -> u64 {
        self.lead.cost()
    }
}

impl Scorer for Conjunction {
    fn score(&mut self) -> f32 {
        let mut sum = 0f64;
        for at in &self.scored {
            let score = if *at == 0 { self.lead.score() } else { self.others[*at - 1].score() };
            sum += f64::from(score);
        }
        sum as f32
    }
}

/// Matches as its clause does, scores nothing.
pub struct Unscored(pub Box<dyn Scorer>);

impl DocSet for Unscored {
    fn advance(&mut self) -> DocId {
        self.0.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.0.seek(target)
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        self.0.seek_danger(target)
    }

    fn fill_buffer(&mut self, buffer: &mut [DocId; tantivy::COLLECT_BLOCK_BUFFER_LEN]) -> usize {
        self.0.fill_buffer(buffer)
    }

    fn doc(&self) -> DocId {
        self.0.doc()
    }

    fn size_hint(&self) -> u32 {
        self.0.size_hint()
    }

    fn cost(&self) -> u64 {
        self.0.cost()
    }
}

impl Scorer for Unscored {
    fn score(&mut self) -> f32 {
        0.0
    }
}
