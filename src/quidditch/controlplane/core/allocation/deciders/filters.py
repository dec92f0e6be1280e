"""Which nodes an index may use by their names, addresses, attributes and tiers."""

from __future__ import annotations

from quidditch.controlplane.core.allocation import static
from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.rules import FilterRules, Filters
from quidditch.controlplane.core.allocation.table import NodeSlot


class Filter(Decider):
    """`index.routing.allocation.{require,include,exclude}.*`, the cluster's own, and `initial_recovery` for the first
    allocation of a primary.
    """

    name = "filter"
    fixed = True

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        first = subject.row.rules.initial_recovery
        if first and subject.at is None and subject.copy.primary and not subject.shard.in_sync:
            refused = _refused_first(asking, first, slot)
            if refused is not None:
                return refused
        return self.can_remain(asking, subject, slot)

    def can_remain(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        node = slot.node
        assert node is not None
        for level, filters in (("cluster", asking.problem.rules.filters), ("index", subject.row.rules.filters)):
            kind = static.refusing(filters, node)
            if kind is not None:
                return asking.say("NO", "{}", _sentence(level, kind, filters))
        return asking.say("YES", "node passes include/exclude/require filters")


def _refused_first(asking: Asking, filters: Filters, slot: NodeSlot) -> Answer | None:
    if slot.node is not None and static.matches_any(filters, slot.node):
        return None
    text = (
        "initial allocation of the shrunken index is only allowed on nodes [{}] that hold a copy of every shard in the"
        " index"
    )
    return asking.say("NO", text, shown(filters, " OR "))


def _sentence(level: str, kind: str, filters: FilterRules) -> str:
    setting = f"{level} setting [{level}.routing.allocation.{kind}]"
    if kind == "require":
        return f"node does not match {setting} filters [{shown(filters.require, ' AND ')}]"
    if kind == "exclude":
        return f"node matches {setting} filters [{shown(filters.exclude, ' OR ')}]"
    verb = "match " if level == "index" else ""
    return f"node does not {verb}{setting} filters [{shown(filters.include, ' OR ')}]"


def shown(filters: Filters, between: str) -> str:
    """`_name:"node-1 OR node-2",zone:"q"`."""
    return ",".join(f'{name}:"{between.join(values)}"' for name, values in filters)


class DataTier(Decider):
    """`index.routing.allocation.include._tier_preference`: the first of the tiers that has a node at all."""

    name = "data_tier"
    fixed = True

    def concerns(self, asking: Asking) -> bool:
        return asking.aloud

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        tiers = subject.row.rules.tiers
        if not tiers:
            return asking.say("YES", "node passes tier preference filters")
        tier = static.wanted_tier(asking.problem.state, tiers)
        listed = ",".join(tiers)
        if tier is None:
            text = "index has a preference for tiers [{}], but no nodes for any of those tiers are available in the cluster"
            return asking.say("NO", text, listed)
        assert slot.node is not None
        if static.in_tier(slot.node, tier):
            return asking.say("YES", "index has a preference for tiers [{}] and node has tier [{}]", listed, tier)
        text = "index has a preference for tiers [{}] and node does not meet the required [{}] tier"
        return asking.say("NO", text, listed, tier)

    can_remain = can_allocate
