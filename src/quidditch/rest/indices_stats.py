"""`_stats`: the numbers of indices, by metric and level; `_segments`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
import orjson

from quidditch.model.errors import illegal_argument
from quidditch.model.expressions import STRICT_EXPAND_OPEN, STRICT_EXPAND_OPEN_FORBID_CLOSED
from quidditch.model.objects import Copy
from quidditch.model.wildcard import matches_any
from quidditch.rest import human, shard_stats
from quidditch.rest import index_params as common
from quidditch.rest.metric_names import asked
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.shard_stats import ShardStats, Stats

_SECTIONS = {name: name for name in shard_stats.EMPTY} | {"merge": "merges"}
_SECTIONS.pop("merges")
_LEVELS = ("cluster", "indices", "shards")


# --- _stats ---------------------------------------------------------------------------------------------------------


def _metrics(request: Request) -> tuple[str, ...]:
    """The sections asked for. Raises illegal_argument_exception for metrics that there are not."""
    names = asked(request, "metric", _SECTIONS)
    return tuple(section for metric, section in _SECTIONS.items() if not names or metric in names)


class _View(msgspec.Struct):
    """What is shown of each set of numbers."""

    sections: tuple[str, ...]
    groups: tuple[str, ...]
    fields: bool
    files: bool

    def show(self, stats: Stats) -> dict[str, Any]:
        shown = {section: dict(stats.get(section, {})) for section in self.sections}
        if "get" in shown:
            shown["get"] = with_get_time(shown["get"])
        if self.fields:
            for section in ("fielddata", "completion"):
                if section in shown:
                    shown[section].setdefault("fields", {})
        if "search" in shown:
            groups = shown["search"].pop("groups", {})
            chosen = {name: group for name, group in groups.items() if matches_any(self.groups, name)}
            if chosen:
                shown["search"]["groups"] = chosen
        if "segments" in shown and not self.files:
            shown["segments"]["file_sizes"] = {}
        return shown


def with_get_time(section: dict[str, Any]) -> dict[str, Any]:
    """`getTime` is always there, a readable duration."""
    total = section.pop("total", 0)
    return {"total": total, "getTime": human.duration(section.get("time_in_millis", 0)), **section}


async def stats(request: Request, node: Node) -> Response:
    level = request.query.get("level", "indices")
    if level not in _LEVELS:
        raise illegal_argument(f"level parameter must be one of [cluster] or [indices] or [shards] but was [{level}]")
    view = _View(
        sections=_metrics(request),
        groups=common.names(request, "groups"),
        fields=any(request.query.get(name) for name in ("fields", "fielddata_fields", "completion_fields")),
        files=request.flag("include_segment_file_sizes"),
    )
    forbids = request.flag("forbid_closed_indices", default=True)
    defaults = STRICT_EXPAND_OPEN_FORBID_CLOSED if forbids else STRICT_EXPAND_OPEN
    shards = await shard_stats.collect(node, common.resolve(request, node, defaults))
    for shard in shards:
        if shard.stats is None and not shard.index.open and shard.copy.primary:
            shard.stats = shard_stats.empty()
            if request.flag("include_unloaded_segments"):
                shard.stats["segments"]["count"] = shard.about.on_disk if shard.about else 0
    answer: dict[str, Any] = {"_shards": _counts(shards), "_all": _pair(shards, view)}
    if level != "cluster":
        answer["indices"] = {
            group[0].index.name: _index(node, group, view, with_shards=level == "shards") for group in _by_index(shards)
        }
    return Response.json(human.with_units(answer) if request.flag("human") else answer)


def _counts(shards: Sequence[ShardStats]) -> dict[str, int]:
    return {"total": len(shards), "successful": sum(each.stats is not None for each in shards), "failed": 0}


def _pair(shards: Sequence[ShardStats], view: _View) -> dict[str, Any]:
    if not any(each.stats is not None for each in shards):
        return {"primaries": {}, "total": {}}
    return {
        "primaries": view.show(shard_stats.primaries(shards)),
        "total": view.show(shard_stats.everything(shards)),
    }


def _by_index(shards: Iterable[ShardStats]) -> list[list[ShardStats]]:
    groups = [list(group) for _, group in groupby(shards, key=lambda each: each.index.name)]
    return [group for group in groups if any(each.stats is not None for each in group)]


def _index(node: Node, shards: Sequence[ShardStats], view: _View, with_shards: bool) -> dict[str, Any]:
    shown = {"uuid": shards[0].index.uuid, **_pair(shards, view)}
    if with_shards:
        numbers: dict[str, list[Any]] = {}
        for each in shards:
            if each.stats is not None:
                numbers.setdefault(str(each.number), []).append(shard_json(node, each, view.show(each.stats)))
        shown["shards"] = numbers
    return shown


def routing_json(copy: Copy) -> dict[str, Any]:
    return {
        "state": copy.state,
        "primary": copy.primary,
        "node": copy.node,
        "relocating_node": copy.relocating_node,
    }


def shard_json(node: Node, each: ShardStats, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """One copy in detail; `numbers` are its sections as they are shown."""
    path = each.about.path if each.about else ""
    term = 0
    routing = node.control.state.routing.get(each.index.name)
    if routing is not None:
        term = routing.spec.shards[each.number].primary_term
    documents = (each.stats or {}).get("docs", {}).get("count", 0)
    commit = {"id": each.index.uuid, "generation": 1, "num_docs": documents, **each.commit}
    data = {name: str(commit.pop(name)) for name in ("history_uuid", "max_seq_no") if name in commit}
    return {
        "routing": routing_json(each.copy),
        **numbers,
        "commit": {**commit, "user_data": data},
        "seq_no": {"max_seq_no": -1, "local_checkpoint": -1, "global_checkpoint": -1, **each.seq_no},
        "retention_leases": {"primary_term": term, "version": 0, "leases": []},
        "shard_path": {"state_path": path, "data_path": path, "is_custom_data_path": False},
    }


# --- _segments ------------------------------------------------------------------------------------------------------


async def segments(request: Request, node: Node) -> Response:
    found = common.resolve(request, node, STRICT_EXPAND_OPEN_FORBID_CLOSED)
    shown: dict[str, Any] = {}
    total = successful = 0
    for place in await node.shards.describe(found, segments=True):
        total += 1
        if place.about is None or place.about.segments is None or not place.copy.active:
            continue
        successful += 1
        routing = {"state": place.copy.state, "primary": place.copy.primary, "node": place.copy.node}
        numbers = shown.setdefault(place.index.name, {"shards": {}})["shards"]
        numbers.setdefault(str(place.number), []).append({"routing": routing, **orjson.loads(place.about.segments)})
    answer = {"_shards": {"total": total, "successful": successful, "failed": 0}, "indices": shown}
    return Response.json(human.with_units(answer) if request.flag("human") else answer)


_STATS = (
    *common.EXPAND,
    "completion_fields",
    "fielddata_fields",
    "fields",
    "forbid_closed_indices",
    "groups",
    "include_segment_file_sizes",
    "include_unloaded_segments",
    "level",
    "types",
)
ROUTES = [
    *(
        Route("GET", path, stats, _STATS)
        for path in ("/_stats", "/_stats/{metric}", "/{index}/_stats", "/{index}/_stats/{metric}")
    ),
    *(Route("GET", path, segments, (*common.EXPAND, "verbose")) for path in ("/_segments", "/{index}/_segments")),
]
