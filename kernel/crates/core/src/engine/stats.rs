//! What `_stats` and `_segments` tell of a shard.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::shard::Shard;
use crate::Result;

#[derive(Debug, Default)]
pub struct Counters {
    pub index_total: AtomicU64,
    pub index_nanos: AtomicU64,
    pub index_failed: AtomicU64,
    pub delete_total: AtomicU64,
    pub noop_total: AtomicU64,
    pub get_total: AtomicU64,
    pub get_missing: AtomicU64,
    pub refresh_total: AtomicU64,
    pub refresh_nanos: AtomicU64,
    pub flush_total: AtomicU64,
    pub flush_nanos: AtomicU64,
    pub merge_total: AtomicU64,
    pub merge_docs: AtomicU64,
    pub merge_bytes: AtomicU64,
    pub merge_nanos: AtomicU64,
    pub merge_running: AtomicI64,
    pub recovered_operations: AtomicU64,
    pub recovery_nanos: AtomicU64,
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn millis(nanos: &AtomicU64) -> u64 {
    get(nanos) / 1_000_000
}

impl Counters {
    pub fn merged(&self, docs: u64, bytes: u64, time: Duration) {
        add(&self.merge_total, 1);
        add(&self.merge_docs, docs);
        add(&self.merge_bytes, bytes);
        add(&self.merge_nanos, time.as_nanos() as u64);
    }

    pub fn recovered(&self, operations: u64, time: Duration) {
        add(&self.recovered_operations, operations);
        add(&self.recovery_nanos, time.as_nanos() as u64);
    }
}

impl Shard {
    /// The shard's part of `_stats`, as JSON.
    pub fn stats(&self) -> Result<Vec<u8>> {
        self.check_open()?;
        let counters = &self.counters;
        let mut stats = self.segment_stats();
        let mut put = |name: &str, value: Value| drop(stats.insert(name.to_owned(), value));
        put(
            "indexing",
            json!({
                "index_total": get(&counters.index_total), "index_time_in_millis": millis(&counters.index_nanos), "index_current": 0,
                "index_failed": get(&counters.index_failed), "delete_total": get(&counters.delete_total),
                "delete_time_in_millis": 0, "delete_current": 0, "noop_update_total": get(&counters.noop_total),
                "is_throttled": false, "throttle_time_in_millis": 0,
            }),
        );
        let (total, missing) = (get(&counters.get_total), get(&counters.get_missing));
        put(
            "get",
            json!({
                "total": total, "time_in_millis": 0, "exists_total": total.saturating_sub(missing), "exists_time_in_millis": 0,
                "missing_total": missing, "missing_time_in_millis": 0, "current": 0,
            }),
        );
        put(
            "merges",
            json!({
                "current": counters.merge_running.load(Ordering::Relaxed), "current_docs": 0, "current_size_in_bytes": 0,
                "total": get(&counters.merge_total), "total_time_in_millis": millis(&counters.merge_nanos),
                "total_docs": get(&counters.merge_docs), "total_size_in_bytes": get(&counters.merge_bytes),
                "total_stopped_time_in_millis": 0, "total_throttled_time_in_millis": 0,
            }),
        );
        let (refreshes, time) = (get(&counters.refresh_total), millis(&counters.refresh_nanos));
        put(
            "refresh",
            json!({
                "total": refreshes, "total_time_in_millis": time, "external_total": refreshes,
                "external_total_time_in_millis": time, "listeners": self.listeners.lock().len(),
            }),
        );
        put(
            "flush",
            json!({"total": get(&counters.flush_total), "periodic": 0, "total_time_in_millis": millis(&counters.flush_nanos)}),
        );
        put("translog", self.translog_stats());
        put(
            "seq_no",
            json!({
                "max_seq_no": self.seq_nos.max(), "local_checkpoint": self.seq_nos.persisted_checkpoint(),
                "global_checkpoint": self.translog().global_checkpoint(),
            }),
        );
        let committed = self.committed.lock();
        let id = format!("{}/{}", committed.history_uuid, committed.newest.generation);
        put(
            "commit",
            json!({
                "id": id, "generation": committed.newest.generation, "history_uuid": committed.history_uuid,
                "max_seq_no": committed.newest.max_seq_no, "num_docs": committed.docs,
            }),
        );
        put(
            "recovery",
            json!({"translog_operations": get(&counters.recovered_operations), "time_in_millis": millis(&counters.recovery_nanos)}),
        );
        drop(committed);
        Ok(Value::Object(stats).to_string().into_bytes())
    }

    fn segment_stats(&self) -> Map<String, Value> {
        let reader = self.published.read().clone();
        let layout = self.layout.read();
        let (mut bytes, mut deleted) = (0, 0u64);
        for segment in &layout.segments {
            bytes += segment.open.manifest.size_in_bytes();
            deleted += u64::from(segment.deleted_roots);
        }
        let count = layout.segments.len();
        drop(layout);
        let Value::Object(stats) = json!({
            "docs": {"count": reader.doc_count, "deleted": deleted},
            "store": {"size_in_bytes": bytes + self.translog().stats().size_in_bytes, "reserved_in_bytes": 0},
            "segments": {
                "count": count, "memory_in_bytes": 0, "terms_memory_in_bytes": 0, "stored_fields_memory_in_bytes": 0,
                "term_vectors_memory_in_bytes": 0, "norms_memory_in_bytes": 0, "points_memory_in_bytes": 0,
                "doc_values_memory_in_bytes": 0, "index_writer_memory_in_bytes": self.pool.memory(),
                "version_map_memory_in_bytes": self.versions.memory(), "fixed_bit_set_memory_in_bytes": 0,
                "max_unsafe_auto_id_timestamp": -1, "file_sizes": {},
            },
        }) else {
            unreachable!("an object was written")
        };
        stats
    }

    fn translog_stats(&self) -> Value {
        let stats = self.translog().stats();
        json!({
            "operations": stats.operations, "size_in_bytes": stats.size_in_bytes,
            "uncommitted_operations": stats.uncommitted_operations, "uncommitted_size_in_bytes": stats.uncommitted_size_in_bytes,
            "earliest_last_modified_age": 0, "generation": stats.generation,
        })
    }

    /// The shard's part of `_segments`: by segment name, as JSON.
    pub fn segments(&self) -> Result<Vec<u8>> {
        self.check_open()?;
        let reader = self.published.read().clone();
        let searchable: std::collections::HashSet<&str> = reader.segments.iter().map(|segment| &*segment.id).collect();
        let layout = self.layout.read();
        let committed = self.committed.lock();
        let mut segments = Map::new();
        for segment in &layout.segments {
            let manifest = &segment.open.manifest;
            let entry = json!({
                "generation": segment.container, "num_docs": segment.live_docs(), "deleted_docs": segment.deleted_docs(),
                "size_in_bytes": manifest.size_in_bytes(), "memory_in_bytes": 0,
                "committed": committed.newest.segments.contains(&segment.container), "search": searchable.contains(&*segment.open.id),
                "version": "10.4.0", "compound": false, "attributes": {"source": manifest.source},
            });
            segments.insert(segment.open.id.to_string(), entry);
        }
        let count = |member: &str| segments.values().filter(|entry| entry[member] == Value::Bool(true)).count();
        let answer = json!({
            "num_committed_segments": count("committed"), "num_search_segments": count("search"), "segments": segments,
        });
        Ok(answer.to_string().into_bytes())
    }
}
