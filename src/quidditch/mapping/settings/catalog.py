"""All index settings that are known: key, parser, default, and when it may change."""

from __future__ import annotations

from collections.abc import Mapping

from quidditch.mapping.settings.kinds import (
    Parse,
    Setting,
    Value,
    anything,
    boolean,
    choice,
    decimal,
    integer,
    one_of,
    scalar,
    size,
    text,
    texts,
    time,
)
from quidditch.model.errors import ApiError, illegal_argument

MAX_SHARDS = 1024
_LONG = integer(wide=True)


def _auto_expand(key: str, value: Value) -> str:
    bounds = scalar(key, value)
    if bounds == "false":
        return bounds
    low, dash, high = bounds.partition("-")
    if not dash:
        raise illegal_argument(f"failed to parse [{key}] from value: [{bounds}] at index -1")
    if not low.isdigit() or not (high == "all" or high.isdigit()):
        raise illegal_argument(f"failed to parse [{key}] from value: [{bounds}] at index {len(low)}")
    if high != "all" and int(low) > int(high):
        raise illegal_argument(f"[{key}] minReplicas must be =< maxReplicas but wasn't {low} > {high}")
    return bounds


def _active_shards(key: str, value: Value) -> str:
    count = scalar(key, value)
    if count == "all":
        return count
    try:
        number = int(count)
    except ValueError:
        cause = {"type": "number_format_exception", "reason": f'For input string: "{count}"'}
        raise ApiError(
            400, "illegal_argument_exception", f"cannot parse ActiveShardCount[{count}]", {"caused_by": cause}
        ) from None
    if number < 0:
        raise illegal_argument("shard count cannot be a negative value")
    return count


def _soft_deletes(key: str, value: Value) -> bool:
    enabled = boolean(key, value)
    if not enabled:
        raise illegal_argument(
            "Creating indices with soft-deletes disabled is no longer supported. "
            f"Please do not specify a value for setting [{key}]."
        )
    return enabled


_DURABILITY = choice(
    "REQUEST",
    "ASYNC",
    problem="No enum constant org.opensearch.index.translog.Translog.Durability.{value}",
    fold=str.upper,
)
_ALLOCATION = choice(
    "NONE", "NEW_PRIMARIES", "PRIMARIES", "ALL", problem="Illegal allocation.enable value [{value}]", fold=str.upper
)
_REBALANCE = choice(
    "NONE", "PRIMARIES", "REPLICAS", "ALL", problem="Illegal rebalance.enable value [{value}]", fold=str.upper
)
_STORE = choice("", "fs", "niofs", "mmapfs", "hybridfs", problem="Unknown store type [{value}]")
_LEVEL = choice(
    "TRACE",
    "DEBUG",
    "INFO",
    "WARN",
    problem="No enum constant org.opensearch.common.logging.SlowLogLevel.{value}",
    fold=str.upper,
)


def _dynamic(parse: Parse, defaults: Mapping[str, Value | None]) -> list[Setting]:
    return [Setting(key, parse, default, dynamic=True) for key, default in defaults.items()]


_STATIC = [
    Setting("index.number_of_shards", integer(1, MAX_SHARDS), "1", final=True),
    Setting("index.number_of_routing_shards", integer(1), None, final=True),
    Setting("index.routing_partition_size", integer(1), "1", final=True),
    Setting("index.soft_deletes.enabled", _soft_deletes, "true", final=True),
    Setting("index.sort.field", texts, [], final=True),
    Setting("index.sort.order", texts, [], final=True),
    Setting("index.sort.mode", texts, [], final=True),
    Setting("index.sort.missing", texts, [], final=True),
    Setting(
        "index.replication.type",
        choice("DOCUMENT", "document", problem="Could not parse ReplicationStrategy for [{value}]"),
        None,
        final=True,
    ),
    Setting("index.codec", one_of("default", "lz4", "best_compression", "zlib"), "default"),
    Setting("index.codec.compression_level", integer(1, 6), "3"),
    Setting("index.shard.check_on_startup", one_of("true", "false", "checksum"), "false"),
    Setting("index.store.type", _STORE, ""),
    Setting("index.store.preload", texts, []),
    Setting("index.store.stats_refresh_interval", time(), "10s"),
    Setting("index.store.fs.fs_lock", one_of("native", "simple"), "native"),
    Setting("index.load_fixed_bitset_filters_eagerly", boolean, "true"),
    Setting("index.queries.cache.enabled", boolean, "true"),
    Setting("index.mapping.coerce", boolean, "false"),
    Setting("index.mapping.ignore_malformed", boolean, "false"),
    Setting("index.mapper.dynamic", boolean, "true"),
    Setting("index.format", integer(0), "0"),
    Setting("index.fielddata.cache", one_of("node", "none"), "node"),
    Setting("index.percolator.map_unmapped_fields_as_text", boolean, "false"),
    Setting("index.query.parse.allow_unmapped_fields", boolean, "true"),
    Setting("index.query_string.lenient", boolean, "false"),
    Setting("index.recovery.type", text, ""),
    Setting("index.use_compound_file", boolean, "true"),
    Setting("index.compound_format", decimal(0.0, 1.0), "0.1"),
    Setting("index.force_memory_term_dictionary", boolean, "false"),
    Setting("index.optimize_auto_generated_id", boolean, "true"),
    Setting("index.allocation.existing_shards_allocator", text, "gateway_allocator"),
    Setting("index.routing.allocation.initial_recovery.*", anything),
    Setting("index.number_of_virtual_shards", integer(-1), "-1"),
    Setting("index.data_path", text, ""),
    Setting("index.similarity.*", anything),
    Setting("index.analysis.*", anything),
]

_MANAGED = [
    Setting("index.uuid", text, None, private=True),
    Setting("index.creation_date", _LONG, None, private=True),
    Setting("index.version.created", _LONG, None, private=True),
    Setting("index.version.upgraded", _LONG, None, private=True),
    Setting("index.history.uuid", text, "_na_", private=True),
    Setting("index.verified_before_close", boolean, "false", private=True),
    Setting("index.resize.source.uuid", text, None, private=True),
    Setting("index.resize.source.name", text, None, private=True),
]

_DYNAMIC = [
    *_dynamic(integer(0), {"index.number_of_replicas": "1", "index.number_of_search_replicas": "0"}),
    *_dynamic(_auto_expand, {"index.auto_expand_replicas": "false", "index.auto_expand_search_replicas": "false"}),
    *_dynamic(_active_shards, {"index.write.wait_for_active_shards": "1"}),
    *_dynamic(time(-1), {"index.refresh_interval": "1s", "index.periodic_flush_interval": "-1"}),
    *_dynamic(_DURABILITY, {"index.translog.durability": "REQUEST"}),
    *_dynamic(time(100.0), {"index.translog.sync_interval": "5s"}),
    *_dynamic(size(56), {"index.translog.flush_threshold_size": "512mb"}),
    *_dynamic(size(56), {"index.translog.generation_threshold_size": "64mb"}),
    *_dynamic(time(-1), {"index.translog.retention.age": "-1", "index.gc_deletes": "60s"}),
    *_dynamic(size(-1), {"index.translog.retention.size": "-1"}),
    *_dynamic(boolean, {"index.translog.read_forward": "false"}),
    *_dynamic(size(), {"index.flush_after_merge": "512mb"}),
    *_dynamic(
        boolean,
        {
            "index.hidden": "false",
            "index.blocks.read": "false",
            "index.blocks.write": "false",
            "index.blocks.metadata": "false",
            "index.blocks.read_only": "false",
            "index.blocks.read_only_allow_delete": "false",
            "index.blocks.search_only": "false",
            "index.requests.cache.enable": "true",
            "index.check_pending_flush.enabled": "true",
            "index.warmer.enabled": "true",
            "index.search.throttled": "false",
            "index.search.concurrent_segment_search.enabled": "false",
            "index.bulk.adaptive_shard_selection.enabled": "false",
            "index.indexing.slowlog.reformat": "true",
            "index.merge.scheduler.auto_throttle": "true",
            "index.merge_on_flush.enabled": "true",
            "index.auto_force_merge.enabled": "true",
            "index.unreferenced_file_cleanup.enabled": "true",
            "index.query.derived_field.enabled": "true",
            "index.optimize_doc_id_lookup.fuzzy_set.enabled": "false",
        },
    ),
    *_dynamic(decimal(0.01, 0.5), {"index.optimize_doc_id_lookup.fuzzy_set.false_positive_probability": "0.2047"}),
    *_dynamic(
        integer(1),
        {
            "index.max_result_window": "10000",
            "index.max_inner_result_window": "100",
            "index.max_rescore_window": "10000",
            "index.analyze.max_token_count": "10000",
            "index.highlight.max_analyzed_offset": "1000000",
            "index.max_terms_count": "65536",
            "index.max_regex_length": "1000",
            "index.max_slices_per_scroll": "1024",
            "index.max_slices_per_pit": "1024",
            "index.query.max_nested_depth": "20",
            "index.mapping.depth.limit": "20",
            "index.mapping.field_name_length.limit": "50000",
        },
    ),
    *_dynamic(
        integer(0),
        {
            "index.max_docvalue_fields_search": "100",
            "index.max_script_fields": "32",
            "index.max_ngram_diff": "1",
            "index.max_shingle_diff": "3",
            "index.max_refresh_listeners": "1000",
            "index.priority": "1",
            "index.allocation.max_retries": "5",
            "index.mapping.nested_fields.limit": "50",
            "index.mapping.nested_objects.limit": "10000",
            "index.mapping.total_fields.limit": "1000",
            "index.search.concurrent.max_slice_count": "1",
        },
    ),
    *_dynamic(integer(2), {"index.max_adjacency_matrix_filters": "100"}),
    *_dynamic(texts, {"index.query.default_field": ["*"]}),
    *_dynamic(text, {"index.default_pipeline": "_none", "index.final_pipeline": "_none"}),
    *_dynamic(text, {"index.search.default_pipeline": "_none"}),
    *_dynamic(one_of("auto", "all", "none"), {"index.search.concurrent_segment_search.mode": "none"}),
    *_dynamic(time(0), {"index.search.idle.after": "30s"}),
    *_dynamic(time(), {"index.unassigned.node_left.delayed_timeout": "1m"}),
    *_dynamic(_ALLOCATION, {"index.routing.allocation.enable": "all"}),
    *_dynamic(_REBALANCE, {"index.routing.rebalance.enable": "all"}),
    *_dynamic(
        integer(-1),
        {
            "index.routing.allocation.total_shards_per_node": "-1",
            "index.routing.allocation.total_primary_shards_per_node": "-1",
        },
    ),
    *_dynamic(
        anything,
        {
            "index.routing.allocation.require.*": None,
            "index.routing.allocation.include.*": None,
            "index.routing.allocation.exclude.*": None,
        },
    ),
    *_dynamic(
        time(-1),
        {
            f"index.{log}.slowlog.threshold.{phase}.{level}": "-1"
            for log, phases in (("search", ("query", "fetch")), ("indexing", ("index",)))
            for phase in phases
            for level in ("warn", "info", "debug", "trace")
        },
    ),
    *_dynamic(_LEVEL, {"index.search.slowlog.level": "TRACE", "index.indexing.slowlog.level": "TRACE"}),
    *_dynamic(text, {"index.indexing.slowlog.source": "1000"}),
    *_dynamic(integer(0), {"index.soft_deletes.retention.operations": "0"}),
    *_dynamic(time(0), {"index.soft_deletes.retention_lease.period": "12h"}),
    *_dynamic(
        one_of("default", "tiered", "log_byte_size"),
        {"index.merge.policy": "default", "index.merge_on_flush.policy": "default"},
    ),
    *_dynamic(decimal(5.0, 50.0), {"index.merge.policy.deletes_pct_allowed": "20.0"}),
    *_dynamic(decimal(0.0, 100.0), {"index.merge.policy.expunge_deletes_allowed": "10.0"}),
    *_dynamic(
        size(),
        {"index.merge.policy.floor_segment": "16777216b", "index.merge.policy.max_merged_segment": "5368709120b"},
    ),
    *_dynamic(integer(2), {"index.merge.policy.max_merge_at_once": "30"}),
    *_dynamic(
        decimal(),
        {
            "index.merge.policy.reclaim_deletes_weight": "2.0",
            "index.merge.scheduler.max_force_merge_mb_per_sec": "Infinity",
        },
    ),
    *_dynamic(decimal(2.0), {"index.merge.policy.segments_per_tier": "10.0"}),
    *_dynamic(
        integer(1), {"index.merge.scheduler.max_thread_count": "1", "index.merge.scheduler.max_merge_count": "6"}
    ),
    *_dynamic(time(), {"index.merge_on_flush.max_full_flush_merge_wait_time": "10s"}),
]

SETTINGS: Mapping[str, Setting] = {setting.key: setting for setting in (*_STATIC, *_MANAGED, *_DYNAMIC)}
GROUPS: tuple[Setting, ...] = tuple(setting for setting in SETTINGS.values() if setting.key.endswith("*"))


def find(key: str) -> Setting | None:
    """The setting of this key, by itself or by its group."""
    found = SETTINGS.get(key)
    if found is not None:
        return None if key.endswith("*") else found
    for group in GROUPS:
        if key.startswith(group.key[:-1]) and len(key) >= len(group.key):
            return group
    return None
