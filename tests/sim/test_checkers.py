"""The checkers by themselves: what they must find, and what they must let pass."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim.checkers import (
    CopyAtRest,
    Ledger,
    Read,
    Violation,
    Write,
    check_checkpoints,
    check_history,
    check_rest,
    check_stored,
)
from tests.sim.disk import Commit, Folder, Record

SHARD = ("uuid", 0)


def write(id: str, value: str | None, began: float, ended: float, seq_no: int = -1, **more: Any) -> Write:
    outcome = "ok" if seq_no >= 0 else "unknown"
    return Write(SHARD, id, value, began, ended, **{"outcome": outcome, "seq_no": seq_no, "term": 1, **more})


def record(seq_no: int, id: str, value: str | None, term: int = 1) -> Record:
    return Record(seq_no, term, "delete" if value is None else "index", id, 1, value or "")


def copy(where: str, *records: Record, numbers: tuple[int, int, int] | None = None) -> CopyAtRest:
    documents: dict[str, Record] = {}
    for each in records:
        if each.id not in documents or documents[each.id].seq_no < each.seq_no:
            documents[each.id] = each
    last = max((each.seq_no for each in records), default=-1)
    return CopyAtRest(where, documents, *(numbers or (last, last, last)), {each.seq_no: each for each in records})


A0, A1, B1 = record(0, "a", "1"), record(1, "a", "2"), record(1, "b", "2")
FIRST = write("a", "1", 0, 1, 0)
LATER = write("a", "2", 2, 3, 1)

GOOD: list[tuple[str, Ledger, list[CopyAtRest]]] = [
    ("one write", Ledger([FIRST]), [copy("p", A0), copy("r", A0)]),
    ("two writes in order", Ledger([FIRST, LATER]), [copy("p", A0, A1)]),
    ("one that was never answered and came", Ledger([FIRST, write("a", "2", 2, 9)]), [copy("p", A0, A1)]),
    ("one that was never answered and did not", Ledger([FIRST, write("a", "2", 2, 9)]), [copy("p", A0)]),
    (
        "at the same time, in the other order",
        Ledger([write("a", "2", 0, 9, 1), write("a", "1", 1, 8, 0)]),
        [copy("p", A0, A1)],
    ),
    ("a deletion", Ledger([FIRST, write("a", None, 2, 3, 1)]), [copy("p", A0, record(1, "a", None))]),
    ("a gap that was filled", Ledger([FIRST]), [copy("p", A0, Record(1, 2, "noop"))]),
    ("a read of what was written", Ledger([FIRST], [Read(SHARD, "a", 0.5, "1")]), [copy("p", A0)]),
    ("a read of nothing", Ledger([FIRST], [Read(SHARD, "a", 0.5, None)]), [copy("p", A0)]),
    ("history that one copy has trimmed", Ledger([FIRST]), [copy("p", A0), copy("r", A0)._replace(history={})]),
]
BAD: list[tuple[str, Ledger, list[CopyAtRest]]] = [
    ("lost", Ledger([FIRST]), [copy("p")]),
    ("lost on a replica", Ledger([FIRST, LATER]), [copy("p", A0, A1), copy("r", A0, numbers=(1, 1, 1))]),
    ("an older write won", Ledger([FIRST, LATER]), [copy("p", A0, numbers=(1, 1, 1))]),
    ("another operation has its number", Ledger([FIRST]), [copy("p", record(0, "b", "3"), record(1, "a", "1"))]),
    ("a gap filler has its number", Ledger([FIRST]), [copy("p", Record(0, 2, "noop"), record(1, "a", "9"))]),
    ("two writes with one number", Ledger([FIRST, write("b", "2", 0, 1, 0)]), [copy("p", A0)]),
    ("numbers against time", Ledger([write("a", "2", 0, 1, 1), write("a", "1", 2, 3, 0)]), [copy("p", A0, A1)]),
    ("nobody wrote it", Ledger([FIRST]), [copy("p", A0, record(1, "a", "9"))]),
    ("refused and there all the same", Ledger([write("a", "1", 0, 1, outcome="refused")]), [copy("p", A0)]),
    ("a deleted document is back", Ledger([FIRST, write("a", None, 2, 3, 1)]), [copy("p", A0, numbers=(1, 1, 1))]),
    ("an acknowledged one under another number", Ledger([write("a", "1", 0, 1, 0)]), [copy("p", record(1, "a", "1"))]),
    ("copies differ", Ledger([FIRST, write("b", "2", 2, 9)]), [copy("p", A0, B1), copy("r", A0, record(1, "c", "2"))]),
    ("copies differ in a term", Ledger([write("a", "1", 0, 1)]), [copy("p", A0), copy("r", record(0, "a", "1", term=2))]),
    ("histories differ", Ledger([FIRST]), [copy("p", A0, Record(1, 2, "noop")), copy("r", A0, Record(1, 1, "noop"))]),
    ("a copy is behind", Ledger([FIRST]), [copy("p", A0), copy("r", A0, numbers=(0, 0, -1))]),
    ("the primary is not at rest", Ledger([FIRST]), [copy("p", A0, numbers=(0, 0, -1))]),
    ("a read of what nobody wrote", Ledger([FIRST], [Read(SHARD, "a", 5, "7")]), [copy("p", A0)]),
    ("a read from the future", Ledger([FIRST, LATER], [Read(SHARD, "a", 1.5, "2")]), [copy("p", A0, A1)]),
]  # fmt: skip


def judge(ledger: Ledger, copies: list[CopyAtRest]) -> None:
    check_history(ledger)
    check_rest(SHARD, ledger, copies)


@pytest.mark.parametrize(("ledger", "copies"), [case[1:] for case in GOOD], ids=[case[0] for case in GOOD])
def test_what_may_be(ledger: Ledger, copies: list[CopyAtRest]) -> None:
    judge(ledger, copies)


@pytest.mark.parametrize(("ledger", "copies"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_what_may_not_be(ledger: Ledger, copies: list[CopyAtRest]) -> None:
    with pytest.raises(Violation):
        judge(ledger, copies)


def test_one_primary_in_a_term() -> None:
    ledger = Ledger()
    ledger.assigned(SHARD, "one", A0)
    ledger.assigned(SHARD, "one", A1)
    ledger.assigned(SHARD, "two", record(1, "a", "2", term=2))
    with pytest.raises(Violation):
        ledger.assigned(SHARD, "two", A1)
    with pytest.raises(Violation):
        ledger.assigned(SHARD, "one", B1)


def test_the_global_checkpoint_is_on_every_disk() -> None:
    check_checkpoints(SHARD, {"p": 4, "r": 3}, {"p": 5, "r": 4})
    with pytest.raises(Violation):
        check_checkpoints(SHARD, {"p": 4, "r": 5}, {"p": 5, "r": 4})


def test_a_copy_in_sync_lacks_what_was_acknowledged() -> None:
    folder = Folder(
        "", commits=[Commit(3, 3, {})], log=[Record(4, 1, "index", "a"), Record(5, 1, "index", "b")], synced=1
    )
    there, lost = [Write(SHARD, id, "v", 0.0, 1.0, "ok", seq_no, 1) for id, seq_no in (("a", 4), ("b", 5))]
    check_stored(SHARD, "d0", [there], folder)
    with pytest.raises(Violation, match="in place of"):
        check_stored(SHARD, "d0", [there, lost], folder)
