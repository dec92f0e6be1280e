//! Sets of documents: which are visible, columns, ranges over columns.

mod accept;
mod columns;
mod ids;
mod range;
mod store;

use std::sync::Arc;

use crate::Result;
use crate::reader::Segment;

pub use accept::{Accept, children_of, roots};
pub use columns::{ColumnValues, ip_column, numeric_column, str_column};
pub use ids::{IdColumn, id_column};
pub use range::RangeDocs;
pub use store::{store, stored};

/// What is derived from a segment's files once and kept with them.
pub fn cached<T: Send + Sync + 'static>(
    segment: &Segment,
    key: &str,
    make: impl FnOnce() -> Result<T>,
) -> Result<Arc<T>> {
    if let Some(known) = segment.caches.other.read().get(key)
        && let Ok(value) = Arc::clone(known).downcast::<T>()
    {
        return Ok(value);
    }
    let value = Arc::new(make()?);
    segment.caches.other.write().insert(key.to_owned(), Arc::clone(&value) as Arc<dyn std::any::Any + Send + Sync>);
    Ok(value)
}
