"""The checker of linearizability: histories that must pass, histories that must not, and a brute-force judge of small random ones."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.linearizable import (
    UNKNOWN,
    Operation,
    State,
    Step,
    alias_name,
    impossible,
    impossible_alone,
    index_name,
)


def ops(*rows: tuple[float, float, str, str]) -> list[Operation]:
    return [Operation(action, answer, called, answered) for called, answered, action, answer in rows]


NEVER = math.inf
LEGAL = {
    "nothing happened": [],
    "one after the other": [(0, 1, "create", "created"), (2, 3, "create", "exists"), (4, 5, "delete", "deleted")],
    "missing at first": [(0, 1, "delete", "missing"), (2, 3, "exists", "no"), (4, 5, "create", "created")],
    "one of two creates wins": [(0, 5, "create", "created"), (1, 4, "create", "exists")],
    "the one called later wins": [(0, 5, "create", "exists"), (1, 6, "create", "created")],
    "created, deleted and created at once": [
        (0, 9, "create", "created"),
        (1, 8, "delete", "deleted"),
        (2, 7, "create", "created"),
    ],
    "seen before it is answered": [(0, 9, "create", "created"), (1, 2, "exists", "yes")],
    "not seen while under way": [(0, 9, "create", "created"), (1, 2, "exists", "no"), (3, 4, "exists", "yes")],
    "without answer, and done": [(0, NEVER, "create", UNKNOWN), (2, 3, "create", "exists")],
    "without answer, and not done": [(0, NEVER, "create", UNKNOWN), (2, 3, "create", "created")],
    "without answer, and done late": [
        (0, NEVER, "delete", UNKNOWN),
        (1, 2, "create", "created"),
        (3, 4, "exists", "yes"),
        (5, 6, "create", "created"),
    ],
    "without answer, between two others": [
        (0, 1, "create", "created"),
        (2, NEVER, "delete", UNKNOWN),
        (3, 4, "exists", "yes"),
        (5, 6, "delete", "missing"),
    ],
    "two without answer, both done": [
        (0, NEVER, "delete", UNKNOWN),
        (0, NEVER, "delete", UNKNOWN),
        (1, 2, "create", "created"),
        (3, 4, "create", "created"),
        (5, 6, "create", "created"),
    ],
}
ILLEGAL = {
    "created twice": [(0, 1, "create", "created"), (2, 3, "create", "created")],
    "created twice at once": [(0, 3, "create", "created"), (1, 4, "create", "created")],
    "deleted twice": [(0, 1, "create", "created"), (2, 9, "delete", "deleted"), (3, 8, "delete", "deleted")],
    "deleted what never was": [(0, 1, "delete", "deleted")],
    "deleted before the create began": [(0, 1, "delete", "deleted"), (2, 3, "create", "created")],
    "exists before the create began": [(0, 1, "create", "exists"), (2, 3, "create", "created")],
    "lost": [(0, 1, "create", "created"), (2, 3, "exists", "no")],
    "lost, said by a delete": [(0, 1, "create", "created"), (2, 3, "delete", "missing")],
    "lost, said by a create": [
        (0, 1, "create", "created"),
        (2, 3, "create", "exists"),
        (4, 5, "create", "created"),
    ],
    "risen from the dead": [
        (0, 1, "create", "created"),
        (2, 3, "delete", "deleted"),
        (4, 5, "exists", "yes"),
    ],
    "risen, said by a create": [(0, 1, "create", "created"), (2, 3, "delete", "deleted"), (4, 5, "create", "exists")],
    "seen, then not seen": [(0, 9, "create", "created"), (1, 2, "exists", "yes"), (3, 4, "exists", "no")],
    "seen before it was called": [(0, 1, "exists", "yes"), (2, 9, "create", "created")],
    "nobody created it": [(0, 5, "create", "exists"), (1, 4, "create", "exists")],
    "without answer, done twice": [
        (0, NEVER, "delete", UNKNOWN),
        (1, 2, "create", "created"),
        (3, 4, "create", "created"),
        (5, 6, "create", "created"),
    ],
    "without answer, done and then not": [
        (0, NEVER, "create", UNKNOWN),
        (1, 2, "exists", "yes"),
        (3, 4, "exists", "no"),
    ],
    "without answer, done before its call": [(0, 1, "exists", "yes"), (2, NEVER, "create", UNKNOWN)],
    "a delete too many among many": [
        (0, 9, "create", "created"),
        (0, 9, "create", "created"),
        (0, 9, "delete", "deleted"),
        (0, 9, "delete", "deleted"),
        (0, 9, "delete", "deleted"),
    ],
    "an answer that took another's place": [
        (0, 2, "create", "created"),
        (1, 3, "delete", "deleted"),
        (4, 5, "create", "exists"),
    ],
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_can_have_been(name: str) -> None:
    assert impossible(ops(*LEGAL[name]), index_name, False) is None


@pytest.mark.parametrize("name", ILLEGAL)
def test_what_cannot_have_been(name: str) -> None:
    assert impossible(ops(*ILLEGAL[name]), index_name, False) is not None


def test_the_first_that_cannot_be_is_named() -> None:
    history = ops((0, 1, "create", "created"), (2, 3, "exists", "no"), (4, 5, "create", "created"))
    assert impossible(history, index_name, False) == history[1]


def test_reads_by_themselves() -> None:
    changes = ops((0, 9, "create", "created"))
    back_and_forth = ops((1, 2, "exists", "yes"), (3, 4, "exists", "no"), (8, 11, "exists", "yes"))
    assert impossible_alone(changes, back_and_forth, index_name, False) is None
    late = ops((10, 11, "exists", "no"))
    assert impossible_alone(changes, late, index_name, False) == late[0]


def _brute(history: Sequence[Operation], step: Step) -> bool:
    """Tries every order of every choice of the operations without an answer."""
    certain = [op for op in history if op.known]
    unsure = [op for op in history if not op.known]
    return any(
        _explains(order, step)
        for size in range(len(unsure) + 1)
        for chosen in itertools.combinations(unsure, size)
        for order in itertools.permutations([*certain, *chosen])
    )


def _explains(order: Sequence[Operation], step: Step) -> bool:
    latest = -math.inf
    state: State = False
    for op in order:
        latest = max(latest, op.called)
        if op.answered < latest:
            return False
        following = step(state, op.action, op.answer)
        if following is None:
            return False
        state = following
    return True


Answers = Mapping[str, Sequence[str]]
ANSWERS: Answers = {
    "create": ("created", "exists", UNKNOWN),
    "delete": ("deleted", "missing", "gone", UNKNOWN),
    "exists": ("yes", "no"),
}
OF_ALIASES: Answers = {
    "add": ("done", UNKNOWN),
    "remove": ("done", "missing", "gone", UNKNOWN),
    "exists": ("yes", "no"),
}


@st.composite
def histories(draw: st.DrawFn, answers: Answers) -> list[Operation]:
    """Times are all different, so that no order depends on how equal ones are meant."""
    count = draw(st.integers(0, 6))
    times = draw(st.permutations(range(2 * count)))
    found = []
    for number in range(count):
        action = draw(st.sampled_from(sorted(answers)))
        answer = draw(st.sampled_from(answers[action]))
        called, answered = sorted(times[2 * number : 2 * number + 2])
        found.append(Operation(action, answer, called, math.inf if answer == UNKNOWN else answered))
    return found


@settings(max_examples=300)
@given(histories(ANSWERS))
def test_it_judges_indices_as_trying_everything_does(history: list[Operation]) -> None:
    assert (impossible(history, index_name, False) is None) == _brute(history, index_name)


@settings(max_examples=300)
@given(histories(OF_ALIASES))
def test_it_judges_aliases_as_trying_everything_does(history: list[Operation]) -> None:
    assert (impossible(history, alias_name, False) is None) == _brute(history, alias_name)


@settings(max_examples=200)
@given(histories(ANSWERS))
def test_it_judges_reads_alone_as_one_by_one(history: list[Operation]) -> None:
    reads = [op for op in history if op.action == "exists"]
    changes = [op for op in history if op.action != "exists"]
    each = all(_brute([*changes, *read], index_name) for read in [[], *([read] for read in reads)])
    assert (impossible_alone(changes, reads, index_name, False) is None) == each


def _simulated(seed: int, clients: int, count: int, lost: float) -> list[Operation]:
    """What so many clients would see of a name that is linearizable."""
    chance = random.Random(seed)
    history: list[Operation] = []
    moments: list[tuple[float, float, float, str]] = []
    free = [0.0] * clients
    for _ in range(count):
        client = min(range(clients), key=lambda each: free[each])
        called = free[client] + chance.random() * 0.01
        answered = called + chance.random()
        moments.append((chance.uniform(called, answered), called, answered, chance.choice(sorted(ANSWERS))))
        free[client] = answered
    state = False
    for _, called, answered, action in sorted(moments):
        answer = {
            "create": "exists" if state else "created",
            "delete": "deleted" if state else "missing",
            "exists": "yes" if state else "no",
        }[action]
        heard = action == "exists" or chance.random() >= lost
        history.append(Operation(action, answer if heard else UNKNOWN, called, answered if heard else math.inf))
        state = {"create": True, "delete": False}.get(action, state)
    return history


@pytest.mark.parametrize("seed", range(5))
def test_long_histories_of_many_clients(seed: int) -> None:
    history = _simulated(seed, clients=12, count=3000, lost=0.02)
    assert impossible(history, index_name, False) is None
    # A create that was refused though nothing was there, long before anything else was called.
    assert impossible([Operation("create", "exists", -2, -1), *history], index_name, False) is not None
