"""Simple patterns: what they match, and that none of them takes long."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from quidditch.model.wildcard import matches

TEXT = st.text("ab\n", max_size=8)


@given(pattern=st.text("ab*", max_size=8), name=TEXT)
def test_as_a_regular_expression_would(pattern: str, name: str) -> None:
    expression = "".join(".*" if char == "*" else re.escape(char) for char in pattern)
    assert matches(pattern, name) == (re.fullmatch(expression, name, re.DOTALL) is not None)


def test_pieces_do_not_overlap() -> None:
    assert not matches("aba*aba", "ababa")
    assert matches("aba*aba", "abaaba")


def test_many_stars_do_not_take_for_ever() -> None:
    assert not matches("*a" * 60 + "*b", "a" * 5000)
