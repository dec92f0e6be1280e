//! Sequence numbers: dense from 0, and the checkpoints below which nothing is missing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

/// No operation yet.
pub const NO_OPS: i64 = -1;

pub struct SeqNos {
    next: AtomicI64,
    processed: Mutex<Processed>,
    persisted: AtomicI64,
}

struct Processed {
    checkpoint: i64,
    /// Done, above a gap.
    ahead: BTreeSet<i64>,
}

impl SeqNos {
    /// Nothing is missing up to `checkpoint`; some are there up to `max`.
    pub fn new(checkpoint: i64, max: i64) -> Self {
        Self {
            next: AtomicI64::new(checkpoint.max(max) + 1),
            processed: Mutex::new(Processed { checkpoint, ahead: BTreeSet::new() }),
            persisted: AtomicI64::new(checkpoint),
        }
    }

    pub fn assign(&self) -> i64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A number that was assigned elsewhere (or before) exists.
    pub fn advance(&self, seq_no: i64) {
        self.next.fetch_max(seq_no + 1, Ordering::Relaxed);
    }

    pub fn max(&self) -> i64 {
        self.next.load(Ordering::Relaxed) - 1
    }

    /// These operations are indexed and in the translog's buffer.
    pub fn processed(&self, seq_nos: impl IntoIterator<Item = i64>) {
        let mut state = self.processed.lock();
        for seq_no in seq_nos {
            if seq_no == state.checkpoint + 1 {
                state.checkpoint = seq_no;
            } else if seq_no > state.checkpoint {
                state.ahead.insert(seq_no);
            }
        }
        while state.ahead.first().is_some_and(|first| *first <= state.checkpoint + 1) {
            let first = state.ahead.pop_first().expect("there is a first");
            state.checkpoint = state.checkpoint.max(first);
        }
    }

    /// Whether the operation with this number has been done here.
    pub fn is_processed(&self, seq_no: i64) -> bool {
        let state = self.processed.lock();
        seq_no <= state.checkpoint || state.ahead.contains(&seq_no)
    }

    pub fn processed_checkpoint(&self) -> i64 {
        self.processed.lock().checkpoint
    }

    /// Everything up to here is synced.
    pub fn persisted(&self, checkpoint: i64) {
        self.persisted.fetch_max(checkpoint, Ordering::Relaxed);
    }

    pub fn persisted_checkpoint(&self) -> i64 {
        self.persisted.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkpoint_stops_at_gaps() {
        let seq_nos = SeqNos::new(NO_OPS, NO_OPS);
        assert_eq!((seq_nos.assign(), seq_nos.assign(), seq_nos.assign()), (0, 1, 2));
        seq_nos.processed([2]);
        assert_eq!(seq_nos.processed_checkpoint(), NO_OPS);
        assert!(seq_nos.is_processed(2) && !seq_nos.is_processed(1));
        seq_nos.processed([1, 0]);
        assert_eq!((seq_nos.processed_checkpoint(), seq_nos.max()), (2, 2));
    }
}
