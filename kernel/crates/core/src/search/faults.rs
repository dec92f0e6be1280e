//! Faults of single documents: scorers cannot fail, so they leave the first fault here, and the search on the shard fails at its end.

use parking_lot::Mutex;

use crate::{Error, Result};

#[derive(Default)]
pub struct Faults(Mutex<Option<Error>>);

impl Faults {
    /// Keeps the first fault.
    pub fn record(&self, fault: impl FnOnce() -> Error) {
        self.0.lock().get_or_insert_with(fault);
    }

    /// The fault, if there was one.
    pub fn check(&self) -> Result<()> {
        self.0.lock().take().map_or(Ok(()), Err)
    }
}
