from __future__ import annotations

import pytest

from quidditch.model.errors import ApiError
from quidditch.rest.cat_table import Bytes, Millis, Row, Units, aligned, chosen, columns, find, help_text, sort, written

TABLE = columns(
    """
    index | i,idx | index name
    > docs.count | dc,docsCount | available docs
    -> store.size | ss | store size
    - took | | how long
    """
)
ROWS: list[Row] = [
    {"index": "b", "docs.count": 10, "store.size": Bytes(2048), "took": Millis(1500)},
    {"index": "a", "docs.count": 9, "store.size": Bytes(10)},
    {"index": "long-name"},
]


def lines(h: str | None = None, s: str | None = None, v: bool = False, units: Units | None = None) -> list[str]:
    shown = chosen(TABLE, h)
    rows = [[written(row.get(column.name), units or Units()) for column, _ in shown] for row in sort(TABLE, ROWS, s)]
    return aligned(shown, rows, v).splitlines()


def test_only_shown_columns_without_a_choice() -> None:
    assert lines(v=True) == [
        "index     docs.count",
        "b                 10",
        "a                  9",
        "long-name           ",
    ]
    assert lines() == ["b         10", "a          9", "long-name   "]


def test_columns_are_called_as_the_request_calls_them() -> None:
    assert lines(h="dc,i,nothing", v=True) == ["dc i", "10 b", " 9 a", "   long-name"]
    assert lines(h="*o*", v=True)[0] == "docs.count store.size took"
    assert lines(h="docs*,docs.count", v=True)[0] == "docs.count"


def test_the_last_column_is_not_padded() -> None:
    assert lines(h="dc,took", v=True) == ["dc took", "10 1.5s", " 9 ", "   "]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("index", ["a", "b", "long-name"]),
        ("i:desc", ["long-name", "b", "a"]),
        ("docs.count", ["long-name", "a", "b"]),
        ("dc:desc,index", ["b", "a", "long-name"]),
        ("ss", ["long-name", "a", "b"]),
    ],
)
def test_sorting(order: str, expected: list[str]) -> None:
    assert [row["index"] for row in sort(TABLE, ROWS, order)] == expected


def test_an_unknown_sort_key_is_named() -> None:
    with pytest.raises(ApiError) as caught:
        sort(TABLE, ROWS, "foo")
    assert (caught.value.status, caught.value.reason) == (400, "Unable to sort by unknown sort key `foo`")


def test_units() -> None:
    assert lines(h="ss,took", units=Units("b", "ms"))[0].split() == ["2048", "1500"]
    assert lines(h="ss,took", units=Units("kb", "s"))[0].split() == ["2", "1"]
    assert lines(h="ss,took")[0].split() == ["2kb", "1.5s"]


def test_help_lists_every_column() -> None:
    assert help_text(TABLE).splitlines()[1] == "docs.count | dc,docsCount | available docs"
    assert len(help_text(TABLE).splitlines()) == len(TABLE)


def test_names_come_before_aliases() -> None:
    assert find(TABLE, "ss") is TABLE[2]
    assert find(TABLE, "index") is TABLE[0]
    assert find(TABLE, "nothing") is None
