//! The shard's builders: a bulk takes one, fills it and gives it back, so that bulks run side by side.

use std::sync::Arc;

use parking_lot::Mutex;

use super::builder::{SegmentBuilder, SegmentSchema};
use super::document::RootMeta;
use super::layout::{Container, Deletions, Target};
use crate::Result;
use crate::mapping::ParsedDoc;
use crate::storage::SharedFs;

/// A builder with the deletions that its operations carry.
pub struct Building {
    pub container: Container,
    /// Of the mapping that its schema comes from.
    pub mapping_version: u64,
    pub deletions: Arc<Deletions>,
    /// None until the first document.
    pub builder: Option<SegmentBuilder>,
    pub used: bool,
    /// As last told to the node's budget.
    pub memory: usize,
    pub touched_ms: u64,
}

impl Building {
    pub fn new(container: Container, mapping_version: u64, deletions: Arc<Deletions>) -> Self {
        Self { container, mapping_version, deletions, builder: None, used: false, memory: 0, touched_ms: 0 }
    }

    pub fn add(
        &mut self,
        fs: &SharedFs,
        folder: impl FnOnce(Container) -> std::path::PathBuf,
        schema: &SegmentSchema,
        doc: ParsedDoc,
        meta: RootMeta,
    ) -> Result<u32> {
        let builder = match &mut self.builder {
            Some(builder) => builder,
            None => {
                let made = SegmentBuilder::create(fs.clone(), folder(self.container), schema.clone())?;
                self.builder.insert(made)
            }
        };
        self.used = true;
        builder.add(doc, meta)
    }

    pub fn delete(&mut self, target: Target) {
        self.used = true;
        self.deletions.0.lock().push(target);
    }

    pub fn measure(&self) -> usize {
        let deletions = self.deletions.0.lock().capacity() * size_of::<Target>();
        self.builder.as_ref().map_or(0, SegmentBuilder::memory) + deletions
    }
}

#[derive(Default)]
pub struct Pool {
    idle: Mutex<Vec<Building>>,
}

impl Pool {
    /// An idle builder of this mapping; the fullest, so that the others may end early.
    pub fn take(&self, mapping_version: u64) -> Option<Building> {
        let mut idle = self.idle.lock();
        let fits = |building: &&Building| building.mapping_version == mapping_version;
        if let Some(best) = idle.iter().filter(fits).max_by_key(|building| building.memory).map(|best| best.container) {
            let at = idle.iter().position(|building| building.container == best)?;
            return Some(idle.swap_remove(at));
        }
        // One that was never used takes any schema.
        let at = idle.iter().position(|building| !building.used)?;
        let mut building = idle.swap_remove(at);
        building.mapping_version = mapping_version;
        Some(building)
    }

    pub fn give_back(&self, building: Building) {
        self.idle.lock().push(building);
    }

    /// All that hold something.
    pub fn take_all(&self) -> Vec<Building> {
        let mut all: Vec<Building> = self.idle.lock().extract_if(.., |building| building.used).collect();
        all.sort_by_key(|building| building.container);
        all
    }

    /// The biggest idle builder, if it holds at least so many bytes.
    pub fn take_biggest(&self, at_least: usize) -> Option<Building> {
        let mut idle = self.idle.lock();
        let (at, building) = idle.iter().enumerate().max_by_key(|(_, building)| building.memory)?;
        (building.memory >= at_least).then_some(at).map(|at| idle.swap_remove(at))
    }

    pub fn biggest(&self) -> usize {
        self.idle.lock().iter().map(|building| building.memory).max().unwrap_or(0)
    }

    /// Bytes in idle builders.
    pub fn memory(&self) -> usize {
        self.idle.lock().iter().map(|building| building.memory).sum()
    }

    /// Whether a builder has waited since before this time.
    pub fn waiting_since(&self, ms: u64) -> bool {
        self.idle.lock().iter().any(|building| building.touched_ms < ms)
    }
}
