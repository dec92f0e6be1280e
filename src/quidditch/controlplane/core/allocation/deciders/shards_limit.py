"""`total_shards_per_node` and `total_primary_shards_per_node`, of the cluster and of an index."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.table import NodeSlot, Row

_CLUSTER = "cluster.routing.allocation."
_INDEX = "index.routing.allocation."


class ShardsLimit(Decider):
    """Counts copies that are there or come; those that leave do not count."""

    name = "shards_limit"

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        return self._within(asking, subject, slot, 1)

    def can_remain(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        return self._within(asking, subject, slot, 0)

    def _within(self, asking: Asking, subject: Subject, slot: NodeSlot, more: int) -> Answer:
        """`more`: the copies that come on top."""
        index, cluster = subject.row.rules, asking.problem.rules
        if (
            max(index.shards_per_node, cluster.shards_per_node, index.primaries_per_node, cluster.primaries_per_node)
            <= 0
        ):
            return self._unlimited(asking, subject)
        held = slot.then if asking.ahead else slot.now
        if 0 < cluster.shards_per_node < held + more:
            return _too_many(
                asking, held, "", f"cluster setting [{_CLUSTER}total_shards_per_node={{}}]", cluster.shards_per_node
            )
        own = (subject.row.then if asking.ahead else subject.row.now).get(slot.at, 0)
        if 0 < index.shards_per_node < own + more:
            setting = f"index setting [{_INDEX}total_shards_per_node={{}}]"
            return _too_many(asking, own, f" for index [{subject.row.name}]", setting, index.shards_per_node)
        refused = self._primaries(asking, subject, slot, more) if subject.copy.primary else None
        if refused is not None:
            return refused
        text = "the shard count [{}] for this node is under the index limit [{}] and cluster level node limit [{}]"
        return asking.say("YES", text, held, index.shards_per_node, cluster.shards_per_node)

    def _primaries(self, asking: Asking, subject: Subject, slot: NodeSlot, more: int) -> Answer | None:
        index, cluster = subject.row.rules, asking.problem.rules
        if 0 < cluster.primaries_per_node < slot.primaries + more:
            setting = f"cluster setting [{_CLUSTER}total_primary_shards_per_node={{}}]"
            return _too_many(asking, slot.primaries, "", setting, cluster.primaries_per_node, "primary ")
        if index.primaries_per_node > 0:
            own = _primaries_on(subject.row, slot)
            if own + more > index.primaries_per_node:
                setting = f"index setting [{_INDEX}total_primary_shards_per_node={{}}]"
                where = f" for index [{subject.row.name}]"
                return _too_many(asking, own, where, setting, index.primaries_per_node, "primary ")
        return None

    def _unlimited(self, asking: Asking, subject: Subject) -> Answer:
        index, cluster = subject.row.rules, asking.problem.rules
        return asking.say(
            "YES",
            "total shard limits are disabled: [index: {}, index primary: {}, cluster: {}, cluster primary: {}] <= 0",
            index.shards_per_node,
            index.primaries_per_node,
            cluster.shards_per_node,
            cluster.primaries_per_node,
        )


def _too_many(asking: Asking, held: int, where: str, setting: str, limit: int, kind: str = "") -> Answer:
    text = "too many {}shards [{}] allocated to this node{}, {}"
    return asking.say("NO", text, kind, held, where, setting.format(limit))


def _primaries_on(row: Row, slot: NodeSlot) -> int:
    """Primaries of the index on the node, or on their way to it."""
    return sum(
        (primary.relocating_node if primary.state == "RELOCATING" else primary.node) == slot.id
        for primary in (shard.primary for shard in row.routing.spec.shards)
    )
