"""Nodes as commands name them: by id, by name, by address."""

from __future__ import annotations

from quidditch.model.errors import illegal_argument
from quidditch.model.objects import Node
from quidditch.model.state import ClusterState


def find_node(state: ClusterState, named: str) -> Node | None:
    """The node of this id, or else the only one of this name or address."""
    known = state.nodes.get(named)
    if known is not None:
        return known
    found = [node for node in state.nodes.values() if named in (node.name, node.spec.host, node.spec.ip)]
    return found[0] if len(found) == 1 else None


def resolve_node(state: ClusterState, named: str) -> Node:
    """Raises illegal_argument_exception if there is none."""
    node = find_node(state, named)
    if node is None:
        raise illegal_argument(f"failed to resolve [{named}], no matching nodes")
    return node
