"""What the checker of write histories lets pass, and what it must not."""

from __future__ import annotations

import pytest
from tests.support.write_history import Commit, lost, problems

A = (("Index/a", True),)
B = (("Index/b", True), ("Routing/b", True))
GONE = (("Index/a", False),)

SOUND = {
    "nothing": [],
    "one leader": [Commit(2, epoch=1), Commit(3, A, 1), Commit(5, B, 1), Commit(9, GONE, 1)],
    "one after the other": [Commit(2, epoch=1), Commit(3, A, 1), Commit(4, epoch=2), Commit(5, B, 2)],
    "one that never wrote": [Commit(2, epoch=1), Commit(3, epoch=2), Commit(4, epoch=3), Commit(5, A, 3)],
    "epochs left out after a restore": [Commit(2, epoch=1), Commit(3, A, 1), Commit(4, epoch=17), Commit(5, B, 17)],
    "a lease that ran out": [Commit(2, epoch=1), Commit(3), Commit(4, epoch=2)],
}
UNSOUND = {
    "the old leader writes": [Commit(2, epoch=1), Commit(3, A, 1), Commit(4, epoch=2), Commit(5, B, 1)],
    "both write": [Commit(2, epoch=1), Commit(3, epoch=2), Commit(4, A, 2), Commit(5, B, 1), Commit(6, GONE, 2)],
    "before it led": [Commit(2, epoch=1), Commit(3, A, 2), Commit(4, epoch=2)],
    "before anybody led": [Commit(2, A, 1)],
    "an epoch twice": [Commit(2, epoch=1), Commit(3, A, 1), Commit(4, epoch=1)],
    "an epoch back": [Commit(2, epoch=2), Commit(3, A, 2), Commit(4, epoch=1), Commit(5, B, 1)],
    "nobody's write": [Commit(2, epoch=1), Commit(3, A)],
    "nobody's removal": [Commit(2, epoch=1), Commit(3, A, 1), Commit(4, GONE)],
    "revisions out of order": [Commit(2, epoch=1), Commit(5, A, 1), Commit(4, B, 1)],
    "a revision twice": [Commit(2, epoch=1), Commit(4, A, 1), Commit(4, B, 1)],
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_histories(name: str) -> None:
    assert problems(SOUND[name]) == []


@pytest.mark.parametrize("name", UNSOUND)
def test_unsound_histories(name: str) -> None:
    assert problems(UNSOUND[name])


def test_the_write_of_a_deposed_leader_is_named() -> None:
    (problem,) = problems(UNSOUND["the old leader writes"])
    assert problem == "0.000 revision 5: [+Index/b, +Routing/b] by 1, but the newest epoch is 2"


def test_what_was_acknowledged_and_never_written() -> None:
    history = SOUND["one leader"]
    assert lost(history, ["Index/a", "Index/b"]) == set()
    assert lost(history, ["Index/a", "Index/c"]) == {"Index/c"}
    assert lost([Commit(9, GONE, 1)], ["Index/a"]) == {"Index/a"}
