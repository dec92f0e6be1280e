"""The ledger of a document never blames what can have happened, and always what cannot."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chaos.ledger import Content, Document, Ledger


class Register:
    """A document with external versions, as a shard has it."""

    def __init__(self) -> None:
        self.version = 0
        self.content: Content = None

    def write(self, version: int, content: Content) -> None:
        if version > self.version:
            self.version, self.content = version, content


@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_what_can_have_happened_is_never_blamed(chance: random.Random, count: int) -> None:
    document, register = Document(), Register()
    under_way: list[tuple[int, Content]] = []
    for _ in range(count):
        deletes = chance.random() < 0.2
        number = document.begin(deletes=deletes)
        attempt = (number, None if deletes else number)
        outcome = chance.choice(("acknowledged", "refused", "unheard", "delayed"))
        if outcome in ("acknowledged", "unheard"):
            register.write(*attempt)
        if outcome == "acknowledged":
            document.acknowledge(number)
        elif outcome == "refused":
            document.refuse(number)
        elif outcome == "delayed":
            under_way.append(attempt)
        if under_way and chance.random() < 0.3:
            register.write(*under_way.pop(chance.randrange(len(under_way))))
        if chance.random() < 0.2:
            assert document.observe(register.content) is None
    assert register.content in document.possible()
    assert document.observe(register.content) is None


def acknowledged(*deletes: bool) -> Document:
    document = Document()
    for each in deletes:
        document.acknowledge(document.begin(deletes=each), (document.newest, 1))
    return document


@pytest.mark.parametrize("content", [None, 1, 3, 4])
def test_an_acknowledged_write_that_is_lost_is_blamed(content: Content) -> None:
    document = acknowledged(False, False)
    document.begin()
    document.refuse(3)
    assert document.observe(content) is not None


def test_an_acknowledged_deletion_that_is_undone_is_blamed() -> None:
    assert acknowledged(False, True).observe(1) is not None


def test_a_write_whose_outcome_was_seen_stays() -> None:
    document = acknowledged(False)
    document.begin()
    assert document.possible() == {1, 2}
    assert document.observe(2) is None
    assert document.observe(1) is not None


def test_an_unheard_write_may_come_later_but_not_after_a_later_one() -> None:
    document = acknowledged(False)
    document.begin()
    assert document.observe(1) is None
    assert document.possible() == {1, 2}
    document.acknowledge(document.begin())
    assert document.possible() == {3}


def test_an_acknowledged_write_stays_at_its_sequence_number() -> None:
    document = acknowledged(False)
    assert document.observe(1, (1, 1)) is None
    assert document.observe(1, (1, 2)) is not None


def test_documents_that_nobody_wrote_are_blamed() -> None:
    ledger = Ledger({"a": acknowledged(False)})
    assert ledger.compare({"a": (1, (1, 1))}) == []
    assert len(ledger.compare({"a": (1, (1, 1)), "b": (1, (2, 1))})) == 1
    assert len(ledger.compare({})) == 1


def test_generated_ids() -> None:
    ledger = Ledger(written={"a", "b"}, doubtful={"a", "b", "c"})
    assert ledger.compare_keys(Counter({"a": 1, "b": 1})) == []
    assert ledger.compare_keys(Counter({"a": 1, "b": 1, "c": 1})) == []
    assert len(ledger.compare_keys(Counter({"a": 1}))) == 1
    assert len(ledger.compare_keys(Counter({"a": 2, "b": 1}))) == 1
    assert len(ledger.compare_keys(Counter({"a": 1, "b": 1, "d": 1}))) == 1
