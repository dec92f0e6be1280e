"""Where everything shall be: the plan that the steps lead to, kept up rather than made anew.

Unassigned copies get the lightest node; copies that may not stay get another; what is out of balance moves, if that is
allowed now. A goal stays as long as it is sound, so that plans do not waver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quidditch.controlplane.core.allocation.choose import Chooser
from quidditch.controlplane.core.allocation.deciders import (
    Asking,
    Subject,
    judge,
    judge_forced,
    judge_remain,
    subject,
)
from quidditch.controlplane.core.allocation.deciders.activity import may_balance
from quidditch.controlplane.core.allocation.deciders.data import data_nodes
from quidditch.controlplane.core.allocation.deciders.disk import free_bytes
from quidditch.controlplane.core.allocation.delay import is_awaited
from quidditch.controlplane.core.allocation.problem import Problem
from quidditch.controlplane.core.allocation.table import Row
from quidditch.model.objects import Copy, ShardRouting

_EPSILON = 1e-9
_PASSES = 50


class Planner:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.chooser = Chooser(problem, ahead=True)
        self.asking = self.chooser.asking
        rules = problem.rules
        self._set = 0
        """How many goals have been set."""
        self._passed_over = False
        """Whether balancing left out shards because something happens to them already."""
        self._limited = rules.shards_per_node > 0 or rules.primaries_per_node > 0
        self._full: set[int] = self._above_high()

    def _above_high(self) -> set[int]:
        """The nodes that will be above the high watermark."""
        problem, rules = self.problem, self.problem.rules
        disks = problem.info.disks if rules.disk_enabled else {}
        measured = [(slot, disks[slot.id]) for slot in problem.nodes if slot.id in disks]
        return {
            slot.at
            for slot, disk in measured
            if free_bytes(self.asking, slot, disk, leaving=True) < rules.high.least_free(disk.total)
        }

    def everything(self) -> None:
        """All shards; old goals are looked through if something changed that may concern every shard."""
        problem = self.problem
        if problem.doubtful:
            problem.doubtful, problem.owed = False, True
            for name, number in sorted(problem.goals):
                self._review(problem.rows[name], number)
        for _ in range(_PASSES):
            before = self._set
            self.place([(row, number) for row in problem.open.values() for number in _numbers(row)])
            self._full = self._above_high()
            for name in sorted(problem.rows):
                row = problem.rows[name]
                self.evacuate(row, _numbers(row))
            self.settle(whole=True)
            if self._set == before:
                return

    def some(self, shards: Sequence[tuple[Row, int]]) -> None:
        """After something changed that concerns these shards."""
        for row, number in shards:
            if (row.name, number) in self.problem.goals:
                self._review(row, number)
        self.place([(row, number) for row, number in shards if row.unassigned])
        for row, number in shards:
            self.evacuate(row, (number,))

    def give_up(self) -> bool:
        """Drops goals that are refused now and are no longer sound either; whether there were any."""
        before = len(self.problem.goals)
        for name, number in sorted(self.problem.refused):
            if (name, number) in self.problem.goals:
                self._review(self.problem.rows[name], number)
        return len(self.problem.goals) < before

    def settle(self, *, whole: bool = False) -> None:
        """Balances until there is nothing to gain, if something has changed and the cluster is in a state for it. What
        moves already is waited for, unless the `whole` cluster is looked at anyway.
        """
        problem = self.problem
        if whole and problem.disturbed:
            problem.disturbed, problem.owed = False, True
        if problem.owed and problem.copies and (whole or not problem.goals) and may_balance(self.asking):
            before, self._passed_over = self._set, False
            self.balance(problem.rows.values())
            problem.disturbed = False
            problem.owed = self._set > before or self._passed_over

    # --- old goals --------------------------------------------------------------------------------------------------

    def _review(self, row: Row, number: int) -> None:
        """A goal that has become impossible, or whose move is no longer needed, is dropped."""
        goal = self.problem.goals[row.name, number]
        self.problem.aim(row, number, None)
        if self._sound(row, number, goal):
            self.problem.aim(row, number, goal)
        else:
            self.problem.disturbed = True

    def _sound(self, row: Row, number: int, goal: tuple[int, ...]) -> bool:
        problem, shard = self.problem, row.routing.spec.shards[number]
        holders = problem.holders(shard)
        if len(goal) > len(shard.copies) or len(set(goal)) < len(goal):
            return False
        leaving = [at for at in holders if at not in goal]
        for at in leaving:
            copy = _copy_at(problem, shard, at)
            if copy is None or copy.state != "STARTED":
                return False
            if not may_balance(self.asking) and self._stays_now(row, number, at):
                return False  # it would wait, and others for what it takes up there
            if self._may_stay(row, number, shard, copy, at) and not self._pays(row, number, at, goal, holders):
                return False
        coming = [at for at in goal if at not in holders]
        movers: list[tuple[Copy | None, int | None]] = [(_copy_at(problem, shard, at), at) for at in leaving]
        movers += [(copy, None) for copy in shard.copies if copy.node is None]
        if len(coming) > len(movers):
            return False
        for at, (mover, own) in zip(coming, movers, strict=False):
            if mover is None:
                return False
            each = Subject(row, number, shard, mover, own, [other for other in goal if other not in (at, own)])
            if own is None and mover.primary and shard.in_sync:
                if keeper(self.chooser, each) is None or problem.nodes[at].id not in data_nodes(shard):
                    return False
            elif self.chooser.admitted(each) != "YES" or self.chooser.decide(each, problem.nodes[at]) != "YES":
                return False
        return True

    def _stays_now(self, row: Row, number: int, at: int) -> bool:
        slot, asking = self.problem.nodes[at], Asking(self.problem)
        position = next(n for n, one in enumerate(row.routing.spec.shards[number].copies) if one.node == slot.id)
        return (
            at in row.group.members
            and judge_remain(asking, subject(self.problem, row, number, position), slot) == "YES"
        )

    def _pays(self, row: Row, number: int, at: int, goal: Sequence[int], holders: Sequence[int]) -> bool:
        """Whether a move for the sake of balance is still no loss."""
        coming = [other for other in goal if other not in holders]
        return bool(coming) and self._gain(row, number, at, coming[0], least=0.0) > -_EPSILON

    # --- places for unassigned copies -------------------------------------------------------------------------------

    def place(self, shards: Iterable[tuple[Row, int]]) -> None:
        """Primaries of all indices first, then replicas; indices by priority and age."""
        ordered = sorted(shards, key=lambda each: (each[0].order, each[1]))
        for primaries in (True, False):
            for row, number in ordered:
                self._place(row, number, row.routing.spec.shards[number], primaries)

    def _place(self, row: Row, number: int, shard: ShardRouting, primaries: bool) -> None:
        first = shard.copies[0]
        if primaries:
            if first.node is None:
                self._place_primary(row, number, shard)
            return
        copies = [copy for copy in shard.copies[1:] if copy.node is None]
        if not copies:
            return
        goal = [*self.problem.planned(row, number)]
        if first.node is None and not self._has_primary(shard, goal):
            return
        before = len(goal)
        planned = before - (len(shard.copies) - len(copies))
        for copy in copies:
            if len(goal) == len(shard.copies):
                break
            if planned > 0:
                planned -= 1
                continue
            at = self._home(row, number, shard, copy, goal)
            if at is not None:
                goal.append(at)
        if len(goal) > before:
            self._aim(row, number, tuple(goal))

    def _place_primary(self, row: Row, number: int, shard: ShardRouting) -> None:
        goal = self.problem.planned(row, number)
        if len(goal) > sum(copy.node is not None for copy in shard.copies):
            return
        at = self._home(row, number, shard, shard.copies[0], goal)
        if at is not None:
            self._aim(row, number, (*goal, at))

    def _aim(self, row: Row, number: int, goal: tuple[int, ...]) -> None:
        self._set += 1
        self.problem.disturbed = True
        self.problem.aim(row, number, goal)

    def _has_primary(self, shard: ShardRouting, goal: Sequence[int]) -> bool:
        """Whether the unassigned primary has a place in the plan."""
        problem = self.problem
        if shard.in_sync:
            return any(problem.nodes[at].id in data_nodes(shard) for at in goal)
        return bool(goal)

    def _home(self, row: Row, number: int, shard: ShardRouting, copy: Copy, others: Sequence[int]) -> int | None:
        problem = self.problem
        each = Subject(row, number, shard, copy, None, others)
        if copy.primary and shard.in_sync:
            return keeper(self.chooser, each)
        if self.chooser.admitted(each) != "YES" or not (problem.copies or copy.primary):
            return None
        info = copy.unassigned
        if info is not None and info.last_node is not None and info.reason != "ALLOCATION_FAILED":
            last = problem.slot(info.last_node)
            awaited = copy.allocation_id is not None or info.delayed  # also where its data is behind by now
            if awaited and not last.gone and self.chooser.decide(each, last) == "YES":
                return last.at
        return None if is_awaited(problem, copy) else self.chooser.choose(each)

    # --- copies that may not stay -----------------------------------------------------------------------------------

    def evacuate(self, row: Row, numbers: Iterable[int]) -> None:
        for number in self._suspects(row, numbers):
            shard = row.routing.spec.shards[number]
            for copy in shard.copies:
                if copy.state != "STARTED":
                    continue
                at = self.problem.slot(copy.node or "").at
                goal = self.problem.planned(row, number)
                if at not in goal or self._may_stay(row, number, shard, copy, at):
                    continue
                others = [other for other in goal if other != at]
                target = self._elsewhere(Subject(row, number, shard, copy, at, others))
                if target is not None:
                    self._aim(row, number, (*others, target))

    def _suspects(self, row: Row, numbers: Iterable[int]) -> Iterable[int]:
        """The shards of which a copy might not be allowed to stay: found quickly, and never too few."""
        rules = self.problem.rules
        if self._limited or row.rules.shards_per_node > 0 or row.rules.primaries_per_node > 0:
            return numbers
        held = row.then.keys()
        if not held <= row.group.members or held & self._full:
            return numbers
        if not rules.attributes:
            return ()
        return [number for number in numbers if self._crowds(row, number)]

    def _crowds(self, row: Row, number: int) -> bool:
        """Whether copies share zones more than they should."""
        problem = self.problem
        planned = problem.planned(row, number)
        copies = len(row.routing.spec.shards[number].copies)
        zones = [problem.nodes[at].zone for at in planned]
        if len(set(zones)) == len(zones) and not any(None in zone for zone in zones) and len(problem.zones) == 1:
            return False
        for place, attribute in enumerate(problem.rules.attributes):
            share = -(-copies // problem.zone_counts[attribute]) if problem.zone_counts[attribute] else 0
            values = [zone[place] for zone in zones]
            if None in values or any(values.count(value) > share for value in values):
                return True
        return False

    def _elsewhere(self, each: Subject) -> int | None:
        if not self.problem.copies:
            return None
        return self.chooser.choose(each)

    def _may_stay(self, row: Row, number: int, shard: ShardRouting, copy: Copy, at: int) -> bool:
        if at not in row.group.members:
            return False
        others = [other for other in self.problem.planned(row, number) if other != at]
        each = Subject(row, number, shard, copy, at, others)
        return judge_remain(self.asking, each, self.problem.nodes[at]) == "YES"

    # --- balance ----------------------------------------------------------------------------------------------------

    def balance(self, rows: Iterable[Row]) -> None:
        """Moves copies from heavy to light nodes while that gains more than `balance.threshold`. Each move lowers the
        sum of the squares of all weights, so there is an end.
        """
        todo = sorted(rows, key=lambda row: row.order)
        for _ in range(_PASSES):
            todo = [row for row in todo if self._uneven(row)]
            moved = [self._even_out(row) for row in todo]
            if not any(moved):
                return

    def _uneven(self, row: Row) -> bool:
        """Whether any move of this index could gain enough: a bound that is quickly found."""
        problem, members = self.problem, row.group.members
        weights = [problem.nodes[at].weight for at in row.then if at in members]
        if not weights:
            return False
        lightest = min((problem.lightest(row.group, heap) for heap in problem.heaps(row.group).values()), default=0.0)
        most = max(row.then.values())
        highest = max(weights) + problem.rules.index_weight * most
        return highest - lightest > problem.rules.threshold + _EPSILON

    def _even_out(self, row: Row) -> bool:
        moved = False
        held = sorted(row.then, key=lambda at: (-self.chooser.weight(row, at), self.problem.nodes[at].id))
        for at in held:
            if at in row.group.members and self._shed(row, at):
                moved = True
        return moved

    def _shed(self, row: Row, at: int) -> bool:
        """Moves one copy of the index off the node, if that gains enough."""
        problem = self.problem
        for number, shard in enumerate(row.routing.spec.shards):
            if (row.name, number) in problem.goals or not all(one.state == "STARTED" for one in shard.copies):
                self._passed_over = self._passed_over or any(one.node is not None for one in shard.copies)
                continue
            copy = _copy_at(problem, shard, at)
            if copy is None:
                continue
            others = [other for other in problem.holders(shard) if other != at]
            each = Subject(row, number, shard, copy, at, others)
            if not self.chooser.balances(each):
                continue
            target = self.chooser.choose(each)
            if target is not None and self._gain(row, number, at, target) > _EPSILON:
                self._aim(row, number, (*others, target))
                return True
        return False

    def _gain(self, row: Row, number: int, source: int, target: int, least: float | None = None) -> float:
        """How much the difference of the nodes exceeds what a move must gain: `least` (None: the threshold), and what it
        changes itself.
        """
        rules = self.problem.rules
        least = rules.threshold if least is None else least
        unit = rules.shard_weight + rules.index_weight
        unit += rules.disk_weight * row.size(number) + rules.load_weight * row.load(number)
        difference = self.chooser.weight(row, source) - self.chooser.weight(row, target)
        return difference - max(least, unit)


def keeper(chooser: Chooser, each: Subject) -> int | None:
    """The node on which a primary with data opens it again: one that the deciders like, or one that has it at all."""
    problem = chooser.problem
    found = sorted(node for node in data_nodes(each.shard) if not problem.slot(node).gone)
    slots = [problem.slot(node) for node in found if problem.slot(node).at not in each.others]
    momentary_free = [slot for slot in slots if slot.at in each.row.group.members and chooser.admitted(each) == "YES"]
    for slot in momentary_free:
        if judge(chooser.asking, each, slot) == "YES":
            return slot.at
    return next((slot.at for slot in slots if judge_forced(chooser.asking, each, slot) != "NO"), None)


def _copy_at(problem: Problem, shard: ShardRouting, at: int) -> Copy | None:
    id = problem.nodes[at].id
    return next((copy for copy in shard.copies if copy.node == id), None)


def _numbers(row: Row) -> range:
    return range(len(row.routing.spec.shards))
