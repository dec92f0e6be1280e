"""Where a copy's data comes from: a primary's own, kept on a node; or another copy's, carried over the network."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.table import NodeSlot
from quidditch.model.objects import ShardRouting


def data_nodes(shard: ShardRouting) -> list[str]:
    """The nodes on which in-sync data of the shard was left."""
    return [
        copy.unassigned.last_node
        for copy in shard.copies
        if copy.unassigned is not None
        and copy.unassigned.last_node is not None
        and not copy.assigned
        and copy.allocation_id in shard.in_sync
    ]


class InSyncCopy(Decider):
    """A primary that has data starts only where an in-sync copy of it lies."""

    name = "in_sync_copy"
    binding = True

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        if not subject.copy.primary or subject.at is not None or not subject.shard.in_sync:
            return asking.say("YES", "the copy needs no existing data")
        if slot.id in data_nodes(subject.shard):
            return asking.say("YES", "the node holds an in-sync copy of the shard")
        return asking.say("NO", "the node does not hold an in-sync copy of the shard")


class PeerRecovery(Decider):
    """Nodes that cannot copy shards from each other build no replicas and take no moves."""

    name = "peer_recovery"

    def concerns(self, asking: Asking) -> bool:
        return not asking.problem.copies

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        if asking.problem.copies or slot.at in subject.others or (subject.copy.primary and subject.at is None):
            return asking.say("YES", "nothing has to be copied from another node")
        return asking.say("NO", "the nodes of this cluster cannot copy shards from each other yet")

    def can_rebalance(self, asking: Asking, _subject: Subject) -> Answer | None:
        if asking.problem.copies:
            return None
        return asking.say("NO", "the nodes of this cluster cannot copy shards from each other yet")
