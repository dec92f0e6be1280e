"""Which aliases `GET _alias/{names}` shows, and which names it misses."""

from __future__ import annotations

import pytest

from quidditch.rest.indices_aliases import _choose, _missing

NAMES = ["test", "test_alias_1", "test_alias_2", "test_blias_1", "test_blias_2"]


@pytest.mark.parametrize(
    ("asked", "chosen", "missing"),
    [
        (("test_alias_1",), ["test_alias_1"], []),
        (("nope", "test"), ["test"], ["nope"]),
        (("test_alias*", "-test_alias_1"), ["test_alias_2"], []),
        (("-test_alias_1", "test_alias*", "-test_alias_2"), ["test_alias_1"], ["-test_alias_1"]),
        (("test_alias_1", "test_blias_2", "-test_alias*", "-test_blias_2"), [], []),
        (("-non-existent", "-non-existent*", "-another"), [], ["-non-existent"]),
        (("_all",), NAMES, []),
        (("no*",), [], []),
    ],
)
def test_choice(asked: tuple[str, ...], chosen: list[str], missing: list[str]) -> None:
    found = _choose(asked, NAMES)
    assert found == chosen
    assert _missing(asked, {"i": {name: {} for name in found}}) == missing
