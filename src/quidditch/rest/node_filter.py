"""Which nodes `{node_id}` means: ids, names, addresses, wildcards, `_local`, `_master`, roles, attributes."""

from __future__ import annotations

from quidditch.model import wildcard
from quidditch.model.objects import Node as ClusterNode
from quidditch.model.state import ClusterState

_ROLES = {
    "master": "cluster_manager",
    "cluster_manager": "cluster_manager",
    "data": "data",
    "ingest": "ingest",
    "voting_only": "voting_only",
    "ml": "ml",
}


def select_nodes(state: ClusterState, expression: str | None, local: str, manager: str) -> list[ClusterNode]:
    """The nodes in order of their ids. `local` is this node, `manager` the one that leads."""
    nodes = [state.nodes[key] for key in sorted(state.nodes)]
    if expression is None or expression in ("", "_all"):
        return nodes
    found: dict[str, ClusterNode] = {}
    for part in (piece.strip() for piece in expression.split(",")):
        role, colon, flag = part.partition(":")
        if colon and flag in ("true", "false") and (role in _ROLES or role == "coordinating_only"):
            matching = [node for node in nodes if _has_role(node, role)]
            for node in nodes if flag == "false" else matching:
                if flag == "true":
                    found[node.id] = node
                elif node in matching:
                    found.pop(node.id, None)
            continue
        for node in nodes:
            if _matches(node, part, local, manager):
                found[node.id] = node
    return [node for node in nodes if node.id in found]


def _has_role(node: ClusterNode, role: str) -> bool:
    if role == "coordinating_only":
        return not node.spec.roles
    if role == "data":
        return node.holds_data
    return _ROLES[role] in node.spec.roles or (role == "master" and "master" in node.spec.roles)


def _matches(node: ClusterNode, part: str, local: str, manager: str) -> bool:
    if part in ("_all", "*"):
        return True
    if part == "_local":
        return node.id == local
    if part in ("_master", "_cluster_manager"):
        return node.id == manager
    spec = node.spec
    names = (spec.id, spec.name, spec.host, spec.ip, spec.transport_address)
    if any(wildcard.matches(part, name) for name in names):
        return True
    key, colon, value = part.partition(":")
    return bool(colon) and any(
        wildcard.matches(key, name) and wildcard.matches(value, content) for name, content in spec.attributes.items()
    )
