"""`_cluster/health`: the state of all copies, after waiting for what the request names. 408 if that does not come."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from quidditch.controlplane.api import PendingTask
from quidditch.controlplane.core.allocation.rules import cluster_rules
from quidditch.controlplane.core.health import ClusterHealth, Counts, IndexHealth, at_least, cluster_health
from quidditch.controlplane.core.wait import parse_wait
from quidditch.model import expressions
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.model.expressions import LENIENT_EXPAND_HIDDEN, STRICT_EXPAND
from quidditch.model.state import ClusterState
from quidditch.rest import human
from quidditch.rest import index_params as common
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_NODES = re.compile(r"(>=|<=|>|<|ge\(|le\(|gt\(|lt\()?\s*(.*?)\)?")
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">=": lambda have, want: have >= want,
    "<=": lambda have, want: have <= want,
    ">": lambda have, want: have > want,
    "<": lambda have, want: have < want,
    "": lambda have, want: have == want,
}
_WORDS = {"ge(": ">=", "le(": "<=", "gt(": ">", "lt(": "<"}
_PRIORITIES = ("immediate", "urgent", "high", "normal", "low", "languid")


async def health(request: Request, node: Node) -> Response:
    patience = common.manager_timeout(request)
    _check(request)
    done = _condition(request)
    timeout = (request.time("timeout", 30_000) or 0) / 1000
    timed_out = not await node.control.wait_for(lambda state: done(_health(request, node, state)), timeout)
    if not timed_out and request.query.get("wait_for_events"):
        timed_out = not await _no_pending(node, timeout, patience)
    found = _health(request, node, node.control.state)
    pending = await _pending(node, patience, local=request.flag("local"))
    return Response.json(_body(request, node, found, timed_out, pending), 408 if timed_out else 200)


async def _pending(node: Node, patience: float, *, local: bool) -> Sequence[PendingTask]:
    """What waits at the leader. What this node knows by itself (`local`) it tells also while none leads."""
    try:
        return [] if local and not node.manager else await node.control.pending_tasks(patience)
    except ApiError:
        if not local:
            raise
        return []


def _check(request: Request) -> None:
    """Raises for parameters that do not go together, or that cannot be read."""
    common.options(request, LENIENT_EXPAND_HIDDEN)
    by_attribute = request.query.get("level", "").lower() == "awareness_attributes"
    if request.query.get("awareness_attribute") and not by_attribute:
        raise validation("level=awareness_attributes is required with awareness_attribute parameter")
    if by_attribute and common.names(request):
        raise validation("awareness_attribute is not a supported parameter with index health")
    if request.flag("ensure_node_weighed_in") and not request.flag("local"):
        raise validation("not a local request to ensure local node commissioned or weighed in")


async def _no_pending(node: Node, timeout: float, patience: float) -> bool:
    """Whether the queue of the control plane is empty within the timeout."""
    deadline = node.clock.monotonic() + timeout
    while await node.control.pending_tasks(patience):
        if node.clock.monotonic() > deadline:
            return False
        await asyncio.sleep(0.005)
    return True


def _health(request: Request, node: Node, state: ClusterState) -> ClusterHealth:
    names = common.names(request)
    if not names:
        return cluster_health(state)
    now = node.clock.now_ms()
    options = common.options(request, LENIENT_EXPAND_HIDDEN)
    found = expressions.resolve(state, names, options, now)
    return cluster_health(state, found, missing=_missing(state, names, now))


def _missing(state: ClusterState, names: tuple[str, ...], now_ms: int) -> bool:
    try:
        expressions.resolve(state, names, STRICT_EXPAND, now_ms)
    except ApiError as error:
        if error.status == 404:
            return True
        raise
    return False


def _condition(request: Request) -> Callable[[ClusterHealth], bool]:
    """What the request waits for. Raises illegal_argument_exception for what cannot be."""
    checks: list[Callable[[ClusterHealth], bool]] = []
    if common.names(request):
        names = common.names(request)
        checks.append(lambda found: bool(names) and not _red_by_absence(found))
    status = request.query.get("wait_for_status")
    if status:
        wanted = status.lower()
        if wanted not in ("green", "yellow", "red"):
            raise illegal_argument(
                f"No enum constant org.opensearch.cluster.health.ClusterHealthStatus.{status.upper()}"
            )
        checks.append(lambda found: at_least(found.status, wanted))
    if request.flag("wait_for_no_relocating_shards"):
        checks.append(lambda found: found.counts.relocating == 0)
    if request.flag("wait_for_no_initializing_shards"):
        checks.append(lambda found: found.counts.initializing == 0)
    active = request.query.get("wait_for_active_shards")
    if active:
        checks.append(_active(active))
    nodes = request.query.get("wait_for_nodes")
    if nodes:
        checks.append(_nodes(nodes))
    events = request.query.get("wait_for_events")
    if events and events.lower() not in _PRIORITIES:
        raise illegal_argument(f"No enum constant org.opensearch.common.Priority.{events.upper()}")
    return lambda found: all(check(found) for check in checks)


def _red_by_absence(found: ClusterHealth) -> bool:
    """A named index that is not there turns the whole red although no copy is."""
    return found.status == "red" and all(index.status != "red" for index in found.indices)


def _active(text: str) -> Callable[[ClusterHealth], bool]:
    wanted = parse_wait(text)
    if wanted is None:
        return lambda found: found.counts.unassigned == 0 and found.counts.initializing == 0
    return lambda found: found.counts.active >= wanted


def _nodes(text: str) -> Callable[[ClusterHealth], bool]:
    match = _NODES.fullmatch(text.strip())
    operator, number = (match.group(1) or "", match.group(2)) if match else ("", text)
    try:
        wanted = int(number)
    except ValueError:
        raise ApiError(400, "number_format_exception", f'For input string: "{number}"') from None
    compare = _COMPARE[_WORDS.get(operator, operator)]
    return lambda found: compare(found.nodes, wanted)


# --- the answer -----------------------------------------------------------------------------------------------------


def _body(
    request: Request, node: Node, found: ClusterHealth, timed_out: bool, pending: Sequence[PendingTask]
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "cluster_name": node.control.state.cluster_name or node.config["cluster.name"],
        "status": found.status if node.control.state.version else "red",
        "timed_out": timed_out,
        "number_of_nodes": found.nodes,
        "number_of_data_nodes": found.data_nodes,
        "discovered_master": bool(node.manager),
        "discovered_cluster_manager": bool(node.manager),
        **_counts(found.counts),
        "delayed_unassigned_shards": found.counts.delayed,
        "number_of_pending_tasks": len(pending),
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": max((task.time_in_queue_ms for task in pending), default=0),
        "active_shards_percent_as_number": found.percent,
    }
    if request.flag("human"):
        body["task_max_waiting_in_queue"] = human.duration(body["task_max_waiting_in_queue_millis"])
        body["active_shards_percent"] = f"{found.percent:.1f}%"
    level = request.query.get("level", "cluster").lower()
    if level in ("indices", "shards"):
        body["indices"] = {each.index.name: _index(each, level == "shards") for each in found.indices}
    if level == "awareness_attributes":
        attribute = request.query.get("awareness_attribute")
        attributes = [attribute] if attribute else cluster_rules(node.control.state.settings).attributes
        body["awareness_attributes"] = {name: _by_value(node.control.state, name) for name in attributes}
    return body


def _by_value(state: ClusterState, attribute: str) -> dict[str, Any]:
    """What the nodes hold, by the value that they have of an attribute. Where copies that are nowhere would go is not told (-1),
    unless values are forced.
    """
    values: dict[str, Counter[str]] = {}
    for known in state.nodes.values():
        if known.holds_data and attribute in known.spec.attributes:
            values.setdefault(known.spec.attributes[attribute], Counter())["data_nodes"] += 1
    for routing in state.routing.values():
        for copy in (copy for shard in routing.spec.shards for copy in shard.placed):
            holder = state.nodes.get(copy.node or "")
            counts = values.get(holder.spec.attributes.get(attribute, "")) if holder is not None else None
            if counts is not None:
                counts[copy.state] += 1
    return {
        value: {
            "active_shards": counts["STARTED"] + counts["RELOCATING"],
            "initializing_shards": counts["INITIALIZING"],
            "relocating_shards": counts["RELOCATING"],
            "unassigned_shards": -1,
            "data_nodes": counts["data_nodes"],
            "weight": 1.0,
        }
        for value, counts in sorted(values.items())
    }


def _counts(counts: Counts, *, primaries: bool = True) -> dict[str, int]:
    shown = {"active_primary_shards": counts.active_primary} if primaries else {}
    return {
        **shown,
        "active_shards": counts.active,
        "relocating_shards": counts.relocating,
        "initializing_shards": counts.initializing,
        "unassigned_shards": counts.unassigned,
    }


def _index(each: IndexHealth, with_shards: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "status": each.status,
        "number_of_shards": each.index.number_of_shards,
        "number_of_replicas": each.index.number_of_replicas,
        **_counts(each.counts),
    }
    if with_shards:
        body["shards"] = {
            str(shard.number): {
                "status": shard.status,
                "primary_active": shard.primary_active,
                **_counts(shard.counts, primaries=False),
            }
            for shard in each.shards
        }
    return body


_PARAMS = (
    *common.CHANGE,
    *common.EXPAND,
    "level",
    "local",
    "wait_for_status",
    "wait_for_nodes",
    "wait_for_active_shards",
    "wait_for_no_relocating_shards",
    "wait_for_no_initializing_shards",
    "wait_for_events",
    "awareness_attribute",
    "ensure_node_weighed_in",
)
ROUTES = [
    Route("GET", "/_cluster/health", health, (*_PARAMS, "index"), alone=True),
    Route("GET", "/_cluster/health/{index}", health, _PARAMS, alone=True),
]
