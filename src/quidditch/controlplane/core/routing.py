"""Transitions of shard copies. Promotion and every re-start of a primary raise the primary term in the same write."""

from __future__ import annotations

from msgspec.structs import replace

from quidditch.controlplane.core.draft import Ids
from quidditch.model.objects import (
    Copy,
    Index,
    Routing,
    RoutingSpec,
    ShardRouting,
    UnassignedInfo,
    metadata_for,
)


def new_routing(index: Index, now_ms: int, reason: str = "INDEX_CREATED") -> Routing:
    """All copies unassigned; no data exists yet, so any node may start an empty primary."""
    info = UnassignedInfo(reason=reason, at=now_ms)
    primary = Copy(primary=True, unassigned=info, recovery="EMPTY_STORE")
    replica = Copy(primary=False, unassigned=info, recovery="PEER")
    shard = ShardRouting(primary_term=0, copies=(primary, *[replica] * index.number_of_replicas))
    spec = RoutingSpec(index=index.name, uuid=index.uuid, shards=(shard,) * index.number_of_shards)
    return Routing(metadata=metadata_for(index.name), spec=spec)


def with_shards(routing: Routing, shards: tuple[ShardRouting, ...]) -> Routing:
    return replace(routing, spec=replace(routing.spec, shards=shards))


def with_shard(routing: Routing, number: int, shard: ShardRouting) -> Routing:
    shards = list(routing.spec.shards)
    shards[number] = shard
    return with_shards(routing, tuple(shards))


def with_replicas(shard: ShardRouting, replicas: int, now_ms: int) -> ShardRouting:
    """More or fewer replicas; unassigned ones go first, then the last."""
    copies = list(shard.copies)
    while len(copies) - 1 > replicas:
        spare = [position for position in range(1, len(copies)) if not copies[position].assigned]
        copies.pop(spare[-1] if spare else len(copies) - 1)
    info = UnassignedInfo(reason="REPLICA_ADDED", at=now_ms)
    while len(copies) - 1 < replicas:
        copies.append(Copy(primary=False, unassigned=info, recovery="PEER"))
    return _consistent(replace(shard, copies=tuple(copies)))


def assign(shard: ShardRouting, position: int, node: str, ids: Ids) -> ShardRouting:
    """Puts an unassigned copy on a node, initializing. A primary with data keeps its allocation id; its term rises."""
    if shard.copies[position].primary:
        shard = _with_data_of(shard, position, node)
    copy = shard.copies[position]
    existing = copy.primary and bool(shard.in_sync)
    allocation_id = copy.allocation_id if existing and copy.allocation_id else ids.uuid()
    recovery = ("EXISTING_STORE" if existing else "EMPTY_STORE") if copy.primary else "PEER"
    assigned = replace(copy, state="INITIALIZING", node=node, allocation_id=allocation_id, recovery=recovery)
    term = shard.primary_term + 1 if copy.primary else shard.primary_term
    return replace(shard, copies=_with(shard.copies, position, assigned), primary_term=term)


def _with_data_of(shard: ShardRouting, position: int, node: str) -> ShardRouting:
    """The primary takes over the in-sync data that lies on the node, also where a replica left it."""
    for at, other in enumerate(shard.copies):
        lies_there = other.unassigned is not None and other.unassigned.last_node == node and not other.assigned
        if at != position and lies_there and other.allocation_id in shard.in_sync:
            primary = shard.copies[position]
            if primary.unassigned is not None and primary.unassigned.last_node == node and primary.allocation_id:
                return shard
            copies = _with(shard.copies, position, replace(primary, allocation_id=other.allocation_id))
            return replace(shard, copies=_with(copies, at, replace(other, allocation_id=primary.allocation_id)))
    return shard


def started(shard: ShardRouting, position: int) -> ShardRouting:
    """An initializing copy is ready: it counts as in sync from now on."""
    copy = shard.copies[position]
    ready = replace(copy, state="STARTED", recovery=None, unassigned=None, relocating_node=None)
    in_sync = shard.in_sync if copy.allocation_id in shard.in_sync else (*shard.in_sync, copy.allocation_id or "")
    return _consistent(replace(shard, copies=_with(shard.copies, position, ready), in_sync=in_sync))


def unassign(shard: ShardRouting, position: int, info: UnassignedInfo) -> ShardRouting:
    """Takes a copy from its node. Of an active primary the best in-sync active replica is promoted, with a new term."""
    copy = shard.copies[position]
    info = replace(info, last_node=copy.node)
    kept = copy.allocation_id if copy.allocation_id in shard.in_sync else None
    if not copy.primary:
        gone = Copy(primary=False, unassigned=info, recovery="PEER", allocation_id=kept)
        return _consistent(replace(shard, copies=_with(shard.copies, position, gone)))
    heir = next((n for n, c in enumerate(shard.copies) if n and c.active and c.allocation_id in shard.in_sync), None)
    if heir is not None:
        promoted = replace(shard.copies[heir], primary=True)
        demoted = Copy(primary=False, unassigned=info, recovery="PEER", allocation_id=kept)
        rest = [c for n, c in enumerate(shard.copies) if n not in (position, heir)]
        return _consistent(replace(shard, copies=(promoted, *rest, demoted), primary_term=shard.primary_term + 1))
    kept = copy.allocation_id if copy.allocation_id in shard.in_sync else None
    gone = Copy(
        primary=True,
        unassigned=info,
        recovery="EXISTING_STORE" if shard.in_sync else "EMPTY_STORE",
        allocation_id=kept,
    )
    return replace(shard, copies=_with(shard.copies, position, gone))


def restarted(shard: ShardRouting, node: str, now_ms: int, reason: str, details: str | None = None) -> ShardRouting:
    """The node's copies lose their process, not their data: unassigned, to be opened again."""
    for allocation_id in [copy.allocation_id for copy in shard.copies if copy.node == node]:
        position = next(n for n, copy in enumerate(shard.copies) if copy.node and copy.allocation_id == allocation_id)
        before = shard.copies[position].unassigned
        failed = before.failed_attempts if before else 0
        shard = unassign(
            shard, position, UnassignedInfo(reason=reason, at=now_ms, details=details, failed_attempts=failed)
        )
    return shard


def out_of_sync(shard: ShardRouting, allocation_id: str) -> ShardRouting:
    """The copy missed a write: its data may not become a primary any more. Never the last one."""
    rest = tuple(each for each in shard.in_sync if each != allocation_id)
    return replace(shard, in_sync=rest) if rest else shard


def forgive(shard: ShardRouting) -> ShardRouting:
    """Forgets how often unassigned copies failed."""
    copies = tuple(
        replace(copy, unassigned=replace(copy.unassigned, failed_attempts=0))
        if copy.unassigned and copy.unassigned.failed_attempts and not copy.assigned
        else copy
        for copy in shard.copies
    )
    return replace(shard, copies=copies)


def find(shard: ShardRouting, allocation_id: str) -> int | None:
    """The position of the copy with this allocation id."""
    return next((n for n, copy in enumerate(shard.copies) if copy.allocation_id == allocation_id), None)


def _with(copies: tuple[Copy, ...], position: int, copy: Copy) -> tuple[Copy, ...]:
    return (*copies[:position], copy, *copies[position + 1 :])


def _consistent(shard: ShardRouting) -> ShardRouting:
    """Copies in sync are never more than there are places for: ids of copies that no longer have one are forgotten,
    oldest first.
    """
    held = {copy.allocation_id for copy in shard.copies if copy.allocation_id}
    spare = len(shard.in_sync) - len(shard.copies)
    if spare <= 0:
        return shard
    lost = [allocation_id for allocation_id in shard.in_sync if allocation_id not in held][:spare]
    return replace(shard, in_sync=tuple(allocation_id for allocation_id in shard.in_sync if allocation_id not in lost))
