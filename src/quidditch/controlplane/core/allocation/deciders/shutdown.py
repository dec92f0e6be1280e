"""Nodes that were told to go, as Elasticsearch's node shutdown API tells them: remove, replace, restart."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.table import NodeSlot


class ShuttingDown(Decider):
    """A node that will not come back takes nothing and keeps nothing."""

    name = "node_shutdown"
    fixed = True

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:  # noqa: ARG002
        if slot.shutdown is None:
            return asking.say("YES", "this node is not shutting down")
        if slot.shutdown.spec.type == "restart":
            return asking.say("YES", "node [{}] is preparing to restart, but will remain in the cluster", slot.id)
        return asking.say("NO", "node [{}] is preparing to be removed from the cluster", slot.id)

    can_remain = can_allocate


class Replacement(Decider):
    """What lies on a replaced node goes to its replacement, which takes nothing else meanwhile."""

    name = "node_replacement"

    def concerns(self, asking: Asking) -> bool:
        return asking.aloud or asking.problem.replacing

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        problem = asking.problem
        if not problem.replacing or slot.node is None:
            return asking.say("YES", "there are no ongoing node replacements")
        source = problem.nodes[subject.at] if subject.at is not None else None
        if source is not None and source.shutdown is not None and source.shutdown.spec.type == "replace":
            target = source.shutdown.spec.target_node_name or ""
            if slot.node.name == target:
                text = "node [{}] is replacing node [{}], and may receive shards from it"
                return asking.say("YES", text, slot.id, source.id)
            return asking.say(
                "NO",
                "node [{}] is being replaced by node [{}], so no data from it may be allocated to node [{}]",
                source.id,
                target,
                slot.id,
            )
        vacating = [
            one.spec.node_id
            for one in problem.state.shutdowns.values()
            if one.spec.type == "replace" and one.spec.target_node_name == slot.node.name
        ]
        if vacating and any(each in problem.state.nodes for each in vacating):
            text = (
                "node [{}] is replacing the vacating nodes [{}], only data currently allocated to the source nodes may"
                " be allocated to it until the replacement is complete"
            )
            return asking.say("NO", text, slot.id, ", ".join(sorted(vacating)))
        return asking.say("YES", "neither the source nor target node are part of an ongoing node replacement")
