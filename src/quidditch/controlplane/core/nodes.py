"""Nodes come and go, and their copies report."""

from __future__ import annotations

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.allocation import allocate
from quidditch.controlplane.core.commands import (
    Acknowledged,
    NodeLeft,
    RegisterNode,
    Reroute,
    ShardFailed,
    ShardStarted,
)
from quidditch.controlplane.core.draft import Draft
from quidditch.controlplane.core.replicas import apply_auto_expand
from quidditch.model.errors import ApiError
from quidditch.model.objects import Node, Routing, ShardRouting, UnassignedInfo, metadata_for


def register_node(draft: Draft, command: RegisterNode) -> Acknowledged:
    """A node that has just started holds no open shard: its copies are opened again."""
    spec = command.node
    known = draft.state.nodes.get(spec.id)
    if command.fresh or (known is not None and known.spec.ephemeral_id != spec.ephemeral_id):
        _take_copies(draft, spec.id, "CLUSTER_RECOVERED")
    metadata = known.metadata if known else metadata_for(spec.id)
    draft.put(Node(metadata=metadata, spec=spec))
    apply_auto_expand(draft)
    allocate(draft)
    return Acknowledged()


def node_left(draft: Draft, command: NodeLeft) -> Acknowledged:
    known = draft.state.nodes.get(command.node_id)
    if known is None:
        return Acknowledged()
    draft.remove(known)
    _take_copies(draft, command.node_id, "NODE_LEFT", f"node_left [{command.node_id}]")
    apply_auto_expand(draft)
    allocate(draft)
    return Acknowledged()


def _take_copies(draft: Draft, node: str, reason: str, details: str | None = None) -> None:
    changed = []
    for known in draft.state.routing.values():
        if not any(copy.node == node for shard in known.spec.shards for copy in shard.copies):
            continue
        shards = tuple(routing.restarted(shard, node, draft.env.now_ms, reason, details) for shard in known.spec.shards)
        changed.append(routing.with_shards(known, shards))
    draft.put_all(changed)


def _located(draft: Draft, index: str, uuid: str, shard: int, allocation_id: str) -> tuple[Routing, int] | None:
    """The routing and position of a reported copy; None for a report about what is no more."""
    known = draft.state.routing.get(index)
    if known is None or known.spec.uuid != uuid or not 0 <= shard < len(known.spec.shards):
        return None
    position = routing.find(known.spec.shards[shard], allocation_id)
    return None if position is None else (known, position)


def shard_started(draft: Draft, command: ShardStarted) -> Acknowledged:
    found = _located(draft, command.index, command.uuid, command.shard, command.allocation_id)
    if found is None:
        return Acknowledged()
    known, position = found
    shard = known.spec.shards[command.shard]
    if shard.copies[position].state != "INITIALIZING" or command.primary_term not in (0, shard.primary_term):
        return Acknowledged()
    draft.put(routing.with_shard(known, command.shard, routing.started(shard, position)))
    if shard.copies[position].primary:
        allocate(draft, [command.index])
    return Acknowledged((command.index,))


def shard_failed(draft: Draft, command: ShardFailed) -> Acknowledged:
    """The copy is taken from its node and placed anew, until it has failed too often."""
    found = _located(draft, command.index, command.uuid, command.shard, command.allocation_id)
    if found is None:
        return Acknowledged()
    known, position = found
    shard = known.spec.shards[command.shard]
    copy = shard.copies[position]
    if command.primary_term not in (0, shard.primary_term):
        raise stale_primary(command, shard)
    if copy.assigned:
        before = copy.unassigned.failed_attempts if copy.unassigned else 0
        info = UnassignedInfo(
            reason="ALLOCATION_FAILED", at=draft.env.now_ms, details=command.reason, failed_attempts=before + 1
        )
        shard = routing.unassign(shard, position, info)
    if command.mark_stale:
        shard = routing.out_of_sync(shard, command.allocation_id)
    draft.put(routing.with_shard(known, command.shard, shard))
    allocate(draft, [command.index])
    return Acknowledged((command.index,))


def reroute(draft: Draft, command: Reroute) -> Acknowledged:
    if command.retry_failed:
        for known in list(draft.state.routing.values()):
            shards = tuple(routing.forgive(shard) for shard in known.spec.shards)
            draft.put(routing.with_shards(known, shards))
    allocate(draft)
    return Acknowledged()


def stale_primary(command: ShardFailed, shard: ShardRouting) -> ApiError:
    return ApiError(
        503,
        "no_longer_primary_shard_exception",
        f"primary term [{command.primary_term}] did not match current primary term [{shard.primary_term}]",
        {"index": command.index, "shard": str(command.shard)},
    )
