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
    """More or fewer replicas; unassigned ones go first, then those that are being built, then the last."""
    copies = list(shard.copies)
    while len(copies) - 1 > replicas:
        spare = [position for position in range(1, len(copies)) if not copies[position].assigned]
        building = [position for position in range(1, len(copies)) if not copies[position].active]
        copies.pop((spare or building or [len(copies) - 1])[-1])
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


def forced_primary(shard: ShardRouting, node: str, ids: Ids, info: UnassignedInfo, *, stale: bool) -> ShardRouting:
    """A user gives up what the in-sync copies hold: the primary starts on the node, from what lies there (`stale`) or
    from nothing, under a new allocation id that alone is in sync.
    """
    allocation_id = ids.uuid()
    primary = Copy(
        primary=True,
        state="INITIALIZING",
        node=node,
        allocation_id=allocation_id,
        recovery="EXISTING_STORE" if stale else "EMPTY_STORE",
        unassigned=info,
        forced=stale,
    )
    rest = tuple(copy if copy.assigned else replace(copy, allocation_id=None) for copy in shard.copies[1:])
    in_sync = (allocation_id,) if stale else ()
    return replace(shard, copies=(primary, *rest), in_sync=in_sync, primary_term=shard.primary_term + 1)


def _with_data_of(shard: ShardRouting, position: int, node: str) -> ShardRouting:
    """The primary takes over the in-sync data that lies on the node, also where a replica left it."""
    for at, other in enumerate(shard.copies):
        lies_there = other.unassigned is not None and other.unassigned.last_node == node and not other.assigned
        if at != position and lies_there and other.allocation_id in shard.in_sync:
            primary = shard.copies[position]
            if primary.unassigned is not None and primary.unassigned.last_node == node and primary.allocation_id:
                return shard
            taken = _data_of(primary, other)
            copies = _with(shard.copies, position, taken)
            return replace(shard, copies=_with(copies, at, _data_of(other, primary)))
    return shard


def _data_of(copy: Copy, other: Copy) -> Copy:
    """The copy, with what another left behind as its own: the allocation id, and the node where it lies."""
    info, left = copy.unassigned, other.unassigned
    if info is not None:
        info = replace(info, last_node=left.last_node if left is not None else None)
    return replace(copy, allocation_id=other.allocation_id, unassigned=info)


def started(shard: ShardRouting, position: int) -> ShardRouting:
    """An initializing copy is ready: it counts as in sync from now on."""
    copy = shard.copies[position]
    ready = replace(copy, state="STARTED", recovery=None, unassigned=None, relocating_node=None, forced=False)
    in_sync = shard.in_sync if copy.allocation_id in shard.in_sync else (*shard.in_sync, copy.allocation_id or "")
    return _consistent(replace(shard, copies=_with(shard.copies, position, ready), in_sync=in_sync))


# --- moves --------------------------------------------------------------------------------------------------------------


def relocate(shard: ShardRouting, position: int, node: str, ids: Ids) -> ShardRouting:
    """A started copy begins to move: it serves on until its target has started."""
    moving = replace(shard.copies[position], state="RELOCATING", relocating_node=node, relocation_id=ids.uuid())
    return replace(shard, copies=_with(shard.copies, position, moving))


def relocated(shard: ShardRouting, position: int) -> ShardRouting:
    """The target has started: it takes the place of its source, also in the in-sync set, in one write. The primary
    hands over what it knows, so that its term goes on.
    """
    copy = shard.copies[position]
    there = Copy(primary=copy.primary, state="STARTED", node=copy.relocating_node, allocation_id=copy.relocation_id)
    in_sync = tuple(each for each in shard.in_sync if each != copy.allocation_id)
    in_sync = (*in_sync, copy.relocation_id or "")
    return _consistent(replace(shard, copies=_with(shard.copies, position, there), in_sync=in_sync))


def stay(shard: ShardRouting, position: int, *, failed: bool = False) -> ShardRouting:
    """A move is given up: the source was never away. `failed`: not for want of wanting."""
    copy = shard.copies[position]
    moves = copy.failed_moves + failed
    copy = replace(copy, state="STARTED", relocating_node=None, relocation_id=None, failed_moves=moves)
    return replace(shard, copies=_with(shard.copies, position, copy))


def find_target(shard: ShardRouting, allocation_id: str) -> int | None:
    """The position of the relocating copy whose target has this allocation id."""
    return next((n for n, copy in enumerate(shard.copies) if copy.relocation_id == allocation_id), None)


# --- what lies on disks -------------------------------------------------------------------------------------------------


def on_disk(shard: ShardRouting, node: str, ids: tuple[str, ...]) -> ShardRouting:
    """A node tells the allocation ids that its data of this shard answers to, none if it has no data. Copies without a node that are
    in sync are remembered where they truly lie.
    """
    copies = list(shard.copies)
    for position, copy in enumerate(copies):
        if copy.node is None and copy.unassigned is not None and copy.allocation_id in shard.in_sync:
            if copy.allocation_id in ids:
                copies[position] = _lying_on(copy, node, copy.allocation_id)
            elif copy.unassigned.last_node == node:  # gone, or what is there may only be taken by force
                copies[position] = _lying_on(copy, node, None) if ids else _lying_on(copy, None, copy.allocation_id)
    known = {copy.allocation_id for copy in copies}
    for id in ids:
        if id in shard.in_sync and id not in known:
            free = (n for n, copy in enumerate(copies) if copy.node is None and copy.allocation_id not in shard.in_sync)
            position = next(free, -1)
            if position >= 0 and copies[position].unassigned is not None:
                copies[position] = _lying_on(copies[position], node, id)
            break
    return replace(shard, copies=tuple(copies))


def _lying_on(copy: Copy, node: str | None, allocation_id: str | None) -> Copy:
    assert copy.unassigned is not None
    return replace(copy, allocation_id=allocation_id, unassigned=replace(copy.unassigned, last_node=node))


# --- losses -------------------------------------------------------------------------------------------------------------


def unassign(shard: ShardRouting, position: int, info: UnassignedInfo) -> ShardRouting:
    """Takes a copy from its node. Of an active primary the best in-sync active replica is promoted, with a new term."""
    copy = shard.copies[position]
    info = replace(info, last_node=copy.node)
    kept = copy.allocation_id if copy.allocation_id in shard.in_sync else None
    if not copy.primary:
        gone = _onward(copy) or Copy(primary=False, unassigned=info, recovery="PEER", allocation_id=kept)
        return _consistent(replace(shard, copies=_with(shard.copies, position, gone)))
    shard = _without_source(shard, info.at)
    heir = next((n for n, c in enumerate(shard.copies) if n and c.active and c.allocation_id in shard.in_sync), None)
    if heir is not None:
        promoted = replace(shard.copies[heir], primary=True)
        demoted = Copy(primary=False, unassigned=info, recovery="PEER", allocation_id=kept)
        rest = [c for n, c in enumerate(shard.copies) if n not in (position, heir)]
        return _consistent(replace(shard, copies=(promoted, *rest, demoted), primary_term=shard.primary_term + 1))
    gone = Copy(
        primary=True,
        unassigned=info,
        recovery="EXISTING_STORE" if shard.in_sync else "EMPTY_STORE",
        allocation_id=kept,
    )
    return replace(shard, copies=_with(shard.copies, position, gone))


def lead_elsewhere(shard: ShardRouting, node: str, info: UnassignedInfo) -> ShardRouting:
    """Another copy in sync takes over from the primary on the node, if there is one."""
    heirs = any(copy.active and copy.allocation_id in shard.in_sync for copy in shard.copies[1:])
    return unassign(shard, 0, info) if shard.primary.node == node and heirs else shard


def _onward(copy: Copy) -> Copy | None:
    """A replica that was lost while it moved: what it is copied to comes from the primary, and goes on being built."""
    target = copy.target
    return None if target is None else replace(target, relocating_node=None, relocation_id=None)


def _without_source(shard: ShardRouting, now_ms: int) -> ShardRouting:
    """The primary is lost, and with it what was being copied from it."""
    copies = list(shard.copies)
    for position, copy in enumerate(copies):
        if copy.state == "RELOCATING":
            copies[position] = replace(copy, state="STARTED", relocating_node=None, relocation_id=None)
        elif position and copy.state == "INITIALIZING":
            before = copy.unassigned
            info = UnassignedInfo(
                reason="PRIMARY_FAILED",
                at=now_ms,
                details="primary failed while replica initializing",
                failed_attempts=before.failed_attempts if before else 0,
                last_node=copy.node,
            )
            kept = copy.allocation_id if copy.allocation_id in shard.in_sync else None
            copies[position] = Copy(primary=False, unassigned=info, recovery="PEER", allocation_id=kept)
    return replace(shard, copies=tuple(copies))


def restarted(
    shard: ShardRouting, node: str, now_ms: int, reason: str, details: str | None = None, delayed: bool = False
) -> ShardRouting:
    """The node's copies lose their process, not their data: unassigned, to be opened again. `delayed`: replicas wait
    for the node to come back.
    """
    for position, copy in enumerate(shard.copies):
        if copy.relocating_node == node:
            shard = stay(shard, position)
    for allocation_id in [copy.allocation_id for copy in shard.copies if copy.node == node]:
        found = (n for n, copy in enumerate(shard.copies) if copy.node == node and copy.allocation_id == allocation_id)
        position = next(found, -1)
        if position < 0:  # went with the primary
            continue
        before = shard.copies[position].unassigned
        info = UnassignedInfo(
            reason=reason,
            at=now_ms,
            details=details,
            failed_attempts=before.failed_attempts if before else 0,
            delayed=delayed,
        )
        shard = unassign(shard, position, info)
    return shard


def out_of_sync(shard: ShardRouting, allocation_id: str) -> ShardRouting:
    """The copy missed a write: its data may not become a primary any more. Never the last one."""
    rest = tuple(each for each in shard.in_sync if each != allocation_id)
    return replace(shard, in_sync=rest) if rest else shard


def forgive(shard: ShardRouting, node: str | None = None) -> ShardRouting:
    """Forgets how often copies failed to start or to move; `node`: only of those that were last on it."""

    def forgiven(copy: Copy) -> Copy:
        info = copy.unassigned
        if info is not None and info.failed_attempts and not copy.assigned:
            return (
                replace(copy, unassigned=replace(info, failed_attempts=0)) if node in (None, info.last_node) else copy
            )
        return replace(copy, failed_moves=0) if copy.failed_moves and node is None else copy

    return replace(shard, copies=tuple(forgiven(copy) for copy in shard.copies))


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
