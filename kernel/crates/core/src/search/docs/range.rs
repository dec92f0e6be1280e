//! Documents with a value of a column within bounds, found block by block.

use std::fmt::Debug;
use std::ops::RangeInclusive;

use tantivy::columnar::Column;
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet, SeekDangerResult, TERMINATED};

const SMALLEST: u32 = 128;
const LARGEST: u32 = 8192;

/// A scan of a column; a seek restarts it with a small block.
pub struct RangeDocs<T> {
    bounds: RangeInclusive<T>,
    column: Column<T>,
    num_docs: u32,
    /// First document not looked at yet.
    next: u32,
    step: u32,
    found: Vec<u32>,
    at: usize,
}

impl<T: PartialOrd + Copy + Debug + Send + Sync + 'static> RangeDocs<T> {
    pub fn new(column: Column<T>, bounds: RangeInclusive<T>) -> Self {
        let num_docs = column.num_docs();
        let mut docs = RangeDocs { bounds, num_docs, column, next: 0, step: SMALLEST, found: Vec::new(), at: 0 };
        docs.fill();
        docs
    }

    fn fill(&mut self) {
        self.found.clear();
        self.at = 0;
        while self.found.is_empty() && self.next < self.num_docs {
            let end = (self.next + self.step).min(self.num_docs);
            self.column.get_docids_for_value_range(self.bounds.clone(), self.next..end, &mut self.found);
            // A document with several values within bounds comes once for each.
            self.found.dedup();
            self.next = end;
            self.step = (self.step * 2).min(LARGEST);
        }
    }
}

impl<T: PartialOrd + Copy + Debug + Send + Sync + 'static> DocSet for RangeDocs<T> {
    #[inline]
    fn advance(&mut self) -> DocId {
        self.at += 1;
        if self.at >= self.found.len() {
            self.fill();
        }
        self.doc()
    }

    #[inline]
    fn doc(&self) -> DocId {
        self.found.get(self.at).copied().unwrap_or(TERMINATED)
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc() >= target {
            return self.doc();
        }
        if target >= self.next {
            self.step = SMALLEST;
            self.next = target;
            self.fill();
            return self.doc();
        }
        self.at += self.found[self.at..].partition_point(|doc| *doc < target);
        if self.at >= self.found.len() {
            self.fill();
        }
        self.doc()
    }

    fn fill_buffer(&mut self, buffer: &mut [DocId; COLLECT_BLOCK_BUFFER_LEN]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() && self.at < self.found.len() {
            let count = (self.found.len() - self.at).min(buffer.len() - filled);
            buffer[filled..filled + count].copy_from_slice(&self.found[self.at..self.at + count]);
            filled += count;
            self.at += count;
            if self.at == self.found.len() {
                self.fill();
            }
        }
        filled
    }

    fn seek_danger(&mut self, target: DocId) -> SeekDangerResult {
        if target >= self.num_docs {
            return SeekDangerResult::SeekLowerBound(TERMINATED);
        }
        if self.column.values_for_doc(target).any(|value| self.bounds.contains(&value)) {
            self.found.clear();
            self.found.push(target);
            self.at = 0;
            self.next = target + 1;
            self.step = SMALLEST;
            return SeekDangerResult::Found;
        }
        SeekDangerResult::SeekLowerBound(target + 1)
    }

    fn size_hint(&self) -> u32 {
        self.num_docs / 10
    }

    fn cost(&self) -> u64 {
        u64::from(self.num_docs) * 8 / 10
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::search::docs::{ColumnValues, numeric_column};
    use crate::testkit::{mapping, reader};

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_buffer_holds_what_single_steps_find(values in prop::collection::vec(prop::collection::vec(0i64..9, 0..3), 1..700), low in 0i64..9, skipped in 0u32..300) {
            let mapping = mapping(json!({"properties": {"n": {"type": "long"}}}));
            let docs: Vec<Value> = values.iter().map(|values| json!({"n": values})).collect();
            let shard = reader(&mapping, &[&docs]);
            let found = numeric_column(&shard.segments[0], &mapping.fields["n"]).unwrap();
            let Some(ColumnValues::I64(column)) = found.as_deref() else { return Ok(()) };
            let expected: Vec<u32> = (skipped..docs.len() as u32)
                .filter(|doc| values[*doc as usize].iter().any(|value| (low..=low + 2).contains(value)))
                .collect();
            let mut stepped = RangeDocs::new(column.clone(), low..=low + 2);
            stepped.seek(skipped);
            let mut by_step = Vec::new();
            while stepped.doc() < TERMINATED {
                by_step.push(stepped.doc());
                stepped.advance();
            }
            prop_assert_eq!(&by_step, &expected);
            let mut buffered = RangeDocs::new(column.clone(), low..=low + 2);
            buffered.seek(skipped);
            let mut buffer = [0; COLLECT_BLOCK_BUFFER_LEN];
            let mut by_buffer = Vec::new();
            loop {
                let len = buffered.fill_buffer(&mut buffer);
                by_buffer.extend_from_slice(&buffer[..len]);
                prop_assert_eq!(buffered.doc(), expected.get(by_buffer.len()).copied().unwrap_or(TERMINATED));
                if len < buffer.len() {
                    break;
                }
            }
            prop_assert_eq!(&by_buffer, &expected);
        }
    }
}
