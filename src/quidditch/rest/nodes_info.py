"""`_nodes`, `_nodes/{id}/{metrics}`: who the nodes are. Clients sniff by `_nodes/_all/http`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from quidditch import __version__
from quidditch.lib import machine
from quidditch.lib.units import format_bytes
from quidditch.mapping.settings import nest
from quidditch.model.objects import Node as ClusterNode
from quidditch.rest import machine_stats
from quidditch.rest.info import COMPATIBLE_VERSION
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

AGGREGATIONS = (
    "avg", "cardinality", "date_histogram", "date_range", "extended_stats", "filter", "filters", "global", "histogram",
    "max", "min", "missing", "nested", "percentile_ranks", "percentiles", "range", "reverse_nested", "stats", "sum",
    "terms", "top_hits", "value_count",
)  # fmt: skip


INFO = "nodes/info"
View = Mapping[str, Any]
"""What is asked of a node: the sections `wanted`, and whether they are `human` and `flat`."""


async def info(request: Request, node: Node) -> Response:
    return await _info(request, node, request.param("node_id"), request.param("metric"))


async def info_or_metric(request: Request, node: Node) -> Response:
    """`_nodes/{x}`: metrics if all parts are metrics, otherwise nodes."""
    word = request.path_params["node_id"]
    parts = [part.strip() for part in word.split(",")]
    if all(part in SECTIONS or part == "_all" for part in parts):
        return await _info(request, node, None, word)
    return await _info(request, node, word, None)


async def _info(request: Request, node: Node, which: str | None, metric: str | None) -> Response:
    state = node.control.state
    metrics = [part.strip() for part in metric.split(",")] if metric else ["_all"]
    wanted = [name for name in SECTIONS if name in metrics or "_all" in metrics]
    nodes = node.select(which)
    message = {"wanted": wanted, "human": request.flag("human"), "flat": request.flag("flat_settings")}
    gathered = await node.nodes.gather([known.id for known in nodes], INFO, message)
    return Response.json({"_nodes": gathered.header(), "cluster_name": state.cluster_name, "nodes": gathered.answers})


async def tell(node: Node, message: View) -> dict[str, Any]:
    """This node's part of the answer."""
    known = node.known
    spec = known.spec
    body: dict[str, Any] = {
        "name": spec.name,
        "transport_address": spec.transport_address,
        "host": spec.host,
        "ip": spec.ip,
        "version": COMPATIBLE_VERSION,
        "build_type": "quidditch",
        "build_hash": __version__,
    }
    if "indices" in message["wanted"]:
        size = _indexing_buffer(node)
        if message["human"]:
            body["total_indexing_buffer"] = format_bytes(size)
        body["total_indexing_buffer_in_bytes"] = size
    body["roles"] = sorted(spec.roles)
    body["attributes"] = spec.attributes
    for name in message["wanted"]:
        section = SECTIONS[name]
        if section is not None:
            body[name] = section(message, node, known)
    return body


def _indexing_buffer(node: Node) -> int:
    try:
        return int(node.config.size("indices.memory.index_buffer_size"))
    except (AttributeError, KeyError):
        return 0


def _settings(view: View, node: Node, known: ClusterNode) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "client.type": "node",
        "cluster.name": node.control.state.cluster_name,
        "node.name": known.name,
        "http.type": "uvicorn",
        "transport.type": transport_type(node),
        **{f"node.attr.{name}": value for name, value in known.spec.attributes.items()},
    }
    values = getattr(node.config, "shown", None)
    if isinstance(values, Mapping):
        flat.update({key: value for key, value in values.items() if isinstance(value, str)})
        flat["cluster.name"], flat["node.name"] = node.control.state.cluster_name, known.name
    return flat if view["flat"] else nest(flat)


def transport_type(node: Node) -> str:
    """How the nodes talk: one that is alone has no address of its own for others."""
    spec = node.known.spec
    return "memory" if spec.transport_address == spec.http_address else "tcp"


def _process(_view: View, _node: Node, _known: ClusterNode) -> dict[str, Any]:
    return {"refresh_interval_in_millis": 1000, "id": os.getpid(), "mlockall": False}


def _jvm(_view: View, node: Node, _known: ClusterNode) -> dict[str, Any]:
    most = machine_stats.heap_max()
    return {
        "pid": os.getpid(),
        **machine_stats.jvm_version(),
        "bundled_jdk": False,
        "using_bundled_jdk": None,
        "start_time_in_millis": node.started_ms,
        "mem": {
            "heap_init_in_bytes": 0,
            "heap_max_in_bytes": most,
            "non_heap_init_in_bytes": 0,
            "non_heap_max_in_bytes": 0,
            "direct_max_in_bytes": 0,
        },
        "gc_collectors": ["old"],
        "memory_pools": ["old"],
        "using_compressed_ordinary_object_pointers": "false",
        "input_arguments": [],
    }


def _thread_pool(_view: View, node: Node, _known: ClusterNode) -> dict[str, Any]:
    return {name: pool_info(pool["threads"], pool["queue_size"]) for name, pool in thread_pools(node).items()}


def pool_info(size: int, queue: int) -> dict[str, Any]:
    return {"type": "fixed", "size": size, "queue_size": queue}


def thread_pools(node: Node) -> dict[str, dict[str, int]]:
    """The pools of a node: threads, places to wait (-1: no bound), what they do and did. What the event loop does itself is
    `generic`, `get` and `management`; those that there are not here are shown idle.
    """
    cores = machine.allowed_processors()
    idle = {"flush": 2, "force_merge": 2, "generic": 1, "get": 1, "index_searcher": cores, "management": 1}
    found = {name: _pool(threads) for name, threads in {**idle, "search_throttled": 1}.items()}
    for pool in (node.data.searches, node.data.writes):
        found[pool.name] = {
            "threads": pool.threads, "queue_size": pool.places, "queue": pool.queue, "active": pool.active,
            "rejected": pool.rejected, "largest": pool.largest, "completed": pool.completed,
        }  # fmt: skip
    found["search"]["rejected"] += node.pressure.rejected_searches
    return dict(sorted(found.items()))


def _pool(threads: int) -> dict[str, int]:
    idle = dict.fromkeys(("queue", "active", "rejected", "largest", "completed"), 0)
    return {"threads": threads, "queue_size": -1, **idle}


def _transport(_view: View, _node: Node, known: ClusterNode) -> dict[str, Any]:
    address = known.spec.transport_address
    return {"bound_address": [address], "publish_address": address, "profiles": {}}


def _http(_view: View, node: Node, known: ClusterNode) -> dict[str, Any]:
    address = known.spec.http_address or node.http_address
    try:
        most = int(node.config.size("http.max_content_length"))
    except (AttributeError, KeyError):
        most = 104_857_600
    bound = node.extra.get("http_bound", address)
    return {"bound_address": [bound], "publish_address": address, "max_content_length_in_bytes": most}


def _aggregations(_view: View, _node: Node, _known: ClusterNode) -> dict[str, Any]:
    return {name: {"types": ["other"]} for name in AGGREGATIONS}


Section = Callable[[View, Node, ClusterNode], Any]
SECTIONS: Mapping[str, Section | None] = {
    "settings": _settings,
    "os": lambda *_: machine_stats.os_info(),
    "process": _process,
    "jvm": _jvm,
    "thread_pool": _thread_pool,
    "transport": _transport,
    "http": _http,
    "plugins": lambda *_: [],
    "modules": lambda *_: [],
    "ingest": lambda *_: {"processors": []},
    "aggregations": _aggregations,
    "search_pipelines": lambda *_: {"request_processors": [], "response_processors": []},
    "indices": None,
}
"""The metrics, in the order in which they are shown."""

_PARAMS = ("flat_settings", "timeout")
ROUTES = [
    Route("GET", "/_nodes", info, _PARAMS),
    Route("GET", "/_nodes/{node_id}", info_or_metric, _PARAMS),
    Route("GET", "/_nodes/{node_id}/{metric}", info, _PARAMS),
    Route("GET", "/_nodes/{node_id}/info/{metric}", info, _PARAMS),
]
