"""What a decider is: a question about one copy (and one node), answered YES, NO or THROTTLE with one sentence.

Sentences are built only for those who read them; whoever plans gets the bare answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec

from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import NodeSlot, Row
from quidditch.model.objects import Copy, ShardRouting

Decision: TypeAlias = Literal["YES", "NO", "THROTTLE"]


class Answer(msgspec.Struct, frozen=True):
    """`text` is empty unless it was asked for."""

    decision: Decision
    text: str = ""


YES, NO, THROTTLE = Answer("YES"), Answer("NO"), Answer("THROTTLE")
_PLAIN: dict[str, Answer] = {"YES": YES, "NO": NO, "THROTTLE": THROTTLE}


class Verdict(msgspec.Struct, frozen=True):
    """A decider's answer, in the words of `_cluster/allocation/explain`."""

    decider: str
    decision: Decision
    explanation: str


class Subject:
    """The copy that is asked about. `others`: the nodes of the shard's other copies; `at` its own node, None if it has
    none. `forced`: a command of the user, whom settings that switch allocation off do not stop.
    """

    __slots__ = ("at", "copy", "forced", "number", "others", "row", "shard")

    def __init__(
        self, row: Row, number: int, shard: ShardRouting, copy: Copy, at: int | None, others: Sequence[int]
    ) -> None:
        self.row = row
        self.number = number
        self.shard = shard
        self.copy = copy
        self.at = at
        self.others = others
        self.forced = False

    @property
    def name(self) -> str:
        return f"[{self.row.name}][{self.number}]"


def subject(problem: Problem, row: Row, number: int, position: int) -> Subject:
    """A copy as it is now."""
    shard = row.routing.spec.shards[number]
    others: list[int] = []
    for place, copy in enumerate(shard.copies):
        if place != position and copy.node is not None:
            others.append(problem.slot(copy.node).at)
            if copy.relocating_node is not None:
                others.append(problem.slot(copy.relocating_node).at)
    copy = shard.copies[position]
    return Subject(row, number, shard, copy, None if copy.node is None else problem.slot(copy.node).at, others)


class Asking:
    """How questions are meant. `ahead`: about the plan, as if all goals were reached, not about what is now. `aloud`:
    with the sentences.
    """

    __slots__ = ("ahead", "aloud", "problem")

    def __init__(self, problem: Problem, *, ahead: bool = False, aloud: bool = False) -> None:
        self.problem = problem
        self.ahead = ahead
        self.aloud = aloud

    def say(self, decision: Decision, text: str, *values: object) -> Answer:
        """`text` has a `{}` per value."""
        return Answer(decision, text.format(*values)) if self.aloud else _PLAIN[decision]


class Decider:
    """Overrides what it has an opinion on."""

    name: ClassVar[str]
    fixed: ClassVar[bool] = False
    """Answers for node and index alone: `static` has asked it before, for all copies at once."""
    momentary: ClassVar[bool] = False
    """Speaks about now; a plan does not heed it."""
    nodeless: ClassVar[bool] = False
    """Says the same of every node."""
    binding: ClassVar[bool] = False
    """Also a primary that has its data on the node must obey."""

    def concerns(self, asking: Asking) -> bool:  # noqa: ARG002
        """False: with the present settings it never refuses anything."""
        return True

    def can_allocate(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer | None:  # noqa: ARG002
        """May the copy go to the node? None: no opinion."""
        return None

    def can_remain(self, asking: Asking, subject: Subject, slot: NodeSlot) -> Answer | None:  # noqa: ARG002
        """May the copy stay on its node?"""
        return None

    def can_rebalance(self, asking: Asking, subject: Subject) -> Answer | None:  # noqa: ARG002
        """May the copy move only for the sake of balance?"""
        return None
