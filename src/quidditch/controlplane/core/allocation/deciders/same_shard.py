"""Never two copies of a shard on one node; with `cluster.routing.allocation.same_shard.host` nor on one host."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.deciders.texts import copy_text
from quidditch.controlplane.core.allocation.table import NodeSlot


class SameShard(Decider):
    name = "same_shard"
    binding = True

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        if slot.at in subject.others or slot.at == subject.at:
            return self._held(asking, subject, slot) if asking.aloud else asking.say("NO", "")
        if asking.problem.rules.same_host:
            other = self._neighbour(asking, subject, slot)
            if other is not None:
                return _host(asking, slot, other)
        return asking.say("YES", "this node does not hold a copy of this shard")

    def _held(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        if slot.at == subject.at:
            text = copy_text(subject.row.name, subject.number, subject.copy)
            return asking.say("NO", "this shard is already allocated to this node [{}]", text)
        held = next((copy for copy in subject.shard.placed if copy.node == slot.id), subject.copy)
        text = copy_text(subject.row.name, subject.number, held)
        return asking.say("NO", "a copy of this shard is already allocated to this node [{}]", text)

    def _neighbour(self, asking: Asking, subject: Subject, slot: NodeSlot) -> NodeSlot | None:
        """A node on the same host that holds a copy."""
        assert slot.node is not None
        nodes = asking.problem.nodes
        for at in subject.others:
            other = nodes[at]
            if other.node is not None and other.node.spec.host == slot.node.spec.host:
                return other
        return None


def _host(asking: Asking, slot: NodeSlot, other: NodeSlot) -> Answer:
    assert slot.node is not None
    return asking.say(
        "NO",
        "a copy of this shard is already allocated to host address [{}], on node [{}], and"
        " [cluster.routing.allocation.same_shard.host] is [true] which forbids more than one node on this host from"
        " holding a copy of this shard",
        slot.node.spec.host,
        other.id,
    )
