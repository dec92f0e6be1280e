"""What about a node and an index never depends on other copies: filters, tiers, announced shutdowns.

These are asked once for all indices with the same settings; the deciders say the same in words.
"""

from __future__ import annotations

from collections.abc import Iterable

from quidditch.controlplane.core.allocation.rules import ClusterRules, FilterRules, Filters
from quidditch.model import wildcard
from quidditch.model.names import TIERS
from quidditch.model.objects import Node
from quidditch.model.state import ClusterState


def admits(
    state: ClusterState, rules: ClusterRules, own: FilterRules, tiers: tuple[str, ...], node: Node | None
) -> bool:
    """Whether the node may take copies of indices with these filters and tiers."""
    if node is None or not node.holds_data or goes_away(state, node):
        return False
    if refusing(rules.filters, node) is not None or refusing(own, node) is not None:
        return False
    return not tiers or in_tier(node, wanted_tier(state, tiers))


def goes_away(state: ClusterState, node: Node) -> bool:
    """Whether the node was told to leave for good."""
    shutdown = state.shutdowns.get(node.id)
    return shutdown is not None and shutdown.spec.type != "restart"


def refusing(filters: FilterRules, node: Node) -> str | None:
    """Which filters keep the node out (`require`, `include`, `exclude`); None if it passes."""
    if filters.require and not matches_all(filters.require, node):
        return "require"
    if filters.include and not matches_any(filters.include, node):
        return "include"
    if filters.exclude and matches_any(filters.exclude, node):
        return "exclude"
    return None


def matches_all(filters: Filters, node: Node) -> bool:
    return all(_has(node, name, value) for name, values in filters for value in values)


def matches_any(filters: Filters, node: Node) -> bool:
    return any(_has(node, name, value) for name, values in filters for value in values)


def _has(node: Node, name: str, value: str) -> bool:
    return any(wildcard.matches(value, own) for own in _values(node, name))


def _values(node: Node, name: str) -> Iterable[str]:
    """What a node has under the name of a filter."""
    spec = node.spec
    if name in ("_ip", "_publish_ip"):
        return (spec.ip,)
    if name == "_host_ip":
        return (spec.ip,)
    if name == "_host":
        return (spec.host, spec.ip)
    if name == "_name":
        return (spec.name,)
    if name == "_id":
        return (spec.id,)
    if name == "_tier":
        return tiers_of(node)
    own = spec.attributes.get(name)
    return () if own is None else (own,)


def tiers_of(node: Node) -> tuple[str, ...]:
    """A node with the plain role `data` belongs to every tier."""
    return TIERS if "data" in node.spec.roles else tuple(role for role in node.spec.roles if role.startswith("data_"))


def in_tier(node: Node, tier: str | None) -> bool:
    return tier is not None and tier in tiers_of(node)


def wanted_tier(state: ClusterState, tiers: tuple[str, ...]) -> str | None:
    """The first preferred tier that has a node which stays; None if none has."""
    present = {tier for node in state.nodes.values() if not goes_away(state, node) for tier in tiers_of(node)}
    return next((tier for tier in tiers if tier in present), None)
