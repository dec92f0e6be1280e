"""`_cat/shards`, `_cat/segments`, `_cat/allocation`, `_cat/recovery`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import orjson

from quidditch.controlplane.core.blocks import blocked
from quidditch.coordinator.shards import Place
from quidditch.lib import machine
from quidditch.model import expressions
from quidditch.model.expressions import STRICT_EXPAND_HIDDEN, STRICT_EXPAND_OPEN, STRICT_EXPAND_OPEN_FORBID_CLOSED
from quidditch.model.objects import Copy, Index
from quidditch.rest import pit, recovery_progress, shard_stats
from quidditch.rest.cat_columns import ALLOCATION, RECOVERY, SEGMENTS
from quidditch.rest.cat_columns_stats import SHARDS
from quidditch.rest.cat_indices import iso_time
from quidditch.rest.cat_table import PARAMS, Bytes, Millis, Row, endpoint
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.route import Route
from quidditch.rest.shard_stats import ShardStats
from quidditch.rest.stats_cells import fill
from quidditch.transport.recovery import Progress

DISK = "nodes/disk"


def _found(request: Request, node: Node, options: expressions.IndicesOptions) -> list[Index]:
    names = expressions.split(request.param("index"))
    options = expressions.parse_options(request.query, options)
    found = expressions.resolve(node.control.state, names, options, node.clock.now_ms())
    return sorted(found, key=lambda index: index.name)


async def shards(request: Request, node: Node) -> list[Row]:
    found = await shard_stats.collect(node, _found(request, node, STRICT_EXPAND_HIDDEN))
    return [_shard_row(node, each) for each in found]


def _shard_row(node: Node, each: ShardStats) -> Row:
    copy = each.copy
    row: Row = {
        "index": each.index.name,
        "shard": each.number,
        "prirep": "p" if copy.primary else "r",
        "state": copy.state,
        **_place(node, copy),
    }
    if copy.unassigned is not None:
        info = copy.unassigned
        row["unassigned.reason"] = info.reason
        row["unassigned.at"] = iso_time(info.at)
        row["unassigned.for"] = Millis(max(0, node.clock.now_ms() - info.at))
        row["unassigned.details"] = info.details
    row["recoverysource.type"] = copy.recovery
    if each.stats is None or not copy.active:
        return row
    row["docs"] = each.stats["docs"]["count"]
    row["store"] = Bytes(int(each.stats["store"]["size_in_bytes"]))
    row["seq_no.max"] = each.seq_no.get("max_seq_no")
    row["seq_no.local_checkpoint"] = each.seq_no.get("local_checkpoint")
    row["seq_no.global_checkpoint"] = each.seq_no.get("global_checkpoint")
    if each.about is not None:
        row["path.data"] = row["path.state"] = str(PurePath(each.about.path).parent.parent)
    fill(row, SHARDS, each.stats)
    return row


def _place(node: Node, copy: Copy) -> Row:
    known = node.control.state.nodes.get(copy.node or "")
    if known is None:
        return {}
    place: Row = {"ip": known.spec.ip, "id": known.id, "node": known.name}
    target = node.control.state.nodes.get(copy.relocating_node or "")
    if copy.state == "RELOCATING" and target is not None:
        place["node"] = f"{known.name} -> {target.spec.ip} {target.id} {target.name}"
    return place


async def segments(request: Request, node: Node) -> list[Row]:
    found = _found(request, node, STRICT_EXPAND_OPEN_FORBID_CLOSED)
    for index in found:
        error = blocked(node.control.state, index, "metadata_read")
        if error is not None:
            raise error
    collected = await shard_stats.collect(node, found, segments=True)
    return [row for each in collected for row in _segment_rows(node, each)]


async def pit_segments(request: Request, node: Node) -> list[Row]:
    """Those that the readers of points in time hold."""
    ids = None if request.path.endswith("/_all") else pit.ids_of(request)
    rows: list[Row] = []
    for index, number, holder, told in await node.search.points.segments(ids):
        routing = node.control.state.routing.get(index)
        shards = routing.spec.shards if routing is not None else ()
        copies = shards[number].placed if number < len(shards) else ()
        copy = next((each for each in copies if each.node == holder), Copy(primary=False, node=holder))
        found = {name: each for name, each in orjson.loads(told)["segments"].items() if each.get("search")}
        rows += _rows_of_segments(node, index, number, copy, found)
    return rows


def _segment_rows(node: Node, each: ShardStats) -> list[Row]:
    if each.stats is None or each.about is None or each.about.segments is None:
        return []
    found = orjson.loads(each.about.segments)["segments"]
    return _rows_of_segments(node, each.index.name, each.number, each.copy, found)


def _rows_of_segments(
    node: Node, index: str, number: int, copy: Copy, found: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    place = _place(node, copy)
    return [
        {
            "index": index,
            "shard": number,
            "prirep": "p" if copy.primary else "r",
            "ip": place.get("ip"),
            "id": place.get("id"),
            "segment": name,
            "generation": segment.get("generation", 0),
            "docs.count": segment.get("num_docs", 0),
            "docs.deleted": segment.get("deleted_docs", 0),
            "size": Bytes(int(segment.get("size_in_bytes", 0))),
            "size.memory": segment.get("memory_in_bytes", 0),
            "committed": bool(segment.get("committed")),
            "searchable": bool(segment.get("search")),
            "version": segment.get("version"),
            "compound": bool(segment.get("compound")),
        }
        for name, segment in found.items()
    ]


async def allocation(request: Request, node: Node) -> list[Row]:
    state = node.control.state
    wanted = node.select(request.param("node_id"))
    held: dict[str | None, int] = {}
    for routing in state.routing.values():
        for shard in routing.spec.shards:
            for copy in shard.copies:
                held[copy.node] = held.get(copy.node, 0) + 1
    rows: list[Row] = []
    holders = [known for known in wanted if known.holds_data]
    disks = await node.nodes.gather([known.id for known in holders], DISK, None)
    for known in holders:
        row: Row = {"shards": held.get(known.id, 0), "host": known.spec.host, "ip": known.spec.ip, "node": known.name}
        row.update(_disk(disks.answers.get(known.id)))
        rows.append(row)
    if held.get(None) and request.param("node_id") is None:
        rows.append({"shards": held[None], "node": "UNASSIGNED"})
    return rows


async def disk(node: Node, _message: Any) -> dict[str, int]:
    """What the disk of this node holds, in bytes."""
    usage = machine.disk(node.data_path)
    stats = shard_stats.everything(await shard_stats.collect_here(node))
    held = int(stats["store"]["size_in_bytes"])
    return {"indices": held, "used": usage.used, "available": usage.available, "total": usage.total}


def _disk(usage: dict[str, int] | None) -> Row:
    if usage is None:
        return {}
    return {
        "disk.indices": Bytes(usage["indices"]),
        "disk.used": Bytes(usage["used"]),
        "disk.avail": Bytes(usage["available"]),
        "disk.total": Bytes(usage["total"]),
        "disk.percent": round(100 * usage["used"] / usage["total"]),
    }


async def recovery(request: Request, node: Node) -> list[Row]:
    """The recovery of each copy that is on a node or on its way to one."""
    rows = []
    for place in await node.shards.describe(_found(request, node, STRICT_EXPAND_OPEN), targets=True):
        progress = recovery_progress.of(place)
        if place.copy.assigned and not (request.flag("active_only") and progress.stage == "DONE"):
            rows.append(_recovery_row(node, place, progress))
    return rows


def _recovery_row(node: Node, place: Place, progress: Progress) -> Row:
    nodes, files, size = node.control.state.nodes, progress.files, progress.bytes
    source, target = nodes.get(progress.source), nodes.get(place.copy.node or "")
    return {
        "index": place.index.name,
        "shard": place.number,
        "start_time": iso_time(progress.started),
        "start_time_millis": progress.started,
        "stop_time": iso_time(progress.stopped) if progress.stopped else None,
        "stop_time_millis": progress.stopped or None,
        "time": Millis(recovery_progress.millis(progress, node.clock.now_ms())),
        "type": progress.kind.lower(),
        "stage": progress.stage.lower(),
        "source_host": source.spec.host if source else "n/a",
        "source_node": source.name if source else "n/a",
        "target_host": target.spec.host if target else "n/a",
        "target_node": target.name if target else "n/a",
        "repository": "n/a",
        "snapshot": "n/a",
        "files": recovery_progress.to_recover(files),
        "files_recovered": files.recovered,
        "files_percent": recovery_progress.carried(files),
        "files_total": files.total,
        "bytes": Bytes(recovery_progress.to_recover(size)),
        "bytes_recovered": Bytes(size.recovered),
        "bytes_percent": recovery_progress.carried(size),
        "bytes_total": Bytes(size.total),
        "translog_ops": progress.operations,
        "translog_ops_recovered": progress.operations_recovered,
        "translog_ops_percent": recovery_progress.replayed(progress),
    }


_EXPAND = ("ignore_unavailable", "allow_no_indices", "expand_wildcards")
_ALL = (*PARAMS, *_EXPAND)
ROUTES = [
    Route("GET", "/_cat/shards", endpoint(SHARDS, shards), _ALL, text=True),
    Route("GET", "/_cat/shards/{index}", endpoint(SHARDS, shards), _ALL, text=True),
    Route("GET", "/_cat/segments", endpoint(SEGMENTS, segments), _ALL, text=True),
    Route("GET", "/_cat/segments/{index}", endpoint(SEGMENTS, segments), _ALL, text=True),
    Route("GET", "/_cat/pit_segments", endpoint(SEGMENTS, pit_segments), PARAMS, text=True),
    Route("GET", "/_cat/pit_segments/_all", endpoint(SEGMENTS, pit_segments), PARAMS, text=True),
    Route("GET", "/_cat/allocation", endpoint(ALLOCATION, allocation), PARAMS, text=True),
    Route("GET", "/_cat/allocation/{node_id}", endpoint(ALLOCATION, allocation), PARAMS, text=True),
    Route("GET", "/_cat/recovery", endpoint(RECOVERY, recovery), (*_ALL, "active_only", "detailed"), text=True),
    Route("GET", "/_cat/recovery/{index}", endpoint(RECOVERY, recovery), (*_ALL, "active_only", "detailed"), text=True),
]
