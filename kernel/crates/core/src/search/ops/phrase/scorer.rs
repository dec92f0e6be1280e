//! Documents in which a phrase occurs.

use std::sync::Arc;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, SeekDangerResult, TERMINATED};

use super::exact::{self, Occurrences};
use super::postings::TermPositions;
use super::sloppy;
use crate::search::score::Bm25;

/// Leapfrogs over the terms, rarest first, then looks at positions. A sloppy frequency is
/// counted when the score is asked for.
pub struct PhraseScorer {
    /// Rarest first.
    terms: Vec<TermPositions>,
    occurrences: Vec<Occurrences>,
    /// Repeated texts, as indices of terms.
    groups: Vec<Vec<usize>>,
    slop: u32,
    norms: FieldNormReader,
    similarity: Arc<Bm25>,
    counted: Option<f32>,
}

impl PhraseScorer {
    pub fn new(mut terms: Vec<TermPositions>, slop: u32, norms: FieldNormReader, similarity: Arc<Bm25>) -> Self {
        terms.sort_by_key(TermPositions::size_hint);
        let occurrences = terms.iter().map(|term| Occurrences { offset: term.offset, positions: Vec::new() }).collect();
        let groups = if slop > 0 { repeated(&terms) } else { Vec::new() };
        let mut scorer = PhraseScorer { terms, occurrences, groups, slop, norms, similarity, counted: None };
        let first = scorer.terms.first().map_or(TERMINATED, TermPositions::doc);
        scorer.find(first);
        scorer
    }

    /// First document from `candidate` (where the lead stands) on that has the phrase.
    fn find(&mut self, mut candidate: DocId) -> DocId {
        'outer: while candidate < TERMINATED {
            for at in 1..self.terms.len() {
                let term = &mut self.terms[at];
                let doc = if term.doc() < candidate { term.seek(candidate) } else { term.doc() };
                if doc > candidate {
                    candidate = self.terms[0].seek(doc);
                    continue 'outer;
                }
            }
            if self.check() {
                return candidate;
            }
            candidate = self.terms[0].advance();
        }
        TERMINATED
    }

    fn check(&mut self) -> bool {
        self.counted = None;
        for (term, occurrences) in self.terms.iter_mut().zip(&mut self.occurrences) {
            term.read(&mut occurrences.positions);
            if self.slop > 0 {
                occurrences.positions.dedup();
            }
        }
        if self.slop > 0 {
            return sloppy::frequency(&self.occurrences, &self.groups, self.slop, true) > 0.0;
        }
        let count = exact::count(&self.occurrences);
        self.counted = Some(count as f32);
        count > 0
    }

    /// Phrase frequency in the current document.
    pub fn frequency(&mut self) -> f32 {
        if let Some(frequency) = self.counted {
            return frequency;
        }
        let frequency = sloppy::frequency(&self.occurrences, &self.groups, self.slop, false);
        self.counted = Some(frequency);
        frequency
    }

    pub fn length(&self) -> u8 {
        self.norms.fieldnorm_id(self.doc())
    }
}

/// Groups of terms, by index in the order of the phrase, that share a text.
fn repeated(terms: &[TermPositions]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, term) in terms.iter().enumerate() {
        let shares = |group: &Vec<usize>| {
            group.iter().any(|other| terms[*other].texts.iter().any(|text| term.texts.contains(text)))
        };
        let mut joined = vec![at];
        groups.retain(|group| {
            let joins = shares(group);
            if joins {
                joined.extend(group);
            }
            !joins
        });
        groups.push(joined);
    }
    groups.retain(|group| group.len() > 1);
    for group in &mut groups {
        group.sort_by_key(|at| terms[*at].offset);
    }
    groups
}

impl DocSet for PhraseScorer {
    fn advance(&mut self) -> DocId {
        if self.doc() >= TERMINATED {
            return TERMINATED;
        }
        let candidate = self.terms[0].advance();
        self.find(candidate)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc() >= target {
            return self.doc();
        }
        let candidate = self.terms[0].seek(target);
        self.find(candidate)
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        if target >= TERMINATED {
            return SeekDangerResult::SeekLowerBound(TERMINATED);
        }
        for term in &mut self.terms {
            let doc = if term.doc() < target { term.seek(target) } else { term.doc() };
            if doc > target {
                return SeekDangerResult::SeekLowerBound(doc);
            }
        }
        if self.check() { SeekDangerResult::Found } else { SeekDangerResult::SeekLowerBound(target + 1) }
    }

    fn doc(&self) -> DocId {
        self.terms.first().map_or(TERMINATED, TermPositions::doc)
    }

    fn size_hint(&self) -> u32 {
        self.terms.iter().map(TermPositions::size_hint).min().unwrap_or(0) / 4
    }

    fn cost(&self) -> u64 {
        u64::from(self.terms.first().map_or(0, TermPositions::size_hint)) * 10
    }
}

impl Scorer for PhraseScorer {
    fn score(&mut self) -> f32 {
        let frequency = self.frequency();
        self.similarity.score(frequency, self.norms.fieldnorm_id(self.doc()))
    }
}
