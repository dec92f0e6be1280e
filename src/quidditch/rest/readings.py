"""What `_prometheus/metrics` reads at each look: process, pressure, disk, shards, leadership, and on the leader the cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import Metric

from quidditch import __version__
from quidditch.controlplane.core.health import cluster_health
from quidditch.lib import machine
from quidditch.lib.metrics import Sample, counter, gauge
from quidditch.model.state import ClusterState
from quidditch.rest.node import Node
from quidditch.rest.shard_stats import ShardStats

_MILLIS = 0.001
_GAUGES = (
    ("shard_documents", "documents in the shards of this node", "docs.count", 1),
    ("shard_deleted_documents", "deleted documents that still take space", "docs.deleted", 1),
    ("store_size_bytes", "bytes of the shards on disk", "store.size_in_bytes", 1),
    ("segments", "segments of the shards", "segments.count", 1),
    ("translog_operations", "operations in the translogs", "translog.operations", 1),
    ("translog_size_bytes", "bytes of the translogs", "translog.size_in_bytes", 1),
    (
        "translog_uncommitted_operations",
        "operations that are in no segment on disk yet",
        "translog.uncommitted_operations",
        1,
    ),
    ("translog_uncommitted_size_bytes", "bytes of those operations", "translog.uncommitted_size_in_bytes", 1),
    ("indexing_current", "documents being indexed now", "indexing.index_current", 1),
    ("search_queries_current", "query phases of shards under way", "search.query_current", 1),
    ("search_scrolls_open", "open scroll contexts of shards", "search.scroll_current", 1),
    ("search_contexts_open", "open search contexts of shards", "search.open_contexts", 1),
    ("merges_current", "merges under way", "merges.current", 1),
)
_COUNTERS = (
    ("indexing_operations", "documents indexed", "indexing.index_total", 1),
    ("indexing_seconds", "time spent indexing", "indexing.index_time_in_millis", _MILLIS),
    ("indexing_failures", "documents that could not be indexed", "indexing.index_failed", 1),
    ("delete_operations", "documents deleted", "indexing.delete_total", 1),
    ("delete_seconds", "time spent deleting", "indexing.delete_time_in_millis", _MILLIS),
    ("get_operations", "documents got by id", "get.total", 1),
    ("get_seconds", "time spent getting", "get.time_in_millis", _MILLIS),
    ("search_queries", "query phases of shards", "search.query_total", 1),
    ("search_query_seconds", "time spent in query phases", "search.query_time_in_millis", _MILLIS),
    ("search_fetches", "fetch phases of shards", "search.fetch_total", 1),
    ("search_fetch_seconds", "time spent in fetch phases", "search.fetch_time_in_millis", _MILLIS),
    ("refreshes", "refreshes of shards", "refresh.total", 1),
    ("refresh_seconds", "time spent refreshing", "refresh.total_time_in_millis", _MILLIS),
    ("flushes", "flushes of shards", "flush.total", 1),
    ("flush_seconds", "time spent flushing", "flush.total_time_in_millis", _MILLIS),
    ("merges", "merges of segments", "merges.total", 1),
    ("merge_seconds", "time spent merging", "merges.total_time_in_millis", _MILLIS),
    ("merged_documents", "documents merged", "merges.total_docs", 1),
    ("merged_bytes", "bytes merged", "merges.total_size_in_bytes", 1),
)


class Retired:
    """Counters of shards that left the node still count: a sum over the shards that are there would fall."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, float]] = {}
        self._gone: Counter[str] = Counter()

    def sums(self, shards: Mapping[str, dict[str, float]]) -> Mapping[str, float]:
        """By counter. What a shard counted after the last look and before it left is lost."""
        for key, known in self._last.items():
            now = shards.get(key)
            if now is None or any(now[name] < value for name, value in known.items()):
                self._gone.update(known)
        self._last = dict(shards)
        total: Counter[str] = Counter(self._gone)
        for values in shards.values():
            total.update(values)
        return total


def process() -> Iterable[Metric]:
    """Names that are the same for every program, and who this is."""
    for collector in (
        ProcessCollector(registry=None),
        GCCollector(CollectorRegistry()),
        PlatformCollector(registry=None),
    ):
        yield from collector.collect()
    yield gauge("build_info", "the version of this node", ({"version": __version__}, 1))
    yield gauge("threads", "threads of the process", machine.threads())


def pressure(node: Node) -> Iterable[Metric]:
    """What is in flight, its bounds, and what was refused over them."""
    now = node.pressure
    used = "bytes of bodies of requests in flight", "bytes of writes in flight"
    bodies, writes = now.breakers.in_flight, now.indexing
    yield gauge("http_request_body_bytes", used[0], bodies.used)
    yield gauge("http_request_body_limit_bytes", f"bound of the {used[0]}", bodies.limit())
    yield gauge("indexing_pressure_bytes", used[1], writes.everything)
    yield gauge("indexing_pressure_limit_bytes", f"bound of the {used[1]}", writes.limit)
    taken = sum(writes.total.values())
    yield counter("indexing_pressure_taken_bytes", "bytes of writes since the start", taken)
    yield gauge("searches_in_flight", "search requests in flight", now.searches)
    yield gauge("searches_in_flight_limit", "bound of the search requests in flight", now.max_searches)
    searches, pool = node.data.searches.rejected + now.rejected_searches, node.data.writes.rejected
    refused = {"body": bodies.tripped, "write": sum(writes.rejections.values()) + pool, "search": searches}
    samples: Sequence[Sample] = [({"kind": kind}, count) for kind, count in refused.items()]
    yield counter("rejected_requests", "requests answered with 429, by what was full", *samples)


def disk(node: Node) -> Iterable[Metric]:
    found = machine.disk(node.data_path)
    yield gauge("disk_total_bytes", "size of the disk of the data folder", found.total)
    yield gauge("disk_available_bytes", "bytes of that disk that the node can use", found.available)


def copies(state: ClusterState, node_id: str) -> Iterable[Metric]:
    """Copies on this node, by state."""
    states: Counter[tuple[str, str]] = Counter()
    for routing in state.routing.values():
        for shard in routing.spec.shards:
            for copy in shard.placed:
                if copy.node == node_id:
                    states[copy.state.lower(), "primary" if copy.primary else "replica"] += 1
    samples: list[Sample] = [({"state": state, "role": role}, count) for (state, role), count in sorted(states.items())]
    yield gauge("shards", "copies of shards on this node, by state and role", *samples)


def shards(open_shards: Sequence[ShardStats], retired: Retired) -> Iterable[Metric]:
    """Sums over the copies that are open here."""
    counted = {each.copy.allocation_id or "": _values(each, _COUNTERS) for each in open_shards}
    sums = retired.sums(counted)
    now: Counter[str] = Counter()
    for each in open_shards:
        now.update(_values(each, _GAUGES))
    for name, meaning, _, _ in _GAUGES:
        yield gauge(name, meaning, now[name])
    for name, meaning, _, _ in _COUNTERS:
        yield counter(name, meaning, sums.get(name, 0))


def _values(each: ShardStats, table: Sequence[tuple[str, str, str, float]]) -> dict[str, float]:
    stats: Any = each.stats or {}
    found = {}
    for name, _, path, scale in table:
        section, _, member = path.partition(".")
        found[name] = stats.get(section, {}).get(member, 0) * scale
    return found


def leadership(node: Node) -> Iterable[Metric]:
    """Who leads, and what of the state is here."""
    state = node.control.state
    yield gauge("leader", "1 on the node that leads the cluster, 0 on all others", node.manager == node.id)
    yield gauge("leader_known", "1 while this node knows who leads", bool(node.manager))
    yield gauge("leader_epoch", "of the newest leader that this node knows; each has a greater one", node.control.epoch)
    yield gauge("state_version", "version of the cluster state that this node has applied", state.version)


def cluster(state: ClusterState) -> Iterable[Metric]:
    """What holds of the whole cluster: the leader alone tells it, so that sums over all nodes are right."""
    found = cluster_health(state)
    colors: list[Sample] = [({"status": color}, color == found.status) for color in ("green", "yellow", "red")]
    yield gauge("cluster_status", "1 for the status that the cluster has", *colors)
    health = Counter(known.status.health.lower() for known in state.nodes.values())
    nodes: list[Sample] = [({"health": name}, health[name]) for name in ("healthy", "degraded", "unhealthy")]
    yield gauge("cluster_nodes", "nodes of the cluster, by health", *nodes)
    yield gauge("cluster_indices", "indices of the cluster", len(state.indices))
    counts = found.counts
    numbers = {
        "active": counts.active,
        "initializing": counts.initializing,
        "relocating": counts.relocating,
        "unassigned": counts.unassigned,
    }
    by_state: list[Sample] = [({"state": name}, count) for name, count in numbers.items()]
    yield gauge(
        "cluster_shards", "copies of shards of the cluster, by state (relocating ones are active too)", *by_state
    )
    yield gauge("cluster_shards_delayed", "unassigned copies that wait for their node to return", counts.delayed)
    yield gauge("cluster_active_primaries", "primaries that are active", counts.active_primary)
