//! A required clause with one that only adds to the score, and a clause without what another matches.

use tantivy::query::Scorer;
use tantivy::{DocId, DocSet, SeekDangerResult, TERMINATED};

/// Lucene's ReqOptSumScorer.
pub struct WithOptional {
    required: Box<dyn Scorer>,
    optional: Box<dyn Scorer>,
}

impl WithOptional {
    pub fn new(required: Box<dyn Scorer>, optional: Box<dyn Scorer>) -> Self {
        WithOptional { required, optional }
    }
}

impl DocSet for WithOptional {
    fn advance(&mut self) -> DocId {
        self.required.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.required.seek(target)
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        self.required.seek_danger(target)
    }

    fn doc(&self) -> DocId {
        self.required.doc()
    }

    fn size_hint(&self) -> u32 {
        self.required.size_hint()
    }

    fn cost(&self) -> u64 {
        self.required.cost()
    }
}

impl Scorer for WithOptional {
    fn score(&mut self) -> f32 {
        let doc = self.required.doc();
        let score = self.required.score();
        if self.optional.doc() < doc {
            self.optional.seek(doc);
        }
        if self.optional.doc() == doc { score + self.optional.score() } else { score }
    }
}

/// Documents of one clause that another does not match.
pub struct Without {
    included: Box<dyn Scorer>,
    excluded: Box<dyn Scorer>,
}

impl Without {
    pub fn build(included: Box<dyn Scorer>, excluded: Box<dyn Scorer>) -> Box<dyn Scorer> {
        if excluded.doc() >= TERMINATED {
            return included;
        }
        let mut without = Without { included, excluded };
        without.skip();
        Box::new(without)
    }

    fn is_excluded(&mut self, doc: DocId) -> bool {
        if self.excluded.doc() < doc {
            self.excluded.seek(doc);
        }
        self.excluded.doc() == doc
    }

    fn skip(&mut self) -> DocId {
        let mut doc = self.included.doc();
        while doc < TERMINATED && self.is_excluded(doc) {
            doc = self.included.advance();
        }
        doc
    }
}

impl DocSet for Without {
    fn advance(&mut self) -> DocId {
        self.included.advance();
        self.skip()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if target <= self.included.doc() {
            return self.included.doc();
        }
        self.included.seek(target);
        self.skip()
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        match self.included.seek_danger(target) {
            SeekDangerResult::Found if self.is_excluded(target) => SeekDangerResult::SeekLowerBound(target + 1),
            result => result,
        }
    }

    fn doc(&self) -> DocId {
        self.included.doc()
    }

    fn size_hint(&self) -> u32 {
        self.included.size_hint()
    }

    fn cost(&self) -> u64 {
        self.included.cost()
    }
}

impl Scorer for Without {
    fn score(&mut self) -> f32 {
        self.included.score()
    }
}
