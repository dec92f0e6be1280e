"""`cluster.routing.allocation.awareness.*`: the copies of a shard spread over zones (or racks, or whatever is named).

Each value of the attribute gets at most its even share of the copies, rounded up. Values that are forced count also
while no node has them, so that the survivors of a zone are not crowded.
"""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.table import NodeSlot


class Awareness(Decider):
    name = "awareness"

    def concerns(self, asking: Asking) -> bool:
        return asking.aloud or bool(asking.problem.rules.attributes)

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        """The copy's own place is not counted: wherever it goes, it is there once."""
        problem = asking.problem
        if not problem.rules.attributes:
            text = (
                "allocation awareness is not enabled, set cluster setting"
                " [cluster.routing.allocation.awareness.attributes] to enable it"
            )
            return asking.say("YES", text)
        copies = len(subject.shard.copies)
        for attribute in problem.rules.attributes:
            zones = problem.zones[attribute]
            own = zones.get(slot.at)
            if own is None:
                return _lacks(asking, attribute)
            values = problem.zone_counts[attribute]
            share = -(-copies // values)
            held = 1 + sum(zones.get(at) == own for at in set(subject.others))
            if held > share:
                return _crowded(asking, attribute, copies, values, held, share)
        return asking.say("YES", "node meets all awareness attribute requirements")

    can_remain = can_allocate


def _lacks(asking: Asking, attribute: str) -> Answer:
    text = (
        "node does not contain the awareness attribute [{}]; required attributes cluster setting"
        " [cluster.routing.allocation.awareness.attributes={}]"
    )
    return asking.say("NO", text, attribute, ",".join(asking.problem.rules.attributes))


def _crowded(asking: Asking, attribute: str, copies: int, values: int, held: int, share: int) -> Answer:
    text = (
        "there are too many copies of the shard allocated to nodes with attribute [{}], there are [{}] total configured"
        " shard copies for this shard id and [{}] total attribute values, expected the allocated shard count per"
        " attribute [{}] to be less than or equal to the upper bound of the required number of shards per attribute [{}]"
    )
    return asking.say("NO", text, attribute, copies, values, held, share)
