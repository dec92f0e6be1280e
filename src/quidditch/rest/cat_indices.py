"""`_cat/indices` and `_cat/count`."""

from __future__ import annotations

from datetime import UTC, datetime

from quidditch.controlplane.core.health import index_health
from quidditch.coordinator.search import Ask
from quidditch.model import expressions
from quidditch.model.errors import illegal_argument
from quidditch.model.expressions import STRICT_EXPAND
from quidditch.model.objects import Index
from quidditch.query.uri import QUERY_PARAMS
from quidditch.rest import shard_stats
from quidditch.rest.cat_cluster import clock_cells, without_clock
from quidditch.rest.cat_columns import COUNT
from quidditch.rest.cat_columns_stats import INDICES
from quidditch.rest.cat_table import PARAMS, Bytes, Row, endpoint
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.route import Route
from quidditch.rest.stats_cells import fill


async def indices(request: Request, node: Node) -> list[Row]:
    state = node.control.state
    names = expressions.split(request.param("index"))
    options = expressions.parse_options(request.query, STRICT_EXPAND)
    status = request.query.get("health")
    if status and status not in ("green", "yellow", "red"):
        raise illegal_argument(f"unknown health status [{status}]")
    found = expressions.resolve(state, names, options, node.clock.now_ms())
    found = sorted(found, key=lambda each: each.name)
    shards: dict[str, list[shard_stats.ShardStats]] = {}
    for each in await shard_stats.collect(node, [index for index in found if index.open]):
        shards.setdefault(each.index.name, []).append(each)
    rows = []
    for index in found:
        row = _row(node, index, shards.get(index.name, []))
        if not status or row["health"] == status:
            if request.flag("pri"):
                row["store.size"] = row.get("pri.store.size")
            rows.append(row)
    return rows


def _row(node: Node, index: Index, shards: list[shard_stats.ShardStats]) -> Row:
    created = int(index.setting("index.creation_date", "0"))
    health = index_health(index, node.control.state.routing.get(index.name))
    row: Row = {
        "health": health.status,
        "status": "open" if index.open else "close",
        "index": index.name,
        "uuid": index.uuid,
        "pri": index.number_of_shards,
        "rep": index.number_of_replicas,
        "creation.date": created,
        "creation.date.string": iso_time(created),
        "search.throttled": index.setting("index.search.throttled", "false"),
    }
    if any(each.stats is not None for each in shards):
        everything, primaries = shard_stats.everything(shards), shard_stats.primaries(shards)
        row["docs.count"] = primaries["docs"]["count"]
        row["docs.deleted"] = primaries["docs"]["deleted"]
        row["memory.total"] = Bytes(_memory(everything))
        row["pri.memory.total"] = Bytes(_memory(primaries))
        latest = everything["indexing"]["max_last_index_request_timestamp"]
        row["last_index_request_timestamp"] = latest
        row["last_index_request_timestamp_string"] = iso_time(latest) if latest else None
        fill(row, INDICES, primaries, "pri.")
        fill(row, INDICES, everything)
    return row


def _memory(stats: shard_stats.Stats) -> int:
    sections = ("fielddata", "query_cache", "request_cache")
    held = sum(int(stats[section]["memory_size_in_bytes"]) for section in sections)
    return held + int(stats["segments"]["memory_in_bytes"]) + int(stats["segments"]["index_writer_memory_in_bytes"])


def iso_time(millis: int) -> str:
    moment = datetime.fromtimestamp(millis / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


async def count(request: Request, node: Node) -> list[Row]:
    """Documents that a search sees: through an alias those of its filter."""
    asked = {name: request.query[name] for name in QUERY_PARAMS if name in request.query}
    found = await node.search.queries.count(Ask(request.param("index"), asked, b""))
    return [{**clock_cells(request, node), "count": found["count"]}]


_PARAMS = (*PARAMS, "health", "pri", "expand_wildcards", "include_unloaded_segments", "ignore_unavailable")
ROUTES = [
    Route("GET", "/_cat/indices", endpoint(INDICES, indices), _PARAMS, text=True),
    Route("GET", "/_cat/indices/{index}", endpoint(INDICES, indices), _PARAMS, text=True),
    Route("GET", "/_cat/count", endpoint(COUNT, count, without_clock), (*PARAMS, *QUERY_PARAMS), text=True),
    Route("GET", "/_cat/count/{index}", endpoint(COUNT, count, without_clock), (*PARAMS, *QUERY_PARAMS), text=True),
]
