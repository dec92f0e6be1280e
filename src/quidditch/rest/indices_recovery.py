"""`_recovery`: how the copies of shards came to be where they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from quidditch.coordinator.shards import Place
from quidditch.model.expressions import IndicesOptions
from quidditch.rest import human, recovery_progress
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.transport.recovery import Counts, File, Progress

_OPTIONS = IndicesOptions(expand_closed=True)


async def recovery(request: Request, node: Node) -> Response:
    active_only = request.flag("active_only")
    answer: dict[str, Any] = {}
    for place in await node.shards.describe(common.resolve(request, node, _OPTIONS), targets=True):
        progress = recovery_progress.of(place)
        if place.copy.node is not None and (not active_only or progress.stage != "DONE"):
            shown = answer.setdefault(place.index.name, {"shards": []})
            shown["shards"].append(_shard(node, place, progress, request.flag("detailed")))
    return Response.json(_for_people(answer) if request.flag("human") else answer)


def _for_people(answer: dict[str, Any]) -> dict[str, Any]:
    """Times as dates besides sizes and durations."""
    for index in answer.values():
        for shard in index["shards"]:
            for name in ("start_time", "stop_time"):
                millis = shard.get(f"{name}_in_millis")
                if millis is None:
                    continue
                moment = datetime.fromtimestamp(millis / 1000, UTC)
                shard[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03}Z"
    shown: dict[str, Any] = human.with_units(answer)
    for name, index in shown.items():
        for position, shard in enumerate(index["shards"]):
            told = answer[name]["shards"][position]
            if shard["type"] != "PEER":  # OpenSearch's way to say that nothing could be throttled
                shard["index"].update(source_throttle_time="-1", target_throttle_time="-1")
            shard.update({key: told[key] for key in ("start_time", "stop_time") if key in told})
    return shown


def _shard(node: Node, place: Place, progress: Progress, detailed: bool) -> dict[str, Any]:
    files = _counts(progress.files, "")
    if detailed:
        files["details"] = [_file(file) for file in progress.details]
    shown: dict[str, Any] = {
        "id": place.number,
        "type": progress.kind,
        "stage": progress.stage,
        "primary": place.copy.primary,
        "start_time_in_millis": progress.started,
        "stop_time_in_millis": progress.stopped,
        "total_time_in_millis": recovery_progress.millis(progress, node.clock.now_ms()),
        "source": _source(node, progress),
        "target": _node(node, place.copy.node),
        "index": {
            "size": _counts(progress.bytes, "_in_bytes"),
            "files": files,
            "total_time_in_millis": progress.index_millis,
            "source_throttle_time_in_millis": progress.source_throttled,
            "target_throttle_time_in_millis": progress.target_throttled,
        },
        "translog": {
            "recovered": progress.operations_recovered,
            "total": progress.operations,
            "percent": recovery_progress.replayed(progress),
            "total_on_start": progress.operations,
            "total_time_in_millis": progress.translog_millis,
        },
        "verify_index": {"check_index_time_in_millis": 0, "total_time_in_millis": progress.verify_millis},
    }
    if not progress.stopped:
        del shown["stop_time_in_millis"]
    return shown


def _counts(counts: Counts, unit: str) -> dict[str, Any]:
    return {
        f"total{unit}": counts.total,
        f"reused{unit}": counts.reused,
        f"recovered{unit}": counts.recovered,
        "percent": recovery_progress.carried(counts),
    }


def _file(file: File) -> dict[str, Any]:
    return {
        "name": file.name,
        "length_in_bytes": file.length,
        "reused": file.reused,
        "recovered_in_bytes": file.recovered,
    }


def _source(node: Node, progress: Progress) -> dict[str, Any]:
    if progress.kind == "PEER":
        return _node(node, progress.source) if progress.source else {}
    return {"bootstrap_new_history_uuid": False} if progress.kind == "EXISTING_STORE" else {}


def _node(node: Node, id: str | None) -> dict[str, Any]:
    holder = node.control.state.nodes.get(str(id))
    if holder is None:
        return {"id": id}
    return {
        "id": holder.id,
        "host": holder.spec.host,
        "transport_address": holder.spec.transport_address,
        "ip": holder.spec.ip,
        "name": holder.name,
    }


_PARAMS = (*common.EXPAND, "active_only", "detailed")
ROUTES = [Route("GET", path, recovery, _PARAMS) for path in ("/_recovery", "/{index}/_recovery")]
