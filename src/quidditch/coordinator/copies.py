"""Which copy of a shard answers: the one place where that is chosen."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from quidditch.model import wildcard
from quidditch.model.errors import illegal_argument
from quidditch.model.objects import Copy, Index
from quidditch.model.state import ClusterState
from quidditch.transport.shards import Meant


def of(state: ClusterState, index: Index, number: int) -> tuple[Copy, ...]:
    """All copies of a shard, the primary first; none if the index is gone or another of that name."""
    routing = state.routing.get(index.name)
    if routing is None or routing.spec.uuid != index.uuid or number >= len(routing.spec.shards):
        return ()
    return tuple(routing.spec.shards[number].copies)


def meant(state: ClusterState, index: Index, number: int) -> tuple[str, Meant] | None:
    """The node that takes writes, and the primary that they mean there; None while there is none."""
    routing = state.routing.get(index.name)
    found = next((copy for copy in of(state, index, number) if copy.primary and copy.active and copy.node), None)
    if routing is None or found is None:
        return None
    return str(found.node), Meant(str(found.allocation_id), routing.spec.shards[number].primary_term)


def readable(
    state: ClusterState, index: Index, number: int, local: str, preference: str | None = None
) -> tuple[str, ...]:
    """The nodes that may be asked to read, in the order in which to try them: this node first, then the primary.

    Raises illegal_argument_exception for a preference of nodes that there are not.
    """
    found = [copy for copy in of(state, index, number) if copy.active and copy.node is not None]
    if len(found) == 1 and not preference:
        return (str(found[0].node),)
    found.sort(key=lambda copy: copy.node != local)
    if preference:
        found = _preferred(found, state, preference, local, f"[{index.name}][{number}]")
    return tuple(str(copy.node) for copy in found)


def is_here(state: ClusterState, index: Index, number: int, local: str) -> bool:
    """Whether the node has an active copy: one that still recovers, or is not the cluster's any more, is not read."""
    return any(copy.node == local and copy.active for copy in of(state, index, number))


def _preferred(found: list[Copy], state: ClusterState, preference: str, local: str, shard: str) -> list[Copy]:
    wanted = preference.partition("|")[2] if preference.startswith("_shards:") else preference
    if wanted == "_only_local":
        return [copy for copy in found if copy.node == local]
    if wanted in ("_primary", "_replica"):
        return [copy for copy in found if copy.primary == (wanted == "_primary")]
    if wanted in ("_primary_first", "_replica_first"):
        return sorted(found, key=lambda copy: copy.primary != (wanted == "_primary_first"))
    if wanted.startswith("_only_nodes:"):
        named = set(_named(state, wanted))
        if not named:
            criteria = wanted.partition(":")[2]
            raise illegal_argument(f"no data nodes with criteria [{criteria}] found for shard: {shard}")
        return [copy for copy in found if copy.node in named]
    if wanted.startswith("_prefer_nodes:"):
        named = set(_named(state, wanted))
        return sorted(found, key=lambda copy: copy.node not in named)
    if wanted and not wanted.startswith("_") and found:
        start = zlib.crc32(f"{shard}{wanted}".encode()) % len(found)
        found = sorted(found, key=lambda copy: str(copy.node))
        return found[start:] + found[:start]
    return found


def _named(state: ClusterState, preference: str) -> Iterator[str]:
    """Ids of the nodes that a preference lists by id, by name, host or address (each may be a pattern), or by `attribute:value`."""
    wanted = [word.strip() for word in preference.partition(":")[2].split(",")]
    for node in state.nodes.values():
        spec = node.spec
        known = (node.id, node.name, spec.host, spec.ip, *(f"{key}:{value}" for key, value in spec.attributes.items()))
        if any(wildcard.matches_any(wanted, word) for word in known if word):
            yield node.id
