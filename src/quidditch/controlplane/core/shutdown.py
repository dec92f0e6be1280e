"""Announced shutdowns of nodes, with the requests and answers of Elasticsearch's node shutdown API."""

from __future__ import annotations

from typing import Any, Literal, cast

from msgspec.structs import replace

from quidditch.controlplane.core.allocation.explain import explain_copy, remaining_copies
from quidditch.controlplane.core.allocation.solve import allocate
from quidditch.controlplane.core.commands import Acknowledged, DeleteShutdown, PutShutdown, ShutdownStatus, Told
from quidditch.controlplane.core.draft import Draft
from quidditch.controlplane.core.node_names import find_node
from quidditch.mapping.settings.units import parse_time
from quidditch.model.errors import ApiError, illegal_argument
from quidditch.model.objects import NodeShutdown, NodeShutdownSpec, metadata_for

_TYPES = ("remove", "restart", "replace")


def put_shutdown(draft: Draft, command: PutShutdown) -> Acknowledged:
    kind = (command.kind or "").lower()
    _check(command, kind)
    node = find_node(draft.state, command.node)
    id = node.id if node is not None else command.node
    known = draft.state.shutdowns.get(id)
    spec = NodeShutdownSpec(
        node_id=id,
        type=cast(Literal["remove", "restart", "replace"], kind),
        reason=command.reason or "",
        started_at=known.spec.started_at if known is not None and known.spec.type == kind else draft.env.now_ms,
        allocation_delay=command.allocation_delay,
        target_node_name=command.target_node_name,
        seen=node is not None or (known is not None and known.spec.seen),
    )
    draft.put(replace(known, spec=spec) if known else NodeShutdown(metadata=metadata_for(id), spec=spec))
    allocate(draft)
    return Acknowledged()


def _check(command: PutShutdown, kind: str) -> None:
    if command.kind is not None and kind not in _TYPES:
        raise illegal_argument(
            f"unknown node shutdown type [{command.kind}]; it must be one of [remove, restart, replace]"
        )
    problems = []
    if command.kind is None:
        problems.append("the shutdown type is required")
    if not command.reason:
        problems.append("the reason for shutdown is required")
    if command.allocation_delay is not None and kind != "restart":
        problems.append("allocation delay is only valid for RESTART-type shutdowns")
    if command.target_node_name is not None and kind != "replace":
        problems.append("target node name is only valid for REPLACE type shutdowns")
    if kind == "replace" and not command.target_node_name:
        problems.append("target node name is required for REPLACE type shutdowns")
    if problems:
        listed = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
        raise ApiError(400, "action_request_validation_exception", f"Validation Failed: {listed}")
    if command.allocation_delay is not None:
        parse_time(command.allocation_delay, "allocation_delay")


def delete_shutdown(draft: Draft, command: DeleteShutdown) -> Acknowledged:
    known = _find(draft, command.node)
    if known is None:
        raise ApiError(404, "resource_not_found_exception", f"node [{command.node}] is currently not shutting down")
    draft.remove(known)
    allocate(draft)
    return Acknowledged()


def _find(draft: Draft, named: str) -> NodeShutdown | None:
    node = find_node(draft.state, named)
    return draft.state.shutdowns.get(node.id if node is not None else named)


def shutdown_status(draft: Draft, command: ShutdownStatus) -> Told:
    if command.node is None:
        found = [draft.state.shutdowns[id] for id in sorted(draft.state.shutdowns)]
    else:
        known = _find(draft, command.node)
        found = [known] if known is not None else []
    return Told({"nodes": [_status(draft, each) for each in found]})


def _status(draft: Draft, shutdown: NodeShutdown) -> dict[str, Any]:
    spec = shutdown.spec
    migration = _migration(draft, shutdown)
    shown: dict[str, Any] = {"node_id": spec.node_id, "type": spec.type.upper(), "reason": spec.reason}
    if spec.allocation_delay is not None:
        shown["allocation_delay"] = spec.allocation_delay
    if spec.target_node_name is not None:
        shown["target_node_name"] = spec.target_node_name
    return {
        **shown,
        "shutdown_startedmillis": spec.started_at,
        "status": migration["status"],
        "shard_migration": migration,
        "persistent_tasks": {"status": "COMPLETE"},
        "plugins": {"status": "COMPLETE"},
    }


def _migration(draft: Draft, shutdown: NodeShutdown) -> dict[str, Any]:
    """Whether the node's copies are gone, going, or held back, and by what."""
    spec = shutdown.spec
    if spec.type == "restart":
        text = "no shard relocation is necessary for a node restart"
        return {"status": "COMPLETE", "shard_migrations_remaining": 0, "explanation": text}
    if not spec.seen:
        text = "node is not currently part of the cluster"
        return {"status": "NOT_STARTED", "shard_migrations_remaining": 0, "explanation": text}
    problem = draft.env.memory.follow(draft.state, draft.env)
    remaining = remaining_copies(problem, spec.node_id)
    if not remaining:
        return {"status": "COMPLETE", "shard_migrations_remaining": 0}
    for each in remaining:
        if each.copy.state != "STARTED":
            continue
        body = explain_copy(problem, each)
        if body.get("can_move_to_other_node") == "no" or body.get("can_remain_on_current_node") == "yes":
            return _stalled(len(remaining), body)
    return {"status": "IN_PROGRESS", "shard_migrations_remaining": len(remaining)}


def _stalled(remaining: int, body: dict[str, Any]) -> dict[str, Any]:
    decisions = [one for node in body.get("node_allocation_decisions", ()) for one in node.get("deciders", ())]
    refusing = list(dict.fromkeys(one["decider"] for one in decisions if one["decision"] == "NO"))
    by = f" because of [{', '.join(refusing)}]" if refusing else ""
    kind = "primary" if body["primary"] else "replica"
    return {
        "status": "STALLED",
        "shard_migrations_remaining": remaining,
        "explanation": (
            f"shard [{body['shard']}] [{kind}] of index [{body['index']}] cannot move{by}, use the Cluster Allocation"
            " Explain API on this shard for details"
        ),
        "node_allocation_decision": body,
    }
