"""The answers to questions about allocation: explain a copy, show the desired balance."""

from __future__ import annotations

from typing import Any

from quidditch.controlplane.core.allocation.deciders import Subject, subject
from quidditch.controlplane.core.allocation.explain import explain_copy, first_unassigned
from quidditch.controlplane.core.allocation.info import Disk
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import NodeSlot
from quidditch.controlplane.core.commands import DesiredBalance, ExplainAllocation, Told
from quidditch.controlplane.core.draft import Draft
from quidditch.controlplane.core.node_names import resolve_node
from quidditch.model.errors import ApiError, illegal_argument


def explain_allocation(draft: Draft, command: ExplainAllocation) -> Told:
    problem = draft.env.memory.follow(draft.state, draft.env)
    each = _asked(draft, problem, command)
    body = explain_copy(problem, each, every=command.yes_decisions)
    if not command.disk_info:
        return Told(body)
    head = {key: body.pop(key) for key in list(body) if key in _BEFORE_INFO}
    return Told({**head, "cluster_info": _info(problem), **body})


_BEFORE_INFO = ("index", "shard", "primary", "current_state", "unassigned_info", "current_node")


def _asked(draft: Draft, problem: Problem, command: ExplainAllocation) -> Subject:
    if command.index is None and command.shard is None and command.primary is None and command.current_node is None:
        first = first_unassigned(problem)
        if first is None:
            shown = _request("useAnyUnassignedShard=true", command)
            raise illegal_argument(f"unable to find any unassigned shards to explain [{shown}")
        return first
    needed = {"index": command.index, "shard": command.shard, "primary": command.primary}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        listed = "".join(f"{number}: {name} must be specified;" for number, name in enumerate(missing, 1))
        raise ApiError(400, "action_request_validation_exception", f"Validation Failed: {listed}")
    index, number = draft.state.index(command.index or ""), command.shard or 0
    row = problem.rows.get(index.name)
    if row is None or not 0 <= number < len(row.routing.spec.shards):
        details = {"index": index.name, "shard": str(number), "index_uuid": index.uuid}
        raise ApiError(404, "shard_not_found_exception", "no such shard", details)
    copies = row.routing.spec.shards[number].copies
    positions = [0] if command.primary else list(range(1, len(copies)))
    if command.current_node is not None:
        node = resolve_node(draft.state, command.current_node)
        positions = [at for at in positions if copies[at].node == node.id]
    elif not command.primary:
        positions.sort(key=lambda at: copies[at].node is not None)
    if not positions:
        parts = f"index={index.name},shard={number},primary?={str(bool(command.primary)).lower()}"
        if command.current_node is not None:
            parts += f",currentNode={command.current_node}"
        raise illegal_argument(f"unable to find any shards to explain [{_request(parts, command)} in the routing table")
    return subject(problem, row, number, positions[0])


def _request(parts: str, command: ExplainAllocation) -> str:
    every = str(command.yes_decisions).lower()
    return f"ClusterAllocationExplainRequest[{parts},includeYesDecisions?={every}]"


def _info(problem: Problem) -> dict[str, Any]:
    """What was measured, as `include_disk_info` shows it."""
    disks = [(slot, problem.info.disks.get(slot.id)) for slot in problem.live()]
    nodes = {slot.id: _disk(slot, disk) for slot, disk in disks if disk is not None}
    sizes: dict[str, int] = {}
    for name in sorted(problem.rows) if problem.info.sizes else ():
        row = problem.rows[name]
        for number, shard in enumerate(row.routing.spec.shards):
            for copy in shard.copies:
                if copy.active:
                    sizes[f"[{name}][{number}][{'p' if copy.primary else 'r'}]_bytes"] = row.size(number)
    return {"nodes": nodes, "shard_sizes": sizes, "shard_paths": {}, "reserved_sizes": []}


def _disk(slot: NodeSlot, disk: Disk) -> dict[str, Any]:
    free = round(100.0 * disk.free / disk.total, 1) if disk.total else 0.0
    shown = {
        "path": disk.path,
        "total_bytes": disk.total,
        "used_bytes": disk.total - disk.free,
        "free_bytes": disk.free,
        "free_disk_percent": free,
        "used_disk_percent": round(100.0 - free, 1),
    }
    return {"node_name": slot.node.name if slot.node else slot.id, "least_available": shown, "most_available": shown}


def desired_balance(draft: Draft, _command: DesiredBalance) -> Told:
    """Every shard's present and desired nodes, and what each node will hold."""
    problem = draft.env.memory.follow(draft.state, draft.env)
    table: dict[str, Any] = {}
    for name in sorted(problem.rows):
        row = problem.rows[name]
        table[name] = {str(number): _shard(problem, row.name, number) for number in range(len(row.routing.spec.shards))}
    nodes = {
        slot.id: {
            "node_name": slot.node.name if slot.node else slot.id,
            "current_shards": slot.now,
            "desired_shards": slot.then,
            "desired_bytes": slot.then_bytes,
            "desired_write_load": slot.then_load / 1000,
            "weight": slot.weight,
        }
        for slot in problem.live()
    }
    stats = {"unconverged_shards": len(problem.goals), "relocating_shards": problem.relocating}
    return Told({"stats": {**stats, "unassigned_shards": problem.unassigned}, "nodes": nodes, "routing_table": table})


def _shard(problem: Problem, name: str, number: int) -> dict[str, Any]:
    row = problem.rows[name]
    shard = row.routing.spec.shards[number]
    goal = sorted(problem.nodes[at].id for at in problem.planned(row, number))
    current = [
        {
            "state": copy.state,
            "primary": copy.primary,
            "node": copy.node,
            "node_is_desired": copy.node in goal if copy.node is not None else False,
            "relocating_node": copy.relocating_node,
            "relocating_node_is_desired": copy.relocating_node in goal if copy.relocating_node is not None else None,
        }
        for copy in shard.copies
    ]
    desired = {"node_ids": goal, "total": len(shard.copies), "unassigned": len(shard.copies) - len(goal)}
    return {"current": current, "desired": desired}
