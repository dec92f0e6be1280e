//! `slice`: a share of the documents, constant score.

use tantivy::query::{BitSetDocSet, ConstScorer, Scorer};
use tantivy::{BitSet, DocSet, TERMINATED};

use super::Operation;
use crate::Result;
use crate::search::query::{BoxQuery, Context, Query, SegmentView, nothing};

operation! {
    /// Documents whose sequence number divided by `max` leaves `id`: the same share whenever it is asked for.
    pub struct Slice {
        pub id: u64,
        pub max: u64,
    }
}

impl Operation for Slice {
    fn bind(&self, _context: &Context<'_>, boost: f32) -> Result<BoxQuery> {
        Ok(Box::new(SliceQuery { id: self.id, max: self.max.max(1), score: boost }))
    }
}

struct SliceQuery {
    id: u64,
    max: u64,
    score: f32,
}

impl Query for SliceQuery {
    fn scorer(&self, segment: &SegmentView<'_>) -> Result<Box<dyn Scorer>> {
        let column = segment.segment.reader.fast_fields().u64("_seq_no")?;
        let mut bits = BitSet::with_max_value(segment.max_doc());
        for doc in 0..segment.max_doc() {
            if column.first(doc).is_some_and(|number| number % self.max == self.id) {
                bits.insert(doc);
            }
        }
        let docs = BitSetDocSet::from(bits);
        if docs.doc() >= TERMINATED {
            return Ok(nothing());
        }
        Ok(Box::new(ConstScorer::new(docs, self.score)))
    }

    fn describe(&self) -> String {
        format!("slice {} of {}", self.id, self.max)
    }
}
