"""`_recovery`: how the copies of shards came to be where they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from quidditch.coordinator.shards import Place
from quidditch.model.expressions import IndicesOptions
from quidditch.model.objects import Copy
from quidditch.rest import human
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_OPTIONS = IndicesOptions(expand_closed=True)


async def recovery(request: Request, node: Node) -> Response:
    active_only = request.flag("active_only")
    answer: dict[str, Any] = {}
    for place in await node.shards.describe(common.resolve(request, node, _OPTIONS)):
        copy = place.copy
        if copy.node is not None and (not active_only or copy.state == "INITIALIZING"):
            shown = answer.setdefault(place.index.name, {"shards": []})
            shown["shards"].append(_shard(node, place, request.flag("detailed")))
    return Response.json(_for_people(answer) if request.flag("human") else answer)


def _for_people(answer: dict[str, Any]) -> dict[str, Any]:
    """Times as dates besides sizes and durations."""
    for index in answer.values():
        for shard in index["shards"]:
            for name in ("start_time", "stop_time"):
                millis = shard[f"{name}_in_millis"]
                moment = datetime.fromtimestamp(millis / 1000, UTC)
                shard[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03}Z"
    shown: dict[str, Any] = human.with_units(answer)
    for name, index in shown.items():
        for position, shard in enumerate(index["shards"]):
            for key in ("start_time", "stop_time"):
                shard[key] = answer[name]["shards"][position][key]
    return shown


def _shard(node: Node, place: Place, detailed: bool) -> dict[str, Any]:
    index, number, copy = place.index, place.number, place.copy
    about = place.about if place.about is not None and place.about.recovery else None
    start = about.opened_at_ms if about is not None else int(str(index.setting("index.creation_date", "0")))
    took = about.opening_ms if about is not None else 0
    kind = about.recovery if about is not None else "EXISTING_STORE"
    files: dict[str, Any] = {"total": 0, "reused": 0, "recovered": 0, "percent": "0.0%"}
    if detailed:
        files["details"] = []
    return {
        "id": number,
        "type": kind,
        "stage": "DONE" if copy.active or not index.open else "INDEX",
        "primary": copy.primary,
        "start_time_in_millis": start,
        "stop_time_in_millis": start + took,
        "total_time_in_millis": took,
        "source": {"bootstrap_new_history_uuid": False} if kind == "EXISTING_STORE" else {},
        "target": _target(node, copy),
        "index": {
            "size": {
                "total_in_bytes": 0,
                "reused_in_bytes": 0,
                "recovered_in_bytes": 0,
                "percent": "0.0%",
            },
            "files": files,
            "total_time_in_millis": took,
            "source_throttle_time_in_millis": 0,
            "target_throttle_time_in_millis": 0,
        },
        "translog": {
            "recovered": 0,
            "total": 0,
            "percent": "100.0%",
            "total_on_start": 0,
            "total_time_in_millis": 0,
        },
        "verify_index": {"check_index_time_in_millis": 0, "total_time_in_millis": 0},
    }


def _target(node: Node, copy: Copy) -> dict[str, Any]:
    holder = node.control.state.nodes.get(str(copy.node))
    if holder is None:
        return {"id": copy.node}
    return {
        "id": holder.id,
        "host": holder.spec.host,
        "transport_address": holder.spec.transport_address,
        "ip": holder.spec.ip,
        "name": holder.name,
    }


_PARAMS = (*common.EXPAND, "active_only", "detailed")
ROUTES = [Route("GET", path, recovery, _PARAMS) for path in ("/_recovery", "/{index}/_recovery")]
