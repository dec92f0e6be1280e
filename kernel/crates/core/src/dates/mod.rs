//! Dates in OpenSearch's formats: parsing, printing, date math.

pub mod civil;
mod fields;
mod format;
mod iso;
pub mod zone;

pub use fields::Zone;
pub use format::{DateError, DateFormat};
