"""The deciders in their order, and what they come to together: any NO wins, then any THROTTLE, else YES."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from quidditch.controlplane.core.allocation.deciders.activity import (
    ClusterRebalance,
    ConcurrentRebalance,
    ConcurrentRecoveries,
    MaxRetry,
    RebalanceOnlyWhenActive,
    ReplicaAfterPrimaryActive,
)
from quidditch.controlplane.core.allocation.deciders.awareness import Awareness
from quidditch.controlplane.core.allocation.deciders.base import (
    YES,
    Answer,
    Asking,
    Decider,
    Decision,
    Subject,
    Verdict,
    subject,
)
from quidditch.controlplane.core.allocation.deciders.data import InSyncCopy, PeerRecovery
from quidditch.controlplane.core.allocation.deciders.disk import DiskThreshold
from quidditch.controlplane.core.allocation.deciders.enable import Enable
from quidditch.controlplane.core.allocation.deciders.filters import DataTier, Filter
from quidditch.controlplane.core.allocation.deciders.same_shard import SameShard
from quidditch.controlplane.core.allocation.deciders.shards_limit import ShardsLimit
from quidditch.controlplane.core.allocation.deciders.shutdown import Replacement, ShuttingDown
from quidditch.controlplane.core.allocation.deciders.throttling import Throttling
from quidditch.controlplane.core.allocation.table import NodeSlot

__all__ = ["ALLOCATING", "DECIDERS", "REBALANCING", "Answer", "Asking", "Decider", "Decision", "Subject", "Verdict",
           "judge", "judge_forced", "judge_rebalance", "judge_remain", "rebalance_verdicts", "remain_verdicts",
           "subject", "verdicts", "worst"]  # fmt: skip

DECIDERS: Sequence[Decider] = (
    MaxRetry(),
    ReplicaAfterPrimaryActive(),
    RebalanceOnlyWhenActive(),
    ClusterRebalance(),
    ConcurrentRebalance(),
    ConcurrentRecoveries(),
    Enable(),
    Filter(),
    SameShard(),
    DiskThreshold(),
    Throttling(),
    ShardsLimit(),
    Awareness(),
    DataTier(),
    ShuttingDown(),
    Replacement(),
    InSyncCopy(),
    PeerRecovery(),
)


def _has(method: str) -> Callable[[Decider], bool]:
    return lambda decider: getattr(type(decider), method) is not getattr(Decider, method)


ALLOCATING = tuple(filter(_has("can_allocate"), DECIDERS))
REMAINING = tuple(filter(_has("can_remain"), DECIDERS))
REBALANCING = tuple(filter(_has("can_rebalance"), DECIDERS))


def judge(asking: Asking, each: Subject, slot: NodeSlot, deciders: Iterable[Decider] = ALLOCATING) -> Decision:
    """May the copy go to the node? Stops at the first NO."""
    worst: Decision = "YES"
    for decider in deciders:
        answer = decider.can_allocate(asking, each, slot)
        if answer is YES or answer is None:
            continue
        if answer.decision == "NO":
            return "NO"
        if answer.decision == "THROTTLE":
            worst = "THROTTLE"
    return worst


def judge_forced(asking: Asking, each: Subject, slot: NodeSlot) -> Decision:
    """The same for a primary whose data lies on the node: it is better there than nowhere."""
    return _worst(decider.can_allocate(asking, each, slot) for decider in ALLOCATING if decider.binding)


def judge_remain(asking: Asking, each: Subject, slot: NodeSlot) -> Decision:
    """May the copy stay where it is?"""
    return _worst(decider.can_remain(asking, each, slot) for decider in REMAINING)


def judge_rebalance(asking: Asking, each: Subject) -> Decision:
    """May the copy move for the sake of balance?"""
    return _worst(decider.can_rebalance(asking, each) for decider in REBALANCING)


def _worst(answers: Iterable[Answer | None]) -> Decision:
    worst: Decision = "YES"
    for answer in answers:
        if answer is None or answer is YES:
            continue
        if answer.decision == "NO":
            return "NO"
        if answer.decision == "THROTTLE":
            worst = "THROTTLE"
    return worst


def verdicts(asking: Asking, each: Subject, slot: NodeSlot) -> list[Verdict]:
    """What every decider says of the copy going to the node."""
    return _aloud(
        (decider.name, decider.can_allocate(asking, each, slot)) for decider in ALLOCATING if _speaks(asking, decider)
    )


def remain_verdicts(asking: Asking, each: Subject, slot: NodeSlot) -> list[Verdict]:
    return _aloud((decider.name, decider.can_remain(asking, each, slot)) for decider in REMAINING)


def rebalance_verdicts(asking: Asking, each: Subject) -> list[Verdict]:
    return _aloud((decider.name, decider.can_rebalance(asking, each)) for decider in REBALANCING)


def _speaks(asking: Asking, decider: Decider) -> bool:
    return asking.aloud or decider.concerns(asking)


def _aloud(answers: Iterable[tuple[str, Answer | None]]) -> list[Verdict]:
    return [Verdict(name, answer.decision, answer.text) for name, answer in answers if answer is not None]


def worst(found: Iterable[Verdict]) -> Decision:
    decisions = {verdict.decision for verdict in found}
    return "NO" if "NO" in decisions else "THROTTLE" if "THROTTLE" in decisions else "YES"
