"""`_nodes/stats`: the nodes in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from quidditch.lib.units import format_bytes
from quidditch.model.errors import illegal_argument
from quidditch.rest import human, machine_stats, shard_stats
from quidditch.rest.indices_stats import shard_json, with_get_time
from quidditch.rest.metric_names import asked
from quidditch.rest.node import Node
from quidditch.rest.nodes_info import thread_pools
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.transport.connection import Traffic
from quidditch.transport.tcp import TcpTransport

_INDEX_METRICS = {name: name for name in shard_stats.EMPTY} | {"merge": "merges"}
STATS = "nodes/stats"
_LEVELS = ("node", "indices", "shards")


async def stats(request: Request, node: Node) -> Response:
    state = node.control.state
    metrics = asked(request, "metric", (*SECTIONS, "indices", *_ABSENT))
    index_metrics = asked(request, "index_metric", _INDEX_METRICS, "index metric")
    if index_metrics and request.param("metric") not in ("indices", "_all"):
        raise illegal_argument(
            f"request [{request.path}] contains index metrics [{request.param('index_metric')}] but indices stats not requested"
        )
    level = request.query.get("level", "node").lower()
    if level not in _LEVELS:
        raise illegal_argument(f"level parameter must be one of [indices] or [node] or [shards] but was [{level}]")
    nodes = node.select(request.param("node_id"))
    message = {"metrics": metrics, "index_metrics": index_metrics, "level": level}
    gathered = await node.nodes.gather([known.id for known in nodes], STATS, message)
    body = {"_nodes": gathered.header(), "cluster_name": state.cluster_name, "nodes": gathered.answers}
    return Response.json(human.with_units(body) if request.flag("human") else body)


async def tell(node: Node, message: Mapping[str, Any]) -> dict[str, Any]:
    """This node's part of the answer."""
    metrics = message["metrics"]
    spec = node.known.spec
    body: dict[str, Any] = {
        "timestamp": node.clock.now_ms(),
        "name": spec.name,
        "transport_address": spec.transport_address,
        "host": spec.host,
        "ip": spec.transport_address or spec.ip,
        "roles": sorted(spec.roles),
        "attributes": spec.attributes,
    }
    if not metrics or "indices" in metrics:
        body["indices"] = await _indices(node, message["index_metrics"], message["level"])
    for name, section in SECTIONS.items():
        if not metrics or name in metrics:
            body["breakers" if name == "breaker" else name] = section(node)
    return body


async def _indices(node: Node, metrics: list[str], level: str) -> dict[str, Any]:
    collected = await shard_stats.collect_here(node)
    sections = [_INDEX_METRICS[name] for name in metrics] or list(shard_stats.EMPTY)

    def shown(numbers: shard_stats.Stats) -> dict[str, Any]:
        numbers["search"].pop("groups", None)
        told = {name: numbers[name] for name in shard_stats.EMPTY if name in sections}
        return {**told, "get": with_get_time(told["get"])} if "get" in told else told

    body = shown(shard_stats.everything(collected))
    if level in ("indices", "shards"):
        held = {each.index.name: [one for one in collected if one.index is each.index] for each in collected}
        body["indices"] = {name: shown(shard_stats.everything(each)) for name, each in sorted(held.items())}
        if level == "shards":
            del body["indices"]
            body["shards"] = {
                name: [
                    {str(one.number): shard_json(node, one, shown(one.stats or shard_stats.empty()))} for one in each
                ]
                for name, each in sorted(held.items())
            }
    return body


def _thread_pool(node: Node) -> dict[str, Any]:
    shown = ("threads", "queue", "active", "rejected", "largest", "completed")
    return {name: {each: pool[each] for each in shown} for name, pool in thread_pools(node).items()}


def _breakers(node: Node) -> dict[str, Any]:
    shown = {
        breaker.name: _breaker(breaker.limit(), breaker.used, breaker.tripped)
        for breaker in node.pressure.breakers.all()
    }
    return {**shown, "fielddata": _breaker(machine_stats.heap_max(), 0, 0)}


def _breaker(limit: int, used: int, tripped: int) -> dict[str, Any]:
    return {
        "limit_size_in_bytes": limit,
        "limit_size": format_bytes(limit),
        "estimated_size_in_bytes": used,
        "estimated_size": format_bytes(used),
        "overhead": 1.0,
        "tripped": tripped,
    }


def _discovery(node: Node) -> dict[str, Any]:
    """States do not queue: each is applied when it comes. How they came (whole, or as differences) is not counted."""
    return {
        "cluster_state_queue": {"total": 0, "pending": 0, "committed": 0},
        "published_cluster_states": {"full_states": 0, "incompatible_diffs": 0, "compatible_diffs": 0},
        "cluster_state_stats": {
            "overall": {"update_count": node.control.state.version, "total_time_in_millis": 0, "failed_count": 0}
        },
    }


def _transport(node: Node) -> dict[str, Any]:
    """A node that is alone has no transport over the network, and carries nothing."""
    transport = node.extra.get("transport")
    traffic = transport.traffic if isinstance(transport, TcpTransport) else Traffic()
    return {
        "server_open": transport.taken if isinstance(transport, TcpTransport) else 0,
        "total_outbound_connections": traffic.dialled,
        "rx_count": traffic.received,
        "rx_size_in_bytes": traffic.received_bytes,
        "tx_count": traffic.sent,
        "tx_size_in_bytes": traffic.sent_bytes,
    }


def _http(node: Node) -> dict[str, Any]:
    return {"current_open": node.traffic.open, "total_opened": node.traffic.opened}


Section = Callable[[Node], Any]
SECTIONS: Mapping[str, Section] = {
    "os": machine_stats.os_stats,
    "process": machine_stats.process_stats,
    "jvm": machine_stats.jvm_stats,
    "thread_pool": _thread_pool,
    "fs": machine_stats.fs_stats,
    "transport": _transport,
    "http": _http,
    "breaker": _breakers,
    "script": lambda _: {"compilations": 0, "cache_evictions": 0, "compilation_limit_triggered": 0},
    "discovery": _discovery,
    "ingest": lambda _: {
        "total": {"count": 0, "time_in_millis": 0, "current": 0, "failed": 0},
        "pipelines": {},
    },
    "adaptive_selection": lambda node: node.search.searcher.choice.ranks.section(),
    "script_cache": lambda _: {"sum": {"compilations": 0, "cache_evictions": 0, "compilation_limit_triggered": 0}},
    "indexing_pressure": lambda node: node.pressure.indexing.section(),
}
"""The metrics besides `indices`, in the order in which they are shown."""
_ABSENT = (
    "shard_indexing_pressure", "search_backpressure", "cluster_manager_throttling", "weighted_routing", "file_cache",
    "task_cancellation", "search_pipeline", "resource_usage_stats", "segment_replication_backpressure", "repositories",
    "admission_control", "caches", "remote_store",
)  # fmt: skip
"""Metrics of what there is not here: who asks for them beside others gets the others."""

_PARAMS = ("level", "timeout", "types", "groups", "fields", "fielddata_fields", "completion_fields")
_MORE = ("include_segment_file_sizes", "include_unloaded_segments")
ROUTES = [
    Route("GET", path, stats, (*_PARAMS, *_MORE))
    for path in (
        "/_nodes/stats",
        "/_nodes/stats/{metric}",
        "/_nodes/stats/{metric}/{index_metric}",
        "/_nodes/{node_id}/stats",
        "/_nodes/{node_id}/stats/{metric}",
        "/_nodes/{node_id}/stats/{metric}/{index_metric}",
    )
]
