"""`_cluster/allocation/explain`, `_cluster/reroute`, `_internal/desired_balance`: why copies are where they are, and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core.commands import AllocationCommand, DesiredBalance, ExplainAllocation, Reroute, Rerouted
from quidditch.model.errors import ApiError
from quidditch.rest import index_params as common
from quidditch.rest.cluster_state import state_json
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route

_DEFAULT_METRICS = (
    "version",
    "master_node",
    "cluster_manager_node",
    "blocks",
    "nodes",
    "routing_table",
    "routing_nodes",
)
_NAMES = ("index", "shard", "node", "from_node", "to_node")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "move": ("index", "shard", "from_node", "to_node"),
    "cancel": ("index", "shard", "node", "allow_primary"),
    "allocate_replica": ("index", "shard", "node"),
    "allocate_stale_primary": ("index", "shard", "node", "accept_data_loss"),
    "allocate_empty_primary": ("index", "shard", "node", "accept_data_loss"),
}
"""What each command takes; what is no flag it needs."""


async def explain(request: Request, node: Node) -> Response:
    body = request.json_object_or_empty()
    kinds: dict[str, type] = {"index": str, "shard": int, "primary": bool, "current_node": str}
    for key, value in body.items():
        if key not in kinds:
            raise _parse_error("cluster/allocation/explain", f"unknown field [{key}]")
        if value is not None and (not isinstance(value, kinds[key]) or (key == "shard" and isinstance(value, bool))):
            raise _parse_error("cluster/allocation/explain", f"failed to parse field [{key}]")
    command = ExplainAllocation(
        **body, yes_decisions=request.flag("include_yes_decisions"), disk_info=request.flag("include_disk_info")
    )
    return Response.json((await node.control.submit(command, common.manager_timeout(request))).body)


async def desired_balance(request: Request, node: Node) -> Response:
    return Response.json((await node.control.submit(DesiredBalance(), common.manager_timeout(request))).body)


def _parse_error(where: str, problem: str, caused_by: Mapping[str, Any] | None = None) -> ApiError:
    details = {"caused_by": dict(caused_by)} if caused_by else {}
    root = [dict(caused_by)] if caused_by else None
    return ApiError(400, "x_content_parse_exception", f"[1:1] [{where}] {problem}", details, root)


# --- reroute ------------------------------------------------------------------------------------------------------------


async def reroute(request: Request, node: Node) -> Response:
    body = request.json_object_or_empty()
    for key in body:
        if key not in ("commands", "dry_run"):
            raise _parse_error("cluster_reroute", f"unknown field [{key}]")
    command = Reroute(
        commands=_commands(body.get("commands") or []),
        retry_failed=request.flag("retry_failed"),
        explain=request.flag("explain"),
        dry_run=request.flag("dry_run") or body.get("dry_run") is True,
    )
    done = await node.control.submit(command, common.manager_timeout(request))
    return Response.json(_answer(request, node, command, done))


def _answer(request: Request, node: Node, command: Reroute, done: Rerouted) -> dict[str, Any]:
    state = node.control.state
    if command.dry_run:
        state = state.apply(done.routing, state.version)
    asked = common.names(request, "metric")
    metrics = asked or _DEFAULT_METRICS
    if "_all" in asked:
        metrics = (*_DEFAULT_METRICS, "metadata")
    indices = [state.indices[name] for name in sorted(state.indices)]
    shown = {"cluster_uuid": state.cluster_uuid, **state_json(node, state, metrics, indices, False)}
    answer: dict[str, Any] = {"acknowledged": True, "state": shown}
    if command.explain:
        answer["explanations"] = list(done.explanations)
    return answer


def _commands(given: Any) -> tuple[AllocationCommand, ...]:
    if not isinstance(given, list):
        raise _parse_error("cluster_reroute", "failed to parse field [commands]")
    return tuple(_command(each) for each in given)


def _command(given: Any) -> AllocationCommand:
    if not isinstance(given, dict) or len(given) == 0:
        raise _parse_error("cluster_reroute", "failed to parse field [commands]")
    kind, body = next(iter(given.items()))
    if kind not in _FIELDS:
        raise _bad_command("named_object_not_found_exception", f"[1:1] unknown field [{kind}]")
    if not isinstance(body, dict):
        raise _bad_command("parse_exception", f"[{kind}] command must be an object")
    for key, value in body.items():
        if key not in _FIELDS[kind]:
            raise _bad_command("parse_exception", f"[{kind}] command does not support field [{key}]")
        if key not in _NAMES and not isinstance(value, bool):
            raise _bad_command("parse_exception", f"[{kind}] failed to parse field [{key}]")
    for key in _FIELDS[kind]:
        if key in _NAMES and body.get(key) is None:
            raise _bad_command("parse_exception", f"[{kind}] command missing the {key} parameter")
    if len(given) > 1:
        raise _bad_command("parse_exception", f"expected one command, got [{', '.join(given)}]")
    return AllocationCommand(
        kind=kind,
        index=str(body["index"]),
        shard=_number(kind, body["shard"]),
        node=str(body["from_node"] if kind == "move" else body["node"]),
        to_node=str(body.get("to_node", "")),
        flag=bool(body.get("allow_primary") or body.get("accept_data_loss")),
    )


def _number(kind: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise ValueError
        return int(value)
    except (ValueError, TypeError):
        raise _bad_command("parse_exception", f"[{kind}] failed to parse field [shard]") from None


def _bad_command(type: str, reason: str) -> ApiError:
    return _parse_error("cluster_reroute", "failed to parse field [commands]", {"type": type, "reason": reason})


_EXPLAIN = (*common.MANAGER, "include_yes_decisions", "include_disk_info")
ROUTES = [
    Route("GET", "/_cluster/allocation/explain", explain, _EXPLAIN, reads=True),
    Route("POST", "/_cluster/allocation/explain", explain, _EXPLAIN, reads=True),
    Route("POST", "/_cluster/reroute", reroute, (*common.CHANGE, "dry_run", "explain", "retry_failed", "metric")),
    Route("GET", "/_internal/desired_balance", desired_balance, common.MANAGER),
]
