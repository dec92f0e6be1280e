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
    return _Judge(sorted(history, key=lambda op: op.called), step).first_impossible(start)


class _Judge:
    """Goes through the calls and answers of one history. Three things keep the configurations few, none of which loses an order:
    what fits and changes nothing happens at once; of operations that do the same and are answered the same the one that is
    answered first happens first; one without an answer happens only where none with one could in its place.
    """

    def __init__(self, ops: Sequence[Operation], step: Step) -> None:
        self._ops = ops
        self._step = step
        self._under_way: list[int] = []
        self._unheard: Counter[str] = Counter()

    def first_impossible(self, start: State) -> Operation | None:
        events = [(op.called, 0, number) for number, op in enumerate(self._ops)]
        events += [(op.answered, 1, number) for number, op in enumerate(self._ops) if op.known]
        reached = {_Configuration(start)}
        for _, answers, number in sorted(events):
            op = self._ops[number]
            if answers:
                reached = self._answered(reached, number)
                if not reached:
                    return op
                self._under_way.remove(number)
            elif op.known:
                self._under_way.append(number)
            else:
                self._unheard[op.action] += 1
        return None

    def _answered(self, reached: set[_Configuration], number: int) -> set[_Configuration]:
        """All configurations in which the operation has happened, which is forgotten then."""
        after: set[_Configuration] = set()
        waiting = [self._settled(each) for each in reached]
        seen = set(waiting)
        while waiting:
            at = waiting.pop()
            if number in at.done:
                after.add(replace(at, done=at.done - {number}))
                continue
            for following in self._following(at):
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return _uncovered(after)

    def _settled(self, at: _Configuration) -> _Configuration:
        """With all that fits and changes nothing."""
        fitting = {
            each
            for each in self._under_way
            if each not in at.done and self._after(at.state, self._ops[each]) == at.state
        }
        return replace(at, done=at.done | fitting) if fitting else at

    def _after(self, state: State, op: Operation) -> State | None:
        return self._step(state, op.action, op.answer)

    def _following(self, at: _Configuration) -> Iterator[_Configuration]:
        """One change further, in every way that matters."""
        firsts: dict[tuple[str, str], int] = {}
        for each in sorted(self._under_way, key=lambda number: self._ops[number].answered):
            op = self._ops[each]
            if each not in at.done and self._after(at.state, op) is not None:
                firsts.setdefault((op.action, op.answer), each)
        for each in firsts.values():
            state = self._after(at.state, self._ops[each])
            yield self._settled(_Configuration(state, at.done | {each}, at.unheard))
        for action, count in self._unheard.items():
            happened = at.happened(action)
            if happened == count or any(known == action for known, _ in firsts):
                continue
            state = self._step(at.state, action, UNKNOWN)
            if state is not None and state != at.state:
                unheard = tuple(sorted({**dict(at.unheard), action: happened + 1}.items()))
                yield self._settled(_Configuration(state, at.done, unheard))


def _uncovered(found: set[_Configuration]) -> set[_Configuration]:
    alike: dict[tuple[State, frozenset[int]], list[_Configuration]] = {}
    for each in found:
        alike.setdefault((each.state, each.done), []).append(each)
    return {
        each
        for group in alike.values()
        for each in group
        if not any(other is not each and other.covers(each) and not each.covers(other) for other in group)
    }


def alone(changes: Sequence[Operation], reads: Iterable[Operation], step: Step, start: State) -> Operation | None:
    """The first read that does not fit in among the changes even if it were the only one; None if each does.

    So it is judged where every node answers reads from the state that it has: an answered change is seen by all, one under way
    by one node sooner than by another.
    """
    for read in reads:
        if impossible([*changes, read], step, start) is not None:
            return read
    return None


# --- models ---------------------------------------------------------------------------------------------------------


def index_name(state: State, action: str, answer: str) -> State | None:
    """One name of an index: `create` -> created | exists, `delete` -> deleted | missing, `exists` -> yes | no. The state is whether it
    is there.
    """
    expected: dict[tuple[str, Any], tuple[str, bool]] = {
        ("create", False): ("created", True),
        ("create", True): ("exists", True),
        ("delete", True): ("deleted", False),
        ("delete", False): ("missing", False),
        ("exists", True): ("yes", True),
        ("exists", False): ("no", False),
    }
    answers, after = expected[action, state]
    return after if answer in (answers, UNKNOWN) else None
