"""`filter_path`: keeps (`a.b`, `*`, `**`) or drops (`-a.b`) parts of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from quidditch.model import wildcard

Pattern = tuple[str, ...]
_NOTHING = object()


@lru_cache(maxsize=256)
def parse(text: str) -> tuple[tuple[Pattern, ...], tuple[Pattern, ...]]:
    """Includes and excludes; a dot in a name is written `\\.`."""
    includes: list[Pattern] = []
    excludes: list[Pattern] = []
    for piece in text.split(","):
        path = piece.strip()
        target = includes
        if path.startswith("-"):
            path, target = path[1:], excludes
        parts = tuple(_parts(path))
        if parts:
            target.append(parts)
    return tuple(includes), tuple(excludes)


def _parts(path: str) -> Iterator[str]:
    """The names of a path; `**` twice in a row says no more than once."""
    last = ""
    for part in re.split(r"(?<!\\)\.", path):
        if part and not (part == last == "**"):
            yield part.replace("\\.", ".")
            last = part


def apply(value: Any, text: str) -> Any:
    """The filtered answer; `{}` if nothing is left."""
    includes, excludes = parse(text)
    if includes:
        value = _include(value, includes)
        if value is _NOTHING:
            return {}
    if excludes:
        value = _exclude(value, excludes)
        if value is _NOTHING:
            return {}
    return value


def _advance(patterns: tuple[Pattern, ...], name: str) -> tuple[bool, tuple[Pattern, ...]]:
    """Whether some pattern ends at `name`, and what is left of the others below it."""
    rest: list[Pattern] = []
    ended = False
    for pattern in patterns:
        head = pattern[0]
        if head == "**":
            rest.append(pattern)
            if len(pattern) == 1:
                ended = True
            else:
                below_ended, below = _advance((pattern[1:],), name)
                ended = ended or below_ended
                rest.extend(below)
        elif wildcard.matches(head, name):
            if len(pattern) == 1:
                ended = True
            else:
                rest.append(pattern[1:])
    return ended, tuple(dict.fromkeys(rest))


def _include(value: Any, patterns: tuple[Pattern, ...]) -> Any:
    if isinstance(value, dict):
        kept = {}
        for name, member in value.items():
            ended, rest = _advance(patterns, name)
            if ended:
                kept[name] = member
            elif rest:
                part = _include(member, rest)
                if part is not _NOTHING:
                    kept[name] = part
        return kept or _NOTHING
    if isinstance(value, list):
        parts = [part for part in (_include(member, patterns) for member in value) if part is not _NOTHING]
        return parts or _NOTHING
    return _NOTHING


def _exclude(value: Any, patterns: tuple[Pattern, ...]) -> Any:
    """An object or list that filtering left empty goes too, as in the original answer's writer."""
    if isinstance(value, dict):
        kept = {}
        for name, member in value.items():
            ended, rest = _advance(patterns, name)
            if ended:
                continue
            part = _exclude(member, rest) if rest else member
            if part is not _NOTHING:
                kept[name] = part
        return kept if kept or not value else _NOTHING
    if isinstance(value, list):
        parts = [part for part in (_exclude(member, patterns) for member in value) if part is not _NOTHING]
        return parts if parts or not value else _NOTHING
    return value
