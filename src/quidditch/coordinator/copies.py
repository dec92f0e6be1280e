"""Which copy of a shard answers: the one place where that is chosen."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from quidditch.model.errors import illegal_argument
from quidditch.model.objects import Copy, Index
from quidditch.model.state import ClusterState


def of(state: ClusterState, index: Index, number: int) -> tuple[Copy, ...]:
    """All copies of a shard, the primary first; none if the index is gone or another of that name."""
    routing = state.routing.get(index.name)
    if routing is None or routing.spec.uuid != index.uuid or number >= len(routing.spec.shards):
        return ()
    return tuple(routing.spec.shards[number].copies)


def primary(state: ClusterState, index: Index, number: int) -> str | None:
    """The node that takes writes; None while there is none."""
    return next((copy.node for copy in of(state, index, number) if copy.primary and copy.active), None)


def readable(
    state: ClusterState, index: Index, number: int, local: str, preference: str | None = None
) -> tuple[str, ...]:
    """The nodes that may be asked to read, in the order in which to try them: this node first, then the primary.

    Raises illegal_argument_exception for a preference of nodes that there are not.
    """
    nodes = [copy.node for copy in of(state, index, number) if copy.active and copy.node is not None]
    if len(nodes) == 1 and not preference:
        return (nodes[0],)
    nodes.sort(key=lambda node: node != local)
    if preference:
        nodes = _preferred(nodes, state, preference, local, f"[{index.name}][{number}]")
    return tuple(nodes)


def _preferred(nodes: list[str], state: ClusterState, preference: str, local: str, shard: str) -> list[str]:
    wanted = preference.partition("|")[2] if preference.startswith("_shards:") else preference
    if wanted == "_only_local":
        return [node for node in nodes if node == local]
    if wanted.startswith("_only_nodes:"):
        named = set(_named(state, wanted))
        if not named:
            criteria = wanted.partition(":")[2]
            raise illegal_argument(f"no data nodes with criteria [{criteria}] found for shard: {shard}")
        return [node for node in nodes if node in named]
    if wanted.startswith("_prefer_nodes:"):
        named = set(_named(state, wanted))
        return sorted(nodes, key=lambda node: node not in named)
    if wanted and not wanted.startswith("_") and nodes:
        start = zlib.crc32(wanted.encode()) % len(nodes)
        nodes = sorted(nodes)
        return nodes[start:] + nodes[:start]
    return nodes


def _named(state: ClusterState, preference: str) -> Iterator[str]:
    """Ids of the nodes that a preference lists by id or name."""
    names = {name.strip() for name in preference.partition(":")[2].split(",")}
    for node in state.nodes.values():
        if node.id in names or node.name in names:
            yield node.id
