//! The seam between search and aggregations: the pass over a segment feeds them, their partial results ride in the blocks.

use tantivy::DocId;

use super::plan::Plan;
use super::query::SegmentView;
use crate::reader::ShardReader;
use crate::{Error, Result};

/// Collects the aggregations of a plan on one shard.
pub struct Collector<'a> {
    _shard: &'a ShardReader,
}

impl<'a> Collector<'a> {
    pub fn new(_shard: &'a ShardReader, _plan: &'a Plan) -> Result<Self> {
        Err(Error::new("unsupported_operation_exception", 400, "aggregations are not there yet"))
    }

    pub fn needs_scores(&self) -> bool {
        false
    }

    pub fn begin(&mut self, _segment: &SegmentView<'_>) -> Result<()> {
        Ok(())
    }

    pub fn collect(&mut self, _docs: &[DocId], _scores: Option<&[f32]>) -> Result<()> {
        Ok(())
    }

    pub fn finish(self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// The finished aggregations as the inside of the answer's `aggregations` object, from the partial results of all shards.
pub fn merge(_plan: &Plan, _blocks: &[&[u8]]) -> Result<Vec<u8>> {
    Ok(Vec::new())
}
