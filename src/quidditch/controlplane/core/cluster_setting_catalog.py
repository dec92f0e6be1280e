"""The cluster settings that exist: how their values are written, whether they may change on a running cluster, and their defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from quidditch.mapping.settings.kinds import Parse, Value, anything, boolean, decimal, integer, size, text, texts, time
from quidditch.model.errors import illegal_argument

Kinds: TypeAlias = Mapping[str, tuple[Parse, Value | None]]


def _choice(*choices: str, problem: str, fold: Callable[[str], str]) -> Parse:
    def parse(_key: str, value: Value) -> str:
        given = fold(str(value))
        if given not in choices:
            raise illegal_argument(problem.format(value=given))
        return given

    return parse


def _upper(*choices: str, problem: str) -> Parse:
    return _choice(*choices, problem=problem, fold=str.upper)


_ENABLE = _upper("ALL", "PRIMARIES", "NEW_PRIMARIES", "NONE", problem="Illegal allocation.enable value [{value}]")
_REBALANCE = _upper("ALL", "PRIMARIES", "REPLICAS", "NONE", problem="Illegal rebalance.enable value [{value}]")
_ALLOW = _choice(
    "always",
    "indices_primaries_active",
    "indices_all_active",
    problem="Illegal value for cluster.routing.allocation.allow_rebalance: {value}",
    fold=str.lower,
)
_LEVEL = _upper(
    "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF", "ALL", problem="Unknown level constant [{value}]."
)


def _percent_or_size(key: str, value: Value) -> str:
    """`85%`, `0.85` or a size."""
    given = str(value)
    number = given[:-1] if given.endswith("%") else given
    try:
        amount = float(number)
    except ValueError:
        size()(key, given)
        return given
    if given.endswith("%") and not 0 <= amount <= 100:
        raise illegal_argument(f"percentage should be in [0-100], got [{number}]")
    return given


DYNAMIC: Kinds = {
    "action.auto_create_index": (anything, "true"),
    "action.destructive_requires_name": (boolean, "false"),
    "action.search.shard_count.limit": (integer(1, 2**63 - 1), "9223372036854775807"),
    "cluster.auto_shrink_voting_configuration": (boolean, "true"),
    "cluster.blocks.create_index": (boolean, "false"),
    "cluster.blocks.create_index.auto_release": (boolean, "true"),
    "cluster.blocks.read_only": (boolean, "false"),
    "cluster.blocks.read_only_allow_delete": (boolean, "false"),
    "cluster.default.index.refresh_interval": (time(-1), "1s"),
    "cluster.default_number_of_replicas": (integer(0), "1"),
    "cluster.fault_detection.follower_check.interval": (time(100), "200ms"),
    "cluster.fault_detection.follower_check.retry_count": (integer(1), "2"),
    "cluster.fault_detection.follower_check.timeout": (time(1, 150_000), "1000ms"),
    "cluster.fault_detection.leader_check.interval": (time(100), "200ms"),
    "cluster.fault_detection.leader_check.retry_count": (integer(1), "2"),
    "cluster.fault_detection.leader_check.timeout": (time(1, 60_000), "500ms"),
    "cluster.follower_lag.timeout": (time(1), "90000ms"),
    "cluster.ignore_dot_indexes": (boolean, "false"),
    "cluster.indices.close.enable": (boolean, "true"),
    "cluster.info.update.interval": (time(10_000), "30s"),
    "cluster.info.update.timeout": (time(0), "15s"),
    "cluster.max_shards_per_node": (integer(1), "1000"),
    "cluster.max_voting_config_exclusions": (integer(1), "10"),
    "cluster.minimum.index.refresh_interval": (time(0), "0ms"),
    "cluster.no_cluster_manager_block": (
        _choice("all", "write", "metadata_write", problem="invalid no-cluster-manager block [{value}]", fold=str),
        "metadata_write",
    ),
    "cluster.persistent_tasks.allocation.enable": (_upper("ALL", "NONE", problem="Illegal value [{value}]"), "all"),
    "cluster.persistent_tasks.allocation.recheck_interval": (time(10_000), "30s"),
    "cluster.routing.allocation.allow_rebalance": (_ALLOW, "indices_all_active"),
    "cluster.routing.allocation.awareness.attributes": (texts, []),
    "cluster.routing.allocation.awareness.balance": (boolean, "false"),
    "cluster.routing.allocation.balance.disk_usage": (decimal(0), "2.0E-11"),
    "cluster.routing.allocation.balance.index": (decimal(0), "0.55"),
    "cluster.routing.allocation.balance.prefer_primary": (boolean, "false"),
    "cluster.routing.allocation.balance.shard": (decimal(0), "0.45"),
    "cluster.routing.allocation.balance.threshold": (decimal(0), "1.0"),
    "cluster.routing.allocation.balance.write_load": (decimal(0), "10.0"),
    "cluster.routing.allocation.cluster_concurrent_rebalance": (integer(-1), "2"),
    "cluster.routing.allocation.cluster_concurrent_recoveries": (integer(-1), "-1"),
    "cluster.routing.allocation.disk.include_relocations": (boolean, "true"),
    "cluster.routing.allocation.disk.reroute_interval": (time(0), "60s"),
    "cluster.routing.allocation.disk.threshold_enabled": (boolean, "true"),
    "cluster.routing.allocation.disk.watermark.flood_stage": (_percent_or_size, "95%"),
    "cluster.routing.allocation.disk.watermark.high": (_percent_or_size, "90%"),
    "cluster.routing.allocation.disk.watermark.low": (_percent_or_size, "85%"),
    "cluster.routing.allocation.enable": (_ENABLE, "all"),
    "cluster.routing.allocation.node_concurrent_incoming_recoveries": (integer(0), "2"),
    "cluster.routing.allocation.node_concurrent_outgoing_recoveries": (integer(0), "2"),
    "cluster.routing.allocation.node_concurrent_recoveries": (integer(0), "2"),
    "cluster.routing.allocation.node_initial_primaries_recoveries": (integer(0), "4"),
    "cluster.routing.allocation.node_initial_replicas_recoveries": (integer(0), "4"),
    "cluster.routing.allocation.same_shard.host": (boolean, "false"),
    "cluster.routing.allocation.total_primary_shards_per_node": (integer(-1), "-1"),
    "cluster.routing.allocation.total_shards_per_node": (integer(-1), "-1"),
    "cluster.routing.rebalance.enable": (_REBALANCE, "all"),
    "cluster.routing.use_adaptive_replica_selection": (boolean, "true"),
    "cluster.search.request.slowlog.level": (_LEVEL, "TRACE"),
    "cluster.search.request.slowlog.threshold.debug": (time(-1), "-1"),
    "cluster.search.request.slowlog.threshold.info": (time(-1), "-1"),
    "cluster.search.request.slowlog.threshold.trace": (time(-1), "-1"),
    "cluster.search.request.slowlog.threshold.warn": (time(-1), "-1"),
    "cluster.service.slow_cluster_manager_task_logging_threshold": (time(0), "10s"),
    "cluster.service.slow_task_logging_threshold": (time(0), "30s"),
    "indices.breaker.fielddata.limit": (_percent_or_size, "40%"),
    "indices.breaker.fielddata.overhead": (decimal(0), "1.03"),
    "indices.breaker.request.limit": (_percent_or_size, "60%"),
    "indices.breaker.request.overhead": (decimal(0), "1.0"),
    "indices.breaker.total.limit": (_percent_or_size, "95%"),
    "indices.mapping.dynamic_timeout": (time(0), "30s"),
    "indices.mapping.max_in_flight_updates": (integer(1, 1000), "10"),
    "indices.query.bool.max_clause_count": (integer(1), "1024"),
    "indices.recovery.internal_action_long_timeout": (time(0), "1800000ms"),
    "indices.recovery.internal_action_timeout": (time(0), "15m"),
    "indices.recovery.max_bytes_per_sec": (size(), "41943040b"),
    "indices.recovery.max_concurrent_file_chunks": (integer(1, 5), "2"),
    "indices.recovery.max_concurrent_operations": (integer(1, 4), "1"),
    "indices.recovery.recovery_activity_timeout": (time(0), "1800000ms"),
    "indices.recovery.retry_delay_network": (time(0), "5s"),
    "indices.recovery.retry_delay_state_sync": (time(0), "500ms"),
    "network.breaker.inflight_requests.limit": (_percent_or_size, "100%"),
    "network.breaker.inflight_requests.overhead": (decimal(0), "2.0"),
    "point_in_time.max_keep_alive": (time(0), "24h"),
    "script.max_compilations_rate": (text, "use-context"),
    "script.max_size_in_bytes": (integer(0), "65535"),
    "search.allow_expensive_queries": (boolean, "true"),
    "search.cancel_after_time_interval": (time(-1), "-1"),
    "search.default_allow_partial_results": (boolean, "true"),
    "search.default_keep_alive": (time(0), "5m"),
    "search.default_search_timeout": (time(-1), "-1"),
    "search.keep_alive_interval": (time(0), "1m"),
    "search.low_level_cancellation": (boolean, "true"),
    "search.max_buckets": (integer(0), "65535"),
    "search.max_keep_alive": (time(0), "24h"),
    "search.max_open_pit_context": (integer(0), "300"),
    "search.max_open_scroll_context": (integer(0), "500"),
    "search.query.max_query_string_length": (integer(1), "32000"),
    "search.request_stats_enabled": (boolean, "true"),
    "snapshot.max_concurrent_operations": (integer(1), "1000"),
}
"""May be changed by `PUT _cluster/settings`: key → (how its value is written, default)."""

GROUPS: Sequence[tuple[str, Parse]] = (
    ("cluster.metadata.", text),
    ("cluster.routing.allocation.awareness.force.", texts),
    ("cluster.routing.allocation.exclude.", text),
    ("cluster.routing.allocation.include.", text),
    ("cluster.routing.allocation.require.", text),
    ("cluster.remote.", anything),
    ("logger.", _LEVEL),
    ("persistent_tasks.", anything),
)
"""Families of settings by their prefix; a bare `*` stands for all of a family."""

STATIC: Mapping[str, Value | None] = {
    "bootstrap.memory_lock": "false",
    "cluster.initial_cluster_manager_nodes": [],
    "cluster.initial_master_nodes": [],
    "cluster.name": None,
    "discovery.seed_hosts": [],
    "discovery.type": None,
    "gateway.expected_data_nodes": "-1",
    "gateway.recover_after_data_nodes": "-1",
    "gateway.recover_after_time": "0ms",
    "http.compression": "true",
    "http.cors.enabled": "false",
    "http.max_content_length": "104857600b",
    "http.port": None,
    "indices.memory.index_buffer_size": "10%",
    "indices.queries.cache.size": "10%",
    "indices.requests.cache.size": "1%",
    "network.bind_host": None,
    "network.host": None,
    "network.publish_host": None,
    "node.attr.*": None,
    "node.name": None,
    "node.roles": None,
    "path.data": None,
    "path.logs": None,
    "path.repo": [],
    "transport.port": None,
}
"""Known, but set only in the node's configuration."""


def parser(key: str) -> Parse | None:
    """How the values of a dynamic setting are written; None if there is no such setting."""
    known = DYNAMIC.get(key)
    if known is not None:
        return known[0]
    return next((parse for prefix, parse in GROUPS if key.startswith(prefix) and len(key) > len(prefix)), None)
