"""`cluster.routing.allocation.enable` and `cluster.routing.rebalance.enable`; an index's own settings come before them."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.table import NodeSlot


class Enable(Decider):
    name = "enable"
    nodeless = True

    def can_allocate(self, asking: Asking, subject: Subject, _slot: NodeSlot) -> Answer:
        if subject.forced:
            text = (
                "explicitly ignoring any disabling of allocation due to manual allocation commands via the reroute API"
            )
            return asking.say("YES", text)
        own = subject.row.rules.enable
        value = own or asking.problem.rules.enable
        primary = subject.copy.primary
        if value == "all":
            return asking.say("YES", "all allocations are allowed")
        if value == "primaries" and primary:
            return asking.say("YES", "primary allocations are allowed")
        if value == "new_primaries" and primary and subject.at is None and not subject.shard.in_sync:
            return asking.say("YES", "new primary allocations are allowed")
        forbidden = {"none": "no allocations are allowed", "primaries": "replica allocations are forbidden"}
        setting = _setting("routing.allocation.enable", own, value)
        return asking.say(
            "NO", "{} due to {}", forbidden.get(value, "non-new primary allocations are forbidden"), setting
        )

    def can_rebalance(self, asking: Asking, subject: Subject) -> Answer:
        own = subject.row.rules.rebalance
        value = own or asking.problem.rules.rebalance
        setting = _setting("routing.rebalance.enable", own, value)
        if value == "all":
            return asking.say("YES", "all rebalancing is allowed")
        if value == "none":
            return asking.say("NO", "no rebalancing is allowed due to {}", setting)
        if value == "primaries":
            if subject.copy.primary:
                return asking.say("YES", "primary rebalancing is allowed")
            return asking.say("NO", "replica rebalancing is forbidden due to {}", setting)
        if subject.copy.primary:
            return asking.say("NO", "primary rebalancing is forbidden due to {}", setting)
        return asking.say("YES", "replica rebalancing is allowed")


def _setting(key: str, own: str, value: str) -> str:
    return f"index setting [index.{key}={value}]" if own else f"cluster setting [cluster.{key}={value}]"
