"""From the name of a `_cat` column to the number among the statistics that it shows."""

from __future__ import annotations

from functools import cache
from typing import Any

from quidditch.rest.cat_table import Bytes, Cell, Columns, Millis, Row
from quidditch.rest.shard_stats import EMPTY, Stats

_SPECIAL = {
    "docs.count": ("docs", "count"),
    "docs.deleted": ("docs", "deleted"),
    "store.size": ("store", "size_in_bytes"),
    "refresh.time": ("refresh", "total_time_in_millis"),
    "refresh.external_time": ("refresh", "external_total_time_in_millis"),
    "segments.fixed_bitset_memory": ("segments", "fixed_bit_set_memory_in_bytes"),
    "suggest.current": ("search", "suggest_current"),
    "suggest.time": ("search", "suggest_time_in_millis"),
    "suggest.total": ("search", "suggest_total"),
}


@cache
def _place(column: str) -> tuple[str, str] | None:
    """Section and member; None if the column is no statistic."""
    if column in _SPECIAL:
        return _SPECIAL[column]
    section, dot, member = column.partition(".")
    known = EMPTY.get(section)
    if not dot or known is None:
        return None
    for name in (member, f"{member}_in_bytes", f"{member}_in_millis"):
        if name in known:
            return section, name
    return None


def cell(stats: Stats, column: str) -> Cell:
    """What the column shows; None if it is no statistic."""
    place = _place(column)
    if place is None:
        return None
    value: Any = stats[place[0]][place[1]]
    if place[1].endswith("_in_bytes"):
        return Bytes(int(value))
    if place[1].endswith("_in_millis"):
        return Millis(value)
    return value  # type: ignore[no-any-return]


def fill(row: Row, table: Columns, stats: Stats, prefix: str = "") -> None:
    """Fills the statistics columns of a table whose names begin with `prefix`."""
    for column in table:
        if column.name in row or not column.name.startswith(prefix):
            continue
        name = column.name[len(prefix) :]
        if _place(name) is not None:
            row[column.name] = cell(stats, name)
