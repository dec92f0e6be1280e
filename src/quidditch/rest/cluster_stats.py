"""`_cluster/stats`: the cluster in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from quidditch.controlplane.core.health import cluster_health
from quidditch.lib import machine
from quidditch.mapping import settings
from quidditch.model.errors import illegal_argument
from quidditch.model.objects import Index
from quidditch.rest import human, shard_stats
from quidditch.rest.info import COMPATIBLE_VERSION
from quidditch.rest.machine_stats import heap_max, jvm_version, percent, uptime_ms
from quidditch.rest.metric_names import asked
from quidditch.rest.node import Node
from quidditch.rest.nodes_info import transport_type
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

MACHINE = "nodes/machine"
_SECTIONS = ("docs", "store", "fielddata", "query_cache", "completion", "segments")
_INDEX_METRICS = ("shards", *_SECTIONS, "mappings", "analysis")
_METRICS = (
    "os", "process", "jvm", "fs", "plugins", "ingest", "indices", "network_types", "discovery_types", "packaging_types",
)  # fmt: skip
_ANALYSIS = ("char_filter", "tokenizer", "filter", "analyzer")


async def stats(request: Request, node: Node) -> Response:
    state = node.control.state
    metrics = asked(request, "metric", _METRICS, suggest=False)
    if request.param("index_metric") and metrics and "indices" not in metrics:
        names = f"index metrics [{request.param('index_metric')}] but indices stats not requested"
        raise illegal_argument(f"request [{request.path}] contains {names}")
    index_metrics = asked(request, "index_metric", _INDEX_METRICS, "index metric", suggest=False)
    nodes = node.select(request.param("node_id"))
    gathered = await node.nodes.gather([known.id for known in nodes], MACHINE, None)
    shown = [known for known in nodes if known.id in gathered.answers]
    body: dict[str, Any] = {
        "_nodes": gathered.header(),
        "cluster_name": state.cluster_name,
        "cluster_uuid": state.cluster_uuid,
        "timestamp": node.clock.now_ms(),
        "status": cluster_health(state).status,
    }
    if not metrics or "indices" in metrics:
        body["indices"] = await _indices(node, index_metrics)
    if metrics != ["indices"]:
        numbers = _nodes(node, [known.spec.roles for known in shown], list(gathered.answers.values()))
        body["nodes"] = {
            name: part
            for name, part in numbers.items()
            if not metrics or name in ("count", "versions") or name in metrics
        }
    return Response.json(human.with_units(body) if request.flag("human") else body)


async def _indices(node: Node, metrics: Sequence[str]) -> dict[str, Any]:
    indices = list(node.control.state.indices.values())
    collected = await shard_stats.collect(node, [index for index in indices if index.open])
    numbers = shard_stats.everything(collected)
    parts = {
        "shards": _shards(node, indices),
        **{name: numbers[name] for name in _SECTIONS},
        "mappings": {"field_types": _field_types(indices)},
        "analysis": _analysis(indices),
    }
    return {"count": len(indices), **{name: part for name, part in parts.items() if not metrics or name in metrics}}


def _shards(node: Node, indices: Sequence[Index]) -> dict[str, Any]:
    """Counts of active copies."""
    primaries: list[int] = []
    copies: list[int] = []
    for index in indices:
        routing = node.control.state.routing.get(index.name)
        active = [copy for shard in (routing.spec.shards if routing else ()) for copy in shard.copies if copy.active]
        if active:
            primaries.append(sum(copy.primary for copy in active))
            copies.append(len(active))
    if not copies:
        return {}
    total, of_primaries = sum(copies), sum(primaries)
    replication = [(every - main) / main if main else 0.0 for every, main in zip(copies, primaries, strict=True)]
    return {
        "total": total,
        "primaries": of_primaries,
        "replication": (total - of_primaries) / of_primaries if of_primaries else 0.0,
        "index": {"shards": _spread(copies), "primaries": _spread(primaries), "replication": _spread(replication)},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "max": max(values), "avg": sum(values) / len(values)}


def _field_types(indices: Sequence[Index]) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for index in indices:
        own: Counter[str] = Counter()
        _count_types(index.spec.mappings, own)
        counts.update(own)
        used.update(own.keys())
    return [{"name": name, "count": counts[name], "index_count": used[name]} for name in sorted(counts)]


def _count_types(node: Mapping[str, Any], counts: Counter[str]) -> None:
    for key in ("properties", "fields"):
        for field in node.get(key, {}).values():
            counts[field.get("type", "object")] += 1
            _count_types(field, counts)


def _analysis(indices: Sequence[Index]) -> dict[str, Any]:
    """Types of the components that indices define themselves."""
    found: dict[str, Any] = {}
    for kind in _ANALYSIS:
        counts: Counter[str] = Counter()
        used: Counter[str] = Counter()
        for index in indices:
            defined = settings.nested_for_kernel(index.spec.settings).get("analysis", {}).get(kind, {})
            types = [str(each.get("type", "custom")) for each in defined.values() if isinstance(each, dict)]
            counts.update(types)
            used.update(set(types))
        found[f"{kind}_types"] = [
            {"name": name, "count": counts[name], "index_count": used[name]} for name in sorted(counts)
        ]
    return found | {f"built_in_{kind}s": [] for kind in _ANALYSIS}


async def tell(node: Node, _message: None) -> dict[str, Any]:
    """The numbers of this node's machine and process."""
    memory, disk = machine.memory(), machine.disk(node.data_path)
    name, pretty, _, _ = machine.system()
    return {
        "names": [name, pretty],
        "processors": [machine.processors(), machine.allowed_processors()],
        "memory": [memory.total, memory.available, memory.used],
        "disk": [disk.total, disk.free, disk.available],
        "files": machine.open_files(),
        "cpu": percent(node)[1],
        "uptime": uptime_ms(node),
        "heap": [machine.resident_bytes(), heap_max()],
        "threads": machine.threads(),
    }


def _nodes(node: Node, roles: Sequence[Sequence[str]], told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total = len(roles)
    managers = sum("cluster_manager" in each for each in roles)
    files = [int(each["files"]) for each in told] or [0]

    def summed(name: str, at: int) -> int:
        return sum(int(each[name][at]) for each in told)

    def named(at: int, key: str) -> list[dict[str, Any]]:
        counted = Counter(str(each["names"][at]) for each in told)
        return [{key: name, "count": count} for name, count in counted.items()]

    memory, used = summed("memory", 0), summed("memory", 2)
    used_percent = round(100 * used / memory) if memory else 0
    return {
        "count": {
            "total": total,
            "cluster_manager": managers,
            "coordinating_only": sum(not each for each in roles),
            "data": sum("data" in each for each in roles),
            "ingest": sum("ingest" in each for each in roles),
            "master": managers,
            "remote_cluster_client": sum("remote_cluster_client" in each for each in roles),
            "search": sum("search" in each for each in roles),
            "warm": sum("warm" in each for each in roles),
        },
        "versions": [COMPATIBLE_VERSION] if total else [],
        "os": {
            "available_processors": summed("processors", 0),
            "allocated_processors": summed("processors", 1),
            "names": named(0, "name"),
            "pretty_names": named(1, "pretty_name"),
            "mem": {
                "total_in_bytes": memory,
                "free_in_bytes": summed("memory", 1),
                "used_in_bytes": used,
                "free_percent": 100 - used_percent,
                "used_percent": used_percent,
            },
        },
        "process": {
            "cpu": {"percent": sum(int(each["cpu"]) for each in told)},
            "open_file_descriptors": {"min": min(files), "max": max(files), "avg": sum(files) // len(files)},
        },
        "jvm": {
            "max_uptime_in_millis": max((int(each["uptime"]) for each in told), default=0),
            "versions": [{**jvm_version(), "bundled_jdk": False, "using_bundled_jdk": None, "count": total}]
            if total
            else [],
            "mem": {"heap_used_in_bytes": summed("heap", 0), "heap_max_in_bytes": summed("heap", 1)},
            "threads": sum(int(each["threads"]) for each in told),
        },
        "fs": {
            "total_in_bytes": summed("disk", 0),
            "free_in_bytes": summed("disk", 1),
            "available_in_bytes": summed("disk", 2),
            "cache_reserved_in_bytes": 0,
        },
        "plugins": [],
        "network_types": {"transport_types": {transport_type(node): total}, "http_types": {"uvicorn": total}},
        "discovery_types": {"single-node" if transport_type(node) == "memory" else "raft": total},
        "packaging_types": [{"type": "python", "count": total}],
        "ingest": {"number_of_pipelines": len(node.control.state.pipelines), "processor_stats": {}},
    }


ROUTES = [
    Route("GET", path, stats, ("timeout",))
    for path in (
        "/_cluster/stats",
        "/_cluster/stats/nodes/{node_id}",
        "/_cluster/stats/{metric}/nodes/{node_id}",
        "/_cluster/stats/{metric}/{index_metric}/nodes/{node_id}",
    )
]
