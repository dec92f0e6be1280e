"""Is a history of concurrent operations linearizable: could each have happened at one moment between its call and its answer?

Just-in-time linearization after Wing & Gong (1993) and Lowe (2017): at each answer, every way in which the operations under way can have
taken place so far is kept as one configuration, the same one once. An operation without an answer may have happened at any time after its
call, or never. Objects that do not touch each other (the names of indices) are judged one by one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

UNKNOWN: Final = "unknown"
"""The answer of an operation whose outcome the client never heard."""
State: TypeAlias = Hashable
STATES: Final[Sequence[State]] = (False, True)
"""All that the objects here can be in: they are there, or not."""
Step = Callable[[State, str, str], "State | None"]
"""`step(state, action, answer)`: the state after an action that was answered so; None if it cannot have been answered so. For
:data:`UNKNOWN` the state that the action leads to if it happened.
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of a client, seconds of one clock. `note` is for who reads a failure."""

    action: str
    answer: str
    called: float
    answered: float = math.inf
    note: str = ""

    @property
    def known(self) -> bool:
        return self.answer != UNKNOWN

    def __str__(self) -> str:
        end = f"{self.answered:.3f}" if self.known else "?"
        return f"[{self.called:.3f}, {end}] {self.action} -> {self.answer} {self.note}".rstrip()


@dataclass(frozen=True, slots=True)
class _Configuration:
    """A state, the operations under way that have happened already, and how often an action without an answer has happened."""

    state: State
    done: frozenset[int] = frozenset()
    unheard: tuple[tuple[str, int], ...] = ()

    def happened(self, action: str) -> int:
        return dict(self.unheard).get(action, 0)

    def covers(self, other: _Configuration) -> bool:
        """Whether whatever is possible after the other is possible after this one, their states and `done` being the same."""
        return all(count <= other.happened(action) for action, count in self.unheard)


def impossible(history: Iterable[Operation], step: Step, start: State) -> Operation | None:
    """The first operation (by its answer) that no order explains, None if the history is linearizable."""
    return _Judge(history, (), step).first_impossible(start)


def impossible_alone(
    changes: Iterable[Operation], reads: Iterable[Operation], step: Step, start: State
) -> Operation | None:
    """The first operation that no order explains if of the reads each were the only one; None if there is none.

    So it is judged where every node answers reads from the state that it has: an answered change is seen by all, one under way
    by one node sooner than by another.
    """
    return _Judge(changes, reads, step).first_impossible(start)


class _Judge:
    """Goes through the calls and answers of one history. Three things keep the configurations few, none of which loses an order:
    what fits and never changes anything happens at once; of operations that do the same and are answered the same the one that is
    answered first happens first; one without an answer happens only where none with one could in its place.

    A read that stands alone has configurations of its own from its call on, until they are the others' again.
    """

    def __init__(self, history: Iterable[Operation], alone: Iterable[Operation], step: Step) -> None:
        known = list(history)
        self._ops = [*known, *alone]
        self._alone = range(len(known), len(self._ops))
        self._step = step
        self._under_way: list[int] = []
        self._inert = {
            number
            for number, op in enumerate(self._ops)
            if all(self._after(state, op) in (state, None) for state in STATES)
        }
        self._unheard: Counter[str] = Counter()

    def first_impossible(self, start: State) -> Operation | None:
        reached = {_Configuration(start)}
        apart: dict[int, set[_Configuration]] = {}
        reading: set[int] = set()
        for answers, number in self._events():
            op = self._ops[number]
            if number in self._alone:
                if not answers:
                    reading.add(number)
                    apart[number] = reached
                else:
                    apart[number] = self._answered(apart[number], number, number)
                    reading.remove(number)
            elif answers:
                reached = self._answered(reached, number)
                if not reached:
                    return op
                for read, some in apart.items():
                    apart[read] = self._answered(some, number, read if read in reading else None)
                self._under_way.remove(number)
            elif op.known:
                self._under_way.append(number)
            else:
                self._unheard[op.action] += 1
            if lost := [read for read, some in apart.items() if not some]:
                return self._ops[lost[0]]
            apart = {read: some for read, some in apart.items() if read in reading or some != reached}
        return None

    def _events(self) -> Iterator[tuple[bool, int]]:
        events = [(op.called, False, number) for number, op in enumerate(self._ops)]
        events += [(op.answered, True, number) for number, op in enumerate(self._ops) if op.known]
        return ((answers, number) for _, answers, number in sorted(events))

    def _answered(self, reached: set[_Configuration], number: int, beside: int | None = None) -> set[_Configuration]:
        """All configurations in which the operation has happened, which is forgotten then; `beside` is a read under way."""
        under_way = self._under_way if beside is None else [*self._under_way, beside]
        after, seen = _Uncovered(), _Uncovered()
        waiting = [at for each in reached if seen.add(at := self._settled(each, under_way))]
        while waiting:
            at = waiting.pop(0)
            if number in at.done:
                after.add(replace(at, done=at.done - {number}))
                continue
            waiting += [following for following in self._following(at, under_way) if seen.add(following)]
        return after.all()

    def _settled(self, at: _Configuration, under_way: Sequence[int]) -> _Configuration:
        """With all that fits and never changes anything."""
        fitting = {
            each
            for each in under_way
            if each in self._inert and each not in at.done and self._after(at.state, self._ops[each]) is not None
        }
        return replace(at, done=at.done | fitting) if fitting else at

    def _after(self, state: State, op: Operation) -> State | None:
        return self._step(state, op.action, op.answer)

    def _following(self, at: _Configuration, under_way: Sequence[int]) -> Iterator[_Configuration]:
        """One operation further, in every way that matters."""
        firsts: dict[tuple[str, str], int] = {}
        for each in sorted(under_way, key=lambda number: self._ops[number].answered):
            op = self._ops[each]
            if each not in at.done and self._after(at.state, op) is not None:
                firsts.setdefault((op.action, op.answer), each)
        for each in firsts.values():
            state = self._after(at.state, self._ops[each])
            yield self._settled(_Configuration(state, at.done | {each}, at.unheard), under_way)
        for action, count in self._unheard.items():
            happened = at.happened(action)
            if happened == count or any(known == action for known, _ in firsts):
                continue
            state = self._step(at.state, action, UNKNOWN)
            if state is not None and state != at.state:
                unheard = tuple(sorted({**dict(at.unheard), action: happened + 1}.items()))
                yield self._settled(_Configuration(state, at.done, unheard), under_way)


class _Uncovered:
    """Configurations, without those that another one covers."""

    def __init__(self) -> None:
        self._alike: dict[tuple[State, frozenset[int]], list[_Configuration]] = {}

    def add(self, found: _Configuration) -> bool:
        """Whether it is new and not covered."""
        group = self._alike.setdefault((found.state, found.done), [])
        if any(each.covers(found) for each in group):
            return False
        group[:] = [each for each in group if not found.covers(each)]
        group.append(found)
        return True

    def all(self) -> set[_Configuration]:
        return {each for group in self._alike.values() for each in group}


# --- models ---------------------------------------------------------------------------------------------------------


def index_name(state: State, action: str, answer: str) -> State | None:
    """One name of an index: `create` -> created | exists, `delete` -> deleted | missing | gone, `exists` -> yes | no. The state is
    whether it is there; a deletion answered `gone` says that it is not there, whoever deleted it.
    """
    expected: dict[tuple[str, Any], tuple[str, bool]] = {
        ("create", False): ("created", True),
        ("create", True): ("exists", True),
        ("delete", True): ("deleted", False),
        ("delete", False): ("missing", False),
        ("exists", True): ("yes", True),
        ("exists", False): ("no", False),
    }
    if answer == "gone":
        return False
    answers, after = expected[action, state]
    return after if answer in (answers, UNKNOWN) else None


def alias_name(state: State, action: str, answer: str) -> State | None:
    """One alias: `add` -> done, `remove` -> done | missing | gone, `exists` -> yes | no. To add it twice is no error."""
    if action == "add":
        return True
    if answer == "gone":
        return False
    if action == "remove":
        return False if answer in ("done" if state else "missing", UNKNOWN) else None
    return state if answer == ("yes" if state else "no") else None
