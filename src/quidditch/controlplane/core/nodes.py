"""Nodes come and go, and their copies report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from quidditch.controlplane.core import routing
from quidditch.controlplane.core.allocation.rules import index_rules
from quidditch.controlplane.core.allocation.solve import allocate
from quidditch.controlplane.core.commands import (
    Acknowledged,
    HeldShard,
    NodeHangs,
    NodeLeft,
    NoteHealth,
    RegisterNode,
    ShardFailed,
    ShardStarted,
)
from quidditch.controlplane.core.draft import Draft
from quidditch.controlplane.core.replicas import apply_auto_expand
from quidditch.model.errors import ApiError
from quidditch.model.objects import Node, Routing, ShardRouting, UnassignedInfo, metadata_for


def register_node(draft: Draft, command: RegisterNode) -> Acknowledged:
    """A node that has just started holds no open shard: its copies are opened again, also those that had failed too
    often, for what hindered them may have gone. One that is known as it is and holds nothing new costs no look at everything: after
    a change of the leader all nodes come.
    """
    spec = command.node
    before = draft.state
    known = draft.state.nodes.get(spec.id)
    if command.fresh or (known is not None and known.spec.ephemeral_id != spec.ephemeral_id):
        _take_copies(draft, spec.id, "CLUSTER_RECOVERED")
        _forgive(draft, spec.id)
    if command.held is not None:
        _note_disk(draft, spec.id, command.held)
    metadata = known.metadata if known else metadata_for(spec.id)
    draft.put(Node(metadata=metadata, spec=spec))
    _note_seen(draft, spec.id)
    apply_auto_expand(draft)
    if draft.state is not before:
        allocate(draft)
    return Acknowledged()


def _note_disk(draft: Draft, node: str, held: Iterable[HeldShard]) -> None:
    """Copies that wait for a node are remembered where their data lies. What is older than allocation ids is believed to be there."""
    lying = {(each.uuid, each.shard): each.ids for each in held}
    changed = []
    for known in draft.state.routing.values():
        spec = known.spec
        shards = tuple(
            shard if ids is None or all(copy.assigned for copy in shard.copies) else routing.on_disk(shard, node, ids)
            for shard, ids in zip(
                spec.shards, (lying.get((spec.uuid, n), ()) for n in range(len(spec.shards))), strict=True
            )
        )
        if shards != spec.shards:
            changed.append(routing.with_shards(known, shards))
    draft.put_all(changed)


def _note_seen(draft: Draft, id: str) -> None:
    shutdown = draft.state.shutdowns.get(id)
    if shutdown is not None and not shutdown.spec.seen:
        draft.put(replace(shutdown, spec=replace(shutdown.spec, seen=True)))


def node_left(draft: Draft, command: NodeLeft) -> Acknowledged:
    known = draft.state.nodes.get(command.node_id)
    if known is None:
        return Acknowledged()
    draft.remove(known)
    take_copies_of_left(draft, command.node_id)
    apply_auto_expand(draft)
    allocate(draft)
    return Acknowledged()


def node_hangs(draft: Draft, command: NodeHangs) -> Acknowledged:
    """Replicas on it stay: a write that they do not take has them out of the in-sync set soon enough. What led waits for the node."""
    node, changed = command.node_id, []
    for known in draft.state.routing.values():
        delayed = _delay_ms(draft, known.spec.index, "NODE_LEFT") > 0
        info = UnassignedInfo(reason="NODE_LEFT", at=draft.env.now_ms, details=f"node_hangs [{node}]", delayed=delayed)
        shards = tuple(routing.lead_elsewhere(shard, node, info) for shard in known.spec.shards)
        if shards != known.spec.shards:
            changed.append(routing.with_shards(known, shards))
    if changed:
        draft.put_all(changed)
        allocate(draft)
    return Acknowledged()


def take_copies_of_left(draft: Draft, id: str) -> None:
    """Its copies have no node any more; replicas wait for it where it may come back."""
    shutdown = draft.state.shutdowns.get(id)
    restarting = shutdown is not None and shutdown.spec.type == "restart"
    reason = "NODE_RESTARTING" if restarting else "NODE_LEFT"
    _take_copies(draft, id, reason, f"node_left [{id}]", waits=restarting or shutdown is None)


def note_health(draft: Draft, command: NoteHealth) -> Acknowledged:
    for id, status in command.nodes.items():
        known = draft.state.nodes.get(id)
        if known is not None:
            draft.put(replace(known, status=status))
    return Acknowledged()


def _take_copies(draft: Draft, node: str, reason: str, details: str | None = None, waits: bool = False) -> None:
    """`waits`: the node may come back, and replicas wait for it as their indices say."""
    changed = []
    for known in draft.state.routing.values():
        if not any(node in (copy.node, copy.relocating_node) for shard in known.spec.shards for copy in shard.copies):
            continue
        delayed = waits and _delay_ms(draft, known.spec.index, reason) > 0
        shards = tuple(
            routing.restarted(shard, node, draft.env.now_ms, reason, details, delayed) for shard in known.spec.shards
        )
        changed.append(routing.with_shards(known, shards))
    draft.put_all(changed)


def _delay_ms(draft: Draft, name: str, reason: str) -> int:
    index = draft.state.indices.get(name)
    own = index_rules(index).delay_ms if index is not None else 0
    return max(own, 1) if reason == "NODE_RESTARTING" else own


class _Report(NamedTuple):
    """The copy that a report is about: its place, and whether the target of its move is meant."""

    known: Routing
    position: int
    target: bool


def _located(draft: Draft, index: str, uuid: str, shard: int, allocation_id: str) -> _Report | None:
    """None for a report about what is no more."""
    known = draft.state.routing.get(index)
    if known is None or known.spec.uuid != uuid or not 0 <= shard < len(known.spec.shards):
        return None
    position = routing.find(known.spec.shards[shard], allocation_id)
    if position is not None:
        return _Report(known, position, False)
    position = routing.find_target(known.spec.shards[shard], allocation_id)
    return None if position is None else _Report(known, position, True)


def shard_started(draft: Draft, command: ShardStarted) -> Acknowledged:
    return shards_started(draft, [command])[0]


def shards_started(draft: Draft, reports: Sequence[ShardStarted]) -> list[Acknowledged]:
    """Reports that came together: what they make room for is looked at once."""
    results = []
    changed: list[tuple[str, int]] = []
    for report in reports:
        after = _after_start(draft, report)
        if after is None:
            results.append(Acknowledged())
            continue
        draft.put(after)
        changed.append((report.index, report.shard))
        results.append(Acknowledged((report.index,)))
    if changed:
        allocate(draft, (), changed)
    return results


def _after_start(draft: Draft, report: ShardStarted) -> Routing | None:
    """The routing with the copy started; None where the report is about what is no more."""
    found = _located(draft, report.index, report.uuid, report.shard, report.allocation_id)
    if found is None:
        return None
    shard = found.known.spec.shards[report.shard]
    if report.primary_term not in (0, shard.primary_term):
        return None
    if found.target:
        after = routing.relocated(shard, found.position)
    elif shard.copies[found.position].state == "INITIALIZING":
        after = routing.started(shard, found.position)
    else:
        return None
    return routing.with_shard(found.known, report.shard, after)


def shard_failed(draft: Draft, command: ShardFailed) -> Acknowledged:
    """The copy is taken from its node and placed anew, until it has failed too often. A copy whose move fails stays. A primary whose
    term is over is refused even where there is nothing to do: it may not acknowledge what it asks this for.
    """
    known = draft.state.routing.get(command.index)
    if known is None or known.spec.uuid != command.uuid or not 0 <= command.shard < len(known.spec.shards):
        return Acknowledged()
    shard = known.spec.shards[command.shard]
    if command.primary_term not in (0, shard.primary_term):
        raise stale_primary(command, shard)
    found = _located(draft, command.index, command.uuid, command.shard, command.allocation_id)
    if found is None:
        if command.mark_stale:
            draft.put(routing.with_shard(known, command.shard, routing.out_of_sync(shard, command.allocation_id)))
        return Acknowledged((command.index,))
    copy = shard.copies[found.position]
    if found.target:
        shard = routing.stay(shard, found.position, failed=True)
    elif copy.assigned:
        before = copy.unassigned.failed_attempts if copy.unassigned else 0
        info = UnassignedInfo(
            reason="ALLOCATION_FAILED", at=draft.env.now_ms, details=command.reason, failed_attempts=before + 1
        )
        shard = routing.unassign(shard, found.position, info)
    if command.mark_stale and not found.target:
        shard = routing.out_of_sync(shard, command.allocation_id)
    draft.put(routing.with_shard(found.known, command.shard, shard))
    allocate(draft, (), [(command.index, command.shard)])
    return Acknowledged((command.index,))


def _forgive(draft: Draft, node: str | None = None) -> None:
    for known in list(draft.state.routing.values()):
        shards = tuple(routing.forgive(shard, node) for shard in known.spec.shards)
        if shards != known.spec.shards:
            draft.put(routing.with_shards(known, shards))


def stale_primary(command: ShardFailed, shard: ShardRouting) -> ApiError:
    return ApiError(
        503,
        "no_longer_primary_shard_exception",
        f"primary term [{command.primary_term}] did not match current primary term [{shard.primary_term}]",
        {"index": command.index, "shard": str(command.shard)},
    )
