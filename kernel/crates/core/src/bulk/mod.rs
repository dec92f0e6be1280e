//! The way of a bulk: the body is cut into one slice per shard, each shard answers its slice, the answers are joined.
//!
//! - [`split`]: action lines; [`route`]: items to shards; [`Slice`]: what one shard gets; [`SliceResult`]: what it answers
//! - [`update`]: the body of an update

pub mod ids;
mod item;
mod line;
mod result;
mod route;
mod slice;
mod split;
pub mod update;

pub use item::{Action, Item, VersionType};
pub use result::{Answer, Outcome, SliceResult, error_object, render};
pub use route::{Rejects, Routed, Target, shard_for};
pub use slice::Slice;
pub use split::{Bulk, Defaults};

#[cfg(test)]
mod tests;
