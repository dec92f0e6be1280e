from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quidditch.coordinator.shards import Place
from quidditch.model.objects import Copy, Index, IndexSpec, metadata_for
from quidditch.rest import recovery_progress
from quidditch.transport.recovery import Counts, Progress
from quidditch.transport.shards import Description

INDEX = Index(metadata=metadata_for("a"), spec=IndexSpec(name="a", uuid="u", settings={"index.creation_date": "1000"}))


@pytest.mark.parametrize(
    ("counts", "percent"),
    [
        (Counts(), "0.0%"),
        (Counts(3, 3, 0), "100.0%"),
        (Counts(4, 1, 1), "33.3%"),
        (Counts(4, 1, 3), "100.0%"),
    ],
)
def test_what_is_here_already_is_not_counted(counts: Counts, percent: str) -> None:
    assert recovery_progress.carried(counts) == percent


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_percentages_are_percentages(done: int, total: int) -> None:
    assert 0 <= float(recovery_progress.percent(done, total)[:-1]) <= 100


def test_a_node_that_tells_nothing_is_made_up_for() -> None:
    started = Place(INDEX, 0, Copy(primary=True, state="STARTED", node="n"), None)
    assert recovery_progress.of(started) == Progress("EXISTING_STORE", "DONE", 1000, 1000)
    building = Place(INDEX, 0, Copy(primary=False, state="INITIALIZING", node="n", recovery="PEER"), None)
    assert recovery_progress.of(building) == Progress("PEER", "INIT", 1000)
    told = Progress("PEER", "TRANSLOG", 2000)
    about = Description(None, None, b"{}", 0, "", 0, told)
    assert recovery_progress.of(Place(INDEX, 0, building.copy, about)) == told


def test_time_goes_on_until_the_end() -> None:
    assert recovery_progress.millis(Progress("PEER"), 5000) == 0
    assert recovery_progress.millis(Progress("PEER", started=2000), 5000) == 3000
    assert recovery_progress.millis(Progress("PEER", started=2000, stopped=2500), 5000) == 500
