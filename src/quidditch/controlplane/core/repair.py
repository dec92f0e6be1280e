"""Level-triggered upkeep: whatever the objects look like (a crash between two writes, an object made by hand), bring them in order.

Run at every start, after foreign changes and as the second half of a deletion. Idempotent.
"""

from __future__ import annotations

from msgspec.structs import replace

from quidditch.controlplane.core import routing as transitions
from quidditch.controlplane.core.aliases import delete_index, drop_members, finish_deletion
from quidditch.controlplane.core.allocation.solve import allocate
from quidditch.controlplane.core.draft import Draft
from quidditch.controlplane.core.nodes import take_copies_of_left
from quidditch.controlplane.core.rollover import hand_over
from quidditch.model.objects import Index


def repair(draft: Draft) -> None:
    """Finishes deletions and rollovers, clears away what belongs to no index or node, gives every index its routing."""
    for index in list(draft.state.indices.values()):
        if index.name not in draft.state.indices:
            continue  # it went with another
        if index.deleting:
            finish_deletion(draft, index)
        elif index.spec.makes_way is not None:
            delete_index(draft, index)
    _drop_orphans(draft)
    for index in list(draft.state.indices.values()):
        hand_over(draft, index)
    _let_go(draft)
    for index in draft.state.indices.values():
        _ensure_routing(draft, index)
    allocate(draft)


def _drop_orphans(draft: Draft) -> None:
    for routing in list(draft.state.routing.values()):
        index = draft.state.indices.get(routing.spec.index)
        if index is None or index.uuid != routing.spec.uuid:
            draft.remove(routing)
    for alias in list(draft.state.aliases.values()):
        gone = [name for name in alias.spec.indices if name not in draft.state.indices]
        if gone:
            drop_members(draft, alias, gone)


def _let_go(draft: Draft) -> None:
    """Copies on nodes that have left, noted or not."""
    held = {
        node
        for routing in draft.state.routing.values()
        for shard in routing.spec.shards
        for copy in shard.copies
        for node in (copy.node, copy.relocating_node)
        if node is not None
    }
    for node in sorted(held - draft.state.nodes.keys()):
        take_copies_of_left(draft, node)


def _ensure_routing(draft: Draft, index: Index) -> None:
    known = draft.state.routing.get(index.name)
    if known is None:
        draft.put(transitions.new_routing(index, draft.env.now_ms))
        return
    shards = tuple(
        transitions.with_replicas(shard, index.number_of_replicas, draft.env.now_ms) for shard in known.spec.shards
    )
    if shards != known.spec.shards:
        draft.put(replace(known, spec=replace(known.spec, shards=shards)))
