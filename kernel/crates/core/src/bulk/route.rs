//! Items to shards, as OpenSearch routes them.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::ids::make_id;
use super::item::Item;
use super::result::render_error;
use super::slice::Slice;
use super::split::Bulk;
use crate::murmur::murmur3;
use crate::{Error, Result};

/// Where a written name leads.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    pub index: String,
    pub uuid: String,
    pub shards: u32,
    pub routing_shards: u32,
    #[serde(default = "one")]
    pub partition_size: u32,
    /// Of the alias.
    #[serde(default)]
    pub routing: Option<String>,
    #[serde(default = "one")]
    pub total_copies: u32,
    #[serde(default)]
    pub routing_required: bool,
}

fn one() -> u32 {
    1
}

/// Errors that became the answer of items, by item number and by written name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rejects {
    pub items: HashMap<usize, Value>,
    pub names: HashMap<String, Value>,
}

/// The shard of a document. `partition_size` > 1: documents of one routing spread over so many shards.
pub fn shard_for(id: &str, routing: Option<&str>, routing_shards: u32, shards: u32, partition_size: u32) -> u32 {
    let (effective, offset) = match routing {
        Some(routing) if partition_size > 1 => (routing, hash(id).rem_euclid(partition_size as i32)),
        Some(routing) => (routing, 0),
        None => (id, 0),
    };
    let hash = hash(effective).wrapping_add(offset);
    (hash.rem_euclid(routing_shards.max(1) as i32) as u32) / (routing_shards / shards.max(1)).max(1)
}

/// murmur3 (32 bits, seed 0) over the text in UTF-16LE.
fn hash(text: &str) -> i32 {
    let bytes: smallvec::SmallVec<[u8; 128]> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    murmur3(&bytes, 0) as i32
}

/// The outcome of routing: slices, and answers of the items that go nowhere.
pub struct Routed {
    pub slices: Vec<Slice>,
    /// Item number, answer.
    pub rejected: Vec<(usize, Vec<u8>)>,
}

impl Bulk {
    /// One slice per concrete index and shard.
    pub fn route(&self, targets: &HashMap<String, Target>, rejects: &Rejects) -> Result<Routed> {
        let by_name: Vec<Option<&Target>> = self.names.iter().map(|name| targets.get(name)).collect();
        let mut numbers: HashMap<(usize, u32), usize> = HashMap::new();
        let mut routed = Routed { slices: Vec::new(), rejected: Vec::new() };
        for (i, entry) in self.items.iter().enumerate() {
            let name = &self.names[entry.name];
            let reject = rejects.items.get(&i).or_else(|| rejects.names.get(name));
            let mut item = entry.item.clone();
            if let Some(error) = reject {
                let id = entry.has_id.then_some(item.id.as_str());
                routed.rejected.push((i, render_error(item.action, name, id, error)));
                continue;
            }
            let target = by_name[entry.name]
                .ok_or_else(|| Error::illegal_argument(format!("there is no target for [{name}]")))?;
            if let Err(error) = complete(&mut item, entry.has_id, target) {
                let id = (!item.id.is_empty()).then_some(item.id.as_str());
                let error = super::error_object(&error);
                routed.rejected.push((i, render_error(item.action, &target.index, id, &error)));
                continue;
            }
            let routing = item.routing.as_deref();
            let shard = shard_for(&item.id, routing, target.routing_shards, target.shards, target.partition_size);
            let slice = *numbers.entry((entry.name, shard)).or_insert_with(|| {
                routed.slices.push(self.slice(target, shard));
                routed.slices.len() - 1
            });
            routed.slices[slice].items.push(item);
        }
        Ok(routed)
    }

    fn slice(&self, target: &Target, shard: u32) -> Slice {
        Slice {
            index: target.index.clone(),
            uuid: target.uuid.clone(),
            shard,
            total_copies: target.total_copies,
            items: Vec::with_capacity(self.len() / target.shards.max(1) as usize + 1),
            single: false,
            body: self.body.clone(),
        }
    }
}

/// Gives the item an id and the alias's routing.
fn complete(item: &mut Item, has_id: bool, target: &Target) -> Result<()> {
    if !has_id {
        item.id = make_id();
        item.auto_id = true;
    }
    match (&item.routing, &target.routing) {
        (Some(own), Some(alias)) if own != alias => {
            let text = format!(
                "Alias [{}] has index routing associated with it [{alias}], and was provided with routing value [{own}], rejecting operation",
                target.index
            );
            return Err(Error::illegal_argument(text));
        }
        (None, Some(alias)) => item.routing = Some(alias.clone()),
        _ => {}
    }
    if item.routing.is_none() && target.routing_required {
        let text = format!("routing is required for [{}]/[{}]", target.index, item.id);
        let detail = serde_json::json!({"index": target.index});
        return Err(Error::new("routing_missing_exception", 400, text).with_detail(detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_as_opensearch_does() {
        // Answers of `_search_shards?routing=` of OpenSearch 3.6 on an index of 7 shards (896 routing shards).
        for (routing, expected) in
            [("a", 4), ("hello", 5), ("hello w", 5), ("12345", 0), ("é😀x", 3), ("0", 1), ("quick brown", 1)]
        {
            assert_eq!(shard_for("x", Some(routing), 896, 7, 1), expected, "{routing}");
            assert_eq!(shard_for(routing, None, 896, 7, 1), expected, "{routing}");
        }
    }

    #[test]
    fn all_shards_are_used_and_partitions_stay_small() {
        let mut seen = [0; 5];
        for i in 0..1000 {
            seen[shard_for(&i.to_string(), None, 640, 5, 1) as usize] += 1;
        }
        assert!(seen.iter().all(|n| *n > 100), "{seen:?}");
        let shards: std::collections::HashSet<u32> =
            (0..200).map(|i| shard_for(&i.to_string(), Some("r"), 640, 5, 2)).collect();
        assert!(shards.len() <= 2, "{shards:?}");
    }
}
