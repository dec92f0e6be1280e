"""How many copies a node builds, and lets others build from its own, at a time."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.deciders.base import Answer, Asking, Decider, Subject
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import Brake, NodeSlot, is_new

_PREFIX = "cluster.routing.allocation."
_ALSO = f"(can also be set via [{_PREFIX}node_concurrent_recoveries])"


class Throttling(Decider):
    """Primaries that start from a node's own disk, replicas of new indices, and all that is copied each have their
    limits.
    """

    name = "throttling"
    momentary = True
    binding = True

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer:
        if subject.copy.primary and subject.at is None:
            return self._primary(asking, slot)
        source = source_of(asking, subject)
        if source is None:
            return asking.say("NO", "primary shard for this replica is not yet active")
        return self._copied(asking, subject, slot, source)

    def _primary(self, asking: Asking, slot: NodeSlot) -> Answer:
        allowed = asking.problem.rules.initial_primaries
        if slot.initial >= allowed:
            return asking.say(
                "THROTTLE",
                "reached the limit of ongoing initial primary recoveries [{}], cluster setting [{}={}]",
                slot.initial,
                f"{_PREFIX}node_initial_primaries_recoveries",
                allowed,
            )
        return asking.say("YES", "below primary recovery limit of [{}]", allowed)

    def _copied(self, asking: Asking, subject: Subject, slot: NodeSlot, source: NodeSlot) -> Answer:
        rules = asking.problem.rules
        if subject.at is None and is_new(subject.copy):
            allowed_in = allowed_out = rules.initial_replicas
            incoming, outgoing = slot.incoming_new, source.outgoing_new
            keys = ("node_initial_replicas_recoveries",) * 2
        else:
            allowed_in, allowed_out = rules.incoming, rules.outgoing
            incoming, outgoing = slot.incoming, source.outgoing
            keys = ("node_concurrent_incoming_recoveries", "node_concurrent_outgoing_recoveries")
        if incoming >= allowed_in:
            text = "reached the limit of incoming shard recoveries [{}], cluster setting [{}={}] {}"
            return asking.say("THROTTLE", text, incoming, _PREFIX + keys[0], allowed_in, _ALSO)
        if outgoing >= allowed_out:
            text = (
                "reached the limit of outgoing shard recoveries [{}] on the node [{}] which holds the primary, cluster"
                " setting [{}={}] {}"
            )
            return asking.say("THROTTLE", text, outgoing, source.id, _PREFIX + keys[1], allowed_out, _ALSO)
        text = "below shard recovery limit of outgoing: [{} < {}] incoming: [{} < {}]"
        return asking.say("YES", text, outgoing, allowed_out, incoming, allowed_in)


def limit(problem: Problem, brake: Brake) -> int:
    """How much the brake lets through."""
    rules = problem.rules
    limits = {
        "initial": rules.initial_primaries,
        "incoming": rules.incoming,
        "outgoing": rules.outgoing,
        "incoming_new": rules.initial_replicas,
        "outgoing_new": rules.initial_replicas,
        "recoveries": rules.concurrent_recoveries,
        "relocating": rules.concurrent_rebalance,
    }
    return limits[brake[1]]


def is_tight(problem: Problem, brake: Brake) -> bool:
    """Whether the brake lets nothing more through."""
    at, name = brake
    allowed = limit(problem, brake)
    present = getattr(problem if at < 0 else problem.nodes[at], name)
    return bool(present >= allowed and not (at < 0 and allowed == -1))


def brakes(asking: Asking, subject: Subject, slot: NodeSlot) -> list[Brake]:
    """What a copy that goes to the node must pass."""
    found: list[Brake] = [(-1, "recoveries")]
    if subject.copy.primary and subject.at is None:
        return [*found, (slot.at, "initial")]
    new = "_new" if subject.at is None and is_new(subject.copy) else ""
    source = source_of(asking, subject)
    outgoing: list[Brake] = [] if source is None else [(source.at, f"outgoing{new}")]
    return [*found, (slot.at, f"incoming{new}"), *outgoing]


def source_of(asking: Asking, subject: Subject) -> NodeSlot | None:
    """Whence the copy is copied: the primary's node; None while that is not active."""
    primary = subject.shard.primary
    return asking.problem.slot(primary.node or "") if primary.active else None
