"""Tables of the `_cat` endpoints: columns chosen by `h`, sorted by `s`, as aligned text or as JSON or YAML."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeAlias

import msgspec

from quidditch.lib.units import format_bytes, format_millis
from quidditch.model import wildcard
from quidditch.model.errors import ApiError
from quidditch.rest.index_params import manager_timeout
from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response

PARAMS = ("v", "h", "s", "help", "bytes", "time", "ts", "local", "master_timeout", "cluster_manager_timeout")
"""Query parameters of every `_cat` endpoint."""

_BYTES = {"b": 0, "k": 1, "kb": 1, "m": 2, "mb": 2, "g": 3, "gb": 3, "t": 4, "tb": 4, "p": 5, "pb": 5}
_TIMES = {"nanos": 1e-6, "micros": 1e-3, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Column(msgspec.Struct, frozen=True):
    """`shown`: without being asked for; `right`: aligned to the right."""

    name: str
    aliases: tuple[str, ...]
    description: str
    shown: bool = True
    right: bool = False


Columns: TypeAlias = Sequence[Column]


class Bytes(msgspec.Struct, frozen=True, order=True):
    """A size, written as `bytes=` asks."""

    count: int


class Millis(msgspec.Struct, frozen=True, order=True):
    """A duration, written as `time=` asks."""

    millis: float


Cell: TypeAlias = str | int | float | bool | Bytes | Millis | None
Row: TypeAlias = dict[str, Cell]
"""By column name; what is missing is empty."""


def columns(table: str) -> Columns:
    """Columns from lines of `flags name | aliases | description`."""
    return tuple(_column(line.strip()) for line in table.strip().splitlines())


def _column(line: str) -> Column:
    head, aliases, description = (part.strip() for part in line.split("|", 2))
    flags, _, name = head.rpartition(" ")
    names = tuple(alias.strip() for alias in aliases.split(",") if alias.strip())
    return Column(name, names, description, "-" not in flags, ">" in flags)


# --- choosing and sorting -------------------------------------------------------------------------------------------


def chosen(table: Columns, wanted: str | None, hidden: frozenset[str] = frozenset()) -> list[tuple[Column, str]]:
    """Columns to show and what to call them: as the request names them."""
    if wanted is None:
        return [(column, column.name) for column in table if column.shown and column.name not in hidden]
    found: dict[str, Column] = {}
    for written in (part.strip() for part in wanted.split(",")):
        if wildcard.is_pattern(written):
            for column in table:
                if wildcard.matches(written, column.name) or any(
                    wildcard.matches(written, alias) for alias in column.aliases
                ):
                    found.setdefault(column.name, column)
        else:
            column_found = find(table, written)
            if column_found is not None:
                found.setdefault(written, column_found)
    return [(column, name) for name, column in found.items()]


def find(table: Columns, name: str) -> Column | None:
    """The column of this name, or else alias."""
    exact = next((column for column in table if column.name == name), None)
    return exact or next((column for column in table if name in column.aliases), None)


def sort(table: Columns, rows: list[Row], order: str | None) -> list[Row]:
    """By the columns of `s=a,b:desc`. Raises unsupported_operation_exception for an unknown one."""
    if order is None:
        return rows
    keys: list[tuple[str, bool]] = []
    for part in order.split(","):
        name, _, direction = part.strip().rpartition(":")
        if direction not in ("asc", "desc") or not name:
            name, direction = part.strip(), "asc"
        column = find(table, name)
        if column is None:
            raise ApiError(500, "unsupported_operation_exception", f"Unable to sort by unknown sort key `{name}`")
        keys.append((column.name, direction == "desc"))

    def compare(left: Row, right: Row) -> int:
        for name, reverse in keys:
            one, two = _sortable(left.get(name)), _sortable(right.get(name))
            if one != two:
                return (-1 if one < two else 1) * (-1 if reverse else 1)
        return 0

    return sorted(rows, key=functools.cmp_to_key(compare))


def _sortable(cell: Cell) -> tuple[int, float, str]:
    """Nothing first, then numbers, then text."""
    if cell is None:
        return 0, 0.0, ""
    if isinstance(cell, Bytes):
        return 1, cell.count, ""
    if isinstance(cell, Millis):
        return 1, cell.millis, ""
    if isinstance(cell, bool):
        return 2, 0.0, "true" if cell else "false"
    return (1, float(cell), "") if isinstance(cell, int | float) else (2, 0.0, cell)


# --- writing --------------------------------------------------------------------------------------------------------


class Units(msgspec.Struct, frozen=True):
    """How sizes and durations are written: None for people, otherwise a count of that unit."""

    bytes: str | None = None
    time: str | None = None

    @staticmethod
    def of(request: Request) -> Units:
        """Raises illegal_argument_exception for a unit nobody knows."""
        size, time = request.query.get("bytes"), request.query.get("time")
        if size and size not in _BYTES:
            raise ApiError(400, "illegal_argument_exception", f"Invalid value for [bytes]: [{size}]")
        if time and time not in _TIMES:
            raise ApiError(400, "illegal_argument_exception", f"Invalid value for [time]: [{time}]")
        return Units(size or None, time or None)


def written(cell: Cell, units: Units) -> str | None:
    """The cell as text; None for an empty one."""
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Bytes):
        if units.bytes is not None:
            return str(cell.count // 1024 ** _BYTES[units.bytes])
        return format_bytes(cell.count)
    if isinstance(cell, Millis):
        if units.time is not None:
            return str(int(cell.millis / _TIMES[units.time]))
        return format_millis(cell.millis)
    return str(cell)


def aligned(shown: Sequence[tuple[Column, str]], rows: Sequence[Sequence[str | None]], header: bool) -> str:
    """Aligned text, a line per row."""
    lines = [[name for _, name in shown], *([cell or "" for cell in row] for row in rows)]
    if not header:
        lines = lines[1:]
    widths = [max((len(line[position]) for line in lines), default=0) for position in range(len(shown))]
    last = len(shown) - 1
    out = []
    for line in lines:
        cells = []
        for position, (column, _) in enumerate(shown):
            text = line[position]
            if column.right:
                cells.append(text.rjust(widths[position]))
            else:
                cells.append(text if position == last else text.ljust(widths[position]))
        out.append(" ".join(cells) + "\n")
    return "".join(out)


def help_text(table: Columns) -> str:
    """`?help`: name, aliases and meaning of each column."""
    lines = [(column.name, ",".join(column.aliases), column.description) for column in table]
    widths = [max(len(line[part]) for line in lines) for part in range(3)]
    return "".join(
        " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + "\n" for line in lines
    )


def render(
    request: Request, table: Columns, rows: list[Row], *, hidden: frozenset[str] = frozenset(), header: bool = False
) -> Response:
    """The answer in the format that the request wants."""
    shown = chosen(table, request.query.get("h") or None, hidden)
    units = Units.of(request)
    ordered = sort(table, rows, request.query.get("s") or None)
    cells = [[written(row.get(column.name), units) for column, _ in shown] for row in ordered]
    if wants_text(request):
        return Response.text(aligned(shown, cells, request.flag("v") or header))
    names = [name for _, name in shown]
    return Response.json([dict(zip(names, row, strict=True)) for row in cells])


def wants_text(request: Request) -> bool:
    return request.media.kind in ("text", "any")


Rows: TypeAlias = Callable[[Request, Node], Coroutine[Any, Any, list[Row]]]


def endpoint(
    table: Columns, rows: Rows, hidden: Callable[[Request], frozenset[str]] | None = None
) -> Callable[[Request, Node], Coroutine[Any, Any, Response]]:
    """A handler that answers the rows, or with `help` the columns."""

    async def handler(request: Request, node: Node) -> Response:
        if request.flag("help"):
            return Response.text(help_text(table))
        manager_timeout(request)
        found = await rows(request, node)
        return render(request, table, found, hidden=hidden(request) if hidden else frozenset())

    return handler
