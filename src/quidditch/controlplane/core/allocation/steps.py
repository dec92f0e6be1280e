"""From what is towards the goals, as far as deciders and throttles allow now.

A copy whose planned node refuses it now takes any other that does not; a copy that is only throttled waits, noted down
under the nodes on which a recovery must end first.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from quidditch.controlplane.core import routing as transitions
from quidditch.controlplane.core.allocation.choose import Chooser
from quidditch.controlplane.core.allocation.deciders import (
    Subject,
    judge,
    judge_forced,
    judge_rebalance,
    judge_remain,
    subject,
)
from quidditch.controlplane.core.allocation.deciders.activity import may_balance
from quidditch.controlplane.core.allocation.deciders.data import data_nodes
from quidditch.controlplane.core.allocation.deciders.throttling import brakes, is_tight
from quidditch.controlplane.core.allocation.delay import is_awaited
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import Key, NodeSlot, Row
from quidditch.controlplane.core.draft import Ids
from quidditch.model.objects import Copy, ShardRouting


class Step(msgspec.Struct, frozen=True):
    """A copy begins to be built on a node; `source` is the node that it leaves, None for one that had none."""

    index: str
    shard: int
    primary: bool
    node: str
    source: str | None = None


class Walker:
    """Takes the steps in the problem itself, so that each sees those before it."""

    def __init__(self, problem: Problem, ids: Ids) -> None:
        self.problem = problem
        self.ids = ids
        self.steps: list[Step] = []
        self.changed: dict[str, Row] = {}
        self.wavered = False
        """Whether a copy went elsewhere than was planned."""
        self._now = Chooser(problem, ahead=False)

    def walk(self, keys: Iterable[Key]) -> None:
        """Primaries that are missing first, then everything by the order of its index."""
        rows = self.problem.rows
        found = [(rows[name], number) for name, number in keys if name in rows]
        found = [(row, number) for row, number in found if number < len(row.routing.spec.shards)]
        for row, number in sorted(found, key=_urgency):
            self._shard(row, number)
        self._retry()

    def _retry(self) -> None:
        """A step may make room for a copy that was refused before."""
        refused = self.problem.refused
        while refused:
            before, keys = len(self.steps), list(refused)
            refused.clear()
            for name, number in keys:
                row = self.problem.rows.get(name)
                if row is not None and number < len(row.routing.spec.shards):
                    self._shard(row, number)
            if len(self.steps) == before:
                return

    def _shard(self, row: Row, number: int) -> None:
        """What one copy does may take away what another waits for: each is looked at until none does anything."""
        begun = -1
        while begun < len(self.steps):
            begun = len(self.steps)
            for position, copy in enumerate(row.routing.spec.shards[number].copies):
                if copy.node is None:
                    status = self._assign(row, number, position)
                    self._note(row, number, position, status)
            self._move_off(row, number)

    # --- unassigned copies ------------------------------------------------------------------------------------------

    def _assign(self, row: Row, number: int, position: int) -> str:
        """Places the copy if that is possible; otherwise the status that says why not."""
        each = subject(self.problem, row, number, position)
        if each.copy.primary and each.shard.in_sync:
            return self._reopen(row, number, position, each)
        gate = self._gate(each)
        if gate is not None:
            return gate
        throttled: list[NodeSlot] = []
        for slot in self._targets(row, number, each):
            decision = self._now.decide(each, slot)
            if decision == "YES":
                return self._build(row, number, position, slot)
            if decision == "THROTTLE":
                throttled.append(slot)
        if throttled:
            self._wait(each, throttled)
            return "throttled"
        if is_awaited(self.problem, each.copy):
            return "delayed_allocation"
        at = self._now.choose(each) if (row.name, number) in self.problem.goals else None
        if at is not None:
            self._aim(row, number, at)
            return self._build(row, number, position, self.problem.nodes[at])
        if (row.name, number) in self.problem.goals:
            self.problem.refused[row.name, number] = None
        return "deciders_no"

    def _gate(self, each: Subject) -> str | None:
        """What forbids the copy any node, or holds it up wherever it would go."""
        decision = self._now.admitted(each)
        if decision == "THROTTLE":
            self._wait(each, self.problem.nodes[:1])
            return "throttled"
        return "deciders_no" if decision == "NO" else None

    def _targets(self, row: Row, number: int, each: Subject) -> list[NodeSlot]:
        """The planned nodes that have no copy yet; the one on which this copy's data lies first, then those where it
        can be built at once.
        """
        goal = self.problem.goals.get((row.name, number), ())
        slots = [self.problem.nodes[at] for at in goal if at not in each.others]
        last = each.copy.unassigned.last_node if each.copy.unassigned else None
        return sorted(slots, key=lambda slot: slot.id != last)

    def _reopen(self, row: Row, number: int, position: int, each: Subject) -> str:
        """A primary with data starts where the data lies, against everything but what is binding."""
        problem = self.problem
        nodes = [problem.slot(id) for id in sorted(data_nodes(each.shard))]
        there = [slot for slot in nodes if not slot.gone and slot.at not in each.others]
        if not there:
            return "no_valid_shard_copy"
        liked = [
            slot for slot in there if slot.at in row.group.members and judge(self._now.asking, each, slot) == "YES"
        ]
        forced = [slot for slot in there if judge_forced(self._now.asking, each, slot) == "YES"]
        for slot in [*liked, *forced]:
            self._aim(row, number, slot.at)
            return self._build(row, number, position, slot)
        busy = [slot for slot in there if judge_forced(self._now.asking, each, slot) == "THROTTLE"]
        if busy:
            self._wait(each, busy)
            return "throttled"
        return "deciders_no"

    def _build(self, row: Row, number: int, position: int, slot: NodeSlot) -> str:
        shard = row.routing.spec.shards[number]
        copy = shard.copies[position]
        self.take(row, number, transitions.assign(shard, position, slot.id, self.ids))
        self.steps.append(Step(row.name, number, copy.primary, slot.id))
        return ""

    def _aim(self, row: Row, number: int, at: int) -> None:
        """A copy goes elsewhere than was planned: the plan follows."""
        key = (row.name, number)
        goal = self.problem.goals.get(key)
        if goal is None or at in goal:
            return
        self.wavered = True
        holders = self.problem.holders(row.routing.spec.shards[number])
        coming = [other for other in goal if other not in holders]
        rest = [other for other in goal if other in holders]
        self.problem.aim(row, number, (*rest, at, *coming[1:]))

    # --- moves ------------------------------------------------------------------------------------------------------

    def _move_off(self, row: Row, number: int) -> None:
        problem = self.problem
        goal = problem.goals.get((row.name, number))
        if goal is None:
            return
        shard = row.routing.spec.shards[number]
        for position, copy in enumerate(shard.copies):
            if copy.state != "STARTED" or problem.slot(copy.node or "").at in goal:
                continue
            self._move(row, number, position)

    def _move(self, row: Row, number: int, position: int) -> None:
        problem = self.problem
        each = subject(problem, row, number, position)
        assert each.at is not None
        must = each.at not in row.group.members or judge_remain(self._now.asking, each, problem.nodes[each.at]) != "YES"
        if not must and judge_rebalance(self._now.asking, each) != "YES":
            problem.blocked.setdefault((-1, "relocating"), {})[row.name, number] = None
            if not may_balance(self._now.asking):  # what it would take up there may be of use to others
                problem.refused[row.name, number] = None
            return
        throttled: list[NodeSlot] = []
        admitted = self._now.admitted(each)
        if admitted != "YES":
            self._wait(each, problem.nodes[:1] if admitted == "THROTTLE" else ())
            return
        for slot in self._targets(row, number, each):
            decision = self._now.decide(each, slot)
            if decision == "YES":
                shard = row.routing.spec.shards[number]
                self.take(row, number, transitions.relocate(shard, position, slot.id, self.ids))
                self.steps.append(Step(row.name, number, each.copy.primary, slot.id, problem.nodes[each.at].id))
                return
            if decision == "THROTTLE":
                throttled.append(slot)
        if not throttled:
            problem.refused[row.name, number] = None
        self._wait(each, throttled)

    # --- bookkeeping ------------------------------------------------------------------------------------------------

    def take(self, row: Row, number: int, shard: ShardRouting) -> None:
        """A shard changes."""
        self.problem.take_shard(row, number, shard)
        self.changed[row.name] = row

    def _note(self, row: Row, number: int, position: int, status: str) -> None:
        """Only primaries say why they have no node, as in OpenSearch; what only waits for its turn is not written down."""
        shard = row.routing.spec.shards[number]
        copy = shard.copies[position]
        info = copy.unassigned
        if status in ("", "throttled") or info is None or not copy.primary or info.last_allocation_status == status:
            return
        noted: Copy = replace(copy, unassigned=replace(info, last_allocation_status=status))
        self.take(row, number, replace(shard, copies=(noted, *shard.copies[1:])))

    def _wait(self, each: Subject, slots: Iterable[NodeSlot]) -> None:
        """Looks again once one of the brakes that hold the copy comes off."""
        asking = self._now.asking
        found = (brake for slot in slots for brake in brakes(asking, each, slot) if is_tight(self.problem, brake))
        for brake in found:
            self.problem.blocked.setdefault(brake, {})[each.row.name, each.number] = None

    def wake(self) -> None:
        """Whatever waits for a brake that lets something through again, in the order in which it came to wait."""
        problem = self.problem
        if problem.freed:
            self._retry()
        freed = [*sorted(problem.freed), (-1, "recoveries"), (-1, "relocating")]
        problem.freed.clear()
        for brake in freed:
            if brake == (-1, "relocating") and not may_balance(self._now.asking):
                continue
            queue = problem.blocked.get(brake, {})
            for key in list(queue):
                if is_tight(problem, brake):
                    break
                del queue[key]
                self.walk([key])


def _urgency(entry: tuple[Row, int]) -> tuple[bool, tuple[int, int, str], int]:
    row, number = entry
    return row.routing.spec.shards[number].copies[0].node is not None, row.order, number
